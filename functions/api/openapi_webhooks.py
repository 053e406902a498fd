"""What the OpenAPI document says of the requests that receivers get: one webhook for each event type."""

from typing import Any

from openapi_shapes import OPEN_OBJECT
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.catalogue import EventTypeEntry, catalogue

Json = dict[str, Any]

_REF = "#/components/schemas/"
_ID: list[Json] = [{"type": "string"}, {"type": "integer"}, {"type": "null"}]
DELIVERED_EVENT: Json = {
    "type": "object",
    "description": "The body of a delivery: the event, with all of its fields in this order",
    "required": ["id", "type", "resource_id", "workspace_id", "user_id", "timestamp", "data", "metadata"],
    "properties": {
        "id": {"type": "string", "description": "the event's; the same in every attempt and in every delivery of it"},
        "type": {"type": "string", "description": "such as record.created"},
        "resource_id": {"anyOf": _ID, "description": "what it is about"},
        "workspace_id": {"anyOf": _ID, "description": "the workspace that it happened in"},
        "user_id": {"anyOf": _ID, "description": "the user who caused it"},
        "timestamp": {"type": "string", "format": "date-time", "description": "when it happened"},
        "data": {**OPEN_OBJECT, "description": "as published"},
        "metadata": {**OPEN_OBJECT, "description": "as published"},
    },
}
_HEADERS = {
    "X-PyAirtable-Signature": "sha256=<hex> of HMAC-SHA256 over {X-PyAirtable-Timestamp}.{body}, by the whole secret",
    "X-PyAirtable-Timestamp": "when this attempt was signed, in seconds since 1970",
    "X-PyAirtable-Event-ID": "the event's id",
    "X-PyAirtable-Event-Type": "the event's type",
    "X-PyAirtable-Webhook-ID": "the webhook's id",
    "X-PyAirtable-Delivery-ID": "the same in every attempt",
    "X-PyAirtable-Attempt": "counts from 1",
    "X-PyAirtable-Hop": "tells this service when a delivery comes back to its own API",
    "traceparent": "the event's W3C Trace Context, where its publisher gave one",
    "webhook-id": "the event's id, as Standard Webhooks has it",
    "webhook-timestamp": "as X-PyAirtable-Timestamp",
    "webhook-signature": "v1,<base64> over {webhook-id}.{webhook-timestamp}.{body}, one for each secret; v1a: ed25519",
}
_ANSWERS = {
    "2XX": "The delivery has arrived",
    "410": "The webhook is disabled",
    "429": "The webhook is slowed down; Retry-After says for how long",
    "default": "The delivery is tried again",
}


def described_webhooks() -> Json:
    """The document's `webhooks`, by event type."""
    return {each.name: {"post": _delivery(each)} for each in catalogue(DEFAULT_EVENT_TYPES)}


def _delivery(event_type: EventTypeEntry) -> Json:
    name = event_type.name
    body = {"allOf": [{"$ref": f"{_REF}DeliveredEvent"}, {"properties": {"type": {"const": name}}}]}
    return {
        "tags": ["deliveries"],
        "operationId": "on" + "".join(word.title() for word in name.replace("_", ".").split(".")),
        "summary": event_type.description,
        "description": "Sent to webhooks that are subscribed to it, and tried again for days until the answer is 2xx.",
        "security": [],
        "parameters": [
            {
                "in": "header",
                "name": header,
                "description": told,
                "required": header != "traceparent",
                "schema": {"type": "string"},
            }
            for header, told in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {status: {"description": told} for status, told in _ANSWERS.items()},
    }

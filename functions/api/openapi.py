"""The OpenAPI document, made from the code. scripts/openapi.py keeps docs/openapi.json by it."""

import json
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.event_handler.openapi.models import Contact, HTTPBearer, License, Server, Tag

from answers.common import AcceptedEvents, Problem
from openapi_details import TAGS, describe_bodies, describe_estimate, describe_headers, describe_links, describe_text
from openapi_errors import describe_errors
from openapi_examples import describe_examples
from openapi_shapes import OPEN_OBJECT, shaped
from openapi_webhooks import DELIVERED_EVENT, described_webhooks
from openapi_words import describe_fields
from webhooks.events.keeping import MAX_DAYS, MAX_PATH, MAX_PATHS
from webhooks.matching.filter_document import Filters

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

VERSION = "1.0.0"
DESCRIPTION = (
    "Outbound webhooks for the PyAirtable platform: register endpoints, subscribe them to events, publish events, "
    "and see what happened to every delivery. Errors are RFC 9457 problems; lists are paged by opaque cursors."
)
_PUBLIC = ("/health", "/ready", "/.well-known/jwks.json", "/portal-sessions")
_REF = "#/components/schemas/"
_NULL = {"type": "null"}
_FOREIGN_ID = [{"type": "string"}, {"type": "integer"}, _NULL]
_OPEN_OBJECT = [OPEN_OBJECT, _NULL]
_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "An event to publish",
    "additionalProperties": False,
    "required": ["type"],
    "properties": {
        "id": {
            "anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, _NULL],
            "description": "unique within its scope; made if absent",
        },
        "type": {"type": "string", "maxLength": 128, "description": "such as record.created"},
        "resource_id": {"anyOf": _FOREIGN_ID, "description": "what it is about"},
        "workspace_id": {"anyOf": _FOREIGN_ID, "description": "its webhooks get the event; or give user_id, or both"},
        "user_id": {"anyOf": _FOREIGN_ID, "description": "webhooks of this user without a workspace get the event"},
        "timestamp": {
            "anyOf": [{"type": "string", "format": "date-time"}, _NULL],
            "description": "RFC 3339; the present if absent",
        },
        "data": {"anyOf": _OPEN_OBJECT, "description": "what filters look into; {} if absent"},
        "metadata": {"anyOf": _OPEN_OBJECT, "description": "passed on as it is; {} if absent"},
        "traceparent": {
            "type": "string",
            "description": "W3C Trace Context, for the delivery's header of that name; instead of the request's own",
        },
        "retention_days": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_DAYS,
            "description": "forget the event after so many days; 0: its payload is gone once it is delivered. "
            "Receivers do not get this field",
        },
        "redact": {
            "type": "array",
            "maxItems": MAX_PATHS,
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_PATH},
            "description": "paths of fields of data and metadata, as filters have them: receivers get the values, and "
            "what is kept says `redacted`. Receivers do not get this field",
            "examples": [["data.fields.email"]],
        },
    },
    "examples": [
        {
            "id": "evt_1234567890",
            "type": "record.created",
            "resource_id": "rec123",
            "workspace_id": 456,
            "user_id": 789,
            "timestamp": "2024-01-01T12:00:00Z",
            "data": {"id": "rec123", "fields": {"name": "John Doe", "email": "john@example.com"}},
            "metadata": {"source": "api", "version": "v1"},
        }
    ],
}
_EVENTS = {"type": "array", "items": {"$ref": f"{_REF}Event"}, "minItems": 1, "maxItems": 100}
_ONE_OR_MANY = [{"$ref": f"{_REF}Event"}, {"$ref": f"{_REF}EventList"}]
_EVENT_LIST = {
    "type": "object",
    "additionalProperties": False,
    "description": "Events to publish together",
    "required": ["events"],
    "properties": {"events": {**_EVENTS, "description": "all of them are accepted, or none"}},
}


def openapi_text(api: "APIGatewayRestResolver") -> str:
    """The document as JSON."""
    return json.dumps(openapi_document(api), indent=2, ensure_ascii=False) + "\n"


def openapi_document(api: "APIGatewayRestResolver") -> dict[str, Any]:
    """What Powertools makes of the routes and models, with the errors and the events that it does not see."""
    text = api.get_openapi_json_schema(
        title="PyAirtable Webhooks",
        version=VERSION,
        description=DESCRIPTION,
        contact=Contact(name="PyAirtable"),
        license_info=License(name="Proprietary", identifier="LicenseRef-PyAirtable"),
        tags=[Tag(name=name, description=told) for name, told in TAGS.items()],
        servers=[Server(url="/", description="relative to this document")],
        security_schemes={
            "bearer": HTTPBearer(bearerFormat="JWT", description="A token of the platform"),
            "apiKey": HTTPBearer(bearerFormat="pyak_...", description="An API key, made by `createApiKey`"),
        },
        security=[{"bearer": []}, {"apiKey": []}],
    )
    document = cast("dict[str, Any]", json.loads(text))
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(name, None)
    schemas["Event"] = _EVENT
    schemas["EventList"] = _EVENT_LIST
    for model in (Problem, AcceptedEvents, Filters):
        schema = model.model_json_schema(ref_template=_REF + "{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _drop_powertools_errors(operation)
            if path in _PUBLIC:
                operation["security"] = []
    _describe_publishing(document["paths"]["/api/v1/events"]["post"])
    by_id = {each["operationId"]: each for operations in document["paths"].values() for each in operations.values()}
    describe_bodies(by_id)
    describe_links(by_id)
    describe_errors(document, by_id)
    describe_examples(by_id)
    describe_text(by_id["scrapeMetrics"])
    describe_estimate(by_id["recoverWebhook"])
    describe_estimate(by_id["bulkReplayAcrossWebhooks"])
    describe_headers(document, by_id)
    schemas["DeliveredEvent"] = DELIVERED_EVENT
    document["webhooks"] = described_webhooks()
    plain = shaped(document)
    plain["components"]["schemas"] = dict(sorted(plain["components"]["schemas"].items()))
    describe_fields(plain)
    return plain


def _drop_powertools_errors(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in ("422", "500"):
        responses.pop(status, None)
    for status, response in responses.items():
        if status == "204":
            response.pop("content", None)


def _describe_publishing(operation: dict[str, Any]) -> None:
    operation["parameters"] = [
        {
            "in": "header",
            "name": "idempotency-key",
            "description": "repeating a request does it once; with other events it is a 409",
            "schema": {"type": "string", "pattern": "^[!-{}~]{1,255}$"},
        },
        {
            "in": "header",
            "name": "traceparent",
            "description": "W3C Trace Context: goes on to receivers; ignored when it is none",
            "schema": {"type": "string"},
        },
    ]
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": {"anyOf": [*_ONE_OR_MANY, _EVENTS]}}},
    }
    operation["responses"]["202"]["content"] = {"application/json": {"schema": {"$ref": f"{_REF}AcceptedEvents"}}}

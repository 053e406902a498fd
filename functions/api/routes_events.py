"""/events and /event-types: publishing, and what can be subscribed to."""

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from answers.common import EventTypeAnswer, EventTypes
from reading import caller_of, check_content_type, read_json
from request_limits import RequestLimiter
from webhooks.events.catalogue import catalogue
from webhooks.events.publishing import MAX_BODY_BYTES, Publishing, events_in

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

TAGS = ["events"]


def routes(publishing: Publishing, event_types: Collection[str], limiter: RequestLimiter) -> Router:
    """The router of these use cases."""
    router = Router()

    # Validation by models costs 190 us a call, which only management can afford; `normalise` checks events by hand.
    @router.post(
        "/events",
        summary="Publish an event, or up to 100",
        status_code=202,
        tags=TAGS,
        enable_validation=False,
        description="202: all of them are stored durably. After anything else, repeat with the same `Idempotency-Key`.",
        operation_id="publishEvents",
    )
    def publish_events() -> Response[str]:
        event = cast("APIGatewayProxyEvent", router.current_event)
        caller = caller_of(router, "events:write")
        check_content_type(event)
        document = read_json(event, MAX_BODY_BYTES)
        limiter.count_events(caller, len(events_in(document)))
        accepted = publishing.publish(
            caller, document, event.headers.get("idempotency-key"), event.headers.get("traceparent")
        )
        events = [{"id": each.event_id} | ({"duplicate": True} if each.is_duplicate else {}) for each in accepted]
        body = {"accepted": len(accepted), "events": events}
        return Response(202, "application/json", json.dumps(body, separators=(",", ":")))

    @router.get(
        "/event-types",
        summary="List event types",
        tags=TAGS,
        description="Those that the platform publishes, and the service's own.",
        operation_id="listEventTypes",
    )
    def list_event_types() -> EventTypes:
        caller_of(router, "webhooks:read")
        return EventTypes(
            items=[
                EventTypeAnswer(name=each.name, description=each.description, covered_by=list(each.covered_by))
                for each in catalogue(event_types)
            ]
        )

    return router

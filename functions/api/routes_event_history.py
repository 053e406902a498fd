"""/events/:event_id: what happened to an event."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.events import PublishedEventAnswer
from paging import MAX_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from webhooks.management.cursors import Cursors
from webhooks.management.events import EventHistory


def routes(history: EventHistory, cursors: Cursors) -> Router:
    """The router of this use case."""
    router = Router()

    @router.get(
        "/events/<event_id>",
        summary="What became of an event, for each webhook and why",
        description=(
            "Your own webhooks are listed, those that it did not reach with the reason; admins see all that the event "
            "was for. An event shows up within seconds of being published."
        ),
        tags=["events"],
        operation_id="getEvent",
    )
    def get_event(
        event_id: str,
        workspace_id: Annotated[
            str | None, Query(max_length=128, description="of the event, where several have this id")
        ] = None,
        user_id: Annotated[
            str | None, Query(max_length=128, description="the same for an event without a workspace")
        ] = None,
        webhook_id: Annotated[str | None, Query(max_length=64, description="only this webhook")] = None,
        limit: Limit = MAX_LIMIT,
        cursor: Cursor = None,
    ) -> PublishedEventAnswer:
        caller = caller_of(router, "webhooks:read")
        pages = Pages(cursors, caller, f"event|{event_id}|{workspace_id}|{user_id}")
        shown = history.get(
            caller,
            event_id,
            workspace_id=workspace_id,
            user_id=user_id,
            webhook_id=webhook_id,
            behind=pages.position(cursor),
            limit=limit,
        )
        return PublishedEventAnswer.of(shown, pages.cursor(shown.position))

    return router

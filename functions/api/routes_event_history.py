"""/events/:event_id: what happened to an event, and erasing what it said."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.events import PublishedEventAnswer
from paging import MAX_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from webhooks.management.cursors import Cursors
from webhooks.management.erasures import EventErasure
from webhooks.management.events import EventHistory

TAGS = ["events"]
WorkspaceId = Annotated[str | None, Query(max_length=128, description="of the event, where several have this id")]
UserId = Annotated[str | None, Query(max_length=128, description="the same for an event without a workspace")]


def routes(history: EventHistory, erasure: EventErasure, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.get(
        "/events/<event_id>",
        summary="What became of an event, for each webhook and why",
        description=(
            "Your own webhooks are listed, those that it did not reach with the reason; admins see all that the event "
            "was for. An event shows up within seconds of being published."
        ),
        tags=TAGS,
        operation_id="getEvent",
    )
    def get_event(
        event_id: str,
        workspace_id: WorkspaceId = None,
        user_id: UserId = None,
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

    @router.delete(
        "/events/<event_id>",
        status_code=204,
        summary="Erase an event's payload, and keep its record",
        description=(
            "For admins, the platform (scope `events:write:any`), and users for events that they have published "
            "(`events:write`). Deliveries that wait end as `abandoned: erased`, dead letters and answers of receivers "
            "go, and nothing of it can be sent again. What became of the event can still be seen. Repeating it does "
            "no harm."
        ),
        tags=TAGS,
        operation_id="eraseEvent",
    )
    def erase_event(
        event_id: str,
        workspace_id: WorkspaceId = None,
        user_id: UserId = None,
    ) -> Response[None]:
        erasure.erase(caller_of(router, "events:write", "admin"), event_id, user_id, workspace_id)
        return Response(204)

    return router

"""/events: those of many scopes at once."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.events import FoundEventAnswer, FoundEventPage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from time_range import From, To, time_range
from webhooks.management.cursors import Cursors
from webhooks.management.event_search import MERGED, EventSearch, EventSelection
from webhooks.management.paging import Page
from webhooks.models.history import Disposition


def routes(search: EventSearch, cursors: Cursors) -> Router:
    """The router of this use case."""
    router = Router()

    @router.get(
        "/events",
        summary="Search the events of your workspaces and your own, newest first",
        description=(
            "Also those that matched nothing. Admins name a `workspace_id`, or a `user_id` for events without a "
            f"workspace, and so do callers with more than {MERGED} workspaces. Listed is what was accepted since the "
            "deployment has had `ListEvents=true`; without that, 422 says so, and only `id` finds an event."
        ),
        tags=["events"],
        operation_id="searchEvents",
    )
    def search_events(
        id_: Annotated[str | None, Query(alias="id", max_length=64, description="the events of this id")] = None,
        workspace_id: Annotated[str | None, Query(max_length=128, description="only this workspace's")] = None,
        user_id: Annotated[str | None, Query(max_length=128, description="only this user's")] = None,
        event_type: Annotated[str | None, Query(max_length=128)] = None,
        resource_id: Annotated[str | None, Query(max_length=128)] = None,
        disposition: Annotated[Disposition | None, Query(description="what became of it")] = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> FoundEventPage:
        caller = caller_of(router, "webhooks:read")
        selection = EventSelection(workspace_id, user_id, event_type, resource_id, disposition)
        pages = Pages(cursors, caller, f"events|{caller.is_admin}|{selection}|{from_}|{to}")
        times = time_range(from_, to, pages.position(cursor))
        if id_ is not None:
            found = Page(search.named(caller, selection, id_), None)
        else:
            found = search.page(caller, selection, times, limit)
        items = [FoundEventAnswer.of(each) for each in found.items]
        return FoundEventPage(items=items, next_cursor=pages.cursor(found.position))

    return router

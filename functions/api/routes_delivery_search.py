"""/deliveries: those of many webhooks at once."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.deliveries import FoundDelivery, FoundDeliveryPage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from routes_deliveries import TAGS, Status, StatusCode
from time_range import From, To, time_range
from webhooks.management.cursors import Cursors
from webhooks.management.deliveries import Selection
from webhooks.management.delivery_search import MERGED, DeliverySearch, Whose
from webhooks.management.paging import Page


def routes(search: DeliverySearch, cursors: Cursors) -> Router:
    """The router of this use case."""
    router = Router()

    @router.get(
        "/deliveries",
        summary="Search the deliveries of all your webhooks, newest first; of everybody's for admins",
        description=(
            f"With `status=failed` or `abandoned` however many webhooks there are. Otherwise those of up to {MERGED} "
            "webhooks are merged, and 422 asks for a `webhook_id` (admins: or a `user_id`) where there are more. `id` "
            "finds one delivery without its webhook."
        ),
        tags=TAGS,
        operation_id="searchDeliveries",
    )
    def search_deliveries(
        id_: Annotated[str | None, Query(alias="id", max_length=64, description="the delivery of this id")] = None,
        webhook_id: Annotated[str | None, Query(max_length=64)] = None,
        user_id: Annotated[str | None, Query(max_length=128, description="one owner's; for admins")] = None,
        status: Annotated[Status | None, Query()] = None,
        event_type: Annotated[str | None, Query(max_length=128)] = None,
        status_code: StatusCode = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> FoundDeliveryPage:
        caller = caller_of(router, "webhooks:read")
        whose = Whose(user_id, webhook_id)
        selection = Selection(status, event_type, status_code)
        pages = Pages(cursors, caller, f"search|{caller.is_admin}|{whose}|{selection}|{from_}|{to}")
        times = time_range(from_, to, pages.position(cursor))
        if id_ is not None:
            found = Page(search.named(caller, whose, id_), None)
        else:
            found = search.page(caller, whose, selection, times, limit)
        items = [FoundDelivery.of_found(each) for each in found.items]
        return FoundDeliveryPage(items=items, next_cursor=pages.cursor(found.position))

    return router

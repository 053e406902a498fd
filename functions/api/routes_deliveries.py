"""/webhooks/:webhook_id/deliveries: listing deliveries, and sending one again."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.deliveries import DeliveryAnswer, DeliveryPage, DeliveryWithAttempts
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from time_range import From, To, time_range
from webhooks.management.cursors import Cursors
from webhooks.management.deliveries import DeliveryHistory, Selection

TAGS = ["deliveries"]
Status = Literal["pending", "delivered", "retrying", "failed", "abandoned"]
StatusCode = Annotated[int | None, Query(ge=100, le=999, description="some attempt was answered with this")]


def routes(history: DeliveryHistory, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.get(
        "/webhooks/<webhook_id>/deliveries",
        summary="List a webhook's deliveries, newest first",
        tags=TAGS,
        description="From the history, which is kept for the deployment's retention.",
        operation_id="listDeliveries",
    )
    def list_deliveries(
        webhook_id: str,
        status: Annotated[Status | None, Query()] = None,
        event_type: Annotated[str | None, Query(max_length=128)] = None,
        status_code: StatusCode = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> DeliveryPage:
        caller = caller_of(router, "webhooks:read")
        pages = Pages(cursors, caller, f"deliveries|{webhook_id}|{status}|{event_type}|{status_code}|{from_}|{to}")
        selection = Selection(status, event_type, status_code)
        found = history.page(caller, webhook_id, selection, time_range(from_, to, pages.position(cursor)), limit)
        items = [DeliveryAnswer.of(each) for each in found.items]
        return DeliveryPage(items=items, next_cursor=pages.cursor(found.position))

    @router.get(
        "/webhooks/<webhook_id>/deliveries/<delivery_id>",
        summary="Get a delivery with every attempt",
        tags=TAGS,
        description="With the requests as they were sent, credentials masked, and the answers' beginnings.",
        operation_id="getDelivery",
    )
    def get_delivery(webhook_id: str, delivery_id: str) -> DeliveryWithAttempts:
        return DeliveryWithAttempts.of_all(history.get(caller_of(router, "webhooks:read"), webhook_id, delivery_id))

    @router.post(
        "/webhooks/<webhook_id>/deliveries/<delivery_id>/retry",
        summary="Send a delivery again, whatever became of it",
        description=(
            "With attempts of its own; a delivered one stays delivered. 409 while it is just being sent again, while "
            "the webhook is inactive or failed, and when the payload is no longer kept."
        ),
        status_code=202,
        tags=TAGS,
        operation_id="retryDelivery",
    )
    def retry_delivery(webhook_id: str, delivery_id: str) -> Response[DeliveryAnswer]:
        again = history.retry(caller_of(router, "webhooks"), webhook_id, delivery_id)
        location = {"Location": f"/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}"}
        return Response(202, "application/json", DeliveryAnswer.of(again), headers=location)

    return router

"""/webhooks/:webhook_id/subscriptions: which events a webhook gets."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

from answers.common import SubscriptionAnswer, SubscriptionPage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import IdempotencyKey, IfMatch, caller_of, etag, once_by, versions
from webhooks.management.cursors import Cursors
from webhooks.management.requests import SubscriptionChange, SubscriptionRequest
from webhooks.management.subscriptions import SubscriptionManagement

TAGS = ["subscriptions"]
JSON = "application/json"


def routes(management: SubscriptionManagement, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.post(
        "/webhooks/<webhook_id>/subscriptions",
        summary="Subscribe a webhook",
        status_code=201,
        tags=TAGS,
        description="To one event type, a family such as `record.*`, or `*`; with filters if not all are wanted.",
        operation_id="createSubscription",
    )
    def create_subscription(
        webhook_id: str, request: Annotated[SubscriptionRequest, Body()], idempotency_key: IdempotencyKey = None
    ) -> Response[SubscriptionAnswer]:
        caller = caller_of(router, "webhooks")
        once = once_by(idempotency_key, request, "subscribe", webhook_id)
        done = management.create(caller, webhook_id, request, once)
        location = {"Location": f"/api/v1/webhooks/{webhook_id}/subscriptions/{done.subscription_id}"}
        return Response(201, JSON, SubscriptionAnswer.of(done), headers={**etag(done.version), **location})

    @router.get(
        "/webhooks/<webhook_id>/subscriptions",
        summary="List a webhook's subscriptions",
        tags=TAGS,
        description="In the order of their ids.",
        operation_id="listSubscriptions",
    )
    def list_subscriptions(webhook_id: str, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> SubscriptionPage:
        caller = caller_of(router, "webhooks:read")
        pages = Pages(cursors, caller, f"subscriptions|{webhook_id}")
        found, last = management.page(caller, webhook_id, after=pages.position(cursor), limit=limit)
        return SubscriptionPage(items=[SubscriptionAnswer.of(each) for each in found], next_cursor=pages.cursor(last))

    @router.get(
        "/webhooks/<webhook_id>/subscriptions/<subscription_id>",
        summary="Get a subscription",
        tags=TAGS,
        description="With its filters as they were given.",
        operation_id="getSubscription",
    )
    def get_subscription(webhook_id: str, subscription_id: str) -> Response[SubscriptionAnswer]:
        found = management.get(caller_of(router, "webhooks:read"), webhook_id, subscription_id)
        return Response(200, JSON, SubscriptionAnswer.of(found), headers=etag(found.version))

    @router.put(
        "/webhooks/<webhook_id>/subscriptions/<subscription_id>",
        summary="Change the given fields of a subscription",
        tags=TAGS,
        description="What is not named stays as it is. It holds from the next event on; what waits is still sent.",
        operation_id="updateSubscription",
    )
    def change_subscription(
        webhook_id: str,
        subscription_id: str,
        request: Annotated[SubscriptionChange, Body()],
        if_match: IfMatch = None,
    ) -> Response[SubscriptionAnswer]:
        caller = caller_of(router, "webhooks")
        done = management.change(caller, webhook_id, subscription_id, request, versions(if_match))
        return Response(200, JSON, SubscriptionAnswer.of(done), headers=etag(done.version))

    @router.delete(
        "/webhooks/<webhook_id>/subscriptions/<subscription_id>",
        summary="Delete a subscription",
        status_code=204,
        tags=TAGS,
        description="Later events no longer reach the webhook by it. What waits is still sent.",
        operation_id="deleteSubscription",
    )
    def delete_subscription(webhook_id: str, subscription_id: str, if_match: IfMatch = None) -> Response[None]:
        management.delete(caller_of(router, "webhooks"), webhook_id, subscription_id, versions(if_match))
        return Response(204)

    return router

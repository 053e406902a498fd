"""/webhooks: registering, reading, changing and deleting them, their secrets and test deliveries."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from answers.common import (
    NO_SUBSCRIPTIONS,
    RegisteredWebhook,
    SubscriptionAnswer,
    WebhookAnswer,
    WebhookWithSecret,
)
from answers.overview import HealthGlance, ListedWebhook, WebhookPage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import IdempotencyKey, IfMatch, caller_of, etag, versions
from webhooks.management.cursors import Cursors
from webhooks.management.requests import RegenerateSecret, SendTest, WebhookChange, WebhookRequest
from webhooks.management.test_events import TestEvents
from webhooks.management.webhook_metrics import WebhookMetrics
from webhooks.management.webhooks import Wanted, WebhookManagement
from webhooks.models.test_result import TestResult
from webhooks.models.webhook import Webhook

TAGS = ["webhooks"]
WebhookStatus = Literal["active", "paused", "inactive", "failed"]
JSON = "application/json"


def routes(management: WebhookManagement, test_events: TestEvents, metrics: WebhookMetrics, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    def answer_of(webhook: Webhook) -> Response[WebhookAnswer]:
        answer = WebhookAnswer.of(webhook, management.signing_keys.of([webhook]), management.now_ms())
        return Response(200, JSON, answer, headers=etag(webhook.version))

    @router.post(
        "/webhooks",
        summary="Register a webhook",
        status_code=201,
        tags=TAGS,
        description="The answer shows the signing secret, only this once. Subscriptions may be given with it.",
        operation_id="createWebhook",
    )
    def create_webhook(
        request: Annotated[WebhookRequest, Body()], idempotency_key: IdempotencyKey = None
    ) -> Response[RegisteredWebhook]:
        done = management.create(caller_of(router, "webhooks"), request, idempotency_key)
        answer = RegisteredWebhook.of(
            done.webhook,
            management.signing_keys.of([done.webhook]),
            management.now_ms(),
            secret=done.secret,
            subscriptions=[SubscriptionAnswer.of(each) for each in done.subscriptions],
            notice=None if done.subscriptions else NO_SUBSCRIPTIONS,
        )
        location = {"Location": f"/api/v1/webhooks/{done.webhook.webhook_id}"}
        return Response(201, JSON, answer, headers={**etag(done.webhook.version), **location})

    @router.get(
        "/webhooks",
        summary="List webhooks",
        tags=TAGS,
        description="Your own, or with `user_id` one owner's for admins.",
        operation_id="listWebhooks",
    )
    def list_webhooks(
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        user_id: Annotated[str | None, Query(max_length=128, description="one owner's; for admins")] = None,
        status: Annotated[WebhookStatus | None, Query()] = None,
        q: Annotated[
            str | None, Query(max_length=200, description="words that name, URL, description, id or owner have in them")
        ] = None,
        include: Annotated[Literal["health"] | None, Query(description="each with how it does")] = None,
    ) -> WebhookPage:
        caller = caller_of(router, "webhooks:read")
        wanted = Wanted(status, tuple((q or "").casefold().split()))
        pages = Pages(cursors, caller, f"webhooks|{user_id}" if wanted == Wanted() else f"webhooks|{user_id}|{wanted}")
        page = management.page(caller, user_id, wanted, after=pages.position(cursor), limit=limit)
        found, now_ms = page.items, management.now_ms()
        glances = [HealthGlance.of(each) for each in metrics.healths(found)] if include else [None] * len(found)
        keys = management.signing_keys.of(found)
        items = [
            ListedWebhook.of(each, keys, now_ms, health=glance) for each, glance in zip(found, glances, strict=True)
        ]
        return WebhookPage(items=items, next_cursor=pages.cursor(page.position))

    @router.get(
        "/webhooks/<webhook_id>",
        summary="Get a webhook",
        tags=TAGS,
        description="With its status and version, and with header values masked. The secret is not shown.",
        operation_id="getWebhook",
    )
    def get_webhook(webhook_id: str) -> Response[WebhookAnswer]:
        found = management.get(caller_of(router, "webhooks:read"), webhook_id)
        return answer_of(found)

    @router.put(
        "/webhooks/<webhook_id>",
        summary="Change the given fields of a webhook",
        tags=TAGS,
        description="What is not named stays as it is. Deliveries that wait go to a new URL.",
        operation_id="updateWebhook",
    )
    def change_webhook(
        webhook_id: str, request: Annotated[WebhookChange, Body()], if_match: IfMatch = None
    ) -> Response[WebhookAnswer]:
        caller = caller_of(router, "webhooks")
        done = management.change(caller, webhook_id, request, versions(if_match))
        return answer_of(done)

    @router.delete(
        "/webhooks/<webhook_id>",
        summary="Delete a webhook",
        status_code=204,
        tags=TAGS,
        description="Deliveries that wait are abandoned. The history can be read until its retention ends.",
        operation_id="deleteWebhook",
    )
    def delete_webhook(webhook_id: str, if_match: IfMatch = None) -> Response[None]:
        management.delete(caller_of(router, "webhooks"), webhook_id, versions(if_match))
        return Response(204)

    @router.post(
        "/webhooks/<webhook_id>/regenerate-secret",
        summary="Give a webhook a new secret",
        tags=TAGS,
        description=(
            "The answer shows it, only this once. For `overlap_hours` the old one signs as well, beside one that a "
            "rotation before left; a third is a 409, and 0 ends them all at once. A repeat with the same "
            "`Idempotency-Key` within a day changes nothing, and shows the present secret."
        ),
        operation_id="regenerateSecret",
    )
    def regenerate_secret(
        webhook_id: str,
        request: Annotated[RegenerateSecret | None, Body()] = None,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response[WebhookWithSecret]:
        overlap_hours = (request or RegenerateSecret()).overlap_hours
        caller = caller_of(router, "webhooks")
        done, secret = management.regenerate_secret(
            caller, webhook_id, overlap_hours, versions(if_match), idempotency_key
        )
        keys = management.signing_keys.of([done])
        answer = WebhookWithSecret.of(done, keys, management.now_ms(), secret=secret)
        return Response(200, JSON, answer, headers=etag(done.version))

    @router.post(
        "/webhooks/<webhook_id>/test",
        summary="Send a test delivery and wait for its result",
        tags=TAGS,
        description=(
            "Made at once, without retries, and answered with what the receiver said. It is listed among the "
            "deliveries for three days, with `kind: test`, and counts for nothing."
        ),
        operation_id="testWebhook",
    )
    def test_webhook(webhook_id: str, request: Annotated[SendTest | None, Body()] = None) -> TestResult:
        return test_events.send(caller_of(router, "webhooks"), webhook_id, request or SendTest())

    return router

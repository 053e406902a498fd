"""A test delivery: one signed request, made at once, recorded nowhere and never retried."""

from collections.abc import Callable, Mapping
from typing import Protocol

from webhooks.delivery.classification import classify
from webhooks.delivery.ports import Transport
from webhooks.ids import delivery_id
from webhooks.messages import DeliveryMessage, group_of
from webhooks.models.exchange import Exchange
from webhooks.models.test_result import SentRequest, TestResponse, TestResult
from webhooks.models.webhook import Webhook
from webhooks.payload import serialise
from webhooks.request.headers import masked
from webhooks.request.signed_request import RequestSigner

CAP_SECONDS = 20  # API Gateway ends a request at 29 s


class WebhookStore(Protocol):
    """Webhooks by id."""

    def webhook(self, webhook_id: str) -> Webhook | None:
        """Consistent read. Raises Unavailable."""
        ...


class TestSender:
    """The sender's side of the API's test call. The API itself can neither open secrets nor reach receivers."""

    def __init__(
        self,
        store: WebhookStore,
        transport: Transport,
        signer: RequestSigner,
        *,
        static_egress: bool = False,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._transport = transport
        self._signer = signer
        self._static_egress = static_egress
        self._now_ms = now_ms

    async def send_test(self, webhook_id: str, event: Mapping[str, object], body: str | None = None) -> TestResult:
        """Send `event` as it would be delivered, whatever the webhook's status; `body` is its text where it has numbers
        that a float would write otherwise. Raises LookupError, Undecryptable, Unavailable."""
        webhook = self._store.webhook(webhook_id)
        if webhook is None or webhook.status == "deleted":
            raise LookupError(f"no webhook {webhook_id}")
        if webhook.static_egress and not self._static_egress:  # it has changed since the api chose this sender
            raise LookupError(f"webhook {webhook_id} is sent to from static addresses alone")
        now_ms = self._now_ms()
        event_id = str(event["id"])
        message = DeliveryMessage(
            delivery_id=delivery_id(now_ms, webhook.scope, event_id, webhook_id),
            webhook_id=webhook_id,
            event_id=event_id,
            event_type=str(event["type"]),
            scope=webhook.scope,
            group=group_of(webhook.owner),
            body=serialise(event).decode() if body is None else body,
        )
        timeout_seconds = min(webhook.timeout_seconds, CAP_SECONDS)
        self._signer.prepare([webhook], now_ms)
        request = self._signer.request(webhook, message, attempt=1, now_ms=now_ms, timeout_seconds=timeout_seconds)
        exchange = await self._transport.send(request, webhook.owner)
        own = {name.lower() for name in webhook.header_names}
        shown = {k: masked({k: v})[k] if k.lower() in own else v for k, v in request.headers.items()}
        return TestResult(
            succeeded=classify(exchange).kind == "delivered",
            status_code=exchange.status_code,
            error_code=exchange.error_code,
            error_message=exchange.error_message,
            remark=exchange.remark,
            duration_ms=exchange.duration_ms,
            event_id=event_id,
            request=SentRequest(headers=shown, body=message.body),
            response=None if exchange.status_code is None else _seen(exchange),
        )


def _seen(exchange: Exchange) -> TestResponse:
    return TestResponse(headers=list(exchange.response_headers), body=exchange.response_body.decode("utf-8", "replace"))

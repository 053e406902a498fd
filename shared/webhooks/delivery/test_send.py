"""A test delivery: one signed request, made at once and never again, whose record is marked as a test's."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from webhooks.delivery.attempt_detail import pack_detail
from webhooks.delivery.classification import Classification, classify
from webhooks.delivery.ports import Transport
from webhooks.errors import Unavailable
from webhooks.ids import delivery_id
from webhooks.messages import DeliveryMessage, group_of
from webhooks.models.delivery import Attempt, DeliveryRecord
from webhooks.models.exchange import Exchange
from webhooks.models.webhook import Webhook
from webhooks.payload import serialise
from webhooks.request.headers import masked
from webhooks.request.signed_request import RequestSigner

if TYPE_CHECKING:
    from webhooks.models.test_result import TestResponse, TestResult

CAP_SECONDS = 20  # API Gateway ends a request at 29 s

logger = logging.getLogger(__name__)


class TestStore(Protocol):
    """Webhooks by id, and where records are kept."""

    def webhook(self, webhook_id: str) -> Webhook | None:
        """Consistent read. Raises Unavailable."""
        ...

    def save(self, changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]]) -> Sequence[bool | None]:
        """Write all; True for each that was written. Raises Unavailable where none was."""
        ...


class TestSender:
    """The sender's side of the API's test call. The API itself can neither open secrets nor reach receivers."""

    def __init__(
        self,
        store: TestStore,
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

    async def send_test(self, webhook_id: str, event: Mapping[str, object], body: str | None = None) -> "TestResult":
        """Send `event` as it would be delivered, whatever the webhook's status; `body` is its text where it has numbers
        that a float would write otherwise. A result that cannot be recorded has no delivery's id. Raises LookupError,
        Undecryptable, Unavailable."""
        from webhooks.models.test_result import SentRequest, TestResult  # by way of pydantic: for tests alone

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
        classification = classify(exchange)
        return TestResult(
            delivery_id=self._kept(_record(message, exchange, classification)),
            succeeded=classification.kind == "delivered",
            status_code=exchange.status_code,
            error_code=exchange.error_code,
            error_message=exchange.error_message,
            remark=exchange.remark,
            duration_ms=exchange.duration_ms,
            event_id=event_id,
            request=SentRequest(headers=shown, body=message.body),
            response=None if exchange.status_code is None else _seen(exchange),
        )

    def _kept(self, record: DeliveryRecord) -> str | None:
        try:
            return record.delivery_id if self._store.save([(None, record)]) == [True] else None
        except Unavailable as exc:  # it was made, and whoever waits for it gets its result
            logger.warning("test delivery %s is not recorded: %s", record.delivery_id, exc)
            return None


def _record(message: DeliveryMessage, exchange: Exchange, classification: Classification) -> DeliveryRecord:
    delivered = classification.kind == "delivered"
    outcome = "success" if delivered else "failure"
    return DeliveryRecord(
        delivery_id=message.delivery_id,
        webhook_id=message.webhook_id,
        event_id=message.event_id,
        event_type=message.event_type,
        scope=message.scope,
        status="delivered" if delivered else "failed",
        revision=1,
        attempts=(
            Attempt(
                1, exchange.started_at_ms, exchange.duration_ms, outcome, exchange.status_code, exchange.error_code
            ),
        ),
        reason=classification.reason,
        body=message.body.encode(),
        response=pack_detail(exchange),
        is_test=True,
    )


def _seen(exchange: Exchange) -> "TestResponse":
    from webhooks.models.test_result import TestResponse

    return TestResponse(headers=list(exchange.response_headers), body=exchange.response_body.decode("utf-8", "replace"))

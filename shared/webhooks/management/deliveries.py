"""A webhook's deliveries: listing them, every attempt of one, and sending one again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhooks.delivery.attempt_detail import details_in, readable_detail
from webhooks.errors import Conflict, NotFound
from webhooks.event_types import patterns_for
from webhooks.ids import is_id
from webhooks.management.audit import AuditLog
from webhooks.management.changes import ManagementStore, find
from webhooks.management.paging import Page, TimeRange, page_of
from webhooks.management.ports import EventRecords, History, Letters
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord
from webhooks.models.history import AttemptView, DeliveryView
from webhooks.models.webhook import Webhook
from webhooks.payload import loads
from webhooks.recovery.replay import Replayer
from webhooks.request.headers import delivery_headers, masked

_UNSETTLED = ("pending", "retrying")
REDACTED = "..."  # signatures are not stored: the secret may have changed since


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries: those that every given part admits. `status_code`: some attempt was answered with it."""

    status: str | None = None
    event_type: str | None = None
    status_code: int | None = None

    def admits(self, record: DeliveryRecord) -> bool:
        """Whether the delivery is meant."""
        return (
            self.status in (None, record.status)
            and self.event_type in (None, record.event_type)
            and (self.status_code is None or any(each.status_code == self.status_code for each in record.attempts))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHistory:
    """The use cases. Each raises NotFound for what the caller does not see, and Unavailable."""

    store: ManagementStore
    history: History
    letters: Letters
    events: EventRecords
    replayer: Replayer
    audit: AuditLog
    header_prefix: str
    user_agent: str
    now_ms: Callable[[], int]

    def page(
        self, caller: Caller, webhook_id: str, selection: Selection, time_range: TimeRange, limit: int
    ) -> Page[DeliveryRecord]:
        """Deliveries, newest first. One that is queued and was never attempted has no record yet, and is not here."""
        webhook = find(self.store, caller, webhook_id)
        if selection.status in (None, "delivered"):
            found = self.history.deliveries(webhook.webhook_id, time_range)
        else:
            found = self.history.deliveries_of_status(webhook.webhook_id, selection.status, time_range)
        return page_of(found, selection.admits, lambda record: record.delivery_id, limit=limit)

    def get(self, caller: Caller, webhook_id: str, delivery_id: str) -> DeliveryView:
        """One delivery with every attempt."""
        webhook, record = self._find(caller, webhook_id, delivery_id)
        details = self.history.details(webhook_id, delivery_id)
        body = self._body(record, self._letter(record))
        return DeliveryView(
            record=record,
            attempts=[
                AttemptView(attempt, self._request_headers(webhook, record, attempt), detail)
                for attempt, detail in _with_details(record, details)
            ],
            payload=None if body is None else loads(body),
            is_subscribed=self._is_subscribed(record) if record.status in _UNSETTLED else None,
        )

    def retry(self, caller: Caller, webhook_id: str, delivery_id: str) -> DeliveryRecord:
        """Send a delivery again, whatever its status, with a new cycle of attempts.

        Raises Conflict for a test, while the webhook is inactive or failed, and when the payload is no longer kept.
        """
        webhook, record = self._find(caller, webhook_id, delivery_id)
        if record.is_test:
            raise Conflict("a test delivery is not sent again: send another test")
        letter = self._letter(record)
        body = self._body(record, letter, whole=True)
        if body is None:
            raise Conflict("the payload of this delivery is no longer kept as it was sent: publish its event anew")
        self.audit.note(caller, Deed("delivery.retried", delivery_id), webhook)
        again = self.replayer.send_again(record, webhook, body.decode())
        if letter is not None and not letter.is_processed:
            self.letters.mark_processed(letter, "manual")
        return again

    def _find(self, caller: Caller, webhook_id: str, delivery_id: str) -> tuple[Webhook, DeliveryRecord]:
        webhook = find(self.store, caller, webhook_id)
        ids = [(webhook_id, delivery_id)] if is_id("dlv", delivery_id) else []
        record = self.history.records(ids).get(delivery_id)
        if record is None:
            raise NotFound(f"there is no delivery {delivery_id[:64]} with a record")
        return webhook, record

    def _is_subscribed(self, record: DeliveryRecord) -> bool:
        patterns = patterns_for(record.event_type)
        present = self.store.subscriptions(record.webhook_id)
        return any(each.is_active and each.event_type in patterns for each in present)

    def _letter(self, record: DeliveryRecord) -> DeadLetter | None:
        return self.letters.get([(record.webhook_id, record.delivery_id)]).get(record.delivery_id)

    def _body(self, record: DeliveryRecord, letter: DeadLetter | None, *, whole: bool = False) -> bytes | None:
        """What is kept of the payload; with `whole`, None where that is not what was sent."""
        if record.body is not None:
            return record.body
        if letter is not None and letter.body:
            return letter.body
        key = (record.event_id, record.scope, 0)
        event = self.events.get([key], self.now_ms()).get(key)
        if event is None or (whole and not event.is_whole):
            return None
        return event.body or None

    def _request_headers(self, webhook: Webhook, record: DeliveryRecord, attempt: Attempt) -> dict[str, str] | None:
        """The request's headers, reconstructed. The owner's own are those of today, with their values masked."""
        if attempt.outcome == "unknown":
            return None
        stamp = str(attempt.started_at_ms // 1000)
        signature = {
            f"{self.header_prefix}-Timestamp": stamp,
            f"{self.header_prefix}-Signature": f"sha256={REDACTED}",
            "webhook-id": record.event_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{REDACTED}",
        }
        return delivery_headers(
            masked(dict.fromkeys(webhook.header_names, "")),
            signature,
            prefix=self.header_prefix,
            user_agent=self.user_agent,
            event_id=record.event_id,
            event_type=record.event_type,
            webhook_id=webhook.webhook_id,
            delivery_id=record.delivery_id,
            attempt=attempt.number,
            trace=record.trace,
        )


def _with_details(record: DeliveryRecord, details: Mapping[int, bytes]) -> Iterator[tuple[Attempt, Mapping[str, Any]]]:
    """The record keeps that of its first success and of a test's only attempt, and of failed ones while they fit; all
    others are in items of their own."""
    in_record, failures = details_in(record)
    nothing: Mapping[str, Any] = {}
    for attempt in record.attempts:
        packed = details.get(attempt.started_at_ms) if attempt.outcome != "unknown" else None
        shared = failures.get(attempt.started_at_ms, nothing) if attempt.outcome == "failure" else nothing
        detail = readable_detail(packed) or shared
        if not detail and (attempt.outcome == "success" or record.is_test):
            detail, in_record = in_record, nothing
        yield attempt, detail

"""The end of a delivery: a message of the dead-letter queue becomes a dead letter, kept once per generation."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from webhooks.delivery.endpoint_state import DeliveryContext
from webhooks.delivery.lifecycle import begin, given_up, is_erased
from webhooks.errors import Unavailable
from webhooks.event_types import OPERATIONAL_EVENT_TYPES
from webhooks.ids import derived_id, time_of
from webhooks.messages import DeliveryMessage, Received, Unreadable
from webhooks.models.delivery import NEVER_RECORDED, Attempt, DeadLetter, DeliveryRecord
from webhooks.models.erasure import ERASED
from webhooks.models.keeping import is_whole
from webhooks.operational_events import EventPublisher, OperationalEvent
from webhooks.recovery.failure_causes import cause_of, failed_attempt, last_details

MOST_RECEIVES = 200  # some 20 hours; redriven by SQS, a message may come with 100 already

logger = logging.getLogger(__name__)


class DeliveryStore(Protocol):
    """Records, webhooks and what is kept of attempts."""

    def around(self, ids: Sequence[tuple[str, str | None]]) -> DeliveryContext:
        """Webhooks, states and records, consistently. Raises Unavailable."""
        ...

    def save(self, changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]]) -> Sequence[bool | None]:
        """Conditional writes; True where one was made. Raises Unavailable."""
        ...

    def drop_letter_payload(self, webhook_id: str, delivery_id: str) -> None:
        """Take the payload out of a dead letter. Raises Unavailable."""
        ...

    def details(self, attempts: Sequence[tuple[str, str, int]]) -> Mapping[str, bytes]:
        """Packed details of the attempts (webhook id, delivery id, start), keyed by delivery id. Raises Unavailable."""
        ...


class DeadLetterStore(Protocol):
    """Where dead letters are kept."""

    def bury(self, letter: DeadLetter) -> bool:
        """False when this generation of it is kept already. Raises Unavailable."""
        ...

    def keep_unreadable(self, message_id: str, body: str, meta: str | None, reason: str) -> None:
        """Keep a message where an operator finds it. Raises Unavailable."""
        ...


@dataclass(slots=True)
class BurialReport:
    """What a batch came to. `buried` are new dead letters, `lost` those of them that this service is to blame for;
    `unreadable` were kept for an operator as they are. `again`: ids of messages that stay in the queue."""

    buried: int = 0
    lost: int = 0
    unreadable: int = 0
    again: set[str] = field(default_factory=set[str])


class DeadLetterWriter:
    """Turns messages of the dead-letter queue into dead letters."""

    def __init__(
        self, store: DeliveryStore, letters: DeadLetterStore, publisher: EventPublisher, *, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._letters = letters
        self._publisher = publisher
        self._now_ms = now_ms

    def bury(self, batch: Sequence[Received[DeliveryMessage]], unreadable: Sequence[Unreadable] = ()) -> BurialReport:
        """Keep what is really dead, and what nobody can read. What one message comes to costs no other anything."""
        report = BurialReport()
        for each in unreadable:
            self._keep_unreadable(each.message_id, each.record["body"], each.meta, each.reason, report)
        try:
            context = self._store.around([(each.message.webhook_id, each.message.delivery_id) for each in batch])
            details = last_details(context.records.values(), self._store.details)
        except Unavailable as exc:
            self._put_off(batch, exc, report)
            return report
        dead = [(each, letter) for each in batch if (letter := self._read(each, context, details, report)) is not None]
        try:  # before they are kept: the repeat of a batch cut off here would find them kept
            self._publish([letter for _, letter in dead], context)
        except Unavailable as exc:
            self._put_off([received for received, _ in dead], exc, report)
            return report
        for received, letter in dead:
            self._keep(received, letter, report)
        return report

    def _read(
        self,
        received: Received[DeliveryMessage],
        context: DeliveryContext,
        details: Mapping[str, Mapping[str, Any]],
        report: BurialReport,
    ) -> DeadLetter | None:
        """The letter; None for what is not dead, and for what cannot become a letter, which is kept as it is."""
        message = received.message
        try:
            if not context.readable(message.webhook_id, message.delivery_id):
                raise Unavailable("what is stored of its webhook or delivery cannot be read by this version")
            return self._letter(message, context, details)
        except Unavailable as exc:
            self._put_off([received], exc, report)
            return None
        except Exception as exc:  # whatever one letter brings out must not keep the others from being kept
            logger.exception("delivery %s cannot be kept as a dead letter", message.delivery_id)
            reason = repr(exc)
        self._keep_unreadable(received.message_id, message.body, message.meta(), reason, report)
        return None

    def _keep(self, received: Received[DeliveryMessage], letter: DeadLetter, report: BurialReport) -> None:
        try:
            is_new = self._letters.bury(letter)
            if not is_whole(letter.keeping):
                self._forget_if_delivered(letter)
            if not is_new:
                return
        except Unavailable as exc:
            self._put_off([received], exc, report)
            return
        report.buried += 1
        report.lost += letter.failure_reason == NEVER_RECORDED
        what = {"delivery_id": letter.delivery_id, "event_id": letter.event_id, "webhook_id": letter.webhook_id}
        logger.info("dead letter kept", extra={**what, "reason": letter.failure_reason, "cause": letter.cause})

    def _forget_if_delivered(self, letter: DeadLetter) -> None:
        """A late copy of its message may have been delivered since its record was read: nobody comes by after that."""
        context = self._store.around([(letter.webhook_id, letter.delivery_id)])
        record = context.records.get(letter.delivery_id)
        if record is not None and record.status == "delivered":
            self._store.drop_letter_payload(letter.webhook_id, letter.delivery_id)

    def _put_off(self, batch: Sequence[Received[DeliveryMessage]], cause: Exception, report: BurialReport) -> None:
        """They come again; those that have come for long, though others could be kept meanwhile, are put aside."""
        for each in batch:
            if each.receive_count < MOST_RECEIVES:
                logger.warning("message %s returned to the queue: %s", each.message_id, cause)
                report.again.add(each.message_id)
            else:
                self._keep_unreadable(
                    each.message_id, each.message.body, each.message.meta(), f"could not be kept: {cause}", report
                )

    def _keep_unreadable(self, message_id: str, body: str, meta: str | None, reason: str, report: BurialReport) -> None:
        logger.error("unreadable message", extra={"message_id": message_id, "reason": reason})
        try:
            self._letters.keep_unreadable(message_id, body, meta, reason)
        except Unavailable as exc:
            logger.warning("message %s returned to the queue: %s", message_id, exc)
            report.again.add(message_id)
        else:
            report.unreadable += 1

    def _publish(self, letters: Sequence[DeadLetter], context: DeliveryContext) -> None:
        operational_events = [
            OperationalEvent(
                "delivery.dead_lettered",
                letter.webhook_id,
                webhook.user_id,
                webhook.workspace_id,
                {"delivery_id": letter.delivery_id, "event_id": letter.event_id, "reason": letter.failure_reason},
                derived_id("evt", time_of(letter.delivery_id), "dead", letter.delivery_id, str(letter.generation)),
            )
            for letter in letters
            if (webhook := context.webhooks.get(letter.webhook_id)) is not None
            and letter.event_type not in OPERATIONAL_EVENT_TYPES
        ]
        if operational_events:
            self._publisher.publish(operational_events, self._now_ms())

    def _letter(
        self, message: DeliveryMessage, context: DeliveryContext, details: Mapping[str, Mapping[str, Any]]
    ) -> DeadLetter | None:
        stored = context.records.get(message.delivery_id)
        record = stored or begin(message)
        if message.generation < record.generation or record.status == "delivered":
            return None  # sent again, or through, since
        webhook = context.webhooks.get(message.webhook_id)
        if is_erased(record) or ERASED in (message.reason, webhook and webhook.status_reason):
            return None  # nothing of it may be kept
        if record.status not in ("failed", "abandoned") or message.generation > record.generation:
            if message.reason is None:  # any of those receives may have sent it: one attempt stands for them
                record = replace(record, attempts=(*record.attempts, Attempt(0, self._now_ms(), 0, "unknown")))
            reason = message.reason or NEVER_RECORDED
            dead = given_up(replace(record, generation=message.generation), "failed", reason)
            dead = replace(dead, revision=record.revision + 1)
            if not self._store.save([(stored, dead)])[0]:
                raise Unavailable("the delivery's record changed meanwhile")
            record = dead
        last = failed_attempt(record)
        reason = record.reason or message.reason or NEVER_RECORDED
        return DeadLetter(
            delivery_id=record.delivery_id,
            webhook_id=record.webhook_id,
            owner=webhook.owner if webhook else "",
            event_id=record.event_id,
            event_type=record.event_type,
            scope=record.scope,
            generation=record.generation,
            status=record.status,
            failure_reason=reason,
            cause=cause_of(reason, last, details.get(record.delivery_id, {})),
            attempt_count=record.attempt_count,
            last_status_code=last.status_code if last else None,
            last_error_code=last.error_code if last else None,
            dead_at_ms=self._now_ms(),
            body=message.body.encode(),
            keeping=message.keeping,
        )

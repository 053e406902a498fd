"""The life of a delivery: which message may act on it, and what its record becomes after each step.

Pure: a record and what happened go in, the next record comes out. `generation` is that of the one message that may
act. Parking a delivery outside SQS raises it at once, so that whatever copy of the parked message SQS still hands out
is older; replay and retry send a message of the next generation and then mark the record.
"""

from dataclasses import dataclass
from typing import Literal

from webhooks.delivery.classification import Classification
from webhooks.delivery.retry import VISIBILITY_LIMIT_MS
from webhooks.ids import delivery_id
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import FINISHED, Attempt, DeliveryRecord, DeliveryStatus, Waiting
from webhooks.models.erasure import ERASED
from webhooks.models.event import EventRecord
from webhooks.models.keeping import mark_of

EARLY_MS = 2_000  # a copy that comes more than this before its time is put back
REMEMBERED_MESSAGES = 4


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """How long a delivery is tried: attempts a cycle, and milliseconds from the cycle's start."""

    max_attempts: int
    max_age_ms: int


def begin(message: DeliveryMessage) -> DeliveryRecord:
    """The record of a delivery that was never written."""
    return DeliveryRecord(
        delivery_id=message.delivery_id,
        webhook_id=message.webhook_id,
        event_id=message.event_id,
        event_type=message.event_type,
        scope=message.scope,
        generation=message.generation,
        attempts_before_cycle=message.attempts_before_cycle,
        cycle_started_at_ms=message.cycle_started_at_ms,
        trace=message.trace,
        keeping=message.keeping,
    )


def unsent(event: EventRecord, webhook_id: str) -> DeliveryRecord:
    """The record of a queued delivery whose message nobody has taken up yet."""
    return DeliveryRecord(
        delivery_id=delivery_id(event.accepted_at_ms, event.scope, event.event_id, webhook_id),
        webhook_id=webhook_id,
        event_id=event.event_id,
        event_type=event.event_type,
        scope=event.scope,
        cycle_started_at_ms=event.accepted_at_ms,
        trace=event.trace,
        keeping=mark_of(event.keeping),
    )


def standing(record: DeliveryRecord, message: DeliveryMessage) -> Literal["live", "done", "older", "given_up"]:
    """Whether this message may act. "given_up": it must reach the dead-letter queue (again) and then go.

    One whose payload was erased is done, whatever message of it was on its way.

    A delivered one is done, unless it is to be sent once more: a message of a later generation asks for it, or has
    begun a cycle that had no attempt yet.
    """
    if is_erased(record):
        return "done"
    if message.generation < record.generation:
        return "older"
    if message.generation > record.generation or record.revision == 0:
        return "live"
    if record.status == "delivered":
        return "done" if record.attempts_in_cycle else "live"
    return "given_up" if record.status in FINISHED else "live"


def take_up(record: DeliveryRecord, received: Received[DeliveryMessage], now_ms: int) -> DeliveryRecord:
    """The record as this receive finds it: cut-off attempts noted, and a newer generation adopted.

    A receive that SQS counts and the record does not know of was cut off between receiving and recording: its request
    may have been sent (twice, where a kept connection had ended). It is noted as `unknown` and uses up no attempt.
    """
    seen = dict(record.seen)
    gap = received.receive_count - seen.get(_short(received.message_id), 0) - 1
    unknown = tuple(Attempt(0, now_ms, 0, "unknown") for _ in range(gap))
    record = record.changed(attempts=record.attempts + unknown, seen=_remember(record.seen, received))
    message = received.message
    if message.generation <= record.generation or is_erased(record):
        start_ms = _cycle_start(record, message)
        return record if start_ms == record.cycle_started_at_ms else record.changed(cycle_started_at_ms=start_ms)
    return record.changed(
        generation=message.generation,
        status="delivered" if record.status == "delivered" else "pending",
        attempts_before_cycle=message.attempts_before_cycle,
        cycle_started_at_ms=message.cycle_started_at_ms,
        next_attempt_at_ms=None,
        waiting=None,
        body=None,
        reason=None,
    )


def has_cut_offs(record: DeliveryRecord, received: Received[DeliveryMessage]) -> bool:
    """Whether this receive reveals attempts that were never recorded."""
    return received.receive_count > dict(record.seen).get(_short(received.message_id), 0) + 1


def is_early_by(record: DeliveryRecord, message: DeliveryMessage, now_ms: int) -> int:
    """Milliseconds by which a copy of the message came before the next attempt is due; 0 when it is time."""
    if message.generation > record.generation or record.next_attempt_at_ms is None:
        return 0
    early_ms = record.next_attempt_at_ms - now_ms
    return early_ms if early_ms > EARLY_MS else 0


def is_expired(record: DeliveryRecord, message: DeliveryMessage, policy: AttemptPolicy, now_ms: int) -> bool:
    """Whether the cycle that the message carries on is older than deliveries may get."""
    return now_ms - _cycle_start(record, message) > policy.max_age_ms


def attempts_used(record: DeliveryRecord, message: DeliveryMessage) -> int:
    """Attempts so far in the cycle that the message carries on."""
    begins_anew = message.generation > record.generation
    return record.attempt_count - (message.attempts_before_cycle if begins_anew else record.attempts_before_cycle)


def attempted(
    record: DeliveryRecord,
    attempt: Attempt,
    classification: Classification,
    policy: AttemptPolicy,
    *,
    now_ms: int,
    delay_ms: int,
    body: bytes,
) -> DeliveryRecord:
    """After an attempt whose message may act. A retry within 60 s stays with SQS, a later one waits outside."""
    record = record.changed(attempts=(*record.attempts, attempt), next_attempt_at_ms=None, waiting=None, body=None)
    if classification.kind == "delivered":
        return record.changed(status="delivered", reason=None)
    if record.status == "delivered":
        return record  # sent once more on request; a failure does not undo the success
    if classification.kind == "give_up":
        return given_up(record, "failed", classification.reason or "refused")
    if record.attempts_in_cycle >= policy.max_attempts:
        return given_up(record, "failed", f"attempts_used_up:{classification.reason}")
    due_ms = now_ms + delay_ms
    record = record.changed(status="retrying", reason=classification.reason, next_attempt_at_ms=due_ms)
    if delay_ms <= VISIBILITY_LIMIT_MS:
        return record
    return parked(record, Waiting("due", due_ms, classification.reason or ""), body)


def attempted_late(record: DeliveryRecord, attempt: Attempt) -> DeliveryRecord:
    """After an attempt whose message lost its right to act meanwhile. It is noted, and a success still counts."""
    record = record.changed(attempts=(*record.attempts, attempt))
    if attempt.outcome != "success" or record.status == "delivered":
        return record
    return record.changed(status="delivered", next_attempt_at_ms=None, waiting=None, body=None, reason=None)


def parked(record: DeliveryRecord, waiting: Waiting, body: bytes) -> DeliveryRecord:
    """Waiting outside SQS with its body. Uses up no attempt."""
    status: DeliveryStatus = "retrying" if record.attempts_in_cycle else "pending"
    return record.changed(
        status=record.status if record.status == "delivered" else status,
        generation=record.generation + 1,
        next_attempt_at_ms=waiting.at_ms if waiting.kind == "due" else None,
        waiting=waiting,
        body=body,
    )


def given_up(record: DeliveryRecord, status: Literal["failed", "abandoned"], reason: str) -> DeliveryRecord:
    """Finished without success; its message goes on to the dead-letter queue."""
    if record.status == "delivered":
        return record
    return record.changed(status=status, reason=reason, next_attempt_at_ms=None, waiting=None, body=None)


def is_erased(record: DeliveryRecord) -> bool:
    """Whether its payload was erased, or its webhook."""
    return record.erased or (record.status == "abandoned" and record.reason == ERASED)


def erased(record: DeliveryRecord) -> DeliveryRecord:
    """Without payload and answer. What was not finished ends here, and becomes no dead letter."""
    record = record.changed(next_attempt_at_ms=None, waiting=None, body=None, response=None, erased=True)
    return record if record.status in FINISHED else record.changed(status="abandoned", reason=ERASED)


def released(record: DeliveryRecord, now_ms: int) -> DeliveryRecord:
    """Back in SQS: the message that was sent carries the record's own generation. A pause makes nothing older."""
    paused = record.waiting is not None and record.waiting.reason == "paused"
    start_ms = now_ms if paused else record.cycle_started_at_ms
    return record.changed(waiting=None, body=None, cycle_started_at_ms=start_ms)


def restarted(record: DeliveryRecord, now_ms: int) -> DeliveryRecord:
    """A new cycle with attempts and time of its own: replay and manual retry. Its message has the new generation."""
    return record.changed(
        status="delivered" if record.status == "delivered" else "pending",
        generation=record.generation + 1,
        attempts_before_cycle=record.attempt_count,
        cycle_started_at_ms=now_ms,
        next_attempt_at_ms=None,
        waiting=None,
        body=None,
        reason=None,
    )


def _cycle_start(record: DeliveryRecord, message: DeliveryMessage) -> int:
    """The message knows of the end of a pause also where the record was not marked."""
    if message.generation < record.generation:
        return record.cycle_started_at_ms
    if message.generation > record.generation:
        return message.cycle_started_at_ms
    return max(message.cycle_started_at_ms, record.cycle_started_at_ms)


def _remember(seen: tuple[tuple[str, int], ...], received: Received[DeliveryMessage]) -> tuple[tuple[str, int], ...]:
    name = _short(received.message_id)
    others = tuple(entry for entry in seen if entry[0] != name)
    return (*others, (name, received.receive_count))[-REMEMBERED_MESSAGES:]


def _short(message_id: str) -> str:
    return message_id[-8:]

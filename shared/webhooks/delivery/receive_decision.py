"""One receive of a delivery message, decided: what is written, and what becomes of the message.

`advance` is a pure function of the stored record, so that a lost race is settled by reading again and advancing again.
"""

from dataclasses import dataclass, replace
from typing import Literal

from webhooks.delivery.attempt_detail import (
    FIRST_TRY_BYTES,
    UNREADABLE,
    AttemptDetail,
    pack_detail,
    pack_failure,
    room_bytes,
)
from webhooks.delivery.classification import Classification
from webhooks.delivery.lifecycle import (
    AttemptPolicy,
    attempted,
    attempted_late,
    given_up,
    has_cut_offs,
    is_erased,
    parked,
    standing,
    take_up,
)
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.models.exchange import Exchange
from webhooks.models.keeping import is_whole


@dataclass(frozen=True, slots=True)
class Attempted:
    """A request was made."""

    exchange: Exchange
    classification: Classification
    delay_ms: int  # until the next attempt, should there be one
    policy: AttemptPolicy


@dataclass(frozen=True, slots=True)
class Park:
    """It waits in its webhook's room."""

    waiting: Waiting


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is given up without an attempt deciding it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postpone:
    """A copy came before its time."""

    visible_in_ms: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The message may not act: its delivery is done, or another message carries it on."""


Decision = Attempted | Park | GiveUp | Postpone | Leave


@dataclass(frozen=True, slots=True)
class Advance:
    """`record` is to be written (None: nothing); then the message is deleted, dead-lettered, or seen again."""

    record: DeliveryRecord | None
    then: Literal["delete", "dead_letter", "again"]
    visible_in_ms: int = 0
    detail: AttemptDetail | None = None


def advance(
    base: DeliveryRecord, received: Received[DeliveryMessage], decision: Decision, *, now_ms: int, writer: str = ""
) -> Advance:
    """The outcome of this receive, given the record as it is stored now."""
    stand = standing(base, received.message)
    record = take_up(base, received, now_ms)
    if isinstance(decision, Attempted):
        advanced = _counted(
            _after_attempt(record, received, decision, live=stand == "live", now_ms=now_ms), base, writer
        )
        if is_erased(base) and advanced.record is not None:  # the receiver may have sent it back
            return replace(advanced, record=advanced.record.changed(response=None), detail=None)
        if stand == "given_up" and advanced.record is not None and advanced.record.status != "delivered":
            return replace(advanced, then="dead_letter")
        return advanced
    if stand != "live" or isinstance(decision, Leave):
        noted = record if has_cut_offs(base, received) else None
        return _counted(Advance(noted, "dead_letter" if stand == "given_up" else "delete"), base, writer)
    return _counted(_without_attempt(record, received, decision), base, writer)


def _counted(advanced: Advance, base: DeliveryRecord, writer: str) -> Advance:
    if advanced.record is None:
        return advanced
    record = advanced.record.changed(revision=base.revision + 1, writer=writer)
    return Advance(record, advanced.then, advanced.visible_in_ms, advanced.detail)


def _without_attempt(
    record: DeliveryRecord, received: Received[DeliveryMessage], decision: Park | GiveUp | Postpone
) -> Advance:
    if isinstance(decision, Park):
        return Advance(parked(record, decision.waiting, received.message.body.encode()), "delete")
    if isinstance(decision, GiveUp):
        after = given_up(record, "abandoned", decision.reason)
        return Advance(after, "delete" if after.status == "delivered" or is_erased(after) else "dead_letter")
    return Advance(record, "again", decision.visible_in_ms)


def _after_attempt(
    record: DeliveryRecord, received: Received[DeliveryMessage], decision: Attempted, *, live: bool, now_ms: int
) -> Advance:
    exchange = decision.exchange
    if not is_whole(received.message.keeping):  # the receiver may have sent it back
        exchange = exchange.without_answer()
    if exchange.repeated:
        cut_off = Attempt(0, exchange.started_at_ms, 0, "unknown")
        record = record.changed(attempts=(*record.attempts, cut_off))
    attempt = Attempt(
        number=record.attempt_count + 1,
        started_at_ms=exchange.started_at_ms,
        duration_ms=exchange.duration_ms,
        outcome="success" if decision.classification.kind == "delivered" else "failure",
        status_code=exchange.status_code,
        error_code=exchange.error_code,
    )
    if live:
        body = received.message.body.encode()
        after = attempted(
            record,
            attempt,
            decision.classification,
            decision.policy,
            now_ms=now_ms,
            delay_ms=decision.delay_ms,
            body=body,
        )
    else:
        after = attempted_late(record, attempt)
    detail = None
    if (in_record := _in_record(after, attempt, exchange)) is not None:
        after = after.changed(response=in_record)
    else:
        packed = pack_detail(exchange) or b""
        detail = AttemptDetail(record.delivery_id, record.webhook_id, attempt.started_at_ms, packed)
    if after.status in ("failed", "abandoned"):
        return Advance(after, "dead_letter" if live else "delete", detail=detail)
    if live and after.status == "retrying" and after.waiting is None:
        return Advance(after, "again", decision.delay_ms, detail=detail)
    return Advance(after, "delete", detail=detail)


def _in_record(record: DeliveryRecord, attempt: Attempt, exchange: Exchange) -> bytes | None:
    """What the record keeps of attempts, with this one; None where it takes an item of its own."""
    kept = record.response
    try:
        if attempt.outcome != "success":
            return pack_failure(exchange, fitting=room_bytes(record), beside=kept)
        if any(each.outcome == "success" for each in record.attempts[:-1]):
            return None
        fitting = FIRST_TRY_BYTES if record.revision == 0 else room_bytes(record)
        return pack_detail(exchange, fitting=fitting, beside=kept)
    except UNREADABLE:  # a newer version has packed what is there: it stays as it is
        return None

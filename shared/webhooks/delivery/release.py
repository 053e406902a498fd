"""Release: deliveries that wait outside SQS go back in when their time has come.

Send, then mark. A crash in between sends a message again, with the generation that the record has had since it was
parked; marking first would lose it.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from webhooks.delivery import bulkhead, rate_limit
from webhooks.delivery.endpoint_state import DeliveryContext, EndpointState
from webhooks.delivery.host_limit import BUSY_HOST, HostPolicy, HostTurns
from webhooks.delivery.lifecycle import released
from webhooks.delivery.ports import DeliveryContexts, DeliveryQueue, EndpointStates
from webhooks.delivery.send_gate import GENTLE_PER_MINUTE, gate_of
from webhooks.errors import Unavailable
from webhooks.messages import DeliveryMessage, group_of, message_of
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook

PERIOD_MS = 60_000  # the schedule's
CHUNK = 500
FORGET_AFTER_MS = 5 * 60_000  # a room empty for so long is looked at no more; longer than any sender's invocation
MAX_DELAY_SECONDS = 900  # SQS: DelaySeconds
RACES = 10  # with senders, for places in a webhook's rate

A = TypeVar("A")
B = TypeVar("B")

logger = logging.getLogger(__name__)


class WaitingDeliveries(DeliveryContexts, Protocol):
    """The waiting index and what it points at."""

    def due(self, shard: int, until_ms: int) -> Iterator[tuple[str, str | None]]:
        """(webhook id, delivery id), or (webhook id, None) for a webhook to wake, earliest first."""
        ...

    def in_room(self, webhook_id: str, limit: int) -> Sequence[tuple[str, str | None]]:
        """The oldest deliveries of a waiting room."""
        ...


class RoomStates(EndpointStates, Protocol):
    """States of webhooks whose rooms are looked into. Every method may raise Unavailable."""

    def reschedule(self, webhook_id: str, before: EndpointState, at_ms: int) -> bool:
        """Set the next look at the room, unless somebody woke it since."""
        ...

    def sleep(self, webhook_id: str, before: EndpointState) -> bool:
        """Stop looking at the room, unless somebody touched it since."""
        ...


@dataclass(slots=True)
class ReleaseReport:
    """What one run did."""

    due: int = 0
    from_rooms: int = 0
    rooms: int = 0
    failures: int = 0
    unreadable: int = 0
    out_of_time: bool = False

    def add(self, part: "ReleaseReport") -> None:
        """Count what a part of the run did."""
        self.due += part.due
        self.from_rooms += part.from_rooms
        self.failures += part.failures
        self.unreadable += part.unreadable


class Mapper(Protocol):
    """`map`, or that of a pool of threads."""

    def __call__(self, work: Callable[[A], B], items: Iterable[A], /) -> Iterator[B]:
        """The work's answers, in order."""
        ...


class Release:
    """The use case of functions/release. Runs may overlap and may end anywhere.

    `each` goes through shards and rooms. Most of a run is waiting for AWS, so threads make it
    faster. `static_egress`: there is a sender with static addresses, and the queue takes what is for it.
    """

    def __init__(
        self,
        store: WaitingDeliveries,
        states: RoomStates,
        queue: DeliveryQueue,
        *,
        shards: int,
        slow_places: int = 25,
        hosts: HostPolicy = HostPolicy(),  # noqa: B008 - frozen
        static_egress: bool = False,
        now_ms: Callable[[], int],
        each: Mapper = map,
    ) -> None:
        self._store = store
        self._states = states
        self._queue = queue
        self._shards = shards
        self._slow_places = slow_places
        self._hosts = hosts
        self._static_egress = static_egress
        self._now_ms = now_ms
        self._each = each

    def run(self, deadline_ms: int) -> ReleaseReport:
        """Release all that falls due within a minute, then drain rooms in turns until they are empty or time is up."""
        report = ReleaseReport()
        to_wake: list[str] = []
        for waking, part in self._each(self._release_shard, range(self._shards)):
            to_wake += waking
            report.add(part)
        report.rooms = len(to_wake)
        hosts = HostTurns(self._hosts, PERIOD_MS)
        while to_wake and self._now_ms() < deadline_ms:
            turns = list(self._each(lambda webhook_id: self._drain(webhook_id, hosts, deadline_ms), to_wake))
            for _, part in turns:
                report.add(part)
            to_wake = [webhook_id for webhook_id, (more, _) in zip(to_wake, turns, strict=True) if more]
        report.out_of_time = bool(to_wake)
        return report

    def _release_shard(self, shard: int) -> tuple[list[str], ReleaseReport]:
        report = ReleaseReport()
        try:
            return self._release_due(shard, report), report
        except Unavailable as exc:
            report.failures += 1
            logger.warning("shard %d waits for the next run: %s", shard, exc)
        except Exception:  # whatever one shard brings out must not keep the others waiting
            report.failures += 1
            logger.exception("shard %d waits for the next run", shard)
        return [], report

    def _release_due(self, shard: int, report: ReleaseReport) -> list[str]:
        to_wake: list[str] = []
        for page in _pages(self._store.due(shard, self._now_ms() + PERIOD_MS)):
            to_wake += [webhook_id for webhook_id, delivery_id in page if delivery_id is None]
            deliveries = [(w, d) for w, d in page if d is not None]
            if deliveries:
                context = self._store.around(deliveries)
                waiting = [r for r in context.records.values() if _is_due(r) and context.readable(r.webhook_id)]
                report.unreadable += sum(not context.readable(w, d) for w, d in deliveries)
                static = [record for record in waiting if _is_static(record, context)]
                ordinary = [record for record in waiting if record not in static] if static else waiting
                report.due += self._send_due(ordinary, context, report)
                try:
                    report.due += self._send_due(static, context, report)
                except Unavailable as exc:  # their queue's fault must not keep the others waiting
                    report.failures += 1
                    logger.warning("%d for static addresses wait for the next run: %s", len(static), exc)
        return to_wake

    def _send_due(self, records: Sequence[DeliveryRecord], context: DeliveryContext, report: ReleaseReport) -> int:
        return self._send(records, context, [_delay(record, self._now_ms()) for record in records], report)

    def _drain(self, webhook_id: str, hosts: HostTurns, deadline_ms: int) -> tuple[bool, ReleaseReport]:
        """Send part of a room; True when there is more to send in this run."""
        report = ReleaseReport()
        if self._now_ms() >= deadline_ms:
            return True, report
        try:
            context = self._store.around([(webhook_id, None)])
            if not context.readable(webhook_id):
                report.unreadable += 1
                return False, report
            webhook, state = context.webhooks.get(webhook_id), context.states[webhook_id]
            return self._drain_room(webhook_id, webhook, state, hosts, report), report
        except Unavailable as exc:
            report.failures += 1
            logger.warning("the room of %s waits for the next run: %s", webhook_id, exc)
        except Exception:  # nor must one room
            report.failures += 1
            logger.exception("the room of %s waits for the next run", webhook_id)
        return False, report

    def _drain_room(
        self,
        webhook_id: str,
        webhook: Webhook | None,
        state: EndpointState,
        hosts: HostTurns,
        report: ReleaseReport,
    ) -> bool:
        now_ms = self._now_ms()
        gate = gate_of(webhook, state, now_ms, static_egress=self._static_egress)
        if gate.kind == "room":
            self._states.reschedule(webhook_id, state, max(gate.wake_at_ms, now_ms + 1000))
            return False
        limit = 1 if gate.kind == "probe" else CHUNK
        if gate.kind == "open" and now_ms < state.gentle_until_ms:
            limit = GENTLE_PER_MINUTE
        rate = webhook.rate_limit_rps if webhook is not None and gate.kind == "open" else None
        pace = None
        if state.latency_ms and gate.kind == "open":
            pace = bulkhead.pace(state.latency_ms, self._slow_places)
        slowest = min((each for each in (rate, pace) if each is not None), default=None)
        if slowest is not None:
            limit = min(limit, max(1, int(slowest * PERIOD_MS / 1000)))
        ids = self._store.in_room(webhook_id, limit)
        if not ids:
            if now_ms - state.touched_at_ms > FORGET_AFTER_MS:
                self._states.sleep(webhook_id, state)
            else:
                self._states.reschedule(webhook_id, state, now_ms + PERIOD_MS)
            return False
        context, waiting = self._waiting(ids)
        if not waiting and limit < CHUNK:  # the oldest cannot be read, or the index lags: the next ones need not wait
            ids = self._store.in_room(webhook_id, CHUNK)
            context, waiting = self._waiting(ids)
            waiting = waiting[:limit]
        report.unreadable += sum(not context.readable(w, d) for w, d in ids)
        turns = self._turns(webhook, waiting, hosts)
        granted = len(turns)
        if slowest is None:
            report.from_rooms += self._send(waiting[:granted], context, list(map(int, turns)), report)
        else:
            first_in_seconds = 0.0
            if rate is not None:
                granted, first_in_seconds = self._reserve(webhook_id, state, granted, rate)
            if pace is not None and webhook is not None:
                granted, in_seconds = self._pace(webhook.owner, state, granted)
                first_in_seconds = max(first_in_seconds, in_seconds)
            delays = [int(max(turns[at], first_in_seconds + at / slowest)) for at in range(granted)]
            report.from_rooms += self._send(waiting[:granted], context, delays, report, reserved=True)
        if waiting and limit == CHUNK and len(ids) == CHUNK and granted == len(waiting):
            return True
        self._states.reschedule(webhook_id, state, now_ms + PERIOD_MS)
        return False

    def _turns(self, webhook: Webhook | None, waiting: Sequence[DeliveryRecord], hosts: HostTurns) -> list[float]:
        """After how many seconds each of those may go that may go in this run."""
        was_busy = any(record.waiting and record.waiting.reason == BUSY_HOST for record in waiting)
        if webhook is None or not was_busy or not self._hosts.per_second:
            return [0] * len(waiting)
        from webhooks.egress.hosts import host_of  # idna is for nobody else here

        return hosts.take(host_of(webhook.url), webhook.owner, len(waiting))

    def _waiting(self, ids: Sequence[tuple[str, str | None]]) -> tuple[DeliveryContext, list[DeliveryRecord]]:
        context = self._store.around(ids)
        records = [context.records.get(delivery_id or "") for _, delivery_id in ids]
        return context, [r for r in records if r and r.waiting and r.waiting.kind == "room"]

    def _reserve(self, webhook_id: str, state: EndpointState, wanted: int, rate: float) -> tuple[int, float]:
        """Places in the webhook's rate within the coming minute, and in how many seconds the first of them is.

        The room goes before what arrives anew: senders reserve all the time, so one lost race must not cost a minute.
        """
        tat_ms = state.rate_tat_ms
        for _ in range(RACES):
            now_ms = self._now_ms()
            reservation = rate_limit.reserve(
                tat_ms, wanted, rate_per_second=rate, burst=max(1, int(rate * PERIOD_MS / 1000)), now_ms=now_ms
            )
            if not reservation.granted:
                break
            if self._states.save_rate(webhook_id, tat_ms, reservation.tat_ms):
                return reservation.granted, max(0, (tat_ms or 0) - now_ms) / 1000
            tat_ms = self._states.get(webhook_id).rate_tat_ms
        return 0, 0.0

    def _pace(self, owner: str, state: EndpointState, wanted: int) -> tuple[int, float]:
        """Places among those of the owner's slow receivers, and in how many seconds the first of them is."""
        for _ in range(RACES if wanted else 0):
            now_ms, tat_ms = self._now_ms(), self._states.pace(owner)
            reservation = bulkhead.reserve(
                tat_ms,
                wanted,
                latency_ms=state.latency_ms,
                places=self._slow_places,
                now_ms=now_ms,
                ahead_ms=PERIOD_MS,
            )
            if not reservation.granted:
                break
            if self._states.save_pace(owner, tat_ms, reservation.tat_ms):
                return reservation.granted, max(0, (tat_ms or 0) - now_ms - state.latency_ms) / 1000
        return 0, 0.0

    def _send(
        self,
        records: Sequence[DeliveryRecord],
        context: DeliveryContext,
        delays: Sequence[int],
        report: ReleaseReport,
        *,
        reserved: bool = False,
    ) -> int:
        now_ms = self._now_ms()
        marks: list[tuple[DeliveryRecord, DeliveryRecord]] = []
        messages: list[tuple[DeliveryMessage, int]] = []
        for record, delay in zip(records, delays, strict=True):
            back = released(record, now_ms).changed(revision=record.revision + 1)
            try:
                message = message_of(
                    back,
                    _group(record, context),
                    (record.body or b"").decode(),
                    reserved=reserved,
                    static_egress=_is_static(record, context),
                )
            except ValueError:  # its body is no text: the others go out
                report.unreadable += 1
                logger.exception("delivery %s cannot be sent", record.delivery_id)
                continue
            marks.append((record, back))
            messages.append((message, delay))
        self._queue.send(messages)
        if messages:
            logger.info("released", extra={"delivery_ids": [record.delivery_id for record, _ in marks]})
        self._store.save(marks)  # one that does not hold was acted on meanwhile; one not taken goes out once more
        return len(messages)


def _is_due(record: DeliveryRecord) -> bool:
    return record.waiting is not None and record.waiting.kind == "due"


def _delay(record: DeliveryRecord, now_ms: int) -> int:
    due_ms = record.waiting.at_ms if record.waiting else now_ms
    return min(max(0, -(-(due_ms - now_ms) // 1000)), MAX_DELAY_SECONDS)


def _group(record: DeliveryRecord, context: DeliveryContext) -> str:
    webhook = context.webhooks.get(record.webhook_id)
    return group_of(webhook.owner if webhook else record.webhook_id)


def _is_static(record: DeliveryRecord, context: DeliveryContext) -> bool:
    webhook = context.webhooks.get(record.webhook_id)
    return webhook is not None and webhook.static_egress


def _pages(ids: Iterator[tuple[str, str | None]]) -> Iterator[list[tuple[str, str | None]]]:
    while page := list(itertools.islice(ids, CHUNK)):
        yield page

"""Ingestion: an accepted event becomes one delivery message for every webhook that wants it.

Record first, then send. The event item holds the decisions and the token of the ingest message that took them, so a
crash in between is finished by the same message's next receive, from the record and not from newer subscriptions.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, cast

from webhooks.delivery.hand_back import delay_seconds
from webhooks.errors import Invalid, PoisonMessage, TooLarge, Unavailable
from webhooks.event_types import OPERATIONAL_EVENT_TYPES
from webhooks.events.fan_out import PAGE, FanOut
from webhooks.events.ingest_batch import TIME_IS_OVER, Decided, IngestReport, Pending
from webhooks.events.ingest_messages import (
    continuation_of,
    document_of,
    envelope_of,
    fingerprints_of,
    former_ids_of,
    is_from_api,
    message_of_one,
    published_ms,
    publisher_of,
)
from webhooks.events.keeping import kept
from webhooks.events.repeats import Repeats, differences, fingerprint_of, is_others, is_same, own_id
from webhooks.events.trace_context import traces_of
from webhooks.events.validation import check_id, normalise
from webhooks.ids import derived_id
from webhooks.matching.route_cache import ERASED_UNTIL, RouteCache, RouteSet, Versions
from webhooks.messages import Received
from webhooks.models.event import EventRecord, Repeat
from webhooks.payload import MAX_EVENT_BYTES, loads, serialise, serialise_noting_numbers

# What an event gets at once when a batch has a page already, a call's worth. For the rest it has a message of its own:
# a batch may be a thousand events for all webhooks of a tenant, which no invocation could send in its time.
SHORT_PAGE = 10
CALL_MS = 10_000  # a call to AWS ends by then
RECORDING_MS = 25_000  # what recording and sending what is decided takes at worst
# CPU of matching one event. What takes longer at first is matched again alone, when those beside it are on their way.
FIRST_SECONDS = 0.1
ALONE_SECONDS = 0.6
LATE_MS = 20_000  # after so much of an invocation no event is matched alone: its message comes again

logger = logging.getLogger(__name__)


class EventStore(Protocol):
    """Where events and their decisions are recorded."""

    def insert(self, records: Sequence[EventRecord]) -> Sequence[Literal["inserted", "exists", "undone", "refused"]]:
        """Conditional inserts. "undone": it may be there; "refused": no repeat will be taken. Raises Unavailable."""
        ...

    def get(self, keys: Sequence[tuple[str, str, int]], now_ms: int) -> Mapping[tuple[str, str, int], EventRecord]:
        """Consistent reads by (event id, scope, page), without what has expired or cannot be read.

        Raises Unavailable.
        """
        ...

    def remove_expired(self, records: Sequence[EventRecord], now_ms: int) -> None:
        """Remove events whose retention is over, so that their ids can be used again."""
        ...


class IngestQueue(Protocol):
    """The ingest queue, for what a later invocation takes up again."""

    def hand_back(self, messages: Sequence[tuple[Received[str], int]]) -> None:
        """Have copies take the place of messages, each after a delay in seconds. Raises Unavailable."""
        ...

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Show messages again after seconds. Raises Unavailable."""
        ...


class RefusedQueue(Protocol):
    """Takes ingest messages that no retry would make readable."""

    def refuse(self, body: str, reason: str) -> None:
        """Keep it there with its reason. Raises Unavailable."""
        ...


class _OverTime(Exception):
    """Matching an event takes longer than it may."""


class Ingestion:
    """The use case of functions/ingest."""

    def __init__(
        self,
        routes: RouteCache,
        events: EventStore,
        repeats: Repeats,
        fan_out: FanOut,
        ingest_queue: IngestQueue,
        refused: RefusedQueue,
        *,
        event_types: Iterable[str],
        now_ms: Callable[[], int],
        cpu_seconds: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._routes = routes
        self._events = events
        self._repeats = repeats
        self._fan_out = fan_out
        self._ingest_queue = ingest_queue
        self._refused = refused
        self._event_types = frozenset(event_types) | frozenset(OPERATIONAL_EVENT_TYPES)
        self._now_ms = now_ms
        self._cpu_seconds = cpu_seconds
        self._random = random

    def ingest(self, messages: Sequence[Received[str]], deadline_ms: int) -> IngestReport:
        """Record and fan out a batch. A message that fails is reported, and does not affect the others.

        What cannot be recorded before the deadline is not begun.
        """
        report = IngestReport()
        began_ms = self._now_ms()
        read = (each for message in messages for each in self._read(message, report))
        pending = list({(each.token, each.event.event_id, each.page): each for each in read}.values())  # copies go
        pending.sort(key=lambda each: each.event.scope)  # so that no scope's routes are loaded twice for want of room
        versions: Versions = {}
        try:
            if pending:
                versions = self._routes.versions(each.event for each in pending)
        except Unavailable as exc:
            report.put_off([each.message_id for each in pending], exc)
            pending = []
        pending = self._kept(pending, versions, report)
        slow: list[Pending] = []
        self._keep(self._decide_all(pending, versions, slow, deadline_ms, report), deadline_ms, report)
        for each in slow:
            if self._now_ms() - began_ms > LATE_MS:
                report.put_off([each.message_id], Unavailable("the time for slow events is over"))
            elif one := self._decide_alone(each, versions, report):
                self._keep([one], deadline_ms, report)
        self._hand_back(messages, report)
        return report

    def _kept(self, pending: Sequence[Pending], versions: Versions, report: IngestReport) -> list[Pending]:
        """Without what was published before its user or workspace was erased."""
        kept = [
            each for each in pending if each.published_at_ms > versions.get(each.event.scope, {}).get(ERASED_UNTIL, -1)
        ]
        report.erased += len(pending) - len(kept)
        return kept

    def _hand_back(self, messages: Sequence[Received[str]], report: IngestReport) -> None:
        """Have what waits come again soon, spread, and later each time. What SQS does not take is left to the
        visibility timeout, and so is what brought out a fault."""
        waiting = [each for each in messages if each.message_id in report.waiting - report.faulty]
        copied = [each for each in waiting if each.receive_count == 1 and each.message_id not in report.touched]
        gone = {each.message_id for each in copied}
        delays = [
            (each.receipt_handle, delay_seconds(each.receive_count, self._random()))
            for each in waiting
            if each.message_id not in gone
        ]
        try:
            if copied:
                self._ingest_queue.hand_back(
                    [(each, delay_seconds(each.handed_back + 1, self._random())) for each in copied]
                )
                report.failed -= gone
            if delays:
                self._ingest_queue.postpone(delays)
        except Unavailable as exc:
            logger.warning("%d messages are left to their visibility timeout: %s", len(waiting), exc)

    def _read(self, message: Received[str], report: IngestReport) -> list[Pending]:
        try:
            try:
                document = document_of(message.message)
                if "continue" in document:
                    return self._read_continuation(document["continue"], message)
                return self._read_events(document, message, report)
            except (Invalid, TooLarge, PoisonMessage) as exc:
                self._refuse(message.message, exc, report)
        except Unavailable as exc:
            report.put_off([message.message_id], exc)
        except Exception:  # nor must one message
            logger.exception("message %s could not be read", message.message_id)
            report.note_fault(message.message_id)
        return []

    def _read_events(self, document: Mapping[str, Any], message: Received[str], report: IngestReport) -> list[Pending]:
        token, raws, made_ms = envelope_of(document, message)
        publisher = publisher_of(document)
        former_ids, fingerprints = former_ids_of(document, len(raws)), fingerprints_of(document, len(raws))
        traces = traces_of(document.get("traces"), len(raws))
        published_at_ms = published_ms(token, made_ms)
        timestamp = datetime.fromtimestamp(made_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        pending: list[Pending] = []
        for position, (raw, former_id, fingerprint, trace) in enumerate(
            zip(raws, former_ids, fingerprints, traces, strict=True)
        ):
            default_id = derived_id("evt", made_ms, f"{token}.{position}" if position else token)
            try:
                event = normalise(raw, default_id=default_id, default_timestamp=timestamp)
                check_id(event)
                if fingerprint is None and event.event_id != default_id and not is_from_api(document):
                    fingerprint = fingerprint_of(event.payload, is_timed=raw.get("timestamp") is not None)
                event = replace(
                    event,
                    publisher=publisher,
                    former_id=former_id,
                    fingerprint=fingerprint,
                    trace=event.trace or trace,
                )
                body, has_numbers = serialise_noting_numbers(event.payload)
                if len(body) > MAX_EVENT_BYTES:
                    raise TooLarge(f"the event is {len(body)} bytes, at most {MAX_EVENT_BYTES} are taken")
            except (Invalid, TooLarge) as exc:
                self._refuse(message_of_one(f"{token}.{position}", publisher, raw, trace=trace), exc, report)
                continue
            matched = json.loads(body) if has_numbers else event.payload
            pending.append(
                Pending(
                    event, body, matched, f"{token}.{position}", message.sent_at_ms, message.message_id, published_at_ms
                )
            )
        return pending

    def _read_continuation(self, document: object, message: Received[str]) -> list[Pending]:
        event_id, scope, page, after = continuation_of(document)
        key = (event_id, scope, 0)
        first = self._events.get([key], self._now_ms()).get(key)
        if first is None:
            raise PoisonMessage("the event that this message continues is gone")
        given = cast("Mapping[str, Any]", document).get("payload")
        if not first.body and (first.is_whole or not isinstance(given, Mapping)):
            logger.info("event %s is distributed no further: its payload was erased", event_id)
            return []
        raw = loads(first.body) if first.is_whole else cast("Mapping[str, object]", given)
        event = normalise(raw, default_id=first.event_id, default_timestamp="")
        event = replace(event, trace=first.trace, keeping=first.keeping)
        body = first.body if first.is_whole else serialise(event.payload)
        return [
            Pending(
                event,
                body,
                json.loads(body),
                first.token,
                first.accepted_at_ms,
                message.message_id,
                first.accepted_at_ms,
                page=page,
                after=after,
                continuation=message.message,
            )
        ]

    def _refuse(self, body: str, cause: Exception, report: IngestReport) -> None:
        logger.error("message refused: %s", cause)
        self._refused.refuse(body, str(cause))
        report.refused += 1

    def _decide_all(
        self,
        pending: Sequence[Pending],
        versions: Versions,
        slow: list[Pending],
        deadline_ms: int,
        report: IngestReport,
    ) -> list[Decided]:
        """Without what is `slow`, and what must come again."""
        decided: list[Decided] = []
        reached = 0
        for each in pending:
            if self._now_ms() > deadline_ms - RECORDING_MS:
                report.put_off([each.message_id], Unavailable(TIME_IS_OVER))
                continue
            size = PAGE if each.page or reached < PAGE else SHORT_PAGE
            try:
                one = self._decide_within(FIRST_SECONDS, each, size, versions, report)
            except _OverTime:
                slow.append(each)
                continue
            if one is not None:
                decided.append(one)
                reached += len(one.record.queued) + len(one.record.pulled)
        return decided

    def _decide_alone(self, each: Pending, versions: Versions, report: IngestReport) -> Decided | None:
        """None for what was put aside, and for what must come again."""
        try:
            return self._decide_within(ALONE_SECONDS, each, PAGE, versions, report)
        except _OverTime:
            cause = f"matching the event with the filters of its scope takes more than {ALONE_SECONDS:g} s"
            self._put_aside(each, cause, report)
            return None

    def _decide_within(
        self, seconds: float, each: Pending, size: int, versions: Versions, report: IngestReport
    ) -> Decided | None:
        try:
            route_set = self._routes.of(each.event, versions)
            ends = self._cpu_seconds() + seconds

            def check() -> None:
                if self._cpu_seconds() > ends:
                    raise _OverTime

            return Decided(each, self._decide(each, route_set, check, size), route_set)
        except _OverTime:
            raise
        except Unavailable as exc:
            report.put_off([each.message_id], exc)
        except Exception:  # a fault of ours that one event brings out must not cost its neighbours anything
            logger.exception("event %s could not be matched", each.event.event_id)
            report.note_fault(each.message_id)
        return None

    def _keep(self, decided: Sequence[Decided], deadline_ms: int, report: IngestReport) -> None:
        """Record the decisions and send the deliveries."""
        try:
            decided = self._not_known_by_former_ids(decided, report)
        except Unavailable as exc:
            report.put_off([each.pending.message_id for each in decided], exc)
            return
        self._fan_out.send(self._settle(decided, report), deadline_ms - CALL_MS, report)

    def _not_known_by_former_ids(self, decided: Sequence[Decided], report: IngestReport) -> Sequence[Decided]:
        """Without the repeats of requests that an older version took: it derived other ids, and noted no publisher."""
        keys = {key for each in decided if (key := each.pending.former_key) is not None}
        if not keys:
            return decided
        found = self._events.get(list(keys), self._now_ms())
        known = {key for key, record in found.items() if record.publisher is None}
        left = [each for each in decided if each.pending.former_key not in known]
        report.duplicates += len(decided) - len(left)
        return left

    def _decide(self, each: Pending, route_set: RouteSet, check: Callable[[], None], size: int) -> EventRecord:
        event = each.event
        record = EventRecord(
            event_id=event.event_id,
            scope=event.scope,
            page=each.page,
            token=each.token,
            event_type=event.event_type,
            user_id=_foreign_id(event.payload["user_id"]),
            workspace_id=_foreign_id(event.payload["workspace_id"]),
            accepted_at_ms=each.accepted_at_ms,
            body=b"" if each.page else each.body,
            publisher=None if each.page else event.publisher,
            fingerprint=None if each.page else event.fingerprint,
            trace=event.trace,
            keeping=event.keeping,
            kept=None if each.page or event.keeping is None else kept(event.payload, each.body, event.keeping),
            resource_id=_foreign_id(event.payload["resource_id"]),
        )
        if event.event_type not in self._event_types:
            return replace(record, skipped_counts={"unknown_event_type": 1})
        outcome = route_set.routes.match(each.matched, check=check)
        # An operational event never goes to the webhook that it speaks of: its failure would feed itself.
        itself = event.payload["resource_id"] if event.event_type in OPERATIONAL_EVENT_TYPES else None
        queued = [webhook_id for webhook_id in outcome.queued if webhook_id > each.after and webhook_id != itself]
        pulled = [webhook_id for webhook_id in outcome.pulled if webhook_id > each.after and webhook_id != itself]
        missed = [(w, reason) for w, reason in outcome.missed if w > each.after and w != itself]
        reached = sorted([*queued, *pulled, *(webhook_id for webhook_id, _ in missed)])
        last = reached[size - 1] if len(reached) > size else None
        return replace(
            record,
            queued=tuple(w for w in queued if last is None or w <= last),
            pulled=tuple(w for w in pulled if last is None or w <= last),
            missed=tuple(m for m in missed if last is None or m[0] <= last),
            skipped_counts={} if each.page else dict(outcome.skipped_counts),
            skipped_first=() if each.page else tuple(outcome.skipped_first),
            continues_after=last,
        )

    def _settle(self, decided: Sequence[Decided], report: IngestReport) -> list[Decided]:
        """Insert; where an event was there before, its record decides (same token) or it is a duplicate. Another event
        under the same id is put aside.

        Another publisher's event of the same id makes no duplicate, or whoever guesses an id could have its event
        dropped. The later one goes on under an id of its own, since receivers tell repeats by the id.
        """
        report.touched.update(each.pending.message_id for each in decided)
        taken: list[Decided] = []
        settled = self._insert(decided, taken, report)
        try:
            stored = self._stored(taken)
            expired = [each for each in taken if each.key not in stored]  # and not collected by TTL yet
            if expired:
                self._events.remove_expired([each.record for each in expired], self._now_ms())
                taken = [each for each in taken if each.key in stored]
                settled += self._insert(expired, taken, report)
                stored |= self._stored([each for each in taken if each.key not in stored])
        except Unavailable as exc:
            report.put_off([each.pending.message_id for each in taken], exc)
            return settled
        others: list[Decided] = []
        repeats: list[Repeat] = []
        for each in taken:
            record = stored.get(each.key)
            if record is not None and is_others(record, each.record.publisher, each.record.user_id):
                others.append(replace(each, record=_renamed(each.record)))
            elif record is None:
                report.put_off([each.pending.message_id], Unavailable("its event's item changes, or cannot be read"))
            elif record.token == each.record.token:
                report.resumed += 1
                settled.append(replace(each, record=_as_sent(record, each.record), is_resumed=True))
            else:
                repeats.append(self._repeated(each, record, report))
        self._repeats.note(repeats)
        if others:
            settled += self._settle(others, report)
        order = {id(each.pending): position for position, each in enumerate(decided)}
        return sorted(settled, key=lambda each: order[id(each.pending)])

    def _insert(self, decided: Sequence[Decided], taken: list[Decided], report: IngestReport) -> list[Decided]:
        """What is inserted; what was there before is added to `taken`.

        An item may be refused although an earlier one of the same event is there: what matches by now is too much for
        an item, say. Then that one counts.
        """
        inserted: list[Decided] = []
        try:
            results = self._events.insert([each.record for each in decided]) if decided else ()
            there = self._stored([each for each, result in zip(decided, results, strict=True) if result == "refused"])
        except Unavailable as exc:
            report.put_off([each.pending.message_id for each in decided], exc)
            return inserted
        for each, result in zip(decided, results, strict=True):
            if result == "inserted":
                report.events += 1
                inserted.append(each)
            elif result == "exists" or each.key in there:
                taken.append(each)
            elif result == "undone":
                report.put_off([each.pending.message_id], Unavailable("its event was not taken"))
            else:
                self._put_aside(each.pending, "the table refused the event's item", report)
        return inserted

    def _repeated(self, each: Decided, stored: EventRecord, report: IngestReport) -> Repeat:
        event = each.pending.event
        differs: tuple[str, ...] = ()
        if is_same(stored, event.fingerprint):
            report.duplicates += 1
        else:
            differs = differences(stored, loads(each.record.body), is_timed=True)
            report.conflicts += 1
            cause = f"another event was published as {stored.event_id}; this one differs in {', '.join(differs)}"
            self._put_aside(each.pending, cause, report)
        return Repeat(stored.event_id, stored.scope, event.fingerprint or "", self._now_ms(), differs)

    def _put_aside(self, each: Pending, cause: str, report: IngestReport) -> None:
        event = each.event
        # A page comes back as what asks for it: the event itself is known already, and would be dropped.
        body = each.continuation or message_of_one(
            each.token, event.publisher, event.document(), event.fingerprint, event.trace
        )
        try:
            self._refuse(body, TooLarge(cause), report)
        except Unavailable as exc:
            report.put_off([each.message_id], exc)

    def _stored(self, taken: Sequence[Decided]) -> dict[tuple[str, str, int], EventRecord]:
        return dict(self._events.get([each.key for each in taken], self._now_ms())) if taken else {}


def _as_sent(stored: EventRecord, decided: EventRecord) -> EventRecord:
    """The stored decisions with the whole payload, where it is not kept with them: its message still has it."""
    return stored if stored.is_whole else replace(stored, body=decided.body)


def _renamed(record: EventRecord) -> EventRecord:
    """The event under an id that no publisher can give, the same each time."""
    event_id = own_id(record.event_id, record.publisher, record.user_id)
    payload = {**loads(record.body), "id": event_id}
    body = serialise(payload)
    left = None if record.kept is None else kept(payload, body, record.keeping)
    return replace(record, event_id=event_id, body=body, kept=left)


def _foreign_id(value: object) -> str | int | None:
    return value if isinstance(value, str | int) else None

"""Fan-out: what is decided and recorded of events becomes deliveries, entries to read by pull, and further pages."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from webhooks.delivery.ports import DeliveryQueue
from webhooks.errors import Unavailable
from webhooks.events.ingest_batch import TIME_IS_OVER, Decided, IngestReport
from webhooks.ids import delivery_id
from webhooks.messages import DeliveryMessage, group_of
from webhooks.models.event import EventRecord
from webhooks.models.keeping import mark_of
from webhooks.models.pull import PullEntry
from webhooks.payload import loads

PAGE = 500  # webhooks a page of one event's fan-out

logger = logging.getLogger(__name__)


class FurtherPages(Protocol):
    """Where ingestion is asked to go on."""

    def continue_fan_out(self, continuations: Sequence[Mapping[str, object]], group: str) -> None:
        """Ask for the next page of an event's webhooks. Raises Unavailable."""
        ...


class PullLog(Protocol):
    """What pull webhooks have to read."""

    def append(self, entries: Sequence[PullEntry], until_ms: int) -> Sequence[bool]:
        """Record each behind all that can have been read; whether it is. Nothing is begun after `until_ms`."""
        ...

    def erased(self, webhook_ids: Iterable[str]) -> Collection[str]:
        """Those of an erased tenant. Consistent. Raises Unavailable."""
        ...


class FanOut:
    """Sends what is decided and recorded to those who want it."""

    def __init__(
        self, deliveries: DeliveryQueue, pulls: PullLog, further_pages: FurtherPages, now_ms: Callable[[], int]
    ) -> None:
        self._deliveries = deliveries
        self._pulls = pulls
        self._further_pages = further_pages
        self._now_ms = now_ms

    def send(self, settled: Sequence[Decided], until_ms: int, report: IngestReport) -> None:
        """Send what is recorded, and begin nothing after `until_ms`. A message of which something is left is reported.

        What nobody reads by pull goes first: another's entries are no reason to wait.
        """
        if read := [each for each in settled if each.record.pulled]:
            self._send([each for each in settled if not each.record.pulled], until_ms, report)
            settled = self._recorded_for_pull(read, until_ms, report)
        self._send(settled, until_ms, report)

    def _send(self, settled: Sequence[Decided], until_ms: int, report: IngestReport) -> None:
        """Those for few webhooks go first, and do not wait for those for many."""
        for some in _parts(sorted(settled, key=lambda each: len(each.record.queued))):
            if self._now_ms() > until_ms:
                report.put_off([each.pending.message_id for each in some], Unavailable(TIME_IS_OVER))
                continue
            outgoing = [_outgoing(each) for each in some]
            try:
                self._deliveries.send([message for messages in outgoing for message in messages])
                sent = [True] * len(some)
            except Unavailable as exc:
                logger.warning("events are distributed one by one: %s", exc)
                sent = [self._send_alone(each, own, until_ms, report) for each, own in zip(some, outgoing, strict=True)]
            self._continue([each for each, is_sent in zip(some, sent, strict=True) if is_sent], report)

    def _recorded_for_pull(self, settled: Sequence[Decided], until_ms: int, report: IngestReport) -> Sequence[Decided]:
        """Those of which every pull webhook has its entry now.

        What was decided in an earlier invocation may be for a webhook that is erased by now, and nobody would look for
        an entry of it any more.
        """
        resumed = [each for each in settled if each.is_resumed]
        try:
            erased = self._pulls.erased({w for each in resumed for w in each.record.pulled}) if resumed else ()
        except Unavailable as exc:
            report.put_off([each.pending.message_id for each in resumed], exc)
            settled, erased = [each for each in settled if not each.is_resumed], ()
        entries = [
            (each, entry) for each in settled for entry in _entries(each.record) if entry.webhook_id not in erased
        ]
        recorded = self._pulls.append([entry for _, entry in entries], until_ms)
        lacking = {id(each) for (each, _), is_there in zip(entries, recorded, strict=True) if not is_there}
        late = [each for each in settled if id(each) in lacking]
        report.put_off([each.pending.message_id for each in late], Unavailable("not all can be read by pull yet"))
        return [each for each in settled if id(each) not in lacking]

    def _send_alone(
        self, each: Decided, messages: Sequence[tuple[DeliveryMessage, int]], until_ms: int, report: IngestReport
    ) -> bool:
        try:
            if self._now_ms() > until_ms:
                raise Unavailable(TIME_IS_OVER)
            self._deliveries.send(messages)
        except Unavailable as exc:
            report.put_off([each.pending.message_id], exc)
            return False
        return True

    def _continue(self, sent: Sequence[Decided], report: IngestReport) -> None:
        """Ask for their next pages, and count those that have all they need."""
        lacking: set[int] = set()
        more = [each for each in sent if each.record.continues_after is not None]
        for scope, group in groupby(sorted(more, key=_scope), _scope):
            some = list(group)
            try:
                self._further_pages.continue_fan_out([_following(each) for each in some], group_of(scope))
            except Unavailable as exc:
                report.put_off([each.pending.message_id for each in some], exc)
                lacking.update(map(id, some))
        for each in sent:
            if id(each) not in lacking:
                record = each.record
                report.queued += len(record.queued)
                report.pulled += len(record.pulled)
                report.steps.append(f"{record.event_id} {len(record.queued)} queued")
                report.missed += len(record.missed)
                report.skipped += sum(record.skipped_counts.values())
                report.unknown_type += record.skipped_counts.get("unknown_event_type", 0)


def _parts(settled: Sequence[Decided]) -> Iterator[list[Decided]]:
    """Of about a page of deliveries each."""
    part: list[Decided] = []
    messages = 0
    for each in settled:
        part.append(each)
        messages += len(each.record.queued)
        if messages >= PAGE:
            yield part
            part, messages = [], 0
    if part:
        yield part


def _scope(each: Decided) -> str:
    return each.record.scope


def _following(each: Decided) -> dict[str, object]:
    record = each.record
    following: dict[str, object] = {"event_id": record.event_id, "scope": record.scope, "page": record.page + 1}
    if not record.is_whole and record.keeping is not None:  # the stored event cannot tell the next page its payload
        following |= {"payload": loads(_body_of(each)), **record.keeping.document()}
    return {**following, "after": record.continues_after}


def _outgoing(each: Decided) -> list[tuple[DeliveryMessage, int]]:
    record = each.record
    body, keeping = _body_of(each).decode(), mark_of(record.keeping)
    return [
        (
            DeliveryMessage(
                delivery_id=delivery_id(record.accepted_at_ms, record.scope, record.event_id, webhook_id),
                webhook_id=webhook_id,
                event_id=record.event_id,
                event_type=record.event_type,
                scope=record.scope,
                group=each.routes.groups.get(webhook_id) or group_of(webhook_id),
                body=body,
                cycle_started_at_ms=record.accepted_at_ms,
                trace=record.trace,
                static_egress=webhook_id in each.routes.static,
                keeping=keeping,
            ),
            0,
        )
        for webhook_id in record.queued
    ]


def _entries(record: EventRecord) -> list[PullEntry]:
    return [
        PullEntry(
            webhook_id=webhook_id,
            delivery_id=delivery_id(record.accepted_at_ms, record.scope, record.event_id, webhook_id),
            event_id=record.event_id,
            event_type=record.event_type,
            scope=record.scope,
            accepted_at_ms=record.accepted_at_ms,
            days=record.keeping and record.keeping.days,
        )
        for webhook_id in record.pulled
    ]


def _body_of(each: Decided) -> bytes:
    """What receivers get: a renamed event's has its new id."""
    return each.record.body or each.pending.body

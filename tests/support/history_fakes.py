"""In-memory stand-ins for what the API reads of the past, and for the queues it sends to."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tests.support.management_fakes import MemoryManagementStore
from webhooks.delivery.attempt_detail import AttemptDetail
from webhooks.delivery.endpoint_state import DeliveryContext, EndpointState
from webhooks.delivery.lifecycle import erased
from webhooks.ids import history_shard, time_of
from webhooks.management.paging import TimeRange
from webhooks.matching.compiled_routes import Route, RouteSubscription
from webhooks.messages import DeliveryMessage
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.erasure import Erasure
from webhooks.models.event import EventRecord, Repeat
from webhooks.models.replay import ReplayJob
from webhooks.models.webhook import Webhook, scope_of
from webhooks.recovery.replay_source import MissedEvent

T = TypeVar("T", DeliveryRecord, DeadLetter)


@dataclass
class MemoryHistory:
    """Deliveries, their attempts' details and dead letters; `loads` are reads of webhooks."""

    store: MemoryManagementStore
    now_ms: Callable[[], int]
    kept: dict[str, DeliveryRecord] = field(default_factory=dict)
    kept_details: dict[str, dict[int, bytes]] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    loads: list[Sequence[str]] = field(default_factory=list)

    def add(self, *things: DeliveryRecord | DeadLetter) -> None:
        for each in things:
            if isinstance(each, DeliveryRecord):
                self.kept[each.delivery_id] = each
            else:
                self.letters[each.delivery_id] = each

    def records(self, ids: Sequence[tuple[str, str]]) -> Mapping[str, DeliveryRecord]:
        return {d: r for w, d in ids if (r := self.kept.get(d)) is not None and r.webhook_id == w}

    def details(self, webhook_id: str, delivery_id: str) -> Mapping[int, bytes]:
        return self.kept_details.get(delivery_id, {})

    def webhooks(self, ids: Sequence[str]) -> Mapping[str, Webhook]:
        self.loads.append(ids)
        return {each: self.store.webhooks_by_id[each] for each in ids if each in self.store.webhooks_by_id}

    def deliveries(self, webhook_id: str, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        return (each for each in newest(self.kept.values(), time_range) if each.webhook_id == webhook_id)

    def deliveries_of_status(self, webhook_id: str, status: str, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        return (each for each in self.deliveries(webhook_id, time_range) if each.status == status)

    def dead_letters(self, webhook_id: str, time_range: TimeRange, *, with_body: bool = True) -> Iterator[DeadLetter]:
        return (each for each in newest(self.letters.values(), time_range) if each.webhook_id == webhook_id)

    def dead_letters_of(
        self, owner: str | None, time_range: TimeRange, *, with_body: bool = True
    ) -> Iterator[DeadLetter]:
        return (each for each in newest(self.letters.values(), time_range) if owner in (None, each.owner))

    def last_details(self, attempts: Sequence[tuple[str, str, int]]) -> Mapping[str, bytes]:
        found = ((d, self.kept_details.get(d, {}).get(start)) for _, d, start in attempts)
        return {d: packed for d, packed in found if packed is not None}

    # ---- the same as replay's stores

    def around(self, ids: Iterable[tuple[str, str | None]]) -> DeliveryContext:
        pairs = list(ids)
        webhooks = self.webhooks([w for w, _ in pairs])
        records = self.records([(w, d) for w, d in pairs if d is not None])
        return DeliveryContext(webhooks, {w: EndpointState() for w, _ in pairs}, records)

    def save(
        self, changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]], details: Sequence[AttemptDetail] = ()
    ) -> Sequence[bool]:
        for before, after in changes:
            assert self.kept.get(after.delivery_id) == before
            self.kept[after.delivery_id] = after
        return [True] * len(changes)


@dataclass
class MemoryLetters:
    """Dead letters by id, on top of a history."""

    history: MemoryHistory

    def get(self, ids: Sequence[tuple[str, str]], *, with_body: bool = True) -> Mapping[str, DeadLetter]:
        return {d: x for w, d in ids if (x := self.history.letters.get(d)) is not None and x.webhook_id == w}

    def page(
        self, webhook_id: str, shard: int, after: str | None, limit: int, *, with_body: bool = True
    ) -> Sequence[DeadLetter]:
        mine = (x for x in self.history.letters.values() if x.webhook_id == webhook_id)
        there = [x for x in mine if history_shard(x.delivery_id) == shard and x.delivery_id > (after or "")]
        return sorted(there, key=lambda each: each.delivery_id)[:limit]

    def listed(
        self, owner: str | None, shard: int, after: str | None, limit: int
    ) -> tuple[Sequence[DeadLetter], str | None]:
        mine = (x for x in self.history.letters.values() if owner in (None, x.owner))
        there = [x for x in mine if history_shard(x.delivery_id) == shard and x.delivery_id > (after or "")]
        page = sorted(there, key=lambda each: each.delivery_id)[:limit]
        return page, page[-1].delivery_id if len(page) == limit else None

    def mark_processed(self, letter: DeadLetter, by: str) -> bool:
        marked = replace(letter, is_processed=True, processed_at_ms=self.history.now_ms(), processed_by=by)
        self.history.letters[letter.delivery_id] = marked
        return True


@dataclass
class MemoryEvents:
    """Events by id, scope and page."""

    records: list[EventRecord] = field(default_factory=list)

    def add(self, *records: EventRecord) -> None:
        self.records += records

    def erase_payload(self, event_id: str, scope: str) -> None:
        self.records = [
            replace(each, body=b"") if (each.event_id, each.scope) == (event_id, scope) else each
            for each in self.records
        ]

    def named(self, event_id: str, now_ms: int) -> Sequence[EventRecord]:
        return [each for each in self.records if each.event_id == event_id]

    def get(self, keys: Sequence[tuple[str, str, int]], now_ms: int) -> Mapping[tuple[str, str, int], EventRecord]:
        by_key = {(each.event_id, each.scope, each.page): each for each in self.records}
        return {key: by_key[key] for key in keys if key in by_key}

    def newest(self, scopes: Sequence[str], time_range: TimeRange) -> Iterator[EventRecord]:
        ordered = sorted((r for r in self.records if r.scope in scopes and not r.page), key=_place, reverse=True)
        behind = None if time_range.behind is None else _place_of(time_range.behind)
        yield from (
            replace(each, body=b"")
            for each in ordered
            if (time_range.from_ms or 0) <= each.accepted_at_ms <= (time_range.to_ms or each.accepted_at_ms)
            and (behind is None or _place(each) < behind)
        )


def _place_of(position: str) -> tuple[int, str, str]:
    accepted_at, event_id, scope = position.split("|", 2)
    return int(accepted_at), event_id, scope


def _place(record: EventRecord) -> tuple[int, str, str]:
    return record.accepted_at_ms, record.event_id, record.scope


@dataclass
class MemoryRepeats:
    """What was noted when an event's id was given again."""

    noted: list[Repeat] = field(default_factory=list[Repeat])

    def note(self, repeats: Sequence[Repeat]) -> None:
        self.noted += repeats

    def of(self, event_id: str, scope: str, now_ms: int) -> Sequence[Repeat]:
        return [each for each in self.noted if (each.event_id, each.scope) == (event_id, scope)]


@dataclass
class MemoryMissed:
    """What was missed, all in one shard."""

    events: MemoryEvents

    def page(self, scope: str, shard: int, after: str | None, limit: int, *, from_ms: int, to_ms: int,
             elsewhere: bool, with_body: bool = True) -> Sequence[MissedEvent]:  # fmt: skip
        def is_meant(record: EventRecord) -> bool:
            own = scope_of(record.user_id, None)
            place = own == scope != record.scope if elsewhere else record.scope == scope
            return bool(record.missed) and shard == 0 and place and from_ms <= record.accepted_at_ms <= to_ms

        found = sorted((f"{x.accepted_at_ms:014d}|{x.event_id}", x) for x in self.events.records if is_meant(x))
        return [MissedEvent(at, x, x.body) for at, x in found if at > (after or "")][:limit]


@dataclass
class MemoryRoutes:
    """The route rows of a management store, as ingestion reads them."""

    store: MemoryManagementStore

    def versions(self, scopes: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        return {
            scope: {pattern: count for (of, pattern), count in self.store.versions.items() if of == scope}
            for scope in scopes
        }

    def load(self, scope: str, pattern: str) -> Sequence[tuple[Route, str]]:
        rows = [row for row in self.store.rows.values() if (row.scope, row.pattern) == (scope, pattern)]
        return [
            (
                Route(
                    row.webhook_id,
                    row.status,
                    tuple(RouteSubscription(s, pattern, r, f) for s, r, f in json.loads(row.subscriptions)),
                ),
                row.owner,
            )
            for row in rows
        ]


@dataclass
class MemoryDeliveryQueue:
    """What was sent."""

    sent: list[tuple[DeliveryMessage, int]] = field(default_factory=list)

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        self.sent += messages


@dataclass
class MemoryErasures:
    """The list of the erased."""

    erasures: dict[str, Erasure] = field(default_factory=dict)

    def get(self, scope: str) -> Erasure | None:
        return self.erasures.get(scope)

    def all(self, behind: str | None = None) -> Iterator[Erasure]:
        return (self.erasures[each] for each in sorted(self.erasures) if behind is None or each > behind)

    def refuse_events(self, erasure: Erasure) -> None:
        assert erasure.scope in self.erasures

    def start(self, before: Erasure | None, erasure: Erasure) -> bool:
        if self.erasures.get(erasure.scope) != before:
            return False
        self.erasures[erasure.scope] = erasure
        return True


@dataclass
class MemoryPayloads:
    """Payloads of deliveries in a history."""

    history: MemoryHistory

    def erase(self, ids: Sequence[tuple[str, str]], absent: Mapping[str, DeliveryRecord] | None = None) -> int:
        for _, delivery_id in ids:
            record = self.history.kept.get(delivery_id) or (absent or {})[delivery_id]
            self.history.add(erased(record))
            self.history.letters.pop(delivery_id, None)
        return 0


@dataclass
class MemoryJobs:
    """Replay jobs, and which of them were told to go on."""

    jobs: dict[str, ReplayJob] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def create(self, job: ReplayJob) -> None:
        self.jobs[job.job_id] = job

    def get(self, job_id: str) -> ReplayJob | None:
        return self.jobs.get(job_id)

    def some(self, job_ids: Collection[str]) -> Mapping[str, ReplayJob]:
        return {each: self.jobs[each] for each in job_ids if each in self.jobs}

    def newest(self, owner: str | None, behind: str | None) -> Iterator[ReplayJob]:
        chosen = (each for each in self.jobs.values() if owner in (None, each.owner))
        ordered = sorted(chosen, key=lambda each: each.job_id, reverse=True)
        return (each for each in ordered if behind is None or each.job_id < behind)

    def checkpoint(self, before: ReplayJob, after: ReplayJob) -> ReplayJob | None:
        if self.jobs[before.job_id].step != before.step:
            return None
        self.jobs[before.job_id] = replace(after, step=before.step + 1)
        return self.jobs[before.job_id]

    def go_on_erasing(self, scope: str, delay_seconds: int = 0) -> None:
        self.started.append(scope)

    def go_on(self, job: ReplayJob, delay_seconds: int = 0) -> None:
        assert job.job_id not in self.jobs, "a job is kept whose message may never go out"
        self.started.append(job.job_id)


def newest(things: Iterable[T], time_range: TimeRange) -> list[T]:
    chosen = [
        each
        for each in things
        if (time_range.from_ms is None or time_of(each.delivery_id) >= time_range.from_ms)
        and (time_range.to_ms is None or time_of(each.delivery_id) <= time_range.to_ms)
        and (time_range.behind is None or each.delivery_id < time_range.behind)
    ]
    return sorted(chosen, key=lambda each: each.delivery_id, reverse=True)

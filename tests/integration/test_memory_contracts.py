"""The stores in memory that tests of the api stand on keep the promises of the real ones.

Each question is asked of both, with the same things in them. What must hold of the real ones beyond that is asked in
test_history_store.py and tests/unit/store.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.support.history_fakes import MemoryEvents, MemoryHistory, MemoryLetters, MemoryMissed
from tests.support.management_fakes import MemoryManagementStore
from tests.support.statistics_fakes import MemoryStatistics
from webhooks.ids import HISTORY_SHARDS, delivery_id, derived_id, history_shard
from webhooks.management.paging import TimeRange
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord
from webhooks.models.event import EventRecord
from webhooks.statistics.counts import HourCounts, Statistics
from webhooks.statistics.exactly_once import HourUpdate
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.history import HistoryStore
from webhooks.store.missed import MissedStore
from webhooks.store.statistics import StatisticsReader, StatisticsStore

NOW = 1_760_000_000_000
HOUR_MS = 3_600_000
HOUR = NOW // HOUR_MS * HOUR_MS
DAY_MS = 86_400_000
WEBHOOK, OTHER = (derived_id("wh", NOW, name) for name in ("mine", "other"))


@dataclass
class Stores:
    """One kind of stores, and how things get into them."""

    history: Any
    letters: Any
    events: Any
    missed: Any
    statistics: Any
    keep: Callable[[Sequence[DeliveryRecord]], object]
    bury: Callable[[Sequence[DeadLetter]], object]
    record: Callable[[Sequence[EventRecord]], object]
    count: Callable[[Sequence[HourUpdate]], object]


def real() -> Stores:
    clock = Clock(NOW)
    table = DynamoTable(FakeDynamoDB(clock, "t"), "t", sleep=clock.sleep)
    letters, events = DeadLetterStore(table, 30 * DAY_MS, clock.now_ms), EventStore(table, 30 * DAY_MS)
    writer = StatisticsStore(table, shard=0, retention_ms=30 * DAY_MS, now_ms=clock.now_ms)
    deliveries = DeliveryStore(table, 30 * DAY_MS, clock.now_ms)
    return Stores(
        HistoryStore(table, clock.now_ms),
        letters,
        events,
        MissedStore(table, clock.now_ms),
        StatisticsReader(table),
        keep=lambda records: deliveries.save([(None, each) for each in records]),
        bury=lambda dead: [letters.bury(each) for each in dead],
        record=events.insert,
        count=lambda hours: [writer.commit([each], [], {}) for each in hours],
    )


def memory() -> Stores:
    history = MemoryHistory(MemoryManagementStore(), lambda: NOW)
    events, statistics = MemoryEvents(), MemoryStatistics()

    def count(hours: Sequence[HourUpdate]) -> None:
        for each in hours:
            webhook_id, hour = each.key
            statistics.by_hour.setdefault(webhook_id, {})[hour] = Statistics(dict(each.added.counts))
            if each.owner is not None:
                by_hour = statistics.by_owner.setdefault(each.owner, {})
                counts = Counter(by_hour[hour].counts if hour in by_hour else {}) + Counter(each.added.counts)
                by_hour[hour] = Statistics(dict(counts))

    return Stores(
        history,
        MemoryLetters(history),
        events,
        MemoryMissed(events),
        statistics,
        keep=lambda records: history.add(*records),
        bury=lambda letters: history.add(*letters),
        record=lambda records: events.add(*records),
        count=count,
    )


@pytest.fixture(params=[real, memory])
def stores(request: pytest.FixtureRequest) -> Stores:
    return request.param()


def delivery(n: int, webhook_id: str = WEBHOOK, **changes: Any) -> DeliveryRecord:
    made = DeliveryRecord(
        delivery_id=delivery_id(NOW + n // 3, "user:7", f"e{n}", webhook_id),  # several in one millisecond
        webhook_id=webhook_id,
        event_id=f"e{n}",
        event_type="record.created",
        scope="user:7",
        status="delivered",
        revision=1,
        attempts=(Attempt(1, NOW, 12, "success", 200),),
        cycle_started_at_ms=NOW + n // 3,
    )
    return replace(made, **changes)


def letter(n: int, webhook_id: str = WEBHOOK, owner: str = "7") -> DeadLetter:
    return DeadLetter(
        delivery_id=delivery_id(NOW + n, "user:7", f"e{n}", webhook_id),
        webhook_id=webhook_id,
        owner=owner,
        event_id=f"e{n}",
        event_type="record.created",
        scope="user:7",
        generation=1,
        status="failed",
        failure_reason="gone",
        attempt_count=1,
        last_status_code=410,
        last_error_code=None,
        dead_at_ms=NOW,
        body=b'{"id":"e"}',
        cause="gone",
    )


def event(n: int, **changes: Any) -> EventRecord:
    made = EventRecord(f"e{n}", "ws:1", 0, "t", "record.created", 7, 1, NOW + n, b"{}", missed=((WEBHOOK, "inactive"),))
    return replace(made, **changes)


def ids(found: Any) -> list[str]:
    return [each.delivery_id for each in found]


RANGES = [
    TimeRange(),
    TimeRange(from_ms=NOW + 2),
    TimeRange(to_ms=NOW + 2),
    TimeRange(from_ms=NOW + 1, to_ms=NOW + 3),
    TimeRange(from_ms=NOW + 5, to_ms=NOW + 1),
    TimeRange(behind=delivery(7).delivery_id),
    TimeRange(from_ms=NOW + 1, behind=delivery(7).delivery_id),
]


@pytest.mark.parametrize("time_range", RANGES, ids=str)
def test_deliveries_are_listed_newest_first_within_their_range(stores: Stores, time_range: TimeRange) -> None:
    mine = [delivery(n) for n in range(20)]
    stores.keep([*mine, *(delivery(n, OTHER) for n in range(20))])
    expected = sorted(ids(mine), reverse=True)
    if time_range.behind is not None:
        expected = [each for each in expected if each < time_range.behind]
    within = {
        each.delivery_id
        for n, each in enumerate(mine)
        if (time_range.from_ms or 0) <= NOW + n // 3 <= (NOW * 2 if time_range.to_ms is None else time_range.to_ms)
    }
    assert ids(stores.history.deliveries(WEBHOOK, time_range)) == [each for each in expected if each in within]


def test_deliveries_of_a_status_are_those_of_one_webhook_that_have_it(stores: Stores) -> None:
    failing = [delivery(n, status="failed") for n in range(3)]
    stores.keep([*failing, delivery(5), delivery(6, status="retrying"), delivery(7, OTHER, status="failed")])
    found = stores.history.deliveries_of_status(WEBHOOK, "failed", TimeRange())
    assert ids(found) == sorted(ids(failing), reverse=True)


def test_a_record_is_found_by_both_of_its_ids(stores: Stores) -> None:
    kept = delivery(1)
    stores.keep([kept])
    asked = [(WEBHOOK, kept.delivery_id), (OTHER, kept.delivery_id), (WEBHOOK, delivery(2).delivery_id)]
    assert dict(stores.history.records(asked)).keys() == {kept.delivery_id}
    assert stores.history.records([(OTHER, kept.delivery_id)]) == {}
    assert stores.history.details(WEBHOOK, kept.delivery_id) == {}
    assert stores.history.last_details([(WEBHOOK, kept.delivery_id, NOW)]) == {}


def test_dead_letters_are_listed_by_webhook_by_owner_and_all(stores: Stores) -> None:
    mine, theirs, foreign = [letter(n) for n in range(5)], letter(9, OTHER), letter(8, OTHER, owner="8")
    stores.bury([*mine, theirs, foreign])
    assert ids(stores.history.dead_letters(WEBHOOK, TimeRange())) == sorted(ids(mine), reverse=True)
    assert ids(stores.history.dead_letters_of("7", TimeRange())) == sorted(ids([*mine, theirs]), reverse=True)
    assert len(ids(stores.history.dead_letters_of(None, TimeRange()))) == 7
    assert ids(stores.history.dead_letters_of("9", TimeRange())) == []


def test_a_letter_is_found_paged_by_its_shard_and_marked(stores: Stores) -> None:
    letters = [letter(n) for n in range(12)]
    stores.bury([*letters, letter(20, OTHER)])
    for shard in range(HISTORY_SHARDS):
        there = sorted(each for each in ids(letters) if history_shard(each) == shard)
        assert ids(stores.letters.page(WEBHOOK, shard, None, 100)) == there
        assert ids(stores.letters.page(WEBHOOK, shard, there[0], 1)) == there[1:2]
    key = (WEBHOOK, letters[0].delivery_id)
    assert stores.letters.get([key, (OTHER, letters[0].delivery_id)]).keys() == {letters[0].delivery_id}
    assert stores.letters.mark_processed(letters[0], "rpl_1")
    (marked,) = stores.letters.get([key]).values()
    assert (marked.is_processed, marked.processed_by, marked.processed_at_ms) == (True, "rpl_1", NOW)


def test_events_are_found_by_key_and_by_name(stores: Stores) -> None:
    stores.record([event(1), event(1, scope="ws:2"), event(1, page=1, body=b""), event(2)])
    assert stores.events.get([("e1", "ws:1", 0), ("e1", "ws:1", 7), ("e9", "ws:1", 0)], NOW).keys() == {
        ("e1", "ws:1", 0)
    }
    assert {(each.scope, each.page) for each in stores.events.named("e1", NOW)} == {
        ("ws:1", 0),
        ("ws:2", 0),
        ("ws:1", 1),
    }
    assert list(stores.events.named("e9", NOW)) == []


@pytest.mark.parametrize(
    ("times", "expected"), [((0, 2 * NOW), [0, 1, 2, 3]), ((NOW + 1, NOW + 2), [1, 2]), ((NOW + 3, NOW), [])]
)
def test_missed_events_are_paged_within_their_time(stores: Stores, times: tuple[int, int], expected: list[int]) -> None:
    stores.record([*(event(n) for n in range(4)), event(9, missed=()), event(8, scope="ws:2")])

    def found(**more: Any) -> list[int]:
        asked: dict[str, Any] = {"from_ms": times[0], "to_ms": times[1], "elsewhere": False, **more}
        pages = [stores.missed.page("ws:1", shard, None, 100, **asked) for shard in range(HISTORY_SHARDS)]
        return sorted(each.record.accepted_at_ms - NOW for page in pages for each in page)

    assert found() == expected


def test_a_page_of_missed_events_goes_on_behind_its_last(stores: Stores) -> None:
    stores.record([event(n) for n in range(9)])
    for shard in range(HISTORY_SHARDS):
        asked: dict[str, Any] = {"from_ms": 0, "to_ms": 2 * NOW, "elsewhere": False}
        whole = stores.missed.page("ws:1", shard, None, 100, **asked)
        if whole:
            following = stores.missed.page("ws:1", shard, whole[0].position, 100, **asked)
            assert [each.position for each in following] == [each.position for each in whole[1:]]


def hour(webhook_id: str, start: int, counts: dict[str, int], owner: str | None = "7") -> HourUpdate:
    return HourUpdate((webhook_id, start), {}, owner, added=HourCounts(Counter(counts)))


def test_statistics_are_found_by_hour_and_added_up(stores: Stores) -> None:
    hours = [hour(WEBHOOK, HOUR + n * HOUR_MS, {"successes": n + 1}) for n in range(4)]
    stores.count([*hours, hour(OTHER, HOUR, {"successes": 10})])
    asked = stores.statistics.hours(WEBHOOK, HOUR + HOUR_MS, HOUR + 3 * HOUR_MS)
    assert {start: each.successes for start, each in asked.items()} == {HOUR + HOUR_MS: 2, HOUR + 2 * HOUR_MS: 3}
    assert list(stores.statistics.latest(WEBHOOK, 2)) == [HOUR + 3 * HOUR_MS, HOUR + 2 * HOUR_MS]
    recent = stores.statistics.recent([WEBHOOK, OTHER, "wh_none"], [HOUR, HOUR + HOUR_MS])
    assert {each: found.successes for each, found in recent.items()} == {WEBHOOK: 3, OTHER: 10}
    owned = stores.statistics.owner_hours("7", HOUR, HOUR + HOUR_MS)
    assert {start: each.successes for start, each in owned.items()} == {HOUR: 11}
    assert stores.statistics.owner_hours("8", HOUR, HOUR + HOUR_MS) == {}

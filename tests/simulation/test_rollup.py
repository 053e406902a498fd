"""Rollup over a whole life of the service, killed and repeated at random, against a count made from what is stored."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.dynamo_table import item_bytes
from tests.fakes.event_source import Crash
from tests.fakes.faults import Fault, FaultyClient
from tests.fakes.functions import COMPOSITIONS
from tests.fakes.receivers import Answer
from tests.fakes.stream_source import Handler, hand_over, lambda_records, shards
from tests.fakes.world import TABLE, World, events
from webhooks.ids import time_of
from webhooks.models.delivery import Attempt
from webhooks.statistics.counts import Statistics, bucket_of, failure_reason, hour_of, waiting_reason
from webhooks.store.dynamo import DynamoTable
from webhooks.store.schema import COUNTER_SHARDS
from webhooks.store.statistics import StatisticsReader

WEBHOOKS = 5
FAULTS: tuple[Fault, ...] = (
    "crash_before",
    "crash_after",
    "throttled",
    "no_connection",
    "lost_answer",
    "repeated",
    "partial",
)


def _flaky(chance: random.Random) -> Callable[[int, int], Answer]:
    def behaviour(_now_ms: int, _count: int) -> Answer:
        status = chance.choice([200, 200, 500, 503, 599, 429])
        error = "timeout" if chance.random() < 0.1 else None
        return Answer(status, chance.choice([3, 40, 90, 700, 2500]), error_code=error)

    return behaviour


@pytest.fixture(scope="module")
def world() -> World:
    """Hours of deliveries for two owners: some webhooks fail now and then, one always, one is paused for a while, one
    is deleted, one becomes inactive."""
    world = World(seed=3)
    world.dynamodb.tables[TABLE]._keeps_stream = True
    webhooks = [
        world.owners.register(f"w{number}", max_retries=3, user_id=7 + number % 2) for number in range(WEBHOOKS)
    ]
    for number, webhook in enumerate(webhooks[1:], 1):
        chance = random.Random(number)
        world.receivers.behave(webhook.url, _flaky(chance) if number < 4 else lambda _now, _count: Answer(500))
    for start in range(0, 120, 12):
        world.publish(*events(12, start))
        if start == 24:
            world.owners.change(webhooks[0], status="paused")
        if start == 96:
            world.owners.change(webhooks[0], status="active")
            world.owners.delete(webhooks[1])
        world.run(for_ms=17 * 60_000)
    world.owners.change(webhooks[2], status="inactive")
    world.run(for_ms=4 * 3_600_000)
    return world


class Unheard:
    """A bus. What is announced is looked at in tests/unit/statistics/test_transitions.py."""

    def put_events(self, **_request: Any) -> dict[str, Any]:
        """Nobody listens."""
        return {"FailedEntryCount": 0}


def _process(world: World, dynamodb: Any, clock: Clock, shard: int) -> Handler:
    """functions/rollup, which adds to this shard of the counters."""
    drawn = (shard % COUNTER_SHARDS + 0.5) / COUNTER_SHARDS
    changed = replace(world.services, dynamodb=dynamodb, clock=clock, events=Unheard(), random=lambda: drawn)
    return COMPOSITIONS["rollup"](changed)


def _expected(world: World) -> dict[tuple[str, int], Counter[str]]:
    hours: dict[tuple[str, int], Counter[str]] = {}

    def at(webhook_id: str, time_ms: int) -> Counter[str]:
        return hours.setdefault((webhook_id, hour_of(time_ms)), Counter())

    for record in world.deliveries():
        at(record.webhook_id, time_of(record.delivery_id))["deliveries"] += 1
        for attempt in record.attempts:
            _expect(at(record.webhook_id, attempt.started_at_ms), attempt)
    for letter in world.dead_letters():
        at(letter.webhook_id, letter.dead_at_ms)["dead"] += 1
    return hours


def _expect(counts: Counter[str], attempt: Attempt) -> None:
    if attempt.outcome == "unknown":
        counts["unknown"] += 1
        return
    counts["successes" if attempt.outcome == "success" else f"failure#{failure_reason(attempt)}"] += 1
    counts["time"] += attempt.duration_ms
    counts[f"time#{bucket_of(attempt.duration_ms)}"] += 1


def _with_webhooks(world: World, clock: Clock) -> FakeDynamoDB:
    """A table without statistics: of what rollup reads there are the webhooks, which name their owners."""
    dynamodb = FakeDynamoDB(clock, TABLE)
    for item in world.items("webhook"):
        dynamodb.put_item(TableName=TABLE, Item=item)
    return dynamodb


def _units_written(world: World) -> Counter[str]:
    """Of each write of an event, a delivery or a dead letter that the stream shows, by the fake table's own measure."""
    units: Counter[str] = Counter()
    for change in world.dynamodb.tables[TABLE].stream:
        pk, sk = change.key
        kinds = {"delivery": sk.startswith("dlv#"), "dead_letter": sk.startswith("dead#")}
        kinds["event"] = pk.startswith("event|") and change.old is None
        for kind, fits in kinds.items():
            if fits and change.new is not None:
                larger = max(item_bytes(image) for image in (change.old or {}, change.new))
                units[f"units#{kind}"] += max(1, ceil(larger / 1024))
    return units


def _check_owners(world: World, reader: StatisticsReader) -> None:
    """Their sums, what waits for them, and which of their webhooks are noted as being in trouble."""
    webhooks = {item["pk"]["S"]: item for item in world.items("webhook")}
    hours: dict[str, dict[int, Counter[str]]] = {"7": {}, "8": {}}
    troubled: dict[str, set[str]] = {"7": set(), "8": set()}
    for (webhook_id, hour), counts in _expected(world).items():
        owner = webhooks[webhook_id]["user_id"]["N"]
        hours[owner].setdefault(hour, Counter()).update(counts)
        if any(name == "dead" or name.startswith("failure#") for name in counts):
            troubled[owner].add(webhook_id)
    parked: dict[str, Counter[str]] = {"7": Counter(), "8": Counter()}
    for record in world.deliveries():
        if record.waiting:
            parked[webhooks[record.webhook_id]["user_id"]["N"]][f"parked#{waiting_reason(record.waiting)}"] += 1
    for owner in ("7", "8"):
        found = {hour: dict(each.counts) for hour, each in reader.owner_hours(owner, 0, 10**13).items()}
        assert found == {hour: dict(counts) for hour, counts in hours[owner].items()}
        assert {name: count for name, count in reader.owner_parked(owner).items() if count} == parked[owner]
        own = {webhook_id for webhook_id, item in webhooks.items() if item["user_id"]["N"] == owner}
        alive = {webhook_id for webhook_id in own if webhooks[webhook_id]["status"]["S"] != "deleted"}
        assert set(reader.troubles(owner, 100)) == {
            *(("circuit", each) for each in alive if world.state(each).circuit.state != "closed"),
            *(("status", each) for each in alive if webhooks[each]["status"]["S"] != "active"),
        }
        found_troubled = set(reader.troubled(owner, 0, 1_000))
        assert troubled[owner] <= found_troubled <= own
    assert parked["7"] != parked["8"]
    assert {each for each in webhooks if webhooks[each]["status"]["S"] == "inactive"}


def _check(world: World, reader: StatisticsReader) -> None:
    expected = _expected(world)
    found: dict[tuple[str, int], Mapping[str, int]] = {}
    for webhook_id in {webhook_id for webhook_id, _ in expected}:
        hours = reader.hours(webhook_id, 0, 10**14)
        found |= {(webhook_id, hour): each.counts for hour, each in hours.items() if each.counts}
    assert found == {key: dict(counts) for key, counts in expected.items()}
    service = {name: count for name, count in reader.service().items() if count}
    totals = Statistics.total(Statistics(counts) for counts in expected.values()).counts
    assert {name: service.get(name) for name in totals} == dict(totals)
    _check_owners(world, reader)
    assert {name: count for name, count in service.items() if name.startswith("units#")} == _units_written(world)
    records = world.event_records()
    assert service["events"] == len(records) > 120  # some are our own operational events
    assert service["queued"] == sum(len(record.queued) for record in records)
    assert service["webhooks#active"] == WEBHOOKS - 2
    waiting = Counter(f"parked#{waiting_reason(record.waiting)}" for record in world.deliveries() if record.waiting)
    assert {name: count for name, count in service.items() if name.startswith("parked#")} == waiting
    assert service["parked#circuit_open"] > 50
    assert service["deferred#paused"] > 0
    states = {item["pk"]["S"]: world.state(item["pk"]["S"]).circuit.state for item in world.items("state")}
    deleted = {item["pk"]["S"] for item in world.items("webhook") if item["status"]["S"] == "deleted"}
    not_closed = {webhook_id: state for webhook_id, state in states.items() if state != "closed"}
    assert dict(reader.circuits(100)) == {w: state for w, state in not_closed.items() if w not in deleted}


def _rolled_up(world: World, seed: int, fault_rate: float, shard_count: int) -> FakeDynamoDB:
    chance = random.Random(seed)
    clock = Clock()
    dynamodb = _with_webhooks(world, clock)

    def plan(_call: str) -> Fault | None:
        return chance.choice(FAULTS) if chance.random() < fault_rate else None

    for number, shard in enumerate(shards(lambda_records(world.dynamodb.tables[TABLE]), shard_count)):
        hand_over(shard, _process(world, FaultyClient(dynamodb, "dynamodb", plan), clock, number), chance)
    return dynamodb


@pytest.mark.parametrize("seed", range(6))
def test_statistics_are_those_of_the_ledger_however_often_batches_come_again(world: World, seed: int) -> None:
    dynamodb = _rolled_up(world, seed, fault_rate=0.15, shard_count=1 + seed % 4)
    _check(world, StatisticsReader(DynamoTable(dynamodb, TABLE)))


def test_the_whole_stream_once_more_changes_nothing(world: World) -> None:
    clock = Clock()
    dynamodb = _with_webhooks(world, clock)
    for _ in range(2):
        for shard in shards(lambda_records(world.dynamodb.tables[TABLE]), 3):
            hand_over(shard, _process(world, dynamodb, clock, 0), random.Random(1))
    _check(world, StatisticsReader(DynamoTable(dynamodb, TABLE)))


def test_a_batch_of_first_try_successes_is_one_read_and_one_transaction() -> None:
    """Once a process knows the webhooks' owners."""
    world = World()
    webhooks = [world.owners.register(f"w{number}") for number in range(3)]
    world.dynamodb.tables[TABLE]._keeps_stream = True
    world.publish(*events(160))
    world.run()
    records = [r for r in lambda_records(world.dynamodb.tables[TABLE]) if "dlv#" in r["dynamodb"]["Keys"]["sk"]["S"]]
    assert len(records) == 160 * len(webhooks)
    client = FaultyClient(world.dynamodb, "dynamodb", lambda _call: None)
    process = _process(world, client, world.clock, 0)
    process({"Records": records[:100]})
    client.made.clear()
    process({"Records": records[100:]})
    assert client.made == {"dynamodb.batch_get_item": 1, "dynamodb.transact_write_items": 1}


def test_a_process_that_dies_after_counting_does_not_count_again(world: World) -> None:
    clock = Clock()
    dynamodb = _with_webhooks(world, clock)
    records = lambda_records(world.dynamodb.tables[TABLE])
    dying = FaultyClient(dynamodb, "dynamodb", lambda call: "crash_after" if "transact" in call else None)
    with pytest.raises(Crash):
        _process(world, dying, clock, 0)({"Records": records[:100]})
    hand_over(records, _process(world, dynamodb, clock, 1), random.Random(2))
    _check(world, StatisticsReader(DynamoTable(dynamodb, TABLE)))


class _Interrupted:
    """A client whose first transaction waits until somebody else is done."""

    def __init__(self, client: FakeDynamoDB, somebody: Callable[[], object]) -> None:
        self._client = client
        self._somebody: Callable[[], object] | None = somebody

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def interrupt(self) -> None:
        somebody, self._somebody = self._somebody, None
        if somebody is not None:
            somebody()

    def transact_write_items(self, **request: Any) -> Any:
        self.interrupt()
        return self._client.transact_write_items(**request)


@pytest.mark.parametrize("same_batch", [True, False])
def test_two_at_once_count_what_is_there_once(world: World, same_batch: bool) -> None:
    """The same batch in two invocations, or two shards of the stream that feed the same hours."""
    clock = Clock()
    dynamodb = _with_webhooks(world, clock)
    for one, other in zip(*shards(lambda_records(world.dynamodb.tables[TABLE]), 2), strict=False):
        its = {"Records": [one if same_batch else other]}
        interrupted = _Interrupted(dynamodb, lambda its=its: _process(world, dynamodb, clock, 1)(its))
        assert _process(world, interrupted, clock, 0)({"Records": [one]}) == {"batchItemFailures": []}
        interrupted.interrupt()  # where there was nothing to write
    for shard in shards(lambda_records(world.dynamodb.tables[TABLE]), 2):
        _process(world, dynamodb, clock, 0)({"Records": shard})
    _check(world, StatisticsReader(DynamoTable(dynamodb, TABLE)))

"""What the statistics have to say, counted from the deliveries, events and webhooks themselves."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.fakes.world import TABLE, World
from tests.simulation.forgotten import Forgotten
from webhooks.ids import time_of
from webhooks.models.delivery import Attempt, DeliveryRecord
from webhooks.statistics.counts import bucket_of, failure_reason
from webhooks.store.dynamo import DynamoTable
from webhooks.store.statistics import StatisticsReader

HOUR_MS = 3_600_000
Hour = tuple[str, int]


class Deaths:
    """Dead letters as they are written: a delivery that is sent again can die again, and then has one letter only."""

    def __init__(self) -> None:
        self._generations: dict[tuple[str, str], int] = {}
        self.by_hour: Counter[Hour] = Counter()

    def note(self, key: tuple[str, str], item: Mapping[str, Any]) -> None:
        """A dead letter was written."""
        generation = int(item["generation"]["N"])
        if generation > self._generations.get(key, 0):
            self._generations[key] = generation
            dead_at_ms = int(item["dead_at"]["N"])
            self.by_hour[(key[0].partition("|")[0], dead_at_ms - dead_at_ms % HOUR_MS)] += 1


def differences(
    world: World, deaths: Deaths, deliveries: Sequence[DeliveryRecord], forgotten: Forgotten
) -> Iterator[str]:
    """Where the statistics differ from what happened. What was erased is still in the sums of the whole service."""
    reader = StatisticsReader(DynamoTable(world.dynamodb, TABLE))
    expected: defaultdict[Hour, Counter[str]] = defaultdict(Counter)
    for record in deliveries:
        expected[_hour(record, time_of(record.delivery_id))]["deliveries"] += 1
        for attempt in record.attempts:
            expected[_hour(record, attempt.started_at_ms)].update(_counts(attempt))
    for hour, count in deaths.by_hour.items():
        if hour[0] in forgotten.webhooks:
            continue
        expected[hour]["dead"] += count
    found = {
        (webhook_id, hour): dict(each.counts)
        for webhook_id in {item["pk"]["S"] for item in world.items("webhook")} - forgotten.webhooks
        for hour, each in reader.hours(webhook_id, 0, 10**14).items()
        if each.counts
    }
    for key in sorted({*expected, *found}):
        if dict(expected[key]) != found.get(key, {}):
            yield f"statistics of {key}: {found.get(key, {})} instead of {dict(expected[key])}"
    yield from _owners(world, reader, expected, forgotten)
    yield from _service(world, reader, expected, deliveries, forgotten)


def _owners(
    world: World, reader: StatisticsReader, hours: Mapping[Hour, Counter[str]], forgotten: Forgotten
) -> Iterator[str]:
    owner_of = {item["pk"]["S"]: next(iter(item["user_id"].values())) for item in world.items("webhook")}
    expected: defaultdict[str, defaultdict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for (webhook_id, hour), counts in hours.items():
        expected[owner_of[webhook_id]][hour].update(counts)
    for webhook_id in forgotten.webhooks:
        expected.pop(owner_of[webhook_id], None)
    for owner, own in sorted(expected.items()):
        found = {hour: dict(each.counts) for hour, each in reader.owner_hours(owner, 0, 10**13).items()}
        for hour in sorted({*own, *found}):
            if dict(own[hour]) != found.get(hour, {}):
                yield f"statistics of owner {owner} at {hour}: {found.get(hour, {})} instead of {dict(own[hour])}"


def _service(
    world: World,
    reader: StatisticsReader,
    hours: Mapping[Hour, Counter[str]],
    deliveries: Sequence[DeliveryRecord],
    forgotten: Forgotten,
) -> Iterator[str]:
    expected: Counter[str] = Counter()
    for counts in hours.values():
        expected.update(counts)
    for record in world.event_records():
        expected["events"] += record.page == 0
        expected["queued"] += len(record.queued)
    for item in world.items("webhook"):
        if (status := item["status"]["S"]) != "deleted":
            expected[f"webhooks#{status}"] += 1
    for record in deliveries:
        if record.waiting is not None:
            expected[f"parked#{'retry' if record.waiting.kind == 'due' else record.waiting.reason}"] += 1
    found = reader.service()
    gauges = {name for name in found if name.startswith(("webhooks#", "parked#"))}
    for name in sorted({*expected, *gauges}):
        is_more = name not in gauges and bool(forgotten.webhooks) and found.get(name, 0) > expected[name]
        if expected[name] != found.get(name, 0) and not is_more:
            yield f"the service's counter {name}: {found.get(name, 0)} instead of {expected[name]}"


def _hour(record: DeliveryRecord, time_ms: int) -> Hour:
    return record.webhook_id, time_ms - time_ms % HOUR_MS


def _counts(attempt: Attempt) -> dict[str, int]:
    if attempt.outcome == "unknown":
        return {"unknown": 1}
    name = "successes" if attempt.outcome == "success" else f"failure#{failure_reason(attempt)}"
    counts = {name: 1, f"time#{bucket_of(attempt.duration_ms)}": 1}
    return {**counts, "time": attempt.duration_ms} if attempt.duration_ms else counts

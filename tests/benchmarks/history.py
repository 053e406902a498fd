"""What a webhook's lists cost to read, by the number of its deliveries: calls and read units over the metered table."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.benchmarks.cost.metering import Meter, MeteredDynamoDB
from tests.fakes.api import Api
from tests.fakes.owners import owner_of
from tests.fakes.world import TABLE, World
from webhooks.ids import new_id
from webhooks.management.deliveries import Selection
from webhooks.management.paging import TimeRange
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_items import delivery_item, delivery_key
from webhooks.store.dynamo import DynamoTable

FAILING = 100  # one in so many deliveries was given up
PAGE = 50
APART_MS = 250  # of two deliveries
RETENTION_MS = 30 * 86_400_000
Figures = Mapping[str, tuple[float, float]]  # by what is asked for: calls, read units


def history(sizes: Sequence[int]) -> dict[int, Figures]:
    """By the number of deliveries that one webhook has."""
    world = World()
    webhook = world.owners.register("one")
    meter = Meter()
    client = MeteredDynamoDB(world.dynamodb, TABLE, meter)
    use_cases = Api(dataclasses.replace(world.services, dynamodb=client)).use_cases
    who, webhook_id, everything = owner_of(webhook), webhook.webhook_id, TimeRange()
    found: dict[int, Figures] = {}
    made = 0
    for size in sizes:
        failed = _add(world, webhook_id, made, size)
        made = size
        asked: dict[str, Callable[[], Any]] = {
            "the newest deliveries": lambda: use_cases.deliveries.page(who, webhook_id, Selection(), everything, PAGE),
            "those that failed": lambda: use_cases.deliveries.page(
                who, webhook_id, Selection(status="failed"), everything, PAGE
            ),
            "failures, by cause": lambda: use_cases.failures.of_webhook(who, webhook_id, everything),
            "one delivery": lambda last=failed: use_cases.deliveries.get(who, webhook_id, last),
            "one tried again": lambda last=failed: use_cases.deliveries.retry(who, webhook_id, last),
        }
        figures: dict[str, tuple[float, float]] = {}
        for name, ask in asked.items():
            meter.calls.clear()
            meter.read_units.clear()
            ask()
            figures[name] = (sum(meter.calls.values()), sum(meter.read_units.values()))
        found[size] = figures
    return found


def _add(world: World, webhook_id: str, first: int, end: int) -> str:
    """Deliveries by their number; returns the last that failed."""
    table = world.dynamodb.tables[TABLE]
    letters = DeadLetterStore(DynamoTable(world.dynamodb, TABLE), RETENTION_MS, world.clock.now_ms)
    failed = ""
    for number in range(first, end):
        at_ms = world.clock.ms
        record = DeliveryRecord(
            new_id("dlv", at_ms), webhook_id, f"evt_{number:026d}", "record.updated", "ws:1", status="delivered",
            revision=1, attempts=(Attempt(1, at_ms, 100, "success", 200),), cycle_started_at_ms=at_ms,
        )  # fmt: skip
        if number % FAILING == 0:
            attempt = Attempt(1, at_ms, 100, "failure", 500)
            record = record.changed(status="failed", attempts=(attempt,), reason="attempts_used_up:http_500")
            failed = record.delivery_id
            letters.bury(
                DeadLetter(
                    failed, webhook_id, "7", record.event_id, record.event_type, record.scope, 1, "failed",
                    "attempts_used_up:http_500", 1, 500, None, at_ms, b"{}",
                )
            )  # fmt: skip
        key = delivery_key(webhook_id, record.delivery_id)
        item = delivery_item(record, (at_ms + RETENTION_MS) // 1000)
        table.write(key, {"pk": {"S": key[0]}, "sk": {"S": key[1]}, **item})
        world.clock.sleep(APART_MS / 1000)
    return failed

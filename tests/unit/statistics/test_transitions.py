"""What happens to webhooks is told to those who subscribed to it, however rollup fares."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes.faults import Fault
from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World, event, events
from webhooks.delivery.circuit_breaker import DISABLE_MS, Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.statistics.transitions import of_state, of_status
from webhooks.store import schema
from webhooks.times import epoch_ms

NOW = 1_760_000_000_000
CLOSED = EndpointState(revision=3)
OPEN = EndpointState(circuit=Circuit("open", open_until_ms=NOW + 30_000), revision=4)
HALF_OPEN = EndpointState(circuit=Circuit("half_open"), revision=5)
WEBHOOK_NEWS = ("webhook.disabled", "webhook.circuit_opened", "webhook.recovered", "webhook.failing")


class Outage:
    """Of the bus, while it is `down`."""

    def __init__(self) -> None:
        self.down = False

    def __call__(self, call: str) -> Fault | None:
        return "throttled" if self.down and call == "events.put_events" else None


def told(before: EndpointState, after: EndpointState) -> list[str]:
    return [transitions.event_type for transitions in of_state("wh_1", before, after, NOW)]


def disabled(plan: Outage | None = None) -> World:
    """One webhook that answered 410, and one that is subscribed to that."""
    world = World(keeps_stream=True, plan=plan)
    world.owners.register("gone")
    world.owners.register("watcher", event_types=WEBHOOK_NEWS)
    world.receivers.script(url_of("gone"), [410])
    world.publish(event("e1"))
    world.run()
    return world


def announced(world: World) -> list[tuple[str, Mapping[str, Any]]]:
    return [each for each in world.announced() if each[0].startswith("webhook.")]


def watched(world: World) -> list[str]:
    world.run()
    return [seen.event_type for seen in world.receivers.seen(url_of("watcher"))]


@pytest.mark.parametrize(
    ("before", "after", "transitions"),
    [
        (CLOSED, OPEN, ["webhook.circuit_opened"]),
        (OPEN, HALF_OPEN, []),
        (HALF_OPEN, OPEN, []),
        (HALF_OPEN, CLOSED, ["webhook.recovered"]),
        (OPEN, CLOSED, ["webhook.recovered"]),
        (CLOSED, CLOSED, []),
        (CLOSED, EndpointState(circuit=Circuit(failing_since_ms=NOW, warned_hours=24)), ["webhook.failing"]),
        (CLOSED, EndpointState(circuit=OPEN.circuit, silent=True), []),
    ],
)
def test_an_incident_is_told_when_it_begins_and_when_it_ends(
    before: EndpointState, after: EndpointState, transitions: list[str]
) -> None:
    assert told(before, after) == transitions


def test_only_a_webhook_that_was_not_failed_before_becomes_disabled() -> None:
    assert [each.data for each in of_status("wh_1", "active", "failed", "gone", 2, NOW)] == [{"reason": "gone"}]
    assert not of_status("wh_1", "failed", "failed", "gone", 3, NOW)
    assert not of_status("wh_1", "failed", "active", "", 4, NOW)


def test_what_comes_again_from_the_stream_reaches_its_receiver_once() -> None:
    world = disabled()
    records = lambda_records(world.dynamodb.tables[TABLE])
    for _ in range(3):
        world.functions.restart("rollup")
        world.functions.invoke("rollup", {"Records": records})
    assert [event_type for event_type, _ in announced(world)] == ["webhook.disabled"] * 3
    assert watched(world) == ["webhook.disabled"]


def test_what_the_bus_does_not_take_comes_again_and_is_counted_once() -> None:
    bus = Outage()
    world = disabled(bus)
    bus.down = True
    records = lambda_records(world.dynamodb.tables[TABLE])
    answer = world.functions.invoke("rollup", {"Records": records})
    again = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
    transitions = [
        each["dynamodb"] for each in records if each["dynamodb"]["NewImage"].get("status") == {"S": "failed"}
    ]
    assert again == [each["SequenceNumber"] for each in transitions if each["Keys"]["sk"] == {"S": "webhook"}]
    counted = world.items(schema.STATISTICS_PREFIX)
    assert counted
    bus.down = False
    world.functions.invoke("rollup", {"Records": records})
    assert watched(world) == ["webhook.disabled"]
    assert world.items(schema.STATISTICS_PREFIX) == counted


def test_an_owner_is_told_of_a_disabling_though_an_operational_event_led_to_it() -> None:
    world = disabled()
    world.owners.register("second", event_types=WEBHOOK_NEWS)
    world.receivers.script(url_of("watcher"), [410])
    world.roll_up()
    world.run()
    world.roll_up()
    assert [event_type for event_type, _ in announced(world)] == ["webhook.disabled"] * 2
    world.run()
    assert len(world.receivers.seen(url_of("second"))) == 2


def test_nobody_is_told_of_a_webhook_that_is_gone() -> None:
    world = World(keeps_stream=True)
    webhook = world.owners.register("gone")
    world.receivers.script(url_of("gone"), [410])
    world.publish(event("e1"))
    world.run()
    world.dynamodb.tables[TABLE].write((webhook.webhook_id, "webhook"), None)
    world.roll_up()
    assert not announced(world)


def test_five_dead_days_are_told_with_their_end() -> None:
    world = World(keeps_stream=True)
    webhook = world.owners.register("dead", max_retries=0)
    world.receivers.behave(url_of("dead"), lambda _now_ms, _count: Answer(500))
    started_ms = world.clock.ms
    for number in range(21):
        world.publish(*events(1, number))
        world.run(until_ms=started_ms + (number + 1) * 6 * 3_600_000)
        world.roll_up()
    transitions = [
        (event_type, data) for event_type, data in announced(world) if event_type != "webhook.circuit_opened"
    ]
    assert [(kind, data.get("hours")) for kind, data in transitions] == [
        ("webhook.failing", 24),
        ("webhook.failing", 96),
        ("webhook.disabled", None),
    ]
    assert {data["webhook_id"] for _, data in transitions} == {webhook.webhook_id}
    for _, data in transitions[:2]:
        assert epoch_ms(data["disabled_at"]) == epoch_ms(data["failing_since"]) + DISABLE_MS

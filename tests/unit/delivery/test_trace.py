"""An event's trace goes on to its receivers with every attempt, wherever the delivery has waited."""

import json

import pytest

from tests.fakes.owners import url_of
from tests.fakes.world import World, event

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def traces(world: World) -> list[str | None]:
    return [seen.headers.get("traceparent") for seen in world.receivers.log]


@pytest.mark.parametrize("at_the_bus", [True, False])
def test_it_is_there_in_retries_from_the_queue_and_from_the_table(at_the_bus: bool) -> None:
    world = World()
    world.owners.register("one", max_retries=9)
    world.receivers.script(url_of("one"), [503] * 4 + [200])  # the later ones wait in the table
    send = world.put_event if at_the_bus else world.publish
    send(event("e1", traceparent=TRACE))
    world.run(for_ms=2 * 3_600_000)
    assert traces(world) == [TRACE] * 5
    assert all(b"traceparent" not in seen.body for seen in world.receivers.log)


def test_a_message_says_it_beside_its_events() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"), event("e2"), event("e3", traceparent=TRACE), traces=[TRACE, "", "wrong"])
    world.run()
    assert sorted(traces(world), key=str) == [TRACE, TRACE, None]


def test_it_is_there_after_a_pause() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(event("e1", traceparent=TRACE))
    world.work("ingest", "sender")
    world.owners.change(webhook, status="active")
    world.run(for_ms=180_000)
    assert traces(world) == [TRACE]


def test_it_is_there_when_a_dead_letter_is_replayed() -> None:
    world = World()
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(event("e1", traceparent=TRACE))
    world.run()
    world.start_replay("rpl_" + "1" * 26, webhook)
    world.run()
    assert traces(world) == [TRACE, TRACE]


def test_it_is_there_when_a_missed_event_is_recovered() -> None:
    world = World()
    webhook = world.owners.register("one", status="inactive")
    world.publish(event("e1", traceparent=TRACE))
    world.work("ingest")
    webhook = world.owners.change(webhook, status="active")
    world.start_replay("rpl_" + "1" * 26, webhook, with_missed=True)
    world.run()
    assert traces(world) == [TRACE]


def test_an_event_without_one_costs_nothing() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.run()
    assert traces(world) == [None]
    assert not [item for item in world.items("") if "trace" in item]


@pytest.mark.parametrize("wrong", [{"type": 7}, {"data": {"n": 1}}], ids=["unreadable", "another under a taken id"])
def test_an_event_that_is_put_aside_keeps_it_for_whoever_puts_it_back(wrong: dict[str, object]) -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    world.publish({**event("e1"), **wrong}, traces=[TRACE])
    world.work("ingest")
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    assert json.loads(put_aside.body)["traces"] == [TRACE]

"""Who may be sent to when several senders decide at once, and that nothing is left in a room that nobody looks into."""

from dataclasses import replace

import pytest

from tests.fakes.world import TABLE, World, event, events
from webhooks.delivery.admission import TOUCH_MS
from webhooks.delivery.circuit_breaker import Circuit, take_probe
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore
from webhooks.store.waiting import DUE_SHARDS

MINUTE_MS = 60_000


def states_of(world: World) -> StateStore:
    return StateStore(DynamoTable(world.dynamodb, TABLE))


def test_who_loses_the_lease_of_a_probe_sends_nothing() -> None:
    def meanwhile(call: str) -> None:
        state = states_of(world).get(webhook.webhook_id)
        if call == "dynamodb.update_item" and state.circuit.state == "open":
            taken = replace(state, circuit=take_probe(state.circuit, world.clock.ms, MINUTE_MS))
            assert states_of(world).save_health(webhook.webhook_id, state, taken)

    world = World(plan=meanwhile)
    webhook = world.owners.register("one")
    opened = EndpointState(circuit=Circuit(state="open", open_until_ms=world.clock.ms))
    assert states_of(world).save_health(webhook.webhook_id, EndpointState(), opened)
    world.publish(event("e1"), event("e2"))
    world.work()
    assert world.receivers.log == []
    assert {record.waiting is not None and record.waiting.reason for record in world.deliveries()} == {"circuit_open"}
    world.run(for_ms=10 * MINUTE_MS)
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_a_room_stays_touched_as_long_as_something_is_put_in_it() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    for number in range(3):
        world.publish(event(f"e{number}"))
        world.work()
        assert world.state(webhook.webhook_id).touched_at_ms == world.clock.ms
        world.clock.advance_to(world.clock.ms + TOUCH_MS + 1)


def test_a_room_is_looked_into_when_its_first_delivery_may_go_though_a_later_look_was_planned() -> None:
    world = World()
    webhook = world.owners.register("one", rate_limit_rps=1)
    states_of(world).wake(webhook.webhook_id, world.clock.ms + 15 * MINUTE_MS, world.clock.ms)
    world.publish(*events(3))
    world.work()
    wake_at_ms = world.state(webhook.webhook_id).wake_at_ms
    assert wake_at_ms is not None
    assert wake_at_ms < world.clock.ms + MINUTE_MS


@pytest.mark.parametrize("minutes", [1, 20, 60])
def test_a_paused_room_is_looked_into_again_and_again(minutes: int) -> None:
    """Resuming wakes it; should that be lost, this does."""
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(event("e1"))
    world.run(for_ms=minutes * MINUTE_MS)
    wake_at_ms = world.state(webhook.webhook_id).wake_at_ms
    assert wake_at_ms is not None
    assert world.clock.ms - MINUTE_MS <= wake_at_ms <= world.clock.ms + 15 * MINUTE_MS


def test_a_room_that_was_not_emptied_is_looked_into_again() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused", rate_limit_rps=1)
    world.publish(*events(90))
    world.work()
    world.owners.change(webhook, status="active")
    world.release()
    assert 0 < sum(record.waiting is not None for record in world.deliveries()) < 90
    wake_at_ms = world.state(webhook.webhook_id).wake_at_ms
    assert wake_at_ms is not None
    assert wake_at_ms <= world.clock.ms + MINUTE_MS


def test_a_run_whose_time_ends_between_two_rooms_leaves_the_second_to_the_next_run() -> None:
    queries = 0

    def slowly(call: str) -> None:
        nonlocal queries
        queries += call == "dynamodb.query"
        if is_slow and queries > DUE_SHARDS:  # those of the rooms
            world.clock.sleep(20)

    is_slow = False
    world = World(plan=slowly)
    for name in ("one", "two"):
        world.owners.register(name, rate_limit_rps=1)
    world.publish(*events(3))
    world.work()
    assert sum(record.waiting is not None for record in world.deliveries()) == 4
    world.clock.sleep(60)
    queries, is_slow = 0, True
    assert world.release()["out_of_time"]
    is_slow = False
    world.run(for_ms=10 * MINUTE_MS)
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_who_loses_a_race_for_a_rate_takes_the_places_behind() -> None:
    def meanwhile(call: str) -> None:
        state = states_of(world).get(webhook.webhook_id)
        if call == "dynamodb.update_item" and state.rate_tat_ms is None:
            assert states_of(world).save_rate(webhook.webhook_id, None, world.clock.ms + 500)

    world = World(plan=meanwhile)
    webhook = world.owners.register("one", rate_limit_rps=1)
    world.publish(event("e1"))
    world.work()
    assert world.receivers.log == []
    waiting = world.delivery().waiting
    assert waiting is not None
    assert (waiting.reason, waiting.at_ms) == ("rate_limited", world.clock.ms + 500)
    world.run()
    assert world.delivery().status == "delivered"


def test_a_room_whose_release_loses_a_race_for_the_rate_is_emptied_behind_the_winner() -> None:
    def meanwhile(call: str) -> None:
        nonlocal lost
        state = states_of(world).get(webhook.webhook_id)
        if releasing and call == "dynamodb.update_item" and not lost:
            lost = world.clock.ms + 10_000
            assert states_of(world).save_rate(webhook.webhook_id, state.rate_tat_ms, lost)

    lost, releasing = 0, False
    world = World(plan=meanwhile)
    webhook = world.owners.register("one", status="paused", rate_limit_rps=1)
    world.publish(*events(3))
    world.work()
    world.owners.change(webhook, status="active")
    releasing = True
    world.release()
    assert lost
    assert [record.waiting for record in world.deliveries()] == [None] * 3  # a lost race costs no minute
    world.run()
    assert min(seen.at_ms for seen in world.receivers.log) >= lost
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_a_room_whose_rate_is_used_up_for_a_minute_waits_for_the_next_run() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused", rate_limit_rps=1)
    world.publish(event("e1"))
    world.work()
    world.owners.change(webhook, status="active")
    assert states_of(world).save_rate(webhook.webhook_id, None, world.clock.ms + 2 * MINUTE_MS)
    world.release()
    assert world.delivery().waiting is not None
    world.run()
    assert world.delivery().status == "delivered"

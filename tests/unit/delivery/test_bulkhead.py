"""A tenant whose receivers are slow holds so many attempts at once, and one whose are quick pays nothing for it."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import TABLE, World, event, events
from tests.simulation.scale.fleet import SECOND, Fleet
from tests.simulation.scale.tenants import Tenants, percentile
from webhooks.delivery import bulkhead
from webhooks.delivery.admission import SenderPolicy
from webhooks.delivery.bulkhead import SLOW_MS
from webhooks.delivery.dispatcher import Sender
from webhooks.delivery.endpoint_state import DeliveryContext, EndpointState
from webhooks.ids import new_id
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.exchange import Exchange
from webhooks.models.webhook import Webhook
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore

PLACES = 25
NOW = 1_800_000_000_000


@given(
    latency_ms=st.integers(SLOW_MS, 30_000),
    places=st.integers(1, 100),
    asks=st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 100)), max_size=60),
)
def test_no_more_are_under_way_than_the_places_and_for_a_moment_twice_as_many(
    latency_ms: int, places: int, asks: list[tuple[int, int]]
) -> None:
    begun: list[int] = []
    tat_ms, now_ms = None, NOW
    for gap_ms, wanted in asks:
        now_ms += gap_ms
        reservation = bulkhead.reserve(tat_ms, wanted, latency_ms=latency_ms, places=places, now_ms=now_ms)
        if reservation.granted:
            tat_ms = reservation.tat_ms
            begun += [now_ms] * reservation.granted
        under_way = sum(at_ms > now_ms - latency_ms for at_ms in begun)
        assert under_way <= 2 * places
    assert len(begun) <= places + (now_ms - NOW) * bulkhead.pace(latency_ms, places) / 1000 + 1


def test_what_slower_webhooks_of_the_owner_hold_is_theirs() -> None:
    first = bulkhead.reserve(None, PLACES, latency_ms=30_000, places=PLACES, now_ms=NOW)
    assert first.granted == PLACES
    quicker = bulkhead.reserve(first.tat_ms, 1, latency_ms=3_000, places=PLACES, now_ms=NOW)
    assert (quicker.granted, quicker.retry_at_ms) == (0, NOW + 27_000)


@pytest.mark.parametrize(
    ("before", "mean_ms", "after"),
    [
        (0, 999, 0),
        (0, 1_000, 1_000),
        (10_000, 10_500, 10_000),
        (10_000, 25_000, 17_500),
        (1_000, 20, 510),
        (510, 20, 0),
    ],
)
def test_an_estimate_follows_what_attempts_take(before: int, mean_ms: int, after: int) -> None:
    assert bulkhead.estimated(before, mean_ms) == after


def test_a_webhook_is_noted_as_slow_while_its_attempts_are_under_way() -> None:
    written_at: list[int] = []

    def note(call: str) -> None:
        if call == "dynamodb.update_item":
            written_at.append(world.clock.ms)

    world = World(plan=note)
    webhook = world.owners.register("one")
    world.receivers.script(webhook.url, [Answer(latency_ms=10_000)])
    world.publish(event("e1"))
    world.work("ingest")
    began_ms = world.clock.ms
    world.work("sender")
    assert SLOW_MS <= written_at[0] - began_ms < 2 * SLOW_MS
    assert world.clock.ms - began_ms >= 10_000
    assert world.state(webhook.webhook_id).latency_ms == 12_500  # between what it might have taken and what it took


def test_a_quick_webhook_pays_nothing() -> None:
    calls: Counter[str] = Counter()
    world = World(plan=lambda call: calls.update([call]))
    webhook = world.owners.register("one")
    world.publish(*events(10))
    world.work("ingest")
    calls.clear()
    world.work("sender")
    assert calls["dynamodb.update_item"] == 0
    assert world.state(webhook.webhook_id) == EndpointState()


def slow_world(
    *names: str,
    latency_ms: int,
    batch_size: int = 100,
    plan: Callable[[str], str | None] | None = None,
    **changes: Any,
) -> tuple[World, list[Webhook]]:
    """Webhooks of one owner, all known to be slow."""
    world = World(batch_size=batch_size, plan=plan)
    webhooks = [world.owners.register(name, **changes) for name in names]
    states = StateStore(DynamoTable(world.dynamodb, TABLE))
    for webhook in webhooks:
        world.receivers.script(webhook.url, [Answer(latency_ms=latency_ms)])
        assert states.save_health(webhook.webhook_id, EndpointState(), EndpointState(latency_ms=latency_ms))
    return world, webhooks


def test_a_webhook_that_is_quick_again_is_held_back_no_more() -> None:
    world, (webhook,) = slow_world("one", latency_ms=1_000)
    world.receivers.script(webhook.url, [Answer()])
    for number in range(2):
        world.publish(event(f"e{number}"))
        world.work()
    state = world.state(webhook.webhook_id)
    assert state.latency_ms == 0
    assert state.wake_at_ms is not None
    assert state.wake_at_ms <= world.clock.ms


@pytest.mark.parametrize("fault", ["no_connection", "throttled", "access_denied", "internal_error"])
def test_an_attempt_is_recorded_though_its_webhook_cannot_be_noted_as_slow(fault: str) -> None:
    world = World(plan=lambda call: fault if call == "dynamodb.update_item" and world.clock.ms < ends_ms else None)
    ends_ms = world.clock.ms + 60_000
    webhook = world.owners.register("one")
    world.receivers.script(webhook.url, [Answer(latency_ms=10_000)])
    world.publish(event("e1"), event("e2"))
    world.work("ingest", "sender")
    assert [record.status for record in world.deliveries()] == ["delivered"] * 2
    assert len(world.receivers.log) == 2


async def test_nobody_waits_for_a_note_that_hangs() -> None:
    webhook = World().owners.register("one")
    message = DeliveryMessage(new_id("dlv", NOW), webhook.webhook_id, "e1", "record.created", "ws:1", "g", "{}", NOW)
    noted, ends = threading.Event(), threading.Event()
    concluded: list[object] = []
    overdue: list[bool] = []

    async def send(_request: object, _pool: str) -> Exchange:
        assert await asyncio.to_thread(noted.wait, 30)
        return Exchange(NOW, 1_500, 200)

    def note_slow(_webhook: Webhook, _state: EndpointState) -> None:
        noted.set()
        overdue.append(not ends.wait(10))

    parts: dict[str, Any] = {
        "store": SimpleNamespace(load=lambda _messages: DeliveryContext({webhook.webhook_id: webhook}, {}, {})),
        "admission": SimpleNamespace(admit=lambda _group, _state: None),
        "transport": SimpleNamespace(send=send),
        "signer": SimpleNamespace(lacks_keys=lambda *_: False, prepare=lambda *_: None, request=lambda *_, **__: None),
        "conclusion": SimpleNamespace(conclude=lambda jobs, _states, _report: concluded.extend(jobs)),
        "health": SimpleNamespace(note_slow=note_slow),
        "queue": None,
    }
    sender = Sender(**parts, policy=SenderPolicy(5, 1), now_ms=lambda: NOW, random=lambda: 0.5)
    try:
        await sender.deliver([Received(message, "m1", "r1", 1, NOW)], NOW + 60_000)
        assert (len(concluded), overdue) == (1, [])
    finally:
        ends.set()


def test_an_owner_s_slow_webhooks_share_its_places() -> None:
    world, webhooks = slow_world("one", "two", latency_ms=10_000)
    world.publish(*events(40))
    world.work("ingest")
    assert world.poll("sender") == 80
    assert len(world.receivers.log) == PLACES
    assert {record.waiting.reason for record in world.deliveries() if record.waiting} == {"slow_receivers"}
    world.run()
    assert Counter(seen.webhook_id for seen in world.receivers.log) == {each.webhook_id: 40 for each in webhooks}


def test_other_owners_have_places_of_their_own() -> None:
    world, _ = slow_world("one", latency_ms=10_000)
    other = world.owners.register("two", user_id=8)
    world.publish(*events(40))
    world.work("ingest")
    world.poll("sender")
    assert Counter(seen.webhook_id for seen in world.receivers.log)[other.webhook_id] == 40


@pytest.mark.parametrize("loser", ["sender", "release"])
def test_who_loses_a_race_for_an_owner_s_places_takes_none_of_them(loser: str) -> None:
    latency_ms = 10_000
    taken = False

    def meanwhile(call: str) -> None:
        nonlocal taken
        if armed and call == "dynamodb.update_item" and not taken:
            taken = True
            gone_ms = world.clock.ms + latency_ms + (60_000 if loser == "release" else 0)
            assert StateStore(DynamoTable(world.dynamodb, TABLE)).save_pace(webhook.owner, None, gone_ms)

    armed = False
    world, (webhook,) = slow_world("one", latency_ms=latency_ms, plan=meanwhile)
    if loser == "release":
        world.owners.change(webhook, status="paused")
    world.publish(*events(40))
    world.work("ingest")
    if loser == "release":
        world.work("sender")
        world.owners.change(webhook, status="active")
    armed = True
    if loser == "release":
        world.release()
    else:
        world.poll("sender")
    assert taken
    assert world.receivers.log == []
    assert world.messages(world.delivery_queue) == []
    world.run()
    assert len(world.receivers.log) == 40


@pytest.mark.parametrize("rate_limit_rps", [None, 100])
def test_a_slow_webhook_s_room_is_let_go_at_its_pace(rate_limit_rps: float | None) -> None:
    latency_ms = 10_000
    world, (webhook,) = slow_world("one", latency_ms=latency_ms, rate_limit_rps=rate_limit_rps)
    world.owners.change(webhook, status="paused")
    world.publish(*events(400))
    world.work()
    world.owners.change(webhook, status="active")
    world.release()
    delays = [message.visible_at_ms - world.clock.ms for message in world.delivery_queue.messages.values()]
    assert len(delays) <= PLACES + 60_000 * PLACES // latency_ms
    assert max(delays) > 50_000
    world.run()
    assert len(world.receivers.log) == 400


def test_a_room_is_let_go_behind_what_the_owner_s_other_webhooks_hold() -> None:
    latency_ms, held_ms = 10_000, 20_000
    world, (webhook,) = slow_world("one", latency_ms=latency_ms)
    world.owners.change(webhook, status="paused")
    world.publish(*events(40))
    world.work()
    world.owners.change(webhook, status="active")
    until_ms = world.clock.ms + latency_ms + held_ms
    assert StateStore(DynamoTable(world.dynamodb, TABLE)).save_pace(webhook.owner, None, until_ms)
    world.release()
    delays = [message.visible_at_ms - world.clock.ms for message in world.delivery_queue.messages.values()]
    assert min(delays) >= held_ms
    assert len(delays) == 40


@pytest.mark.timeout(300)
def test_a_slow_tenant_keeps_to_its_places_and_loses_nothing() -> None:
    fleet = Fleet(7)
    tenants = Tenants(fleet, 3, 7)
    latency_ms = 10_000
    tenants.register({0: lambda _now, _count: Answer(200, latency_ms=latency_ms)})

    def flood() -> None:
        for number in range(300):
            tenants.send(0, f"t0-{number}")
            fleet.scheduler.sleep_ms(20)

    fleet.run(flood, lambda: tenants.publish(500, 60 * SECOND, range(1, 3)))
    slow = sorted(seen.at_ms for seen in tenants.log if seen.url == url_of("t0"))
    assert len(slow) == 300
    noted_ms = slow[0] + SLOW_MS + SECOND
    begun = [at_ms for at_ms in slow if at_ms > noted_ms]
    most = max(sum(at_ms <= other < at_ms + latency_ms for other in begun) for at_ms in begun)
    assert most <= 2 * PLACES
    assert tenants.share([0, 1, 2]) == 1
    assert percentile(tenants.latencies(range(1, 3)), 0.99) < SECOND

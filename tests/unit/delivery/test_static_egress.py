"""Webhooks that are sent to from static addresses alone: never from others, whatever they were before."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.functions import Services
from tests.fakes.owners import owner_of, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import World, event, events

STATIC, ORDINARY = True, False


def world_of(**webhooks: bool) -> World:
    """With webhooks by name, each with or without static egress."""
    world = World(static_egress=True)
    for name, is_static in webhooks.items():
        world.owners.register(name, static_egress=is_static)
    return world


def senders(world: World, name: str = "one") -> list[bool]:
    """Which sender made each request that the receiver saw."""
    return [seen.is_static for seen in world.receivers.seen(url_of(name))]


def without_static_sender(world: World) -> Services:
    """As a deployment has it whose static addresses were given up."""
    return replace(world.services, urls={k: url for k, url in world.services.urls.items() if k != "static"})


def test_each_delivery_leaves_from_the_sender_of_its_webhook() -> None:
    world = world_of(one=STATIC, two=ORDINARY)
    world.publish(*events(3))
    world.run()
    assert (senders(world, "one"), senders(world, "two")) == ([STATIC] * 3, [ORDINARY] * 3)
    assert not any(record.waiting or len(record.attempts) != 1 for record in world.deliveries())


def test_retries_within_sqs_and_from_outside_leave_from_it_too() -> None:
    world = world_of(one=STATIC)
    world.receivers.script(url_of("one"), [503, Answer(503, headers={"Retry-After": "300"}), 200])
    world.publish(event("e1"))
    world.run()
    assert senders(world) == [STATIC] * 3


def test_what_was_paused_leaves_from_it_too() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one", static_egress=True, status="paused")
    world.publish(*events(3))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    assert senders(world) == [STATIC] * 3


@pytest.mark.parametrize("changes", [{}, {"rate_limit_rps": 1}])
def test_dead_letters_are_replayed_from_it(changes: dict[str, Any]) -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one", static_egress=True, max_retries=0, **changes)
    world.receivers.script(url_of("one"), [400, 400, 200])
    world.publish(*events(2))
    world.run()
    world.start_replay("rpl_1", webhook)
    world.work("jobs")
    assert not world.messages(world.delivery_queue)
    world.run()
    assert senders(world) == [STATIC] * 4
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_what_waits_when_a_webhook_comes_to_want_static_addresses_leaves_from_them_and_is_not_lost() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one")
    world.receivers.script(url_of("one"), [503, 200])
    world.publish(event("e1"))
    world.work()  # one attempt; the retry waits in the ordinary queue
    world.publish(event("e2"))
    world.work("ingest")
    world.owners.change(webhook, static_egress=True)
    world.run()
    assert senders(world) == [ORDINARY, STATIC, STATIC]
    assert [record.status for record in world.deliveries()] == ["delivered", "delivered"]
    assert sorted(record.attempt_count for record in world.deliveries()) == [1, 2]


def test_what_waits_when_it_wants_them_no_more_is_sent_by_the_sender_that_has_it() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one", static_egress=True)
    world.publish(event("e1"))
    world.work("ingest")
    world.owners.change(webhook, static_egress=False)
    world.publish(event("e2"))
    world.run()
    assert sorted(senders(world)) == [ORDINARY, STATIC]


def test_a_change_holds_for_the_very_next_event() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one")
    world.publish(event("e1"))
    world.run()
    world.owners.change(webhook, static_egress=True)
    world.publish(event("e2"))
    world.work("ingest")
    assert not world.messages(world.delivery_queue)
    world.run()
    assert senders(world) == [ORDINARY, STATIC]


def test_where_no_sender_has_static_addresses_any_more_they_wait_until_there_is_one() -> None:
    world = world_of(one=STATIC)
    without = without_static_sender(world)
    for name in ("ingest", "sender", "release"):
        world.functions.start(name, without)
    world.publish(*events(2))
    world.run(for_ms=3_600_000)
    assert not senders(world)
    assert {r.waiting.reason for r in world.deliveries() if r.waiting} == {"static_egress"}
    assert {r.generation for r in world.deliveries()} == {2}, "release leaves them where they are"
    for name in ("ingest", "sender", "release"):
        world.functions.restart(name)
    world.run()
    assert senders(world) == [STATIC] * 2


def test_where_there_is_none_any_more_they_go_out_when_their_owner_does_not_ask_for_it() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one", static_egress=True)
    without = without_static_sender(world)
    for name in ("ingest", "sender", "release"):
        world.functions.start(name, without)
    world.publish(*events(2))
    world.run(for_ms=600_000)
    world.owners.change(webhook, static_egress=False)
    changed_ms = world.clock.ms
    world.run(for_ms=60_000)
    assert senders(world) == [ORDINARY] * 2
    assert world.receivers.log[-1].at_ms - changed_ms <= 60_000


def test_a_queue_for_static_addresses_that_fails_keeps_no_other_retry_waiting() -> None:
    world = World(static_egress=True)
    for name, is_static in (("one", STATIC), ("two", ORDINARY)):
        world.owners.register(name, static_egress=is_static)
        world.receivers.script(url_of(name), [Answer(503, headers={"Retry-After": "90"}), 200])
    world.publish(event("e1"))
    world.work()
    gone = {**world.services.urls, "static": "https://sqs/nowhere"}
    world.functions.start("release", replace(world.services, urls=gone))
    world.run(for_ms=300_000)
    assert (senders(world, "one"), senders(world, "two")) == ([STATIC], [ORDINARY, ORDINARY])
    world.functions.restart("release")
    world.run()
    assert senders(world, "one") == [STATIC, STATIC]


def test_a_test_delivery_never_leaves_from_the_ordinary_sender() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one", static_egress=True)
    test = {"test": {"webhook_id": webhook.webhook_id, "event": event("e1")}}
    with pytest.raises(LookupError, match="static addresses alone"):
        world.functions.invoke("sender", test)
    assert world.functions.invoke("static_sender", test)["succeeded"]
    assert senders(world) == [STATIC]


def test_a_retry_by_hand_leaves_from_it_too() -> None:
    world = World(static_egress=True)
    webhook = world.owners.register("one", static_egress=True, max_retries=0)
    world.receivers.script(url_of("one"), [400, 200])
    world.publish(event("e1"))
    world.run()
    Api(world.services).deliveries.retry(owner_of(webhook), webhook.webhook_id, world.delivery().delivery_id)
    assert not world.messages(world.delivery_queue)
    world.run()
    assert senders(world) == [STATIC] * 2

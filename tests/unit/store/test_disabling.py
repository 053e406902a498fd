"""Disabling a webhook over the fake table: it and its routes at once, or not at all."""

from dataclasses import replace

import pytest

from tests.fakes.faults import FaultyClient
from tests.fakes.world import TABLE, World, event
from webhooks.errors import Unavailable
from webhooks.store.disabling import WebhookDisabler
from webhooks.store.dynamo import DynamoTable
from webhooks.store.routes import RouteStore


def switch(world: World, fault: str | None = None) -> WebhookDisabler:
    faults = iter([fault])
    plan = lambda call: next(faults, None) if call == "dynamodb.transact_write_items" else None  # noqa: E731
    return WebhookDisabler(DynamoTable(FaultyClient(world.dynamodb, "dynamodb", plan), TABLE))


def test_the_webhook_and_all_its_routes_change_at_once_and_ingestion_sees_it() -> None:
    world = World()
    webhook = world.owners.register("one", event_types=("record.*", "table.created", "*"))
    world.publish(event("e1"))
    world.run()
    assert switch(world).disable(webhook, "gone", world.clock.ms)
    after = world.owners.webhook(webhook)
    assert (after.status, after.status_reason, after.version) == ("failed", "gone", webhook.version + 1)
    routes = RouteStore(DynamoTable(world.dynamodb, TABLE))
    assert {route.status for p in ("record.*", "table.created", "*") for route, _ in routes.load("ws:1", p)} == {
        "failed"
    }
    world.publish(event("e2"))
    world.run()
    assert len(world.receivers.log) == 1


def test_a_webhook_without_subscriptions_can_be_disabled() -> None:
    world = World()
    webhook = world.owners.register("one", event_types=())
    assert switch(world).disable(webhook, "gone", world.clock.ms)


def test_only_an_active_webhook_is_disabled() -> None:
    world = World()
    webhook = world.owners.register("one")
    world.owners.change(webhook, status="paused")
    assert not switch(world).disable(webhook, "gone", world.clock.ms)
    assert world.owners.webhook(webhook).status == "paused"


def test_a_change_of_the_owner_s_in_between_is_kept() -> None:
    world = World()
    webhook = world.owners.register("one")
    world.owners.change(webhook, name="renamed")
    world.owners.subscribe(webhook, "table.created")
    assert switch(world).disable(webhook, "gone", world.clock.ms)
    assert world.owners.webhook(webhook).name == "renamed"


def test_a_lost_answer_is_told_and_a_repeated_call_changes_it_once() -> None:
    world = World()
    webhook = world.owners.register("one")
    with pytest.raises(Unavailable):
        switch(world, "lost_answer").disable(webhook, "gone", world.clock.ms)
    other = world.owners.register("two")
    switch(world, "repeated").disable(other, "gone", world.clock.ms)
    assert world.owners.webhook(other).version == other.version + 1
    assert world.owners.webhook(other).status == "failed"


def test_a_webhook_that_is_gone_is_not_disabled() -> None:
    world = World()
    webhook = replace(world.owners.register("one", event_types=()), webhook_id="wh_gone")
    assert not switch(world).disable(webhook, "gone", world.clock.ms)

"""What ingest records for pull webhooks, whatever happens around it."""

from typing import TYPE_CHECKING

import pytest

from tests.fakes.api import Api
from tests.fakes.event_source import Crash
from tests.fakes.owners import owner_of
from tests.fakes.world import TABLE, World, event
from webhooks.ids import time_in
from webhooks.models.erasure import Erasure
from webhooks.models.pull import WRITE_MS
from webhooks.models.replay import ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.erasing import TenantStore
from webhooks.store.pulls import ROUNDS

if TYPE_CHECKING:
    from collections.abc import Callable

WRITES = "dynamodb.batch_execute_statement"
RETENTION_MS = 30 * 86_400_000
VISIBILITY_SECONDS = 400


class Nth:
    """Something at some calls of ingest. Its first write is that of the event, the second that of the entries."""

    def __init__(self, *numbers: int, fault: str | None = None, takes_ms: int = 0, call: str = WRITES) -> None:
        self.numbers, self.fault, self.takes_ms, self.call = numbers, fault, takes_ms, call
        self.count = 0
        self.world: World | None = None
        self.noticed: Callable[[], object] = int

    def __call__(self, call: str) -> str | None:
        if call != self.call:
            return None
        self.count += 1
        if self.count not in self.numbers:
            return None
        self.noticed()
        if self.world is not None:
            self.world.clock.ms += self.takes_ms
        return self.fault


def world_with(plan: Nth) -> tuple[World, Webhook]:
    world = World(plan=plan)
    webhook = world.owners.register("read", kind="pull")
    plan.world, plan.count = world, 0
    return world, webhook


def entries(world: World) -> list[tuple[str, str]]:
    """(position, event id) in order."""
    return sorted((item["sk"]["S"].removeprefix("got#"), item["event_id"]["S"]) for item in world.items("got#"))


def tenants(world: World) -> TenantStore:
    """The table as an erasure has it."""
    table, now_ms = DynamoTable(world.dynamodb, TABLE), world.clock.now_ms
    return TenantStore(table, DeliveryContextStore(table, RETENTION_MS, now_ms), RETENTION_MS, now_ms)


def test_the_decision_is_recorded_with_the_event_and_nothing_is_queued() -> None:
    world, webhook = world_with(Nth())
    world.publish(event("e1"))
    world.work("ingest")
    (record,) = world.event_records()
    assert (record.queued, record.pulled) == ((), (webhook.webhook_id,))
    assert [event_id for _, event_id in entries(world)] == ["e1"]
    assert not world.messages(world.delivery_queue)


def test_a_crash_between_event_and_entry_is_finished_from_the_record() -> None:
    world, webhook = world_with(Nth(2, fault="crash_before"))
    world.publish(event("e1"))
    with pytest.raises(Crash):
        world.poll("ingest")
    assert entries(world) == []
    world.functions.restart("ingest")
    world.owners.change(webhook, status="inactive")  # which came later
    world.run()
    assert [event_id for _, event_id in entries(world)] == ["e1"]


def test_an_entry_whose_write_took_too_long_stands_in_a_later_place_as_well() -> None:
    world, _ = world_with(Nth(2, takes_ms=WRITE_MS + 1))
    world.publish(event("e1"))
    world.work("ingest")
    (first, _), (second, _) = entries(world)
    assert time_in(second) - time_in(first) > WRITE_MS


def test_while_entries_cannot_be_written_the_event_comes_again_and_its_neighbours_do_not_wait() -> None:
    plan = Nth(*range(2, 18), fault="internal_error")
    world, _ = world_with(plan)
    world.owners.register("other", workspace_id=2)
    plan.count = 0
    world.publish(event("e1"))
    world.publish(event("e2", workspace_id=2))
    world.poll("ingest")
    assert entries(world) == []
    assert len(world.messages(world.delivery_queue)) == 1
    plan.numbers = ()
    world.run()
    assert {event_id for _, event_id in entries(world)} == {"e1"}
    assert [seen.event_id for seen in world.receivers.log] == ["e2"]


def test_what_a_recovery_cannot_record_yet_is_recorded_later() -> None:
    plan = Nth(*range(1, ROUNDS + 1), fault="internal_error")
    world, webhook = world_with(plan)
    world.owners.change(webhook, status="inactive")
    plan.numbers, failing = (), plan.numbers
    world.publish(event("e1"))
    world.work("ingest")
    world.owners.change(webhook, status="active")
    world.clock.sleep(3600)
    Api(world.services).recovery.start(owner_of(webhook), webhook.webhook_id, ReplaySelection(from_ms=0), 100)
    plan.numbers, plan.count = failing, 0
    world.run()
    assert plan.count > ROUNDS
    assert [event_id for _, event_id in entries(world)] == ["e1"]


def test_strangers_are_sent_theirs_before_entries_are_written() -> None:
    queued: list[int] = []
    plan = Nth(2, 3)
    world, _ = world_with(plan)
    world.owners.register("other", workspace_id=2)
    plan.count = 0
    world.publish(event("e1"))
    world.publish(event("e2", workspace_id=2))
    plan.noticed = lambda: queued.append(len(world.messages(world.delivery_queue)))
    world.poll("ingest")
    assert queued == [1]


def test_of_an_erased_tenant_nothing_is_left_to_be_read_by_others() -> None:
    world = World()
    theirs = world.owners.register("theirs", kind="pull", workspace_id=None)
    own = world.owners.register("own", kind="pull")
    world.publish(event("e1"))
    world.work("ingest")
    assert len(entries(world)) == 2
    tenants(world).erase(Erasure("ws:1", world.clock.ms, "9", world.clock.ms), None)
    assert entries(world) == []
    assert {theirs.kind, own.kind} == {"pull"}


@pytest.mark.parametrize("status", ["active", "deleted"])
def test_what_is_finished_after_its_webhook_was_erased_leaves_no_entry(status: str) -> None:
    """The event came after the request, and is another tenant's; the webhook was there until a moment ago."""
    world, webhook = world_with(Nth(2, fault="crash_before"))
    kept = world.owners.register("kept", kind="pull", user_id=8)
    world.publish(event("e1"))
    with pytest.raises(Crash):
        world.poll("ingest")
    world.functions.restart("ingest")
    if status == "deleted":
        world.owners.delete(webhook)
    store, erasure = tenants(world), Erasure("user:7", webhook.created_at_ms, "9", world.clock.ms)
    store.retire(erasure, None)
    for _ in range(2):  # a later erasure leaves the mark, too
        store.erase(erasure, None)
    world.run()
    assert [item["pk"]["S"].split("|")[1] for item in world.items("got#")] == [kept.webhook_id]


def test_while_nobody_can_say_whether_a_webhook_is_erased_its_event_comes_again() -> None:
    plan = Nth(2, fault="crash_before")
    world, _ = world_with(plan)
    world.publish(event("e1"))
    with pytest.raises(Crash):
        world.poll("ingest")
    world.functions.restart("ingest")
    world.clock.sleep(VISIBILITY_SECONDS)
    reads = Nth(*range(3, 100), fault="internal_error", call="dynamodb.batch_get_item")  # behind routes and event
    world.clients["dynamodb"]._plan = reads
    world.poll("ingest")
    assert reads.count > 3
    assert entries(world) == []
    world.clients["dynamodb"]._plan = plan
    world.run()
    assert [event_id for _, event_id in entries(world)] == ["e1"]


def test_an_entry_expires_with_its_event() -> None:
    world, _ = world_with(Nth())
    world.publish(event("e1", retention_days=2), event("e2"))
    world.work("ingest")
    kept = {item["event_id"]["S"]: int(item["expires_at"]["N"]) for item in world.items("got#")}
    of_events = {item["pk"]["S"].removeprefix("event|"): int(item["expires_at"]["N"]) for item in world.items("ws:1")}
    assert kept == of_events
    assert kept["e2"] - kept["e1"] == 28 * 86_400


def test_a_route_that_an_older_version_made_active_is_a_dead_letter_and_can_be_read_once_replayed() -> None:
    world, webhook = world_with(Nth())
    table = world.dynamodb.tables[TABLE]
    for key, item in table.all_items():
        if key[0].startswith("route|"):
            table.write(key, {**item, "status": {"S": "active"}})
    world.publish(event("e1"))
    world.run()
    (letter,) = world.dead_letters()
    assert letter.failure_reason == "webhook_is_read"
    assert not world.receivers.log
    world.start_replay("rpl_" + "0" * 26, webhook)
    world.run()
    assert [event_id for _, event_id in entries(world)] == ["e1"]
    assert [each.is_processed for each in world.dead_letters()] == [True]

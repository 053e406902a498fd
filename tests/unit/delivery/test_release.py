"""Release over the fakes: what falls due, rooms, and runs that are cut off or overlap."""

from collections.abc import Iterator

import pytest

from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import TABLE, World, event, events
from webhooks.aws.sqs import Queue, SqsDeliveries
from webhooks.compression import pack_body
from webhooks.delivery.release import Release
from webhooks.store.delivery_items import delivery_key
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore
from webhooks.store.waiting import DUE_SHARDS, WaitingStore

MINUTE_MS = 60_000


class Armed:
    """A fault at the nth call once armed."""

    def __init__(self, fault: str, nth: int) -> None:
        self.fault, self.nth, self.armed = fault, nth, False

    def __call__(self, _call: str) -> str | None:
        self.nth -= self.armed
        return self.fault if self.armed and self.nth == 0 else None


def test_what_falls_due_within_a_minute_is_queued_with_the_seconds_that_are_left() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [Answer(503, headers={"Retry-After": "100"}), 200])
    world.publish(event("e1"))
    world.work()
    due_ms = world.delivery().next_attempt_at_ms or 0
    world.release()
    assert not world.messages(world.delivery_queue)  # more than a minute away
    world.clock.advance_to(due_ms - 41_500)
    world.release()
    (message,) = world.messages(world.delivery_queue)
    assert message.visible_at_ms == world.clock.ms + 42_000
    assert world.delivery().waiting is None


def test_two_runs_at_once_send_what_is_due_once() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [Answer(503, headers={"Retry-After": "100"}), 200])
    world.publish(event("e1"))
    world.work()
    world.clock.advance_to((world.delivery().next_attempt_at_ms or 0) - 1_000)
    world.release()
    world.release()
    world.run()
    assert len(world.receivers.log) == 2


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer", "repeated", "partial", "throttled"])
def test_a_run_cut_off_anywhere_loses_nothing(fault: str) -> None:
    for nth in range(1, 26):
        plan = Armed(fault, nth)
        world = World(plan=plan)
        paused = world.owners.register("paused", status="paused")
        world.owners.register("late")
        world.receivers.script(url_of("late"), [Answer(503, headers={"Retry-After": "90"}), 200])
        world.publish(*events(3))
        world.work()
        world.owners.change(paused, status="active")
        world.clock.advance_to(world.clock.ms + 80_000)
        plan.armed = True
        world.release()
        plan.armed = False
        world.run()
        assert {record.status for record in world.deliveries()} == {"delivered"}, (fault, nth)


def test_a_room_is_drained_at_its_webhook_s_rate() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused", rate_limit_rps=2)
    world.publish(*events(300))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    times = [seen.at_ms for seen in world.receivers.log]
    assert len(times) == 300
    assert times[-1] - times[0] >= 140_000
    assert all(sum(start <= at < start + 10_000 for at in times) <= 20 + 4 for start in times)


def test_a_room_larger_than_a_page_is_drained_in_one_run() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(*events(1_203))
    world.work()
    world.owners.change(webhook, status="active")
    report = world.release()
    assert report["from_rooms"] == 1_203
    world.run()
    assert len(world.receivers.log) == 1_203


def test_an_index_that_lags_hides_nothing_for_good_and_repeats_nothing() -> None:
    world = World(index_lag_ms=lambda: 90_000)
    webhook = world.owners.register("one", status="paused")
    world.owners.register("late")
    world.receivers.script(url_of("late"), [500, 500, 500, 500, 200])
    world.publish(event("e1"), event("e2"))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert len(world.receivers.seen(url_of("one"))) == 2


def test_a_room_that_is_empty_for_long_is_looked_at_no_more() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(event("e1"))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    world.run(for_ms=10 * MINUTE_MS)
    assert world.state(webhook.webhook_id).wake_at_ms is None
    world.owners.change(webhook, status="paused")
    world.publish(event("e2"))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    assert len(world.receivers.log) == 2


def test_a_receiver_that_asked_for_less_gets_its_room_gently() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [Answer(429, headers={"Retry-After": "30"}), 200])
    world.publish(event("e0"))
    world.work()
    world.publish(*events(200, 1))
    world.run(for_ms=3 * MINUTE_MS)
    assert len(world.receivers.log) <= 1 + 4 * 60 + 10
    world.run()
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_a_run_without_time_leaves_rooms_to_the_next_one() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(*events(20))
    world.work()
    world.owners.change(webhook, status="active")
    world.clients["dynamodb"]._plan = lambda _call: world.clock.sleep(5)  # a slow table
    assert world.release()["out_of_time"]
    world.clients["dynamodb"]._plan = lambda _call: None
    world.run()
    assert len(world.receivers.log) == 20


class FaultyWaiting(WaitingStore):
    """Brings out a fault of ours at one shard of what is due, and at one room."""

    bad_shard, bad_room = -1, ""

    def due(self, shard: int, until_ms: int) -> Iterator[tuple[str, str | None]]:
        if shard == self.bad_shard:
            raise ZeroDivisionError
        return super().due(shard, until_ms)

    def in_room(self, webhook_id: str, limit: int) -> list[tuple[str, str | None]]:
        if webhook_id == self.bad_room:
            raise ZeroDivisionError
        return list(super().in_room(webhook_id, limit))


def faulty_release(world: World) -> tuple[Release, FaultyWaiting]:
    table = DynamoTable(world.dynamodb, TABLE)
    store = FaultyWaiting(table, 86_400_000, world.clock.now_ms)
    queue = SqsDeliveries(Queue(world.sqs, world.delivery_queue.url, sleep=lambda _: None))
    return Release(store, StateStore(table), queue, shards=DUE_SHARDS, now_ms=world.clock.now_ms), store


def test_a_fault_at_one_shard_or_room_keeps_no_other_waiting() -> None:
    world = World()
    bad, good = (world.owners.register(name, status="paused") for name in ("bad", "good"))
    world.publish(*events(5))
    world.work()
    for webhook in (bad, good):
        world.owners.change(webhook, status="active")
    release, store = faulty_release(world)
    woken = [shard for shard in range(DUE_SHARDS) if list(store.due(shard, world.clock.ms + 60_000))]
    store.bad_shard = next(shard for shard in range(DUE_SHARDS) if shard not in woken)
    store.bad_room = bad.webhook_id
    report = release.run(world.clock.ms + 60_000)
    assert (report.from_rooms, report.failures) == (5, 2)


def test_a_body_that_is_no_text_keeps_no_other_waiting() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(*events(5))
    world.work()
    world.owners.change(webhook, status="active")
    record = world.deliveries()[0]
    item = world.item(delivery_key(record.webhook_id, record.delivery_id))
    world.dynamodb.put_item(TableName=TABLE, Item={**(item or {}), "body": {"B": pack_body(b"\xff\xfe")}})
    report = world.functions.invoke("release", {})
    assert (report["from_rooms"], report["unreadable"]) == (4, 1)

"""One bad thing costs only itself: an item that nobody can read, a message that is none, a fault of ours."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import TABLE, World, events
from webhooks.delivery.admission import Admission
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.release import CHUNK
from webhooks.models.webhook import Webhook
from webhooks.recovery.dead_letter_writer import MOST_RECEIVES
from webhooks.store.delivery_items import delivery_key
from webhooks.store.dynamo import DynamoTable, Item, key_of
from webhooks.store.states import StateStore, state_key
from webhooks.store.webhook_items import webhook_key

HEALTHY = 4


def spoilt_circuit(item: Item) -> None:
    item["circuit"] = {"S": '["closed", {"a newer version": "has it so"}'}


def spoilt_status(item: Item) -> None:
    del item["status"]


def two_webhooks() -> tuple[World, Webhook, Webhook]:
    """Both are subscribed to everything; the answers of `bad` come from the tests."""
    world = World()
    return world, world.owners.register("bad", max_retries=5), world.owners.register("good", max_retries=5)


def change(world: World, key: tuple[str, str], spoil: Callable[[Item], None]) -> None:
    """Write an item as another version, or nobody, would."""
    item: dict[str, Any] = dict(world.dynamodb.tables[TABLE].items.get(key) or key_of(key))
    spoil(item)
    world.dynamodb.put_item(TableName=TABLE, Item=item)


def heard(world: World, name: str) -> list[str]:
    return [seen.event_id for seen in world.receivers.log if seen.url == url_of(name)]


@pytest.mark.parametrize(
    ("key", "spoil"), [(state_key, spoilt_circuit), (webhook_key, spoilt_status)], ids=["state", "webhook"]
)
def test_an_item_that_cannot_be_read_costs_its_own_webhook_alone(
    key: Callable[[str], tuple[str, str]], spoil: Callable[[Item], None]
) -> None:
    world, bad, good = two_webhooks()
    world.publish(*events(HEALTHY))
    world.work("ingest")
    change(world, key(bad.webhook_id), spoil)
    world.work("sender")
    assert len(heard(world, "good")) == HEALTHY
    assert heard(world, "bad") == []
    assert {record.webhook_id for record in world.deliveries()} == {good.webhook_id}  # nothing is made up of the other


def test_a_state_that_nobody_can_read_any_more_once_its_attempts_are_made_costs_nothing_else() -> None:
    world, bad, good = two_webhooks()

    def spoil(item: Item) -> None:
        spoilt_circuit(item)
        item["revision"] = {"N": "7"}

    def fails(now_ms: int, number: int) -> Answer:
        change(world, state_key(bad.webhook_id), spoil)
        return Answer(503)

    world.receivers.behave(url_of("bad"), fails)
    world.publish(*events(HEALTHY))
    world.work("ingest")
    world.poll("sender")
    records = {each.webhook_id: each for each in world.deliveries()}
    assert records[good.webhook_id].status == "delivered"
    assert records[bad.webhook_id].status == "retrying"
    assert len(heard(world, "good")) == HEALTHY
    world.work("sender")
    assert len(heard(world, "good")) == HEALTHY, "what was delivered is not sent again"


def test_a_state_that_is_mended_lets_its_deliveries_go_on() -> None:
    world, bad, _ = two_webhooks()
    world.publish(*events(HEALTHY))
    world.work("ingest")
    change(world, state_key(bad.webhook_id), spoilt_circuit)
    world.work("sender")
    world.dynamodb.tables[TABLE].items.pop(state_key(bad.webhook_id))
    world.run()
    assert len(heard(world, "bad")) == HEALTHY
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert {attempt.outcome for record in world.deliveries() for attempt in record.attempts} == {"success"}


def test_a_replay_that_arrives_beside_an_old_copy_is_sent() -> None:
    world = World()
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(*events(1))
    world.work("ingest")
    (old,) = world.messages(world.delivery_queue)
    world.run()
    world.clock.sleep(60)
    world.send_raw(world.delivery_queue, old.body, old.attributes["meta"]["StringValue"])
    world.start_replay("rpl_1", webhook)
    world.work("jobs")
    assert world.poll("sender") == 2
    assert world.delivery().status == "delivered"


def test_release_goes_on_past_items_that_it_cannot_read() -> None:
    world, bad, _ = two_webhooks()
    for name in ("bad", "good"):
        world.receivers.script(url_of(name), [503] * 3 * HEALTHY + [200])
    world.publish(*events(HEALTHY))
    world.run(for_ms=60_000)  # two attempts each; the third waits outside SQS
    assert len([record for record in world.deliveries() if record.waiting]) == 2 * HEALTHY
    change(world, state_key(bad.webhook_id), spoilt_circuit)
    before = len(heard(world, "bad"))
    world.run(for_ms=30 * 60_000)
    assert {record.status for record in world.deliveries() if record.webhook_id != bad.webhook_id} == {"delivered"}
    assert len(heard(world, "bad")) == before
    waiting = [record.waiting.kind for record in world.deliveries() if record.waiting]
    assert len(waiting) == HEALTHY
    unreadable = waiting.count("due") + ("room" in waiting)  # each due delivery, and the room as a whole
    assert world.functions.invoke("release", {})["unreadable"] == unreadable


def test_rooms_are_drained_beside_one_that_cannot_be_read() -> None:
    world, bad, good = two_webhooks()
    for webhook in (bad, good):
        world.owners.change(webhook, status="paused")
    world.publish(*events(HEALTHY))
    world.work()
    for webhook in (bad, good):
        world.owners.change(webhook, status="active")
    change(world, state_key(bad.webhook_id), spoilt_circuit)
    report = world.functions.invoke("release", {})
    assert (report["unreadable"], report["from_rooms"]) == (1, HEALTHY)


def test_a_room_whose_oldest_delivery_cannot_be_read_is_probed_with_the_next() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(*events(HEALTHY))
    world.work()
    world.owners.change(webhook, status="active")
    before = world.state(webhook.webhook_id)
    opened = replace(before, circuit=Circuit(state="open", open_until_ms=world.clock.ms))
    assert StateStore(DynamoTable(world.dynamodb, TABLE)).save_health(webhook.webhook_id, before, opened)
    oldest = min(record.delivery_id for record in world.deliveries())
    change(world, delivery_key(webhook.webhook_id, oldest), spoilt_status)
    report = world.functions.invoke("release", {})
    assert (report["unreadable"], report["from_rooms"]) == (1, 1)


def test_a_room_of_which_nothing_can_be_read_is_left_to_the_next_run() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(*events(CHUNK))
    world.work()
    world.owners.change(webhook, status="active")
    for record in world.deliveries():
        change(world, delivery_key(webhook.webhook_id, record.delivery_id), spoilt_status)
    report = world.functions.invoke("release", {})
    assert (report["unreadable"], report["out_of_time"]) == (CHUNK, False)


def test_dead_letters_are_kept_beside_one_whose_items_cannot_be_read() -> None:
    world, bad, _ = two_webhooks()
    for name in ("bad", "good"):
        world.receivers.script(url_of(name), [410])
    world.publish(*events(1))
    world.work("ingest", "sender")
    (record,) = [each for each in world.deliveries() if each.webhook_id == bad.webhook_id]
    change(world, delivery_key(bad.webhook_id, record.delivery_id), spoilt_status)
    assert world.poll("dead_letter_writer") == 2
    assert len(world.dead_letters()) == 1
    (left,) = world.messages(world.dead_letter_queue)  # until it is mended, or for most of a day
    left.receive_count = MOST_RECEIVES - 1
    world.run(for_ms=400_000)
    assert not world.messages(world.dead_letter_queue)
    (kept,) = [item for item in world.items("0") if item["pk"]["S"] == "unreadable"]
    assert record.delivery_id in kept["meta"]["S"]
    assert "cannot be read" in kept["reason"]["S"]


@pytest.mark.parametrize("spoilt", ["!", "1" * 3_000], ids=["a wrong character", "3,000 characters"])
@pytest.mark.parametrize("name", ["sender", "dead_letter_writer"])
def test_a_message_with_an_id_that_is_none_costs_its_batch_nothing(name: str, spoilt: str) -> None:
    world = World()
    world.owners.register("good")
    world.receivers.script(url_of("good"), [410] if name == "dead_letter_writer" else [200])
    world.publish(*events(HEALTHY))
    world.work("ingest", *(["sender"] if name == "dead_letter_writer" else []))
    queue = world.delivery_queue if name == "sender" else world.dead_letter_queue
    message = next(iter(world.messages(queue)))
    meta = json.loads(message.attributes["meta"]["StringValue"])
    world.send_raw(queue, message.body, json.dumps({**meta, "d": meta["d"][:-1] + spoilt}))
    assert world.poll(name) == HEALTHY + 1
    assert not world.messages(queue)
    world.work()
    assert len(heard(world, "good") if name == "sender" else world.dead_letters()) == HEALTHY
    assert len([item for item in world.items("0") if item["pk"]["S"] == "unreadable"]) == 1


def test_what_is_too_large_for_an_item_is_kept_in_part_and_says_so() -> None:
    world = World()
    body = "".join(map(chr, random.Random(1).choices(range(33, 127), k=1_000_000)))
    world.send_raw(world.dead_letter_queue, body)
    assert world.poll("dead_letter_writer") == 1
    assert not world.messages(world.dead_letter_queue)
    (kept,) = [item for item in world.items("0") if item["pk"]["S"] == "unreadable"]
    assert len(kept["body"]["B"]) < 380_000
    assert "of 1000000 bytes" in kept["reason"]["S"]


def test_a_fault_of_ours_at_one_webhook_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world, bad, _ = two_webhooks()
    admit = Admission.admit

    def faulty(self: Admission, group: Any, state: Any) -> None:
        if group[0].message.webhook_id == bad.webhook_id:
            raise ZeroDivisionError
        admit(self, group, state)

    monkeypatch.setattr(Admission, "admit", faulty)
    world.publish(*events(HEALTHY))
    world.work("ingest", "sender")
    assert len(heard(world, "good")) == HEALTHY
    assert {attempt.outcome for record in world.deliveries() for attempt in record.attempts} == {"success"}


def test_what_webhooks_have_to_ask_for_keeps_no_other_of_the_batch_waiting() -> None:
    calls: list[str] = []
    world = World(plan=calls.append)

    def answered(_now_ms: int, _count: int) -> Answer:
        calls.append("sent")
        return Answer()

    for number in range(5):
        world.owners.register(f"asking{number}", rate_limit_rps=1)
    world.owners.register("plain")
    world.receivers.behave(url_of("plain"), answered)
    for each in events(2):
        world.publish(each)
        world.work("ingest")
        calls.clear()
        world.work("sender")  # the first reads the data key too

    assert calls[:2] == ["dynamodb.batch_get_item", "sent"]
    assert calls[2:7] == ["dynamodb.update_item"] * 5

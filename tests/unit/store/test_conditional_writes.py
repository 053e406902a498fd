"""Writes that hold only for what was read: somebody else's is never overwritten, and one's own can be repeated."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller, url_of
from tests.fakes.world import TABLE, World, event
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.delivery.lifecycle import begin
from webhooks.delivery.receive_decision import Postpone, advance
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.store.data_key import DataKeyStore
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.delivery_items import delivery_key
from webhooks.store.dynamo import DynamoTable
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.states import StateStore

DAY_MS = 86_400_000
WEBHOOK = "wh_0Uz7MdaC4Fe0IC2aVVwKGA6Suc"
DELIVERY = "dlv_0Uz7MdaCUg4tXac424viqJOurW"
MESSAGE = DeliveryMessage(DELIVERY, WEBHOOK, "e1", "record.created", "ws:1", "g", "{}")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def table(world: World) -> DynamoTable:
    return DynamoTable(world.dynamodb, TABLE)


@pytest.fixture
def deliveries(world: World, table: DynamoTable) -> DeliveryStore:
    return DeliveryStore(table, DAY_MS, world.clock.now_ms)


def written(revision: int, **changes: Any) -> DeliveryRecord:
    return replace(begin(MESSAGE), revision=revision, **changes)


def stored(deliveries: DeliveryStore) -> DeliveryRecord:
    return deliveries.get([(WEBHOOK, DELIVERY)])[DELIVERY]


def test_a_record_is_made_once(deliveries: DeliveryStore) -> None:
    assert deliveries.save([(None, written(1))]) == [True]
    assert deliveries.save([(None, written(1, status="failed"))]) == [False]
    assert deliveries.save([(begin(MESSAGE), written(1, status="failed"))]) == [False]
    assert stored(deliveries).status == "pending"


def test_a_record_is_written_only_from_the_revision_that_was_read(deliveries: DeliveryStore) -> None:
    deliveries.save([(None, written(1)), (written(1), written(2)), (written(2), written(3, status="delivered"))])
    assert stored(deliveries).revision == 3
    for other in (1, 2, 4):
        assert deliveries.save([(written(other), written(other + 1, status="failed"))]) == [False]
    assert stored(deliveries).status == "delivered"


def test_an_attempt_is_added_to_what_another_has_recorded_meanwhile() -> None:
    """Between the sender's read and its write, a second sender of the same delivery records its own."""

    def meanwhile(call: str) -> None:
        (each,) = world.items("dlv#") or [None]
        if call == "dynamodb.batch_execute_statement" and world.receivers.log and each is None:
            record = begin(DeliveryMessage(**known, body=""))
            attempts = (Attempt(1, world.clock.ms, 5, "failure", 500),)
            store = DeliveryStore(DynamoTable(world.dynamodb, TABLE), DAY_MS, world.clock.now_ms)
            assert store.save([(None, replace(record, revision=1, attempts=attempts, status="retrying"))]) == [True]

    world = World(plan=meanwhile)
    webhook = world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    parsed = DeliveryMessage.parse(message.body, message.attributes["meta"]["StringValue"])
    assert parsed.webhook_id == webhook.webhook_id
    names = ("delivery_id", "webhook_id", "event_id", "event_type", "scope", "group", "cycle_started_at_ms")
    known = {name: getattr(parsed, name) for name in names}
    world.run()
    assert [attempt.status_code for attempt in world.delivery().attempts] == [500, 200]
    assert world.delivery().status == "delivered"
    assert len(world.receivers.seen(url_of("one"))) == 1


def test_outcomes_of_two_senders_are_told_apart_though_they_agree_to_the_millisecond(deliveries: DeliveryStore) -> None:
    """Else the one that comes too late takes the other's record for its own, and its request goes unrecorded."""
    received = Received(MESSAGE, "m-1", "h", 1, 0)
    first, second = (
        advance(begin(MESSAGE), received, Postpone(1_000), now_ms=5, writer=writer).record for writer in ("a", "b")
    )
    assert first is not None
    assert second is not None
    assert deliveries.save([(None, first)]) == [True]
    assert deliveries.save([(None, second)]) == [False]
    assert stored(deliveries).writer == first.writer != second.writer


@pytest.mark.parametrize("known", [EndpointState(), EndpointState(revision=1), EndpointState(revision=3)])
def test_health_is_written_only_from_the_revision_that_was_read(table: DynamoTable, known: EndpointState) -> None:
    states = StateStore(table)
    for revision in (0, 1):
        assert states.save_health(WEBHOOK, EndpointState(revision=revision), EndpointState())
    opened = replace(known, circuit=Circuit(state="open"))
    assert not states.save_health(WEBHOOK, known, opened)
    assert states.get(WEBHOOK).circuit.state == "closed"
    assert states.save_health(WEBHOOK, EndpointState(revision=2), opened)
    assert states.get(WEBHOOK).circuit.state == "open"


def test_of_two_that_read_the_same_rate_one_gets_its_places(table: DynamoTable) -> None:
    states = StateStore(table)
    assert states.pace("7") is None
    assert [states.save_pace("7", None, tat) for tat in (100, 200)] == [True, False]
    assert [states.save_pace("7", 100, tat) for tat in (300, 400)] == [True, False]
    assert (states.pace("7"), states.pace("8")) == (300, None)
    assert [states.save_rate(WEBHOOK, None, tat) for tat in (100, 200)] == [True, False]
    assert [states.save_rate(WEBHOOK, 100, tat) for tat in (300, 400)] == [True, False]
    assert not states.save_rate(WEBHOOK, 200, 500)
    assert states.get(WEBHOOK).rate_tat_ms == 300


def test_the_sooner_of_two_wake_ups_stays(table: DynamoTable) -> None:
    states = StateStore(table)
    for at_ms, expected in ((5_000, 5_000), (9_000, 5_000), (2_000, 2_000)):
        states.wake(WEBHOOK, at_ms, now_ms=at_ms)
        assert states.get(WEBHOOK).wake_at_ms == expected
        assert states.get(WEBHOOK).touched_at_ms == at_ms


@pytest.mark.parametrize(("at_ms", "now_ms"), [(1_000, 10), (9_000, 20)])
def test_a_room_that_was_touched_since_is_neither_forgotten_nor_put_off(
    table: DynamoTable, at_ms: int, now_ms: int
) -> None:
    states = StateStore(table)
    states.wake(WEBHOOK, 5_000, now_ms=10)
    before = states.get(WEBHOOK)
    states.wake(WEBHOOK, at_ms, now_ms=now_ms)
    touched = states.get(WEBHOOK)
    assert not states.reschedule(WEBHOOK, before, 60_000)
    assert not states.sleep(WEBHOOK, before)
    assert states.get(WEBHOOK) == touched
    assert states.reschedule(WEBHOOK, touched, 60_000)
    assert states.sleep(WEBHOOK, states.get(WEBHOOK))
    assert states.get(WEBHOOK).wake_at_ms is None


def test_a_dead_letter_is_kept_once_a_generation_and_never_replaced_by_an_older_one(
    world: World, table: DynamoTable
) -> None:
    letters = DeadLetterStore(table, DAY_MS, world.clock.now_ms)
    letter = DeadLetter(
        DELIVERY, WEBHOOK, "o", "e1", "record.created", "ws:1", 2, "failed", "gone", 1, 410, None, world.clock.ms, b"{}"
    )
    assert [letters.bury(replace(letter, generation=g)) for g in (2, 2, 1, 3)] == [True, False, False, True]
    assert letters.get([(WEBHOOK, DELIVERY)])[DELIVERY].generation == 3
    assert not letters.mark_processed(letter, "manual")
    assert letters.mark_processed(replace(letter, generation=3), "manual")


def test_a_checkpoint_is_written_from_the_step_that_was_read_and_one_s_own_again_is_no_loss(
    world: World, table: DynamoTable
) -> None:
    jobs = ReplayJobStore(table, DAY_MS, world.clock.now_ms)
    job = ReplayJob("rpl_1", WEBHOOK, "o", ReplaySelection(), 1.0, world.clock.ms, world.clock.ms)
    jobs.create(job)
    first = jobs.checkpoint(job, replace(job, replayed=5))
    assert first is not None
    assert jobs.checkpoint(job, replace(job, replayed=5)) == first  # its answer was lost
    assert jobs.checkpoint(job, replace(job, replayed=9)) is None
    assert jobs.get("rpl_1") == first
    jobs.create(job)  # again, by a repeated request
    assert jobs.get("rpl_1") == first
    assert jobs.checkpoint(replace(first, step=7), replace(first, replayed=9)) is None


@pytest.mark.parametrize("waiting", ["due", "room"])
def test_what_waits_stands_in_the_index_with_its_body_and_never_expires(world: World, waiting: str) -> None:
    webhook = world.owners.register("one")
    if waiting == "room":
        world.owners.change(webhook, status="paused")
    world.receivers.script(url_of("one"), [500, 500, 500, 200])
    world.publish(event("e1"))
    world.run(for_ms=120_000)
    record = world.delivery()
    item = world.item(delivery_key(record.webhook_id, record.delivery_id))
    assert record.waiting is not None
    assert item is not None
    assert item["waiting_key"]["S"].startswith(f"{waiting}|")
    assert "expires_at" not in item
    assert record.body
    world.owners.change(webhook, status="active")
    world.run()
    assert world.delivery().status == "delivered"
    assert world.receivers.log[-1].body == record.body


def test_what_was_delivered_and_waits_to_be_sent_once_more_never_expires(world: World) -> None:
    webhook = world.owners.register("one")
    world.publish(event("e1"))
    world.run()
    record = world.delivery()
    key = delivery_key(record.webhook_id, record.delivery_id)
    assert "expires_at" in (world.item(key) or {})
    world.owners.change(webhook, status="paused")
    Api(world.services).deliveries.retry(caller(7), record.webhook_id, record.delivery_id)
    world.work("sender")
    assert world.delivery().waiting is not None
    assert "expires_at" not in (world.item(key) or {"expires_at": "it is gone"})
    world.owners.change(webhook, status="active")
    world.run()
    assert len(world.receivers.log) == 2
    assert "expires_at" in (world.item(key) or {})


def test_of_two_first_data_keys_the_one_that_is_stored_is_everybody_s(table: DynamoTable) -> None:
    keys = DataKeyStore(table)
    assert keys.load() is None
    assert keys.store_if_absent(b"first") == b"first"
    assert keys.store_if_absent(b"second") == b"first"
    assert keys.load() == b"first"


def test_a_room_that_nobody_is_to_look_into_is_not_put_off(table: DynamoTable) -> None:
    states = StateStore(table)
    assert not states.reschedule(WEBHOOK, EndpointState(), 60_000)
    assert states.get(WEBHOOK).wake_at_ms is None


def test_the_states_of_several_webhooks_are_read_at_once(table: DynamoTable) -> None:
    states = StateStore(table)
    states.wake(WEBHOOK, 5_000, now_ms=10)
    found = states.get_many([WEBHOOK, "wh_unknown"])
    assert found == {WEBHOOK: states.get(WEBHOOK), "wh_unknown": EndpointState()}

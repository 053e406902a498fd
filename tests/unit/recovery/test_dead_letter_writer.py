"""The dead-letter queue is handed copies, old messages, and what SQS itself gave up on: only what is dead is buried."""

from collections.abc import Sequence
from dataclasses import replace

from tests.fakes.owners import url_of
from tests.fakes.sqs import Message
from tests.fakes.world import TABLE, World, event
from webhooks.delivery.attempt_detail import AttemptDetail
from webhooks.delivery.lifecycle import restarted
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import NEVER_RECORDED, DeliveryRecord
from webhooks.operational_events import OperationalEvent
from webhooks.recovery.dead_letter_writer import DeadLetterWriter
from webhooks.store import schema
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable

DAY_MS = 86_400_000


def store_of(world: World) -> DeliveryStore:
    return DeliveryStore(DynamoTable(world.dynamodb, TABLE), DAY_MS, world.clock.now_ms)


def queued(world: World) -> Message:
    """The message of one delivery, as ingest has sent it."""
    world.owners.register("one", max_retries=0)
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    return message


def redrive(world: World, message: Message) -> None:
    """As SQS does with what was received too often."""
    world.send_raw(world.dead_letter_queue, message.body, message.attributes["meta"]["StringValue"])


def test_what_was_delivered_since_is_not_buried() -> None:
    world = World()
    message = queued(world)
    world.run()
    redrive(world, message)
    world.run()
    assert world.dead_letters() == []
    assert world.delivery().status == "delivered"


def test_what_was_sent_again_since_is_not_buried() -> None:
    world = World()
    message = queued(world)
    world.receivers.script(url_of("one"), [500])
    world.run()
    (letter,) = world.dead_letters()
    assert letter.body.decode() == message.body
    record = world.delivery()
    again = replace(restarted(record, world.clock.ms), revision=record.revision + 1)
    assert store_of(world).save([(record, again)]) == [True]
    redrive(world, message)
    world.run()
    assert world.delivery() == again
    assert world.dead_letters() == [letter]


def test_what_is_delivered_while_it_is_being_buried_is_not() -> None:
    """SQS gave its message up, and a copy of it gets through just before the dead-letter writer writes."""

    def meanwhile(call: str) -> None:
        if call == "dynamodb.batch_execute_statement" and redriven and not world.receivers.log:
            world.work("sender")

    redriven = False
    world = World(plan=meanwhile)
    message = queued(world)
    redriven = True
    redrive(world, message)
    world.work("dead_letter_writer")
    world.run()
    assert len(world.receivers.log) == 1
    assert world.delivery().status == "delivered"
    assert world.dead_letters() == []


def test_no_dead_letter_is_kept_that_nobody_was_told_of() -> None:
    """One that is kept can be replayed at once, and then its message, which comes again, speaks of the past."""
    world = World(plan=lambda call: "no_connection" if call == "events.put_events" and down else None)
    down = True
    queued(world)
    world.receivers.script(url_of("one"), [500])
    world.work("sender", "dead_letter_writer")
    assert world.dead_letters() == []
    down = False
    world.run()
    (letter,) = world.dead_letters()
    assert [data["delivery_id"] for _, data in world.announced()] == [letter.delivery_id]


def test_what_sqs_gave_up_on_may_have_been_sent_and_says_so() -> None:
    world = World()
    redrive(world, queued(world))
    world.work("dead_letter_writer")
    assert [attempt.outcome for attempt in world.delivery().attempts] == ["unknown"]
    assert world.dead_letters()[0].failure_reason == NEVER_RECORDED


def test_a_message_on_the_dead_letter_queue_says_why() -> None:
    world = World()
    queued(world)
    world.receivers.script(url_of("one"), [500])
    world.work("sender")
    (message,) = world.messages(world.dead_letter_queue)
    parsed = DeliveryMessage.parse(message.body, message.attributes["meta"]["StringValue"])
    assert parsed.reason == "attempts_used_up:http_500"


class Untold:
    """A bus that takes everything."""

    def publish(self, operational_events: Sequence[OperationalEvent], now_ms: int) -> None:
        """Nobody listens."""


class FaultyStore(DeliveryContextStore):
    """Brings out a fault of ours at one delivery."""

    bad = ""

    def save(
        self,
        changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]],
        details: Sequence[AttemptDetail] = (),
    ) -> list[bool | None]:
        if changes[0][1].delivery_id == self.bad:
            raise ZeroDivisionError
        return super().save(changes, details)


def test_one_letter_that_brings_out_a_fault_is_put_aside_and_the_others_are_kept() -> None:
    world = World()
    table = DynamoTable(world.dynamodb, TABLE)
    store = FaultyStore(table, DAY_MS, world.clock.now_ms)
    letters = DeadLetterStore(table, DAY_MS, world.clock.now_ms)
    writer = DeadLetterWriter(store, letters, Untold(), now_ms=world.clock.now_ms)
    world.owners.register("one")
    world.publish(event("e1"), event("e2"), event("e3"))
    world.work("ingest")
    batch = [
        Received(DeliveryMessage.parse(each.body, each.attributes["meta"]["StringValue"]), each.message_id, "r", 1, 0)
        for each in world.messages(world.delivery_queue)
    ]
    store.bad = batch[1].message.delivery_id
    report = writer.bury(batch)
    assert (report.buried, report.unreadable, report.again) == (2, 1, set())
    assert len(world.dead_letters()) == 2
    (aside,) = [item for item in world.items("") if item["pk"]["S"] == schema.UNREADABLE_PK]
    assert "ZeroDivisionError" in aside["reason"]["S"]

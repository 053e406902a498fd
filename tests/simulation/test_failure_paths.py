"""What AWS puts aside comes back by the ways that docs/operations.md tells: nothing of it is lost or done twice."""

import json

import pytest

from tests.fakes.api import Api
from tests.fakes.event_source import Crash
from tests.fakes.owners import caller, url_of
from tests.fakes.sqs import FakeQueue
from tests.fakes.world import World, event, events
from webhooks.models.replay import ReplaySelection


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


class Broken:
    """Every call of a function fails while it is so."""

    def __init__(self) -> None:
        self.is_so = False

    def __call__(self, _call: str) -> str | None:
        return "crash_before" if self.is_so else None


def redrive(world: World, source: FakeQueue, target: FakeQueue) -> None:
    """An operator moves messages back (StartMessageMoveTask, or by hand)."""
    for message in world.messages(source):
        meta = message.attributes.get("meta")
        world.send_raw(target, message.body, meta and meta["StringValue"])
        del source.messages[message.message_id]


def until_empty(world: World, queue: FakeQueue, name: str) -> None:
    """A function receives until the queue gives its messages up."""
    while queue.messages:
        world.poll_through(name)
        at_ms = world.sqs.next_visible_ms(queue)
        world.clock.advance_to(at_ms or world.clock.ms)


def test_what_eventbridge_could_not_hand_over_is_ingested_when_it_is_moved() -> None:
    """EventBridge User Guide, "Using dead-letter queues to process undelivered events": the body is the event as the
    target would have got it; attributes say which rule, target and error it was."""
    world = World()
    world.owners.register("one")
    world.put_event(event("e1"))
    (message,) = world.messages(world.ingest_queue)
    aside = world.sqs.add(FakeQueue("rule-target-dead"))
    attributes = {"RULE_ARN": "arn:aws:events:us-east-1:123456789012:rule/r", "ERROR_CODE": "SDK_CLIENT_ERROR"}
    world.sqs.send_message_batch(
        QueueUrl=aside.url,
        Entries=[
            {
                "Id": "0",
                "MessageBody": message.body,
                "MessageAttributes": {n: {"DataType": "String", "StringValue": v} for n, v in attributes.items()},
            }
        ],
    )
    world.ingest_queue.messages.clear()
    world.run()
    assert not world.receivers.log
    redrive(world, aside, world.ingest_queue)
    redrive(world, aside, world.ingest_queue)  # there is nothing left to move
    world.run()
    assert [each.event_id for each in world.receivers.log] == ["e1"]


def test_events_that_ingest_failed_on_ten_times_are_delivered_once_when_they_are_redriven() -> None:
    broken = Broken()
    world = World(plan=broken)
    world.owners.register("one")
    world.publish(*events(5))
    broken.is_so = True
    until_empty(world, world.ingest_queue, "ingest")
    assert len(world.messages(world.ingest_dead_letter_queue)) == 1
    broken.is_so = False
    redrive(world, world.ingest_dead_letter_queue, world.ingest_queue)
    world.run()
    assert sorted(each.event_id for each in world.receivers.log) == [f"e{number}" for number in range(5)]


def test_what_sqs_moves_off_the_delivery_queue_is_a_dead_letter_that_can_be_replayed() -> None:
    broken = Broken()
    world = World(plan=broken)
    webhook = world.owners.register("one")
    world.publish(*events(3))
    world.work("ingest")
    broken.is_so = True
    until_empty(world, world.delivery_queue, "sender")
    broken.is_so = False
    world.run()
    letters = world.dead_letters()
    assert {letter.failure_reason for letter in letters} == {"received_too_often"}
    assert len(letters) == 3
    Api(world.services).dead_letters.replay_many(caller(7), webhook.webhook_id, ReplaySelection(), 10)
    world.run()
    assert sorted(each.event_id for each in world.receivers.log) == ["e0", "e1", "e2"]


def test_a_job_that_failed_ten_times_goes_on_when_it_is_redriven() -> None:
    broken = Broken()
    world = World(plan=broken)
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500, 500, 500, 200])
    world.publish(*events(3))
    world.run()
    api = Api(world.services)
    job = api.dead_letters.replay_many(caller(7), webhook.webhook_id, ReplaySelection(), 10)
    broken.is_so = True
    until_empty(world, world.jobs_queue, "jobs")
    broken.is_so = False
    assert len(world.messages(world.jobs_dead_letter_queue)) == 1
    redrive(world, world.jobs_dead_letter_queue, world.jobs_queue)
    world.run()
    assert api.replays.get(caller(7), job.job_id).status == "completed"
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert len(world.receivers.log) == 6


def test_while_replay_fails_dead_letters_stay_on_their_queue_and_none_is_dropped() -> None:
    """It has no redrive: an alarm tells, and they are kept for fourteen days."""
    broken = Broken()
    world = World(plan=broken)
    world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500])
    world.publish(*events(3))
    world.work("ingest", "sender")
    broken.is_so = True
    for _ in range(200):
        with pytest.raises(Crash):
            world.poll("dead_letter_writer")
        world.clock.advance_to(world.sqs.next_visible_ms(world.dead_letter_queue) or 0)
    broken.is_so = False
    world.work("dead_letter_writer")
    assert len(world.dead_letters()) == 3


def test_a_release_that_never_came_leaves_nothing_behind() -> None:
    """The schedule's invocation is lost for a day (no retry, dropped after a minute): the next one does it all."""
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [500, 500, 500, 500, 200])
    world.publish(event("e1"))
    for _ in range(24 * 60):
        world.clock.advance_to(world.clock.ms + 60_000)
        world.work()
    assert len(world.receivers.log) < 5
    world.run()
    assert json.loads(world.receivers.log[-1].body)["id"] == "e1"
    assert world.delivery().status == "delivered"

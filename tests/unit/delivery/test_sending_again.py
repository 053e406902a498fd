"""A delivery that is sent once more on request: a delivered one, and one whose next attempt waits."""

from dataclasses import replace

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller, url_of
from tests.fakes.world import World, event
from webhooks.delivery.classification import Classification
from webhooks.delivery.lifecycle import AttemptPolicy, attempted, begin, parked, released, restarted, standing
from webhooks.messages import DeliveryMessage, message_of
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting

POLICY = AttemptPolicy(3, 1_000_000)
DELIVERED, FAILED = Classification("delivered"), Classification("retry", "http_500")


def message() -> DeliveryMessage:
    return DeliveryMessage("dlv_1", "wh_1", "e1", "record.created", "user:1", "g", "{}", cycle_started_at_ms=1)


def after(record: DeliveryRecord, classification: Classification, now_ms: int) -> DeliveryRecord:
    outcome = "success" if classification.kind == "delivered" else "failure"
    attempt = Attempt(record.attempt_count + 1, now_ms, 1, outcome)
    done = attempted(record, attempt, classification, POLICY, now_ms=now_ms, delay_ms=5, body=b"{}")
    return replace(done, revision=record.revision + 1)


def delivered() -> DeliveryRecord:
    return after(begin(message()), DELIVERED, 10)


def test_its_message_acts_before_and_after_the_record_is_marked() -> None:
    record = delivered()
    assert standing(record, message()) == "done"
    again = restarted(record, 20)
    assert standing(record, message_of(again, "g", "{}")) == "live"
    assert standing(again, message_of(again, "g", "{}")) == "live"
    assert standing(again, message()) == "older"


def test_it_acts_once_whatever_comes_of_it() -> None:
    again = restarted(delivered(), 20)
    for classification in (DELIVERED, FAILED):
        done = after(again, classification, 30)
        assert done.status == "delivered"
        assert standing(done, message_of(again, "g", "{}")) == "done"


def test_one_that_waits_for_its_webhook_is_sent_when_it_is_released() -> None:
    waiting = parked(restarted(delivered(), 20), Waiting("room", 99, "paused"), b"{}")
    assert waiting.status == "delivered"
    for record in (waiting, released(waiting, 0)):
        assert standing(record, message_of(waiting, "g", "{}")) == "live"
    done = after(released(waiting, 0), DELIVERED, 120)
    assert standing(done, message_of(waiting, "g", "{}")) == "done"


@pytest.mark.parametrize("answers", [[500, 500, 200], [500, 500, 500, 200]], ids=["delivered", "tried again"])
def test_the_message_of_an_attempt_that_waited_when_it_was_sent_again_invents_no_attempts(answers: list[int]) -> None:
    world = World()
    webhook = world.owners.register("one", max_retries=9)
    world.receivers.script(url_of("one"), answers)
    world.publish(event("e1"))
    while len(world.receivers.log) < 2:
        world.run(for_ms=1_000)
    (waits,) = world.messages(world.delivery_queue)
    assert waits.receive_count == 2
    Api(world.services).deliveries.retry(caller(webhook.user_id), webhook.webhook_id, world.delivery().delivery_id)
    world.run()
    outcomes = [attempt.outcome for attempt in world.delivery().attempts]
    assert outcomes == ["failure"] * (len(answers) - 1) + ["success"]
    assert len(world.receivers.log) == len(answers)


@pytest.mark.parametrize("fault", ["lost answer", "paused"])
def test_a_message_that_comes_again_after_it_was_accounted_for_invents_no_attempts(fault: str) -> None:
    world = World()
    webhook = world.owners.register("one", status="paused" if fault == "paused" else "active")
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    batch = world.sources["sender"].take()
    world.sources["sender"].handler(world.sources["sender"].event(batch))  # done, and its answer never got there
    assert message.message_id in [each.message_id for each in world.messages(world.delivery_queue)]
    world.owners.change(webhook, status="active")
    world.run()
    assert [attempt.outcome for attempt in world.delivery().attempts] == ["success"]

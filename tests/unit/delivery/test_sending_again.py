"""A delivery that is sent once more on request: a delivered one, and one whose next attempt waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller, url_of
from tests.fakes.world import World, event
from webhooks.delivery.classification import Classification
from webhooks.delivery.lifecycle import AttemptPolicy, attempted, begin, parked, released, restarted, standing
from webhooks.errors import Conflict, Unavailable
from webhooks.messages import DeliveryMessage, message_of
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.models.webhook import Webhook
from webhooks.recovery.replay import CLAIMED_MS, Replayer

if TYPE_CHECKING:
    from webhooks.delivery.ports import DeliveryQueue

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


def failed(world: World) -> tuple[Api, Webhook]:
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(event("e1"))
    world.run()
    assert world.delivery().status == "failed"
    return Api(world.services), webhook


Send = Callable[[Sequence[tuple[DeliveryMessage, int]]], None]


@dataclass
class Queue:
    send: Send


def replayer_with(api: Api, world: World, send: Send) -> Replayer:
    given = api.deliveries.replayer
    return Replayer(
        given._store, given._letters, cast("DeliveryQueue", Queue(send)), given._pulls, now_ms=lambda: world.clock.ms
    )


def test_eight_retries_at_once_send_one_request() -> None:
    world = World()
    api, webhook = failed(world)
    record, body = world.delivery(), "{}"
    send = api.deliveries.replayer._queue.send
    refused = 0

    def send_among_others(messages: Sequence[tuple[DeliveryMessage, int]]) -> None:
        """The claim is written by now, and the record that goes with the message is not."""
        nonlocal refused
        send(messages)
        with pytest.raises(Conflict, match="being sent again"):  # who reads only now
            api.deliveries.retry(caller(webhook.user_id), webhook.webhook_id, record.delivery_id)
        for _ in range(6):  # who had read before
            with pytest.raises(Conflict):
                replayer.send_again(record, webhook, body)
            refused += 1

    replayer = replayer_with(api, world, send_among_others)
    replayer.send_again(record, webhook, body)
    with pytest.raises(Conflict, match="being sent again"):
        api.deliveries.retry(caller(webhook.user_id), webhook.webhook_id, record.delivery_id)
    world.run()
    assert (refused, len(world.receivers.log)) == (6, 2)
    assert (world.delivery().status, len(world.delivery().attempts)) == ("delivered", 2)


def test_when_the_outcome_is_there_it_can_be_sent_once_more() -> None:
    world = World()
    api, webhook = failed(world)
    for expected in (2, 3):
        api.deliveries.retry(caller(webhook.user_id), webhook.webhook_id, world.delivery().delivery_id)
        world.run()
        assert len(world.receivers.log) == expected


@pytest.mark.parametrize("waits_ms", [0, CLAIMED_MS])
def test_a_retry_that_could_not_be_sent_leaves_the_delivery_as_it_was(waits_ms: int) -> None:
    world = World()
    api, webhook = failed(world)
    before = world.delivery()

    def fail(messages: Sequence[tuple[DeliveryMessage, int]]) -> None:
        raise RuntimeError("cut off") if waits_ms else Unavailable("SQS is away")

    with pytest.raises((Unavailable, RuntimeError)):
        replayer_with(api, world, fail).send_again(before, webhook, "{}")
    left = world.delivery()
    assert replace(left, revision=before.revision, writer=before.writer) == before
    world.clock.advance_to(world.clock.ms + waits_ms)
    api.deliveries.retry(caller(webhook.user_id), webhook.webhook_id, before.delivery_id)
    world.run()
    assert (len(world.receivers.log), world.delivery().status) == (2, "delivered")

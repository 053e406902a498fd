"""Events for many webhooks, many in one batch: no invocation takes longer than it has, and nobody waits for them."""

from collections import Counter

import pytest

from tests.fakes.world import World, event
from webhooks.events import ingestion

INVOCATION_MS = 60_000


class Slowly:
    """Each call that sends messages takes so long, and Lambda ends an invocation that has no time left."""

    def __init__(self, call_seconds: float) -> None:
        self._call_seconds = call_seconds
        self.world: World | None = None
        self.began_ms = 0

    def __call__(self, call: str) -> str | None:
        if self.world is None or call != "sqs.send_message_batch":
            return None
        self.world.clock.sleep(self._call_seconds)
        return "crash_before" if self.world.clock.ms - self.began_ms > INVOCATION_MS else None


def crowd(webhooks: int, call_seconds: float) -> tuple[World, Slowly]:
    """A workspace with many webhooks that hear everything, and another one with one."""
    slowly = Slowly(call_seconds)
    world = World(plan=slowly)
    for number in range(webhooks):
        world.owners.register(f"wide{number}")
    world.owners.register("narrow", workspace_id=2)
    slowly.world = world
    return world, slowly


def ingest_all(world: World, slowly: Slowly) -> Counter[tuple[str, str]]:
    """Batch after batch. Fails where Lambda would end an invocation. How often each delivery was sent."""
    while (moment := world.sqs.next_visible_ms(world.ingest_queue)) is not None:
        world.clock.advance_to(max(moment, world.clock.ms))
        slowly.began_ms = world.clock.ms
        world.poll("ingest")
    assert not world.messages(world.ingest_dead_letter_queue)
    return Counter((each.attributes["meta"]["StringValue"], each.body) for each in world.messages(world.delivery_queue))


@pytest.mark.parametrize(
    ("webhooks", "events_a_request"), [pytest.param(60, 10, id="many events"), pytest.param(520, 1, id="many pages")]
)
def test_a_batch_with_more_deliveries_than_an_invocation_has_time_for_sends_each_once(
    webhooks: int, events_a_request: int
) -> None:
    world, slowly = crowd(webhooks, call_seconds=0.2)
    for request in range(10):
        world.publish(*[event(f"e{request}-{number}") for number in range(events_a_request)])
    sent = ingest_all(world, slowly)
    assert len(sent) == 10 * events_a_request * webhooks
    assert set(sent.values()) == {1}


def test_an_event_for_one_webhook_is_sent_before_those_for_many_in_its_batch() -> None:
    world, slowly = crowd(webhooks=60, call_seconds=0.1)
    for request in range(9):
        world.publish(*[event(f"e{request}-{number}") for number in range(10)])
    world.publish(event("mine", workspace_id=2))
    started = slowly.began_ms = world.clock.ms
    world.poll("ingest")
    (mine,) = [each for each in world.messages(world.delivery_queue) if '"mine"' in each.body]
    assert mine.sent_at_ms - started <= 100


def test_a_page_that_the_table_refuses_goes_on_when_an_operator_sends_the_event_back() -> None:
    faults: list[str] = []
    world = World(plan=lambda call: faults.pop() if faults and call == "dynamodb.batch_execute_statement" else None)
    for number in range(ingestion.PAGE + 3):
        world.owners.register(f"w{number}")
    world.publish(event("first"), event("e1"), event("e2"))
    world.poll("ingest")
    faults += ["statement_refused"]
    world.work()
    refused = world.messages(world.ingest_dead_letter_queue)
    assert {each.attributes["reason"]["StringValue"] for each in refused} == {"the table refused the event's item"}
    for each in refused:
        world.send_raw(world.ingest_queue, each.body)
    world.run()
    assert Counter(each.event_id for each in world.receivers.log) == dict.fromkeys(
        ("first", "e1", "e2"), ingestion.PAGE + 3
    )


def test_an_event_whose_next_page_cannot_be_asked_for_comes_again() -> None:
    sends = 0

    def plan(call: str) -> str | None:
        nonlocal sends
        sends += call == "sqs.send_message_batch"
        return "no_connection" if 50 < sends < 60 and call == "sqs.send_message_batch" else None

    world = World(plan=plan)
    for number in range(ingestion.PAGE + 3):
        world.owners.register(f"w{number}")
    world.publish(event("e1"))
    world.poll("ingest")
    assert len(world.messages(world.delivery_queue)) == ingestion.PAGE
    assert len(world.messages(world.ingest_queue)) == 1
    sends = 60
    world.run()
    assert len({each.url for each in world.receivers.log}) == ingestion.PAGE + 3

"""One bad event, row or minute costs ingestion only itself, and what waits comes again soon."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.owners import url_of
from tests.fakes.sqs import FakeQueue
from tests.fakes.world import TABLE, World, event
from webhooks.events.ingest_messages import document_of
from webhooks.matching.compiled_routes import CompiledRoutes, Outcome
from webhooks.store import schema

HOUR_MS = 3_600_000


class Outage:
    """A fault at all calls whose names begin so, while it is on."""

    def __init__(self, calls: str, fault: str = "no_connection") -> None:
        self.calls, self.fault = calls, fault
        self.is_on = False

    def __call__(self, call: str) -> str | None:
        return self.fault if self.is_on and call.startswith(self.calls) else None


def spoil(world: World, prefix: str, change: Callable[[dict[str, Any]], None], pk: str = "") -> None:
    """Write the only such item as another version, or nobody, would."""
    (item,) = [each for each in world.items(prefix) if each["pk"]["S"].startswith(pk)]
    change(item)
    world.dynamodb.put_item(TableName=TABLE, Item=item)


def heard(world: World, name: str) -> list[str]:
    return [seen.event_id for seen in world.receivers.log if seen.url == url_of(name)]


def reasons(queue: FakeQueue) -> list[str]:
    return [each.attributes["reason"]["StringValue"] for each in queue.messages.values() if "reason" in each.attributes]


def test_a_route_that_cannot_be_read_costs_its_own_webhook_its_events_which_it_can_recover() -> None:
    world = World()
    bad, good = world.owners.register("bad"), world.owners.register("good")
    spoil(world, bad.webhook_id, lambda item: item.update(subscriptions={"S": "{"}), schema.route_pk("", "")[:5])
    world.publish(event("e1"))
    world.work()
    assert heard(world, "good") == ["e1"]
    (record,) = world.event_records()
    assert (record.queued, record.missed) == ((good.webhook_id,), ((bad.webhook_id, "unreadable"),))


def test_a_route_s_columns_of_tomorrow_are_read_past() -> None:
    world = World()
    webhook = world.owners.register("one")

    def grow(item: dict[str, Any]) -> None:
        rows = [[*row, "a", {"b": 1}] for row in json.loads(item["subscriptions"]["S"])]
        item["subscriptions"] = {"S": json.dumps(rows)}

    spoil(world, webhook.webhook_id, grow, schema.route_pk("", "")[:5])
    world.publish(event("e1"))
    world.work()
    assert heard(world, "one") == ["e1"]


def test_a_namesake_that_cannot_be_read_costs_its_event_alone() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.work()
    spoil(world, "", lambda item: item.pop("token"), schema.event_pk(""))
    world.publish(event("e1"))
    world.publish(event("e2"))
    world.work("ingest")
    world.work("sender")
    assert heard(world, "one") == ["e1", "e2"]
    assert len(world.messages(world.ingest_queue)) == 1


@pytest.mark.parametrize("fault", ["partial", "statement_refused"])
def test_an_event_that_the_table_does_not_take_costs_no_other(fault: str) -> None:
    outage = Outage("dynamodb.batch_execute_statement", fault)
    world = World(plan=outage)
    world.owners.register("one")
    for number in range(4):
        world.publish(event(f"e{number}"))
    outage.is_on = True
    world.poll("ingest")
    outage.is_on = False
    world.work("sender")
    at_once = len(world.receivers.log)
    assert at_once >= 2
    world.run()
    refused = reasons(world.ingest_dead_letter_queue)
    assert len(world.receivers.log) + len(refused) == 4
    assert refused == ([] if fault == "partial" else ["the table refused the event's item"] * 2)


def test_an_event_that_is_recorded_already_is_finished_although_the_table_refuses_it_anew() -> None:
    fault = Outage("sqs.send_message_batch")
    world = World(plan=fault)
    world.owners.register("one")
    world.publish(event("e1"))
    fault.is_on = True
    world.poll("ingest")
    assert (len(world.event_records()), heard(world, "one")) == (1, [])
    fault.calls, fault.fault = "dynamodb.batch_execute_statement", "statement_refused"
    world.clock.sleep(HOUR_MS // 1000)
    world.poll("ingest")
    fault.is_on = False
    world.run()
    assert heard(world, "one") == ["e1"]
    assert not reasons(world.ingest_dead_letter_queue)


def test_an_event_whose_messages_are_not_taken_costs_no_other() -> None:
    outage = Outage("sqs.send_message_batch", "partial")
    world = World(plan=outage)
    for number in range(2):
        world.owners.register(f"w{number}")
    world.publish(event("both"))
    world.publish(event("none", workspace_id=2), event("none-2", workspace_id=2))
    outage.is_on = True
    world.poll("ingest")
    outage.is_on = False
    (left,) = world.messages(world.ingest_queue)
    assert "both" in left.body
    world.run()
    assert heard(world, "w0") == heard(world, "w1") == ["both"]


def test_what_the_time_left_does_not_allow_comes_again_soon_and_nothing_of_it_is_recorded() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.services.contexts["ingest"].remaining_ms = 10_000
    world.poll("ingest")
    assert world.event_records() == []
    world.services.contexts["ingest"].remaining_ms = 60_000
    world.run(for_ms=20_000)
    assert heard(world, "one") == ["e1"]


def test_after_a_minute_s_outage_events_flow_again_within_a_minute() -> None:
    outage = Outage("dynamodb")
    world = World(plan=outage)
    world.owners.register("one")
    for number in range(20):
        world.publish(event(f"e{number}"))
    outage.is_on = True
    world.run(for_ms=60_000)
    outage.is_on = False
    world.run(for_ms=60_000)
    assert len(world.receivers.log) == 20


def test_an_outage_of_hours_sends_nothing_to_the_dead_letter_queue_and_keeps_tenants_apart() -> None:
    outage = Outage("dynamodb")
    world = World(plan=outage)
    world.owners.register("one")
    entry = {"Id": "0", "MessageBody": json.dumps({"token": "t", "events": [event("e1")]}), "MessageGroupId": "tenant"}
    world.sqs.send_message_batch(QueueUrl=world.ingest_queue.url, Entries=[entry])
    outage.is_on = True
    world.run(for_ms=9 * HOUR_MS)
    assert [message.group for message in world.messages(world.ingest_queue)] == ["tenant"]
    assert not world.messages(world.ingest_dead_letter_queue)
    outage.is_on = False
    world.run(for_ms=400_000)
    assert heard(world, "one") == ["e1"]


def test_an_event_that_was_perhaps_recorded_is_finished_by_its_own_message() -> None:
    """A copy of the message may be told from it by its id alone, and would be taken for another one's repeat."""
    outage = Outage("dynamodb.batch_execute_statement", "lost_answer")
    world = World(plan=outage)
    world.owners.register("one")
    world.send_raw(world.ingest_queue, json.dumps({"detail-type": "record.created", "detail": event("e1")}))
    outage.is_on = True
    world.work("ingest")
    outage.is_on = False
    world.run()
    assert heard(world, "one") == ["e1"]


def test_an_event_that_always_brings_out_a_fault_ends_in_the_dead_letter_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    match = CompiledRoutes.match

    def faulty(self: CompiledRoutes, payload: Any, **others: Any) -> Outcome:
        if payload["id"] == "bad":
            raise ZeroDivisionError
        return match(self, payload, **others)

    monkeypatch.setattr(CompiledRoutes, "match", faulty)
    world = World()
    world.owners.register("one")
    world.publish(event("bad"))
    world.publish(event("good"))
    world.run(for_ms=2 * HOUR_MS)
    assert heard(world, "one") == ["good"]
    (dead,) = world.messages(world.ingest_dead_letter_queue)
    assert "bad" in dead.body


def test_a_message_that_always_brings_out_a_fault_ends_in_the_dead_letter_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faulty(body: str) -> Any:
        if "bad" in body:
            raise ZeroDivisionError
        return document_of(body)

    monkeypatch.setattr("webhooks.events.ingestion.document_of", faulty)
    world = World()
    world.owners.register("one")
    world.publish(event("bad"))
    world.publish(event("good"))
    world.run()
    assert heard(world, "one") == ["good"]
    (dead,) = world.messages(world.ingest_dead_letter_queue)
    assert "bad" in dead.body

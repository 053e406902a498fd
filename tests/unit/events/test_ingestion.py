"""Ingestion over the fakes: recorded decisions, crashes, duplicates, fan-out, and messages that nobody can read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.fakes.event_source import Crash
from tests.fakes.owners import url_of
from tests.fakes.sqs import Message
from tests.fakes.world import World, event
from webhooks.ids import delivery_id
from webhooks.matching.compiled_routes import CompiledRoutes, Outcome
from webhooks.payload import MAX_EVENT_BYTES


class Once:
    """A fault at the nth call of this name, and never again."""

    def __init__(self, call: str, fault: str, nth: int = 1) -> None:
        self.call, self.fault, self.left = call, fault, nth

    def __call__(self, call: str) -> str | None:
        if call == self.call and self.left:
            self.left -= 1
            return self.fault if self.left == 0 else None
        return None


def test_an_event_is_recorded_with_the_webhooks_that_it_is_queued_for_and_why_not_for_the_others() -> None:
    world = World()
    hears = world.owners.register("hears")
    filtered = world.owners.register("filtered", filters={"fields": {"name": "Bob"}})
    inactive = world.owners.register("inactive", status="inactive")
    other = world.owners.register("other", event_types=("table.created",))
    world.publish(event("e1"))
    world.work("ingest")
    (record,) = world.event_records()
    assert record.queued == (hears.webhook_id,)
    assert record.missed == ((inactive.webhook_id, "inactive"),)
    assert record.skipped_counts == {"filtered": 1}
    assert record.skipped_first == ((filtered.webhook_id, "filtered"),)
    assert other.webhook_id not in str(record)  # a webhook that never asked for this type is nothing to speak of
    assert record.accepted_at_ms == world.clock.ms


def test_a_crash_between_recording_and_sending_is_finished_from_the_record_and_not_from_newer_subscriptions() -> None:
    world = World(plan=Once("sqs.send_message_batch", "crash_before"))
    first = world.owners.register("first")
    world.publish(event("e1"))
    with pytest.raises(Crash):
        world.poll("ingest")
    assert not world.messages(world.delivery_queue)
    world.functions.restart("ingest")
    world.owners.register("later")
    world.run()
    (record,) = world.event_records()
    assert record.queued == (first.webhook_id,)
    assert [seen.webhook_id for seen in world.receivers.log] == [first.webhook_id]


def test_an_event_id_again_in_its_scope_makes_no_second_delivery() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1", data={"n": 1}))
    world.work()
    world.publish(event("e1", data={"n": 2}))
    world.publish(event("e1"), event("e1"))
    world.put_event(event("e1"))
    world.work("ingest")
    assert world.messages(world.delivery_queue) == []
    world.run()
    assert len(world.receivers.log) == 1
    assert len(world.event_records()) == 1


def test_the_same_event_id_in_another_scope_is_another_event() -> None:
    world = World()
    world.owners.register("one", workspace_id=1)
    world.owners.register("two", workspace_id=2)
    world.publish(event("e1", workspace_id=1), event("e1", workspace_id=2))
    world.run()
    assert {seen.url for seen in world.receivers.log} == {url_of("one"), url_of("two")}
    assert len(world.event_records()) == 2


def test_nobody_s_event_is_dropped_because_somebody_else_took_its_id_first() -> None:
    """A co-member guesses an id and publishes under it beforehand. Receivers must not take the two for one either."""
    world = World()
    world.owners.register("one", workspace_id=1)
    claimed = event("order-1", workspace_id=1, user_id=66, data={"n": "claimed"})
    world.publish(claimed, publisher="user")
    world.work()
    for real, publisher in (
        (event("order-1", workspace_id=1, user_id=7, data={"n": "user"}), "user"),
        (event("order-1", workspace_id=1, user_id=66, data={"n": "platform"}), "platform"),
    ):
        world.publish(real, publisher=publisher)
        world.publish(real, publisher=publisher)  # a repeat is a repeat all the same
    world.put_event(event("order-1", workspace_id=1, data={"n": "platform, again, on the bus"}))
    world.run()
    bodies = [json.loads(seen.body) for seen in world.receivers.log]
    assert sorted(each["data"]["n"] for each in bodies) == ["claimed", "platform", "user"]
    ids = [each["id"] for each in bodies]
    assert ids == [seen.headers["webhook-id"] for seen in world.receivers.log]
    assert len(set(ids)) == 3
    assert [each for each in ids if not each.startswith("own_")] == ["order-1"]


def test_an_event_with_an_id_of_its_own_keeps_its_numbers_as_they_were_written() -> None:
    world = World()
    world.owners.register("one", workspace_id=1)
    world.publish(event("e1", workspace_id=1, user_id=66), publisher="user")
    world.work()
    body = '{"id":"e1","type":"record.created","workspace_id":1,"user_id":7,"data":{"n":1.10}}'
    message = f'{{"token":"t","publisher":"user","events":[{body}]}}'
    world.sqs.send_message_batch(QueueUrl=world.ingest_queue.url, Entries=[{"Id": "0", "MessageBody": message}])
    world.run()
    assert b'"data":{"n":1.10}' in world.receivers.log[-1].body


def test_an_id_for_what_was_taken_cannot_be_taken_itself() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("own_" + "0" * 26), publisher="user")
    world.run()
    assert world.event_records() == []
    assert "must not begin with own_" in str(world.messages(world.ingest_dead_letter_queue))


def test_a_crash_after_an_event_got_an_id_of_its_own_is_finished() -> None:
    world = World(plan=Once("sqs.send_message_batch", "crash_before", nth=2))
    world.owners.register("one", workspace_id=1)
    world.publish(event("e1", workspace_id=1, user_id=66), publisher="user")
    world.work("ingest")
    world.publish(event("e1", workspace_id=1, user_id=7), publisher="user")
    with pytest.raises(Crash):
        world.poll("ingest")
    world.functions.restart("ingest")
    world.run()
    assert len({seen.headers["webhook-id"] for seen in world.receivers.log}) == 2
    assert len(world.event_records()) == 2


def test_what_an_older_version_took_is_known_by_its_former_id() -> None:
    """A request that is repeated across the upgrade. What somebody else has put under that id since does not count."""
    world = World()
    world.owners.register("one", workspace_id=1)
    world.publish(event("former", workspace_id=1, user_id=7), token="pub_of-an-older-version")
    world.work()
    world.publish(event("now", workspace_id=1, user_id=7), publisher="user", former_ids=["former"])
    world.run()
    assert [seen.headers["webhook-id"] for seen in world.receivers.log] == ["former"]
    world.publish(event("guessed", workspace_id=1, user_id=66), publisher="user")
    world.work()
    world.publish(event("other", workspace_id=1, user_id=7), publisher="user", former_ids=["guessed"])
    world.run()
    assert [seen.headers["webhook-id"] for seen in world.receivers.log] == ["former", "guessed", "other"]


@pytest.mark.parametrize("former_ids", ["former", [1], [], ["a", "b"], ["a.b"], {"a": 1}])
def test_former_ids_that_make_no_sense_count_for_nothing(former_ids: object) -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"), former_ids=former_ids, publisher=former_ids)
    world.run()
    assert [seen.headers["webhook-id"] for seen in world.receivers.log] == ["e1"]


def test_an_expired_namesake_does_not_stand_in_an_event_s_way() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.run()
    world.clock.advance_to(world.clock.ms + 31 * 86_400_000)
    world.publish(event("e1"), event("neighbour"))
    assert world.poll("ingest") == 1
    assert not world.messages(world.ingest_queue)  # at once, and not when the batch becomes visible again
    world.run()
    assert [seen.headers["webhook-id"] for seen in world.receivers.log] == ["e1", "e1", "neighbour"]


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer", "throttled", "repeated"])
@pytest.mark.parametrize("nth", range(1, 7))
def test_an_expired_namesake_is_replaced_once_whatever_fails(fault: str, nth: int) -> None:
    once = Once("dynamodb.batch_execute_statement", "", 0)
    world = World(plan=once)
    world.owners.register("one")
    world.publish(event("e1"))
    world.run()
    world.clock.advance_to(world.clock.ms + 31 * 86_400_000)
    once.fault, once.left = fault, nth
    world.publish(event("e1"))
    world.run()
    assert [seen.headers["webhook-id"] for seen in world.receivers.log].count("e1") >= 2
    assert len(world.event_records()) == 1


@pytest.mark.parametrize(
    "time",
    ["9999-12-31T23:59:59-2359", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", None],
)
def test_an_envelope_s_time_is_no_fault_of_its_event_or_of_the_others(time: str | None) -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("before"))
    envelope = {"id": "i1", "detail-type": "record.created", "time": time, "detail": event("e1")}
    world.send_raw(world.ingest_queue, json.dumps(envelope))
    world.publish(event("after"))
    assert world.poll("ingest") == 3
    assert not world.messages(world.ingest_queue)
    world.run()
    assert sorted(seen.headers["webhook-id"] for seen in world.receivers.log) == ["after", "before", "e1"]
    assert {record.accepted_at_ms // 86_400_000 for record in world.event_records()} == {world.clock.ms // 86_400_000}


def test_a_delivery_s_id_is_derived_from_the_event_and_the_webhook() -> None:
    world = World()
    webhook = world.owners.register("one")
    world.publish(event("e1"))
    world.run()
    (record,) = world.event_records()
    expected = delivery_id(record.accepted_at_ms, "ws:1", "e1", webhook.webhook_id)
    assert world.delivery().delivery_id == expected
    assert world.receivers.log[0].delivery_id == expected


def test_an_event_without_an_id_gets_the_same_one_each_time_its_message_comes() -> None:
    world = World(plan=Once("sqs.send_message_batch", "crash_after"))
    world.owners.register("one")
    world.put_event(event())
    with pytest.raises(Crash):
        world.poll("ingest")
    world.run()
    assert len({seen.headers["webhook-id"] for seen in world.receivers.log}) == 1
    assert len(world.event_records()) == 1


def test_an_event_that_eventbridge_hands_over_twice_is_one_event_though_it_has_no_id() -> None:
    world = World()
    world.owners.register("one")
    world.put_event(event())
    (message,) = world.messages(world.ingest_queue)
    world.clock.advance_to(world.clock.ms + 1_700)  # EventBridge tries again when the queue's answer gets lost
    world.send_raw(world.ingest_queue, message.body)
    world.run()
    assert len(world.receivers.log) == 1


def test_the_body_travels_byte_for_byte() -> None:
    world = World()
    world.owners.register("one")
    text = "ä€😀 \\u0041 \ufffe\uffff\x01\x7f </script> \u2028"
    world.publish(event("e1", data={"b": 1.50, "a": text, "big": 12345678901234567890}))
    world.run()
    (record,), (seen,) = world.event_records(), world.receivers.log
    assert seen.body == record.body
    assert json.loads(seen.body)["data"] == {"b": 1.5, "a": text, "big": 12345678901234567890}
    assert list(json.loads(seen.body)) == [
        "id", "type", "resource_id", "workspace_id", "user_id", "timestamp", "data", "metadata",
    ]  # fmt: skip


def test_an_unknown_event_type_is_recorded_as_such() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1", "record.exploded"))
    world.run()
    (record,) = world.event_records()
    assert record.skipped_counts == {"unknown_event_type": 1}
    assert not world.receivers.log


def test_an_event_of_a_user_reaches_the_user_s_webhooks_without_a_workspace_too() -> None:
    world = World()
    world.owners.register("workspace", user_id=8)
    world.owners.register("personal", workspace_id=None)
    world.owners.register("stranger", user_id=9, workspace_id=None)
    world.publish(event("e1", workspace_id=1, user_id=7))
    world.run()
    assert {seen.url for seen in world.receivers.log} == {url_of("workspace"), url_of("personal")}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"events": 5, "token": "t"}',
        '{"continue": 5}',
        '{"continue": {}}',
        '{"continue": {"event_id": "e", "scope": "s", "page": "x", "after": ""}}',
        '{"continue": {"event_id": "e", "scope": "s", "page": {}, "after": ""}}',
        '{"continue": {"event_id": "", "scope": "", "page": 1, "after": ""}}',
        "[" * 100_000,
        '{"detail": null, "detail-type": 5}',
        '{"token": "t", "events": [{"type": "record.created"}]}',
        '{"token": "t", "events": [NaN]}',
        '{"token": "t", "events": [{"type": "record.created", "user_id": 7, "data": {"a": 1e-400}}]}',
        '{"token": "t", "events": [{"type": "record.created", "user_id": 7, "metadata": {"a": 1e999}}]}',
        f'{{"id": "i", "detail-type": "record.created", "detail": {{"user_id": 7, "data": {{"a": {"9" * 400}}}}}}}',
        json.dumps(
            {"id": "i", "detail-type": "record.created", "detail": event("e1", timestamp="2024-01-01T12:00:00+0200")}
        ),
        json.dumps({"token": "t", "events": [event("e1", timestamp="20240101T120000Z")]}),
        json.dumps({"token": "", "events": [event("e1")]}),
        json.dumps({"events": [event("e1")]}),
        json.dumps({"token": "t", "events": [event(f"e{n}") for n in range(101)]}),
        json.dumps({"token": "t" * 500_000, "events": [event("e1")]}),
        json.dumps({"id": "i" * 500_000, "detail-type": "record.created", "detail": event("e1")}),
    ],
)
def test_a_poison_message_is_put_aside_with_a_reason_and_costs_its_neighbours_nothing(body: str) -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("before"))
    world.send_raw(world.ingest_queue, body or " ")
    world.publish(event("after"))
    assert world.poll("ingest") == 3
    assert not world.messages(world.ingest_queue)
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    assert put_aside.attributes["reason"]["StringValue"]
    world.run()
    assert {seen.headers["webhook-id"] for seen in world.receivers.log} == {"before", "after"}


def test_one_bad_event_of_a_message_costs_the_others_nothing() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("good"), {"type": "record.created", "nonsense": True}, event("fine"))
    world.run()
    assert {seen.headers["webhook-id"] for seen in world.receivers.log} == {"good", "fine"}
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    assert "nonsense" in put_aside.body


def test_a_subscription_that_was_answered_sees_the_next_event() -> None:
    world = World()
    webhook = world.owners.register("one", event_types=("table.created",))
    world.publish(event("e1"))
    world.run()
    world.owners.subscribe(webhook, "record.*")
    world.publish(event("e2"))
    world.run()
    assert [seen.headers["webhook-id"] for seen in world.receivers.log] == ["e2"]


def test_an_event_for_more_than_five_hundred_webhooks_goes_on_in_further_messages() -> None:
    world = World()
    webhooks = {world.owners.register(f"w{number}").webhook_id for number in range(1_001)}
    inactive = {world.owners.register(f"x{number}", status="inactive").webhook_id for number in range(20)}
    world.publish(event("e1"))
    world.work("ingest")
    records = world.event_records()
    assert len(records) == 3
    assert all(len(record.queued) + len(record.missed) <= 500 for record in records)
    world.run()
    reached = [seen.webhook_id for seen in world.receivers.log]
    assert sorted(reached) == sorted(webhooks)
    assert sorted(w for record in records for w, _ in record.missed) == sorted(inactive)
    assert len({seen.body for seen in world.receivers.log}) == 1
    queued = [webhook_id for record in world.event_records() for webhook_id in record.queued]
    assert len(queued) == len(set(queued))


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer", "repeated", "partial", "throttled"])
def test_a_fan_out_cut_off_anywhere_reaches_every_webhook_in_the_end(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhooks.events.ingestion.PAGE", 5)
    for nth in range(1, 7):
        world = World(plan=Once("sqs.send_message_batch", fault, nth))
        webhooks = {world.owners.register(f"w{number}").webhook_id for number in range(13)}
        world.publish(event("e1"))
        world.run()
        assert {seen.webhook_id for seen in world.receivers.log} == webhooks
        assert all(record.status == "delivered" for record in world.deliveries())
        assert len(world.event_records()) == 3


def test_messages_of_one_owner_share_a_group_and_those_of_others_do_not() -> None:
    world = World()
    world.owners.register("a", user_id=7)
    world.owners.register("b", user_id=7)
    world.owners.register("c", user_id=8)
    world.publish(event("e1"))
    world.work("ingest")
    groups = [message.group for message in world.messages(world.delivery_queue)]
    assert len(groups) == 3
    assert len(set(groups)) == 2
    assert None not in groups


def test_throttling_is_ours_to_retry_and_costs_no_event() -> None:
    world = World(partition_writes=3)
    world.owners.register("one")
    for number in range(30):
        world.publish(event(f"e{number}"))
    world.run()
    assert {seen.headers["webhook-id"] for seen in world.receivers.log} == {f"e{number}" for number in range(30)}


def test_a_platform_s_own_message_is_delivered_once_however_often_it_is_sent() -> None:
    world = World()
    world.owners.register("one")
    for _ in range(3):
        world.publish(event("e1"), event("e2"), token="order-4711")
        world.run()
    assert sorted(seen.headers["webhook-id"] for seen in world.receivers.log) == ["e1", "e2"]


def test_events_of_one_message_without_ids_are_as_many_events() -> None:
    world = World()
    world.owners.register("one")
    unnamed = {name: value for name, value in event("e1").items() if name != "id"}
    world.publish(unnamed, unnamed, unnamed, token="order-4711")
    world.run()
    assert len({seen.headers["webhook-id"] for seen in world.receivers.log}) == 3


def test_an_event_of_eventbridge_has_the_type_of_its_envelope_unless_it_names_one() -> None:
    world = World()
    world.owners.register("one")
    envelope = {"id": "x", "time": "2025-10-09T08:00:00Z", "detail-type": "record.created"}
    untyped = {name: value for name, value in event("e1").items() if name != "type"}
    for detail in (untyped, event("e2", "table.created")):
        world.send_raw(world.ingest_queue, json.dumps({**envelope, "detail": detail}))
    world.run()
    assert {seen.event_id: seen.event_type for seen in world.receivers.log} == {
        "e1": "record.created",
        "e2": "table.created",
    }


def test_an_event_that_is_too_large_is_put_aside_and_costs_its_neighbours_nothing() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("large", data={"text": "x" * MAX_EVENT_BYTES}), event("fine"))
    world.run()
    assert {seen.headers["webhook-id"] for seen in world.receivers.log} == {"fine"}
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    assert f"at most {MAX_EVENT_BYTES}" in put_aside.attributes["reason"]["StringValue"]


CONTINUED = json.dumps({"continue": {"event_id": "e1", "scope": "ws:1", "page": 1, "after": "wh_0"}})


def test_what_continues_an_event_that_is_gone_is_put_aside() -> None:
    world = World()
    world.send_raw(world.ingest_queue, CONTINUED)
    world.run()
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    assert "is gone" in put_aside.attributes["reason"]["StringValue"]


def test_what_continues_an_event_that_cannot_be_read_now_comes_again() -> None:
    world = World(plan=lambda call: "throttled" if call == "dynamodb.batch_get_item" else None)
    world.send_raw(world.ingest_queue, CONTINUED)
    assert world.poll("ingest") == 1
    assert len(world.messages(world.ingest_queue)) == 1
    assert not world.messages(world.ingest_dead_letter_queue)


def test_a_fault_of_ours_that_one_event_brings_out_costs_its_neighbours_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    match = CompiledRoutes.match

    def faulty(self: CompiledRoutes, payload: Mapping[str, object], **more: Any) -> Outcome:
        if payload["id"] == "bad":
            raise ZeroDivisionError
        return match(self, payload, **more)

    monkeypatch.setattr(CompiledRoutes, "match", faulty)
    world = World()
    world.owners.register("one")
    for event_id in ("fine", "bad", "good"):
        world.publish(event(event_id))
    world.work("ingest")
    assert [json.loads(each.body)["events"][0]["id"] for each in world.messages(world.ingest_queue)] == ["bad"]
    world.work()
    assert {seen.headers["webhook-id"] for seen in world.receivers.log} == {"fine", "good"}


class Cpu:
    """A thread's CPU by the questions for it: each check of a match takes 4 ms, and `wall_ms` by the clock."""

    def __init__(self, wall_ms: int = 0) -> None:
        self.seconds, self.step, self.wall_ms = 0.0, 0.004, wall_ms
        self.world = World(cpu_seconds=self)

    def __call__(self) -> float:
        self.seconds += self.step
        self.world.clock.ms += self.wall_ms
        return self.seconds


def searching(world: World, searches: int) -> None:
    """A webhook in workspace 1 that hears of texts with any of so many words, of which each takes a check."""
    for number in range(0, searches, 16):
        words = [
            {"field": "text", "operator": "contains", "value": f"word {each}"} for each in range(number, number + 16)
        ]
        world.owners.register(f"w{number}", filters={"conditions": {"operator": "or", "rules": words}})


def ids_of(messages: Sequence[Message]) -> list[str]:
    return [json.loads(each.body)["id"] for each in messages]


def test_an_event_that_takes_long_to_match_goes_out_after_those_beside_it() -> None:
    world = Cpu().world
    searching(world, 96)
    world.owners.register("stranger", workspace_id=2)
    world.publish(event("slow", data={"fields": {"text": "word 1" + "." * 10_000}}))
    world.publish(event("quick", workspace_id=2))
    world.poll("ingest")
    assert ids_of(world.messages(world.delivery_queue)) == ["quick", "slow"]
    assert not world.messages(world.ingest_queue)
    assert not world.messages(world.ingest_dead_letter_queue)


def test_an_event_that_takes_too_long_even_alone_is_put_aside_with_the_reason_and_costs_nobody_else_anything() -> None:
    world = Cpu().world
    searching(world, 480)
    world.owners.register("stranger", workspace_id=2)
    world.publish(event("endless", data={"fields": {"text": "." * 10_000}}), event("quick", workspace_id=2))
    world.poll("ingest")
    assert ids_of(world.messages(world.delivery_queue)) == ["quick"]
    assert not world.messages(world.ingest_queue), "it does not come again"
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    assert "takes more than 0.6 s" in put_aside.attributes["reason"]["StringValue"]
    assert json.loads(put_aside.body)["events"][0]["id"] == "endless"


def test_what_was_put_aside_goes_its_way_when_it_is_sent_again_after_its_filters_were_changed() -> None:
    cpu = Cpu()
    world = cpu.world
    searching(world, 480)
    world.publish(event("endless", data={"fields": {"text": "word 1." * 2_000}}))
    world.poll("ingest")
    (put_aside,) = world.messages(world.ingest_dead_letter_queue)
    cpu.step = 0.0
    world.send_raw(world.ingest_queue, put_aside.body)
    world.poll("ingest")
    assert set(ids_of(world.messages(world.delivery_queue))) == {"endless"}


def test_slow_events_are_handed_back_while_there_is_time_to_record_what_was_done() -> None:
    world = Cpu(wall_ms=100).world
    searching(world, 96)
    for number in range(5):
        world.publish(event(f"slow{number}", data={"fields": {"text": "word 1" + "." * 10_000}}))
    began = world.clock.ms
    world.poll("ingest")
    assert world.clock.ms - began < 60_000
    assert 0 < len(world.event_records()) < 5
    assert len(world.messages(world.ingest_queue)) == 5 - len(world.event_records())


def test_a_delivery_that_waits_is_sent_though_its_subscription_is_deleted() -> None:
    world = World()
    webhook = world.owners.register("one", event_types=(), status="paused")
    subscription = world.owners.subscribe(webhook, "*")
    world.publish(event("e1"))
    world.work("ingest", "sender")
    world.owners.unsubscribe(webhook, subscription)
    world.publish(event("e2"))
    world.work("ingest", "sender")
    world.owners.change(webhook, status="active")
    world.run()
    assert [seen.event_id for seen in world.receivers.log] == ["e1"]

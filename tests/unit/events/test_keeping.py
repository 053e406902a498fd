"""Payloads that are not kept as they were sent: receivers get all of them, and nothing else is left once they have."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.event_source import Crash
from tests.fakes.owners import caller, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import TABLE, World, event
from tests.simulation.readable import texts
from webhooks.delivery.attempt_detail import details_in
from webhooks.errors import Conflict, Invalid
from webhooks.events.keeping import kept
from webhooks.events.validation import normalise
from webhooks.messages import DeliveryMessage
from webhooks.models.caller import Caller
from webhooks.models.keeping import Keeping, days_of, is_whole
from webhooks.models.replay import ReplaySelection
from webhooks.payload import loads, serialise

DAY_MS = 86_400_000
STRIKES = 20  # more than a call is repeated by itself
PLATFORM = Caller("platform", frozenset(), frozenset({"events:write:any"}))
DATA = {"fields": {"name": "Ann", "email": "SECRET"}}
GONE: dict[str, Any] = {"retention_days": 0}
PART: dict[str, Any] = {"redact": ["email"]}
WAYS = pytest.mark.parametrize("keeping", [GONE, PART], ids=["not kept", "redacted"])


def readable(world: World) -> list[tuple[str, str]]:
    """Where in the table SECRET is."""
    items = world.dynamodb.tables[TABLE].all_items()
    return [key for key, item in items if any("SECRET" in text for text in texts(item))]


def one(world: World, *answers: Answer | int, **fields: Any) -> Any:
    webhook = world.owners.register("one", **fields)
    world.receivers.echo = True
    if answers:
        world.receivers.script(url_of("one"), answers)
    return webhook


@WAYS
@pytest.mark.parametrize("door", ["queue", "bus", "api"])
def test_receivers_get_what_is_not_kept_once_they_have_it(door: str, keeping: dict[str, Any]) -> None:
    world = World()
    webhook = one(world)
    api = Api(world.services)
    document = event("e1", data=DATA, **keeping)
    if door == "api":
        api.publishing.publish(PLATFORM, document, None)
    elif door == "bus":
        world.put_event(document)
    else:
        world.publish(document)
    world.run()
    (seen,) = world.receivers.log
    assert json.loads(seen.body) == event("e1", data=DATA, metadata={})
    assert not readable(world)
    shown = api.use_cases.events.get(caller(7), "e1")
    fields = {"name": "Ann", "email": "redacted"}
    assert shown.payload == (None if keeping == GONE else event("e1", data={"fields": fields}, metadata={}))
    assert [each.record and each.record.status for each in shown.results] == ["delivered"]
    assert api.deliveries.get(caller(7), webhook.webhook_id, world.delivery().delivery_id).payload == shown.payload


@WAYS
def test_it_is_tried_until_it_is_delivered_wherever_it_waits(keeping: dict[str, Any]) -> None:
    world = World()
    webhook = one(world, 500, 500, 500, 500, 200)
    world.publish(event("e1", data=DATA, **keeping))
    world.run(for_ms=120_000)
    world.owners.change(webhook, status="paused")
    world.run(for_ms=DAY_MS)
    assert readable(world)
    world.owners.change(webhook, status="active")
    world.run()
    assert world.delivery().status == "delivered"
    assert {each.body for each in world.receivers.log} == {serialise(event("e1", data=DATA, metadata={}))}
    assert not readable(world)


@WAYS
@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "throttled"])
def test_a_dead_letter_keeps_it_until_it_is_delivered(fault: str, keeping: dict[str, Any]) -> None:
    struck: list[str] = []
    armed: list[bool] = []

    def plan(call: str) -> str | None:
        if not armed or call != "dynamodb.update_item" or len(struck) >= STRIKES:
            return None
        struck.append(call)
        return fault

    world = World(plan=plan)
    webhook = one(world, 500, 200, max_retries=0)
    world.publish(event("e1", data=DATA, **keeping))
    world.run()
    (letter,) = world.dead_letters()
    assert loads(letter.body)["data"] == DATA
    raw = Api(world.services)
    raw.dead_letters.replay(caller(7), webhook.webhook_id, letter.delivery_id)
    armed.append(True)
    world.run()
    assert struck, "what drops the payload was not struck"
    assert world.delivery().status == "delivered"
    assert not readable(world)
    (letter,) = world.dead_letters()
    assert letter.body == b""
    armed.clear()
    with pytest.raises(Conflict, match="no longer kept"):
        raw.dead_letters.replay(caller(7), webhook.webhook_id, letter.delivery_id)
    with pytest.raises(Conflict, match="publish its event anew"):
        raw.deliveries.retry(caller(7), webhook.webhook_id, letter.delivery_id)
    world.start_replay("rpl_1", webhook)
    world.run()
    assert len(world.receivers.log) == 2


def test_a_letter_that_is_kept_after_a_late_copy_was_delivered_loses_its_payload() -> None:
    world = World()
    one(world, 500, 200, max_retries=0)
    world.publish(event("e1", data=DATA, **GONE))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    world.work("sender")
    table = world.dynamodb.tables[TABLE]
    (dead,) = world.messages(world.dead_letter_queue)
    writes = table.write

    def late(key: tuple[str, str], new: Any, **more: Any) -> None:
        writes(key, new, **more)
        if key[1].startswith("dead#") and "payload" in new:
            item = table.get((key[0], key[1].replace("dead#", "dlv#")))
            writes((key[0], key[1].replace("dead#", "dlv#")), {**item, "status": {"S": "delivered"}})  # type: ignore[dict-item]

    table.write = late  # type: ignore[method-assign]
    world.work("dead_letter_writer")
    assert message.body == dead.body
    assert not readable(world)


@WAYS
def test_a_crash_between_recording_and_sending_loses_nothing_of_it(keeping: dict[str, Any]) -> None:
    faults = ["crash_before"]
    world = World(plan=lambda call: faults.pop() if faults and call == "sqs.send_message_batch" else None)
    one(world)
    world.publish(event("e1", data=DATA, **keeping))
    with pytest.raises(Crash):
        world.poll("ingest")
    world.functions.restart("ingest")
    assert world.event_records()
    world.run()
    assert [json.loads(each.body)["data"] for each in world.receivers.log] == [DATA]
    assert not readable(world)


@WAYS
def test_all_of_many_webhooks_get_it(keeping: dict[str, Any]) -> None:
    world = World()
    for number in range(501):
        world.owners.register(f"n{number}")
    world.publish(event("e1", data=DATA, **keeping))
    world.run()
    assert len(world.receivers.log) == 501
    assert {each.body for each in world.receivers.log} == {serialise(event("e1", data=DATA, metadata={}))}
    assert not readable(world)


@WAYS
def test_another_publisher_s_event_of_the_same_id_keeps_its_own_way(keeping: dict[str, Any]) -> None:
    world = World()
    one(world)
    world.publish(event("e1"), publisher="user")
    world.publish(event("e1", data=DATA, **keeping))
    world.run()
    assert [json.loads(each.body)["data"] for each in world.receivers.log][-1] == DATA
    assert not readable(world)


@WAYS
def test_what_a_webhook_missed_of_it_cannot_be_recovered(keeping: dict[str, Any]) -> None:
    world = World()
    webhook = one(world, status="inactive")
    world.publish(event("e1", data=DATA, **keeping), event("kept"))
    world.run()
    world.owners.change(webhook, status="active")
    Api(world.services).recovery.start(caller(7), webhook.webhook_id, ReplaySelection(from_ms=0), 100)
    world.run()
    assert [each.event_id for each in world.receivers.log] == ["kept"]
    assert not readable(world)


@WAYS
def test_a_repeat_of_it_is_dropped(keeping: dict[str, Any]) -> None:
    world = World()
    one(world)
    for _ in range(2):
        world.publish(event("e1", data=DATA, **keeping))
        world.run()
    assert len(world.receivers.log) == 1
    assert "fp" not in (world.item(("event|e1", "ws:1")) or {})


def test_an_event_and_its_dead_letters_are_kept_for_as_many_days_as_it_says() -> None:
    world = World()
    one(world, 500, max_retries=0)
    world.publish(event("e1", data=DATA, retention_days=3))
    world.run()
    begun_ms = world.clock.ms
    expiries = [
        int(item["expires_at"]["N"]) * 1000 for item in (*world.items("dead#"), world.item(("event|e1", "ws:1")) or {})
    ]
    assert all(abs(each - begun_ms - 3 * DAY_MS) < 60_000 for each in expiries)
    assert len(expiries) == 2
    assert readable(world)


def test_more_days_than_the_service_keeps_are_as_many_as_it_keeps() -> None:
    world = World()
    world.publish(event("e1", retention_days=3_000), event("e2"))
    world.run()
    assert len({item["expires_at"]["N"] for item in world.items("ws:1")}) == 1


def test_an_event_that_does_not_say_for_how_long_is_kept_for_event_days() -> None:
    world = World()
    world.functions.services = replace(world.services, variables={"EVENT_DAYS": "2"})
    one(world, 500, max_retries=0)
    world.publish(event("e1"), event("e2", retention_days=3), event("e3", retention_days=3_000))
    world.run()
    began_s = world.clock.ms // 1000
    kept_days = [
        round((int(item["expires_at"]["N"]) - began_s) / 86_400)
        for each in ("e1", "e2", "e3")
        for item in [world.item((f"event|{each}", "ws:1")) or {}]
    ]
    assert kept_days == [2, 3, 30]
    letters = sorted(round((int(each["expires_at"]["N"]) - began_s) / 86_400) for each in world.items("dead#"))
    assert letters == [3, 30, 30]  # what may have to be sent again is kept, unless the event itself says otherwise


@pytest.mark.parametrize("kept", ["true", "false"])
def test_answers_to_what_succeeds_are_kept_unless_the_deployment_says_otherwise(kept: str) -> None:
    world = World()
    world.functions.services = replace(world.services, variables={"KEEP_SUCCESS_ANSWERS": kept})
    one(world, 500, 200)
    world.publish(event("e1", data=DATA))
    world.run()
    success, failures = details_in(world.delivery())
    assert ("b" in success) == (kept == "true")
    assert ["b" in each for each in failures.values()] == [True]


def test_the_answer_of_a_receiver_is_kept_where_the_payload_is() -> None:
    world = World()
    one(world)
    world.publish(event("e1", data=DATA, retention_days=1))
    world.run()
    assert any(sk.startswith("dlv#") for _, sk in readable(world))


def test_an_erased_event_of_many_webhooks_whose_payload_is_not_kept_is_distributed_no_further() -> None:
    world = World()
    for number in range(501):
        world.owners.register(f"n{number}")
    world.publish(event("e1", data=DATA, **GONE))
    world.poll("ingest")
    Api(world.services).use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    world.run()
    assert not world.receivers.log


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("email", {"fields": {"email": "redacted", "tags": ["a", {"b": 1}]}, "email": "redacted", "x.y": 1}),
        ("data.email", {"fields": {"email": "s", "tags": ["a", {"b": 1}]}, "email": "redacted", "x.y": 1}),
        ("tags.1.b", {"fields": {"email": "s", "tags": ["a", {"b": "redacted"}]}, "email": "t", "x.y": 1}),
        ("tags.-2", {"fields": {"email": "s", "tags": ["redacted", {"b": 1}]}, "email": "t", "x.y": 1}),
        ("x.y", {"fields": {"email": "s", "tags": ["a", {"b": 1}]}, "email": "t", "x.y": "redacted"}),
        ('data."x.y"', {"fields": {"email": "s", "tags": ["a", {"b": 1}]}, "email": "t", "x.y": "redacted"}),
        ("data.fields", {"fields": "redacted", "email": "t", "x.y": 1}),
        ("nothing.there", {"fields": {"email": "s", "tags": ["a", {"b": 1}]}, "email": "t", "x.y": 1}),
    ],
)
def test_a_path_is_that_of_a_filter(path: str, left: object) -> None:
    data = {"fields": {"email": "s", "tags": ["a", {"b": 1}]}, "email": "t", "x.y": 1}
    payload = event("e1", data=data)
    assert loads(kept(payload, b"", Keeping(redact=(path,))))["data"] == left
    assert payload["data"]["fields"] == {"email": "s", "tags": ["a", {"b": 1}]}, "the event itself goes out whole"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"retention_days": -1}, "retention_days"),
        ({"retention_days": 3_651}, "retention_days"),
        ({"retention_days": True}, "retention_days"),
        ({"retention_days": "1"}, "retention_days"),
        ({"redact": "email"}, "redact"),
        ({"redact": ["x"] * 21}, "redact"),
        ({"redact": ["a", ""]}, "redact.1"),
        ({"redact": [5]}, "redact.0"),
        ({"redact": ["user_id"]}, "redact.0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        normalise(event("e1", **given), default_id="e", default_timestamp="")
    assert [each.field for each in refused.value.field_errors] == [field]


def test_marks_are_read_as_they_are_written_and_what_is_new_in_them_is_passed_on() -> None:
    for keeping in (Keeping(7), Keeping(0), Keeping(7, ("a",)), Keeping(None, ("a",))):
        assert is_whole(keeping.mark) == keeping.is_whole
        assert days_of(keeping.mark) == (keeping.days or None)
        assert Keeping.of(keeping.document()) == keeping
    message = DeliveryMessage("dlv_" + "1" * 26, "wh_" + "1" * 26, "e", "t", "s", "g", "b", keeping="7!?")
    assert DeliveryMessage.parse("b", message.meta()) == message
    assert "k" not in json.loads(DeliveryMessage("d", "w", "e", "t", "s", "g", "b").meta())

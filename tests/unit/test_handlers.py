"""The handlers that functions/*/composition.py build, over the fakes: what they tell Lambda decides whether a message
stays in its queue."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.sqs import FakeQueue, lambda_record
from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World, event, events
from webhooks.egress.transport.answer_head import CUT_OFF
from webhooks.models.webhook import Webhook
from webhooks.payload import Number, serialise

FAULTS = ("crash_before", "crash_after", "lost_answer", "throttled")


class Plan:
    """What goes wrong at the calls of one service, or at the nth call of all; nothing unless it is told."""

    def __init__(self) -> None:
        self.down = ""
        self.fault = ""
        self.nth = 0

    def __call__(self, call: str) -> str | None:
        if self.down and call.startswith(self.down):
            return "throttled"
        self.nth -= 1
        return self.fault if self.nth == 0 else None


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """What the functions log of their batches."""
    return []


@pytest.fixture
def world(plan: Plan, lines: list[dict[str, Any]]) -> World:
    world = World(plan=plan, keeps_stream=True)
    world.functions.services = replace(world.services, write=lambda line: lines.append(json.loads(line)))
    return world


def registered(world: World, answers: list[int]) -> Webhook:
    webhook = world.owners.register("one", max_retries=1)
    world.receivers.script(url_of("one"), answers)
    return webhook


def failed_of(world: World, name: str, queue: FakeQueue) -> tuple[set[str], set[str]]:
    """(ids handed over, ids that the handler wants to see again) of the next batch of a queue."""
    batch = world.sources[name].take()
    records = {"Records": [lambda_record(queue, message) for message in batch]}
    function = {"dead_letter_writer": "replay", "jobs": "replay"}.get(name, name)
    answer = world.functions.invoke(function, records)
    return {m.message_id for m in batch}, {each["itemIdentifier"] for each in answer["batchItemFailures"]}


def test_events_go_all_the_way_and_what_dies_is_replayed(world: World) -> None:
    webhook = registered(world, [500] * 6 + [200])
    world.publish(*events(3))
    world.run()
    assert {letter.failure_reason for letter in world.dead_letters()} == {"attempts_used_up:http_500"}
    world.clock.sleep(60)
    world.start_replay("rpl_1", webhook)
    world.run()
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert world.unfinished_replays() == []


@pytest.mark.parametrize("name", ["ingest", "sender", "dead_letter_writer", "jobs"])
@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_what_cannot_be_handled_stays_in_its_queue(world: World, plan: Plan, name: str, service: str) -> None:
    webhook = registered(world, [410] if name == "dead_letter_writer" else [500])
    world.publish(*events(3))
    queue = {
        "ingest": world.ingest_queue,
        "sender": world.delivery_queue,
        "dead_letter_writer": world.dead_letter_queue,
        "jobs": world.jobs_queue,
    }[name]
    if name == "jobs":
        world.run()
        world.clock.sleep(60)
        world.start_replay("rpl_1", webhook)
    elif name != "ingest":
        world.work("ingest", *(["sender"] if name == "dead_letter_writer" else []))
    plan.down = service
    handed, failed = failed_of(world, name, queue)
    assert handed
    if (name, service) == ("dead_letter_writer", "sqs"):
        assert not failed  # which needs no queue
    elif service == "dynamodb" and name in ("ingest", "sender"):
        assert not failed  # a copy took the place of each
        assert len(world.messages(queue)) == 2 * len(handed)
    else:
        assert failed == handed


def test_a_retry_stays_in_the_queue_and_what_is_done_does_not(world: World) -> None:
    registered(world, [500, 200])
    world.publish(*events(2))
    world.work("ingest")
    handed, failed = failed_of(world, "sender", world.delivery_queue)
    assert (len(handed), len(failed)) == (2, 1)


def test_an_unreadable_message_is_put_aside_or_stays(world: World, plan: Plan) -> None:
    for queue in (world.delivery_queue, world.dead_letter_queue):
        world.send_raw(queue, "garbage")
    plan.down = "sqs"
    handed, failed = failed_of(world, "sender", world.delivery_queue)
    assert handed == failed
    plan.down = "dynamodb"
    handed, failed = failed_of(world, "dead_letter_writer", world.dead_letter_queue)
    assert handed == failed
    plan.down = ""
    world.run()
    assert len([item for item in world.items("0") if item["pk"]["S"] == "unreadable"]) == 2


def test_what_waits_is_released_within_the_function_s_own_time(world: World) -> None:
    webhook = registered(world, [200])
    world.owners.change(webhook, status="paused")
    world.publish(*events(3))
    world.work()
    assert [record.waiting is None for record in world.deliveries()] == [False] * 3
    world.owners.change(webhook, status="active")
    world.run()
    assert {record.status for record in world.deliveries()} == {"delivered"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("answers", [[500, 410], [429, 200]], ids=str)
def test_a_fault_at_any_call_loses_nothing(world: World, plan: Plan, fault: str, answers: list[int]) -> None:
    for nth in range(1, 200):
        one = f"w{nth}"
        webhook = world.owners.register(one, max_retries=1)
        world.receivers.script(url_of(one), answers)
        world.publish(event(f"e{nth}"))
        plan.fault, plan.nth = fault, nth
        world.run()
        (record,) = [each for each in world.deliveries() if each.webhook_id == webhook.webhook_id]
        letters = {letter.delivery_id: letter for letter in world.dead_letters()}
        seen = [each for each in world.receivers.log if each.delivery_id == record.delivery_id]
        assert record.attempt_count <= len(seen) <= len(record.attempts), (nth, record)
        if record.status == "delivered":
            assert any(each.succeeded for each in seen)
        else:
            assert letters[record.delivery_id].failure_reason == record.reason, nth
        world.owners.delete(webhook)
        if plan.nth > 0:
            return
    pytest.fail("the functions never came to their end")


def test_a_part_of_the_stream_that_cannot_be_counted_comes_again(world: World, plan: Plan) -> None:
    registered(world, [200])
    world.publish(*events(2))
    world.run()
    batch = lambda_records(world.dynamodb.tables[TABLE])
    plan.down = "dynamodb"
    assert world.functions.invoke("rollup", {"Records": batch})["batchItemFailures"]
    plan.down = ""
    assert world.functions.invoke("rollup", {"Records": batch}) == {"batchItemFailures": []}


def test_suppressed_duplicates_are_counted(world: World) -> None:
    world.owners.register("one")
    for token in ("first", "second"):
        world.publish(event("e1"), token=token)
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    world.run()
    world.send_raw(world.delivery_queue, message.body, message.attributes["meta"]["StringValue"])
    world.run()
    counted = {name for item in world.items("count#") for name in item if name.startswith("c#duplicates#")}
    assert counted == {"c#duplicates#event", "c#duplicates#delivery"}


def test_a_test_delivery_is_signed_and_sent_at_once_and_leaves_its_record_alone(world: World) -> None:
    webhook = world.owners.register("one", status="paused")
    world.receivers.script(url_of("one"), [Answer(302, headers={"X-Seen": "yes"}, body=b"\xffmoved")])
    before = [key for key, _ in world.dynamodb.tables[TABLE].all_items()]
    payload = {**event("e1"), "type": "webhook.test"}
    result = world.functions.invoke("sender", {"test": {"webhook_id": webhook.webhook_id, "event": payload}})
    (seen,) = world.receivers.log
    assert json.loads(seen.body) == payload == json.loads(result["request"]["body"])
    assert seen.headers["X-PyAirtable-Signature"] == result["request"]["headers"]["X-PyAirtable-Signature"]
    assert (result["succeeded"], result["status_code"], result["event_id"]) == (False, 302, "e1")
    assert result["response"] == {"headers": [["X-Seen", "yes"]], "body": "\ufffdmoved"}
    after = [key for key, _ in world.dynamodb.tables[TABLE].all_items()]
    assert [sk for _, sk in set(after) - set(before)] == [f"dlv#{result['delivery_id']}"]


def test_a_test_delivery_has_its_numbers_as_they_were_written(world: World) -> None:
    webhook = world.owners.register("one")
    tested = {"webhook_id": webhook.webhook_id, "event": event("e1", data={"a": 1.1})}
    body = serialise(event("e1", data={"a": Number("1.10")})).decode()
    result = world.functions.invoke("sender", {"test": {**tested, "body": body}})
    assert result["succeeded"]
    assert '"a":1.10' in body == result["request"]["body"] == world.receivers.log[0].body.decode()


@pytest.mark.parametrize(("status", "succeeded"), [(200, True), (204, True), (410, False), (503, False), (301, False)])
def test_a_test_delivery_is_judged_by_its_status_whatever_its_body(world: World, status: int, succeeded: bool) -> None:
    webhook = world.owners.register("one")
    world.receivers.script(url_of("one"), [Answer(status, remark=CUT_OFF)])
    result = world.functions.invoke("sender", {"test": {"webhook_id": webhook.webhook_id, "event": event("e1")}})
    assert (result["succeeded"], result["status_code"], result["remark"]) == (succeeded, status, CUT_OFF)
    assert result["error_code"] is None


def test_a_test_delivery_that_reaches_nobody_has_no_response(world: World) -> None:
    webhook = world.owners.register("one")
    world.receivers.script(url_of("one"), [Answer(error_code="connect_timeout")])
    request = {"test": {"webhook_id": webhook.webhook_id, "event": event("e1")}}
    result = world.functions.invoke("sender", request)
    assert (result["succeeded"], result["status_code"], result["error_code"]) == (False, None, "connect_timeout")
    assert result["response"] is None


def test_nothing_is_tried_out_on_a_deleted_webhook(world: World) -> None:
    webhook = world.owners.register("one")
    world.owners.delete(webhook)
    with pytest.raises(LookupError):
        world.functions.invoke("sender", {"test": {"webhook_id": webhook.webhook_id, "event": event("e1")}})
    assert world.receivers.log == []


def test_the_message_of_a_job_that_is_gone_leaves_its_queue(world: World) -> None:
    world.send_raw(world.jobs_queue, json.dumps({"job_id": "rpl_gone"}))
    handed, failed = failed_of(world, "jobs", world.jobs_queue)
    assert (len(handed), failed) == (1, set())

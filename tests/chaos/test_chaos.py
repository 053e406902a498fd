"""The short form of `make chaos`, and what makes its proxy trustworthy."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from localstack.emulator import Emulator
from localstack.running import client
from tests.chaos.proxy import FaultProxy, Weather
from tests.chaos.run import SHORT, Chaos, ChaosLedger
from tests.conftest import Figure
from tests.fakes.receivers import Answer, Seen
from tests.fakes.world import World
from tests.simulation.ledger import Verdict
from webhooks.models.delivery import Attempt, DeliveryRecord


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def struck_by(proxy: FaultProxy, kind: str) -> None:
    """Every call is struck by this from now on."""
    proxy.weather = Weather(once=1.0)
    proxy._rng.choice = lambda _kinds: kind  # type: ignore[method-assign,assignment]


def test_fair_weather_changes_nothing(emulator: Emulator) -> None:
    with FaultProxy(emulator.endpoint_url, 1) as proxy:
        sqs = client(proxy.url, "sqs")
        url = sqs.create_queue(QueueName="fair")["QueueUrl"]
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "ü\u2028"}])
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == "ü\u2028"
        assert (proxy.calls["SendMessageBatch"], proxy.struck.total()) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "arrives"), [("throttled", 0), ("internal_error", 0), ("reset", 0), ("lost_answer", 1)]
)
def test_a_fault_is_one_to_the_sdk_and_only_a_lost_answer_leaves_the_work_done(
    emulator: Emulator, kind: str, arrives: int
) -> None:
    with FaultProxy(emulator.endpoint_url, 1) as proxy:
        direct, through = client(emulator.endpoint_url, "sqs"), client(proxy.url, "sqs")
        url = direct.create_queue(QueueName=kind)["QueueUrl"]
        through.meta.config.retries = {"total_max_attempts": 1}
        struck_by(proxy, kind)
        with pytest.raises(Exception, match=r"Throttling|InternalServerError|Connection"):
            through.send_message(QueueUrl=url, MessageBody="x")
        tries = proxy.struck[kind, "SendMessage"]
        assert tries > 1  # the SDK repeats it
        counted = direct.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        assert int(counted["Attributes"]["ApproximateNumberOfMessages"]) == tries * arrives


def test_a_batch_in_part_says_what_was_left_undone(emulator: Emulator) -> None:
    with FaultProxy(emulator.endpoint_url, 1) as proxy:
        direct, through = client(emulator.endpoint_url, "sqs"), client(proxy.url, "sqs")
        url = direct.create_queue(QueueName="part")["QueueUrl"]
        struck_by(proxy, "partial")
        entries = [{"Id": each, "MessageBody": each} for each in "abc"]
        answer = through.send_message_batch(QueueUrl=url, Entries=entries)
        assert [each["Id"] for each in answer["Successful"]] == ["a", "c"]
        assert [each["Id"] for each in answer["Failed"]] == ["b"]


def test_a_read_and_a_write_in_part_say_what_was_left_undone(emulator: Emulator) -> None:
    with FaultProxy(emulator.endpoint_url, 1) as proxy:
        direct, through = client(emulator.endpoint_url, "dynamodb"), client(proxy.url, "dynamodb")
        key = [{"AttributeName": "pk", "KeyType": "HASH"}]
        types = [{"AttributeName": "pk", "AttributeType": "S"}]
        direct.create_table(TableName="part", KeySchema=key, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
        struck_by(proxy, "partial")
        statements: list[Any] = [
            {"Statement": "INSERT INTO \"part\" VALUE {'pk': ?}", "Parameters": [{"S": each}]} for each in "abc"
        ]
        written = through.batch_execute_statement(Statements=statements)["Responses"]
        assert [json.loads(json.dumps(each)).get("Error", {}).get("Code") for each in written] == [
            None,
            "ThrottlingError",
            None,
        ]
        wanted = {"part": {"Keys": [{"pk": {"S": each}} for each in "abc"]}}
        read = through.batch_get_item(RequestItems=wanted)
        assert {item["pk"]["S"] for item in read["Responses"]["part"]} == {"a", "c"}
        assert read["UnprocessedKeys"]["part"]["Keys"] == [{"pk": {"S": "b"}}]


@pytest.mark.parametrize(
    ("signatures", "outcomes", "faults"),
    [
        (["one", "one", "two"], ["unknown", "success"], 0),
        (["one", "one", "two"], ["failure", "success"], 1),  # nothing was cut off
        (["one", "two", "three"], ["unknown", "success"], 1),  # nothing was sent twice
    ],
)
def test_one_unknown_attempt_stands_for_a_request_that_went_out_twice(
    signatures: list[str], outcomes: list[Any], faults: int
) -> None:
    world, verdict = World(), Verdict()
    world.receivers.asked["dlv_1"] = len(signatures)
    seen = [Seen(0, "", {"X-PyAirtable-Signature": each}, b"", Answer(200)) for each in signatures]
    attempts = tuple(Attempt(1, 0, 0, outcome) for outcome in outcomes)
    record = DeliveryRecord("dlv_1", "wh_1", "e1", "record.created", "ws:1", "delivered", attempts=attempts)
    ChaosLedger(world)._check_attempts(record, seen, verdict)
    assert len(verdict.faults) == faults


@pytest.mark.skipif(not SHORT.can_kill(), reason="processes are found in /proc")
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_is_lost_on_a_bad_day_of_the_local_stack(figure: Figure) -> None:
    chaos = Chaos(SHORT)
    verdict = chaos.run()
    assert not verdict.faults, "\n".join(verdict.faults[:20])
    assert verdict.delivered > 100
    assert chaos.figures.kills
    assert len(chaos.figures.struck) > 10
    figure(chaos.summary(verdict))

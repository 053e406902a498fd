"""One contract for SQS's client, held by the fake, by moto and by the emulator: the fake may not be kinder."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.fakes.clock import Clock
from tests.fakes.sqs import MAX_IN_FLIGHT, FakeQueue, FakeSQS

SUBJECTS = ("fake", "moto", "emulator")
_names = (f"contract-{number}" for number in itertools.count())


@dataclass(frozen=True)
class Subject:
    """What is held to the contract."""

    name: str
    client: Any
    url: str
    dead_letter_url: str

    def send(self, *bodies: str, **entry: Any) -> dict[str, Any]:
        entries = [{"Id": str(n), "MessageBody": body, **entry} for n, body in enumerate(bodies)]
        return self.client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def receive(self, count: int = 10, url: str | None = None) -> list[dict[str, Any]]:
        answer = self.client.receive_message(
            QueueUrl=url or self.url,
            MaxNumberOfMessages=count,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def show(self, message: dict[str, Any], seconds: int = 0) -> dict[str, Any]:
        entry = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds}
        return self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=[entry])

    def delete(self, message: dict[str, Any]) -> None:
        entry = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}
        self.client.delete_message_batch(QueueUrl=self.url, Entries=[entry])


def create_queues(client: Any) -> tuple[str, str]:
    dead = client.create_queue(QueueName=next(_names))["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = client.create_queue(QueueName=next(_names), Attributes={"RedrivePolicy": policy})["QueueUrl"]
    return url, dead


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "fake":
        client = FakeSQS(Clock())
        dead = client.add(FakeQueue("dead"))
        yield Subject("fake", client, client.add(FakeQueue("queue", 30, 345_600, dead, 2)).url, dead.url)
    elif request.param == "moto":
        with mock_aws():
            client = boto3.client("sqs")
            yield Subject("moto", client, *create_queues(client))
    else:
        client = request.getfixturevalue("stack").client("sqs")
        subject = Subject("emulator", client, *create_queues(client))
        yield subject
        for url in (subject.url, subject.dead_letter_url):
            client.delete_queue(QueueUrl=url)


def test_a_message_comes_back_as_it_was_sent(subject: Subject) -> None:
    body = 'tab\t newline\n "quotes" ä€😀 \ud7ff\ue000\ufffd'
    subject.send(body, MessageAttributes={"meta": {"DataType": "String", "StringValue": "ä"}})
    (message,) = subject.receive()
    assert message["Body"] == body
    assert message["MessageAttributes"]["meta"]["StringValue"] == "ä"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["SentTimestamp"]) > 1_600_000_000_000


def test_a_received_message_is_hidden_until_its_visibility_ends(subject: Subject) -> None:
    subject.send("a")
    (message,) = subject.receive()
    assert subject.receive() == []
    assert not subject.show(message).get("Failed")
    (again,) = subject.receive()
    assert again["MessageId"] == message["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["Attributes"]["SentTimestamp"] == message["Attributes"]["SentTimestamp"]


def test_a_deleted_message_does_not_come_back(subject: Subject) -> None:
    subject.send("a")
    (message,) = subject.receive()
    subject.delete(message)
    subject.delete(message)  # once more is no error
    assert subject.receive() == []


def test_what_is_received_too_often_goes_to_the_dead_letter_queue(subject: Subject) -> None:
    subject.send("a")
    for _ in range(2):
        (message,) = subject.receive()
        subject.show(message)
    assert subject.receive() == []
    (dead,) = subject.receive(url=subject.dead_letter_url)
    assert dead["Body"] == "a"


def test_a_delayed_message_does_not_come_at_once(subject: Subject) -> None:
    subject.send("a", DelaySeconds=60)
    assert subject.receive() == []


def test_a_batch_holds_ten_entries_of_different_ids(subject: Subject) -> None:
    for bodies in (["x"] * 11, []):
        with pytest.raises(ClientError):
            subject.send(*bodies)
    with pytest.raises(ClientError):
        subject.client.send_message_batch(
            QueueUrl=subject.url, Entries=[{"Id": "0", "MessageBody": "a"}, {"Id": "0", "MessageBody": "b"}]
        )


def test_a_batch_holds_a_mebibyte(subject: Subject) -> None:
    assert len(subject.send(*["x" * 100_000] * 10)["Successful"]) == 10
    with pytest.raises(ClientError):
        subject.send(*["x" * 200_000] * 6)


def test_a_queue_that_is_not_there_is_refused(subject: Subject) -> None:
    with pytest.raises(ClientError):
        subject.client.send_message_batch(QueueUrl=subject.url + "-no", Entries=[{"Id": "0", "MessageBody": "a"}])


# ---- limits of AWS that emulators do not enforce: Amazon SQS Developer Guide


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue("queue", visibility_seconds=30)


@pytest.fixture
def fake(clock: Clock, queue: FakeQueue) -> Subject:
    client = FakeSQS(clock)
    client.add(queue)
    return Subject("fake", client, queue.url, "")


@pytest.mark.parametrize("text", ["\x00", "\x0b", "\ufffe", "\uffff", ""])
def test_the_fake_refuses_what_no_xml_may_hold(fake: Subject, text: str) -> None:
    """ "Amazon SQS message quotas": message content."""
    (failed,) = fake.send(text)["Failed"]
    assert failed["SenderFault"]


def test_the_fake_refuses_an_entry_and_takes_the_others(fake: Subject) -> None:
    answer = fake.send("good", "\uffff", "fine")
    assert [each["Id"] for each in answer["Successful"]] == ["0", "2"]
    assert [each["Id"] for each in answer["Failed"]] == ["1"]


def test_the_fake_counts_twelve_hours_of_visibility_from_the_receive(fake: Subject, clock: Clock) -> None:
    """ "Visibility timeout": at most 12 hours from the initial receive."""
    fake.send("a")
    (message,) = fake.receive()
    assert "Failed" in fake.show(message, 43_201)
    clock.sleep(10)
    assert "Failed" in fake.show(message, 43_195)
    assert "Failed" not in fake.show(message, 43_190)


def test_the_fake_refuses_to_change_what_is_not_in_flight(fake: Subject, clock: Clock) -> None:
    fake.send("a")
    (message,) = fake.receive()
    clock.sleep(31)
    assert "Failed" in fake.show(message, 5)


def test_the_fake_refuses_a_delay_above_fifteen_minutes_and_a_long_group(fake: Subject) -> None:
    assert "Failed" in fake.send("a", DelaySeconds=901)
    assert "Failed" in fake.send("a", MessageGroupId="g" * 129)


def test_the_fake_stops_at_a_hundred_and_twenty_thousand_in_flight(fake: Subject, queue: FakeQueue) -> None:
    """ "Amazon SQS standard queue quotas": in-flight messages per queue."""
    fake.send("a")
    queue.in_flight = MAX_IN_FLIGHT
    with pytest.raises(ClientError, match="OverLimit"):
        fake.receive()


def test_the_fake_forgets_a_message_after_its_retention_counted_from_the_first_send(clock: Clock) -> None:
    """ "Dead-letter queues": expiration is based on the original enqueue timestamp."""
    client = FakeSQS(clock)
    dead = client.add(FakeQueue("dead", retention_seconds=100))
    queue = client.add(FakeQueue("queue", 30, 1_000, dead, 1))
    fake = Subject("fake", client, queue.url, dead.url)
    fake.send("a")
    (first,) = fake.receive()
    clock.sleep(60)
    assert fake.receive() == []
    (moved,) = fake.receive(url=dead.url)
    assert moved["MessageId"] != first["MessageId"]
    assert moved["Attributes"]["SentTimestamp"] == first["Attributes"]["SentTimestamp"]
    clock.sleep(60)
    assert fake.receive(url=dead.url) == []
    assert len(dead.expired) == 1

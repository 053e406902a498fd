"""The queue over the fake: what is sent is sent, or the caller knows."""

import json
from typing import Any

import pytest

from tests.fakes.clock import Clock
from tests.fakes.faults import Fault, FaultyClient
from tests.fakes.sqs import FakeQueue, FakeSQS
from webhooks.aws.sqs import Outgoing, Queue, SqsIngest
from webhooks.errors import Unavailable
from webhooks.events.validation import normalise
from webhooks.models.event import Event


class Bench:
    def __init__(self, *faults: Fault | None) -> None:
        self.clock = Clock()
        self.sqs = FakeSQS(self.clock)
        self.fake = self.sqs.add(FakeQueue("queue"))
        planned = iter(faults)
        self.client = FaultyClient(self.sqs, "sqs", lambda _call: next(planned, None))
        self.queue = Queue(self.client, self.fake.url, sleep=self.clock.sleep)

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.fake.messages.values()]


def make_event(number: int, size: int = 10, workspace_id: int = 1) -> Event:
    raw = {"id": f"e{number}", "type": "record.created", "workspace_id": workspace_id, "data": {"x": "y" * size}}
    return normalise(raw, default_id="", default_timestamp="2025-01-01T00:00:00Z")


def test_any_number_of_messages_goes_in_batches_of_ten() -> None:
    bench = Bench()
    bench.queue.send([Outgoing(str(number)) for number in range(25)])
    assert bench.bodies == [str(number) for number in range(25)]
    assert bench.client.made["sqs.send_message_batch"] == 3


def test_a_batch_never_exceeds_a_mebibyte() -> None:
    bench = Bench()
    bench.queue.send([Outgoing("ä" * 200_000) for _ in range(7)])
    assert len(bench.bodies) == 7


def test_entries_that_were_left_out_are_sent_again_and_only_those() -> None:
    bench = Bench("partial", "partial")
    bench.queue.send([Outgoing(str(number)) for number in range(10)])
    assert sorted(bench.bodies, key=int) == [str(number) for number in range(10)]


class Stubborn:
    """Takes every entry of a batch but the last."""

    def send_message_batch(self, *, Entries: list[dict[str, Any]], QueueUrl: str) -> dict[str, Any]:
        return {"Failed": [{"Id": Entries[-1]["Id"], "SenderFault": False, "Code": QueueUrl}]}


def test_entries_that_are_left_out_again_and_again_are_told() -> None:
    with pytest.raises(Unavailable, match="did not take 1 messages"):
        Queue(Stubborn(), "url", sleep=lambda _seconds: None).send([Outgoing("a"), Outgoing("b")])


def test_a_message_that_sqs_refuses_is_told() -> None:
    with pytest.raises(Unavailable, match="refused"):
        Bench().queue.send([Outgoing("\uffff")])


@pytest.mark.parametrize("fault", ["throttled", "no_connection", "lost_answer", "internal_error"])
def test_what_aws_does_not_do_is_unavailable(fault: Fault) -> None:
    with pytest.raises(Unavailable):
        Bench(fault).queue.send([Outgoing("a")])
    with pytest.raises(Unavailable):
        Bench(fault).queue.postpone([("handle", 5)])


def test_nothing_to_send_is_no_call() -> None:
    bench = Bench()
    bench.queue.send([])
    bench.queue.postpone([])
    assert not bench.client.made


def test_postponing_more_than_ten_takes_several_calls() -> None:
    bench = Bench()
    bench.queue.send([Outgoing(str(number)) for number in range(25)])
    messages = bench.sqs.receive(bench.fake, 25)
    bench.queue.postpone([(str(message.handle), 40) for message in messages])
    assert {message.visible_at_ms for message in messages} == {bench.clock.ms + 40_000}


def test_events_share_a_message_within_a_scope_and_a_size() -> None:
    bench = Bench()
    events = [make_event(n) for n in range(3)] + [
        make_event(3, 200_000),
        make_event(4, 200_000),
        make_event(5, workspace_id=2),
    ]
    SqsIngest(bench.queue).publish(events, "token")
    documents: list[dict[str, Any]] = [json.loads(body) for body in bench.bodies]
    assert [[each["id"] for each in document["events"]] for document in documents] == [
        ["e0", "e1", "e2", "e3"],
        ["e4"],
        ["e5"],
    ]
    assert [document["token"] for document in documents] == ["token-0", "token-4", "token-5"]
    assert len({message.group for message in bench.fake.messages.values()}) == 2


def test_the_largest_event_of_any_characters_fits_one_message() -> None:
    bench = Bench()
    event = normalise(
        {"id": "e", "type": "t", "workspace_id": 1, "data": {"x": "é" * 130_000}},
        default_id="", default_timestamp="2025-01-01T00:00:00Z",
    )  # fmt: skip
    SqsIngest(bench.queue).publish([event], "token")
    assert len(bench.bodies) == 1

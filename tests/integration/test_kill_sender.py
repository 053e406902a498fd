"""A sender process killed in the middle of a batch: nothing is lost, and the record says what is not known."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstack.stack import LocalStack
from tests.support.receiver import answer
from tests.support.service import PATIENCE_SECONDS, Service, event, ids_at

VISIBILITY_SECONDS = 8  # instead of six minutes; longer than a batch takes here


@pytest.fixture
def service(stack: LocalStack) -> Iterator[Service]:
    """With a delivery queue that shows soon again what a dead sender had taken."""
    sqs, url = stack.client("sqs"), stack.outputs["DeliveryQueueUrl"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    with Service.of(stack) as running:
        yield running
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def sender_processes(stack: LocalStack) -> list[int]:
    """The processes of the emulator in which the sender runs."""
    name = f"ministack-lambda-{stack.outputs['SenderFunctionName']}-".encode()
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == stack.emulator_pid and name in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found in /proc")
def test_a_sender_killed_in_the_middle_of_a_batch_loses_nothing_and_leaves_unknown_attempts(
    service: Service, stack: LocalStack
) -> None:
    user, path = service.user(), service.path(*[answer(200, delay_seconds=3)] * 6, answer(200))
    webhook = user.register(service.receiver.url(path))
    events = [event() for _ in range(6)]
    user.post("/events", {"events": events})
    service.receiver.wait_for(path, 6, PATIENCE_SECONDS)  # all are sent, and none is answered

    victims = sender_processes(stack)
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert ids_at(service.receiver, path)[6:] == []

    deliveries = {each["id"]: user.settled(webhook["id"], each["id"], "delivered", timeout=60) for each in events}
    for delivery in deliveries.values():
        cut, *_, last = delivery["attempts"]
        assert (cut["outcome"], cut["number"], cut["status_code"], cut["request"]) == ("unknown", None, None, None)
        assert (last["outcome"], last["number"]) == ("success", 1)
        assert delivery["attempt_count"] == 1
    seen = [(request.header("webhook-id"), request.body) for request in service.receiver.requests(path)]
    assert sorted(set(seen)) == sorted({pair for pair in seen if seen.count(pair) == 2})
    assert {event_id for event_id, _ in seen} == set(deliveries)
    assert user.items(f"/webhooks/{webhook['id']}/dead-letters") == []

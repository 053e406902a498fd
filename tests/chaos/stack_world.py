"""A local stack as the ledger of the simulation sees a world: what its table holds, and what its receivers saw."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from localstack.stack import LocalStack
from tests.chaos.receivers import Receivers
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.event import EventRecord
from webhooks.store.dead_letters import dead_letter_of
from webhooks.store.delivery_items import delivery_of
from webhooks.store.dynamo import Item
from webhooks.store.events import event_of

T = TypeVar("T")
FUNCTIONS = ("Api", "Ingest", "Sender", "Replay", "Release", "Rollup")
QUEUES = ("IngestQueueUrl", "DeliveryQueueUrl", "DeadLetterQueueUrl", "JobsQueueUrl")


@dataclass(slots=True)
class ReceiversAsSeen:
    """The receivers' log. How often a sender asked in vain for somebody who does not listen, nobody can know here."""

    receivers: Receivers
    asked: Mapping[str, float] = field(default_factory=lambda: defaultdict(lambda: math.inf))

    @property
    def log(self) -> list[Any]:
        """Every request as its receiver saw it."""
        return self.receivers.log


class StackWorld:
    """Asks the emulator itself, not through the proxy."""

    def __init__(self, stack: LocalStack, receivers: Receivers) -> None:
        self.receivers = ReceiversAsSeen(receivers)
        self.outputs = stack.outputs
        self._dynamodb = stack.client("dynamodb")
        self._sqs = stack.client("sqs")

    def deliveries(self) -> list[DeliveryRecord]:
        """All delivery records."""
        return self._read(delivery_of, "begins_with(sk, :p)", "dlv#")

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters."""
        return self._read(dead_letter_of, "begins_with(sk, :p)", "dead#")

    def event_records(self) -> list[EventRecord]:
        """All event records."""
        return self._read(event_of, "begins_with(pk, :p)", "event|")

    def unfinished_replays(self) -> int:
        """Replay jobs that have not come to their end."""
        jobs = self._read(lambda item: item["job"]["S"], "sk = :p", "job")
        return sum('"status": "completed"' not in job and '"status": "failed"' not in job for job in jobs)

    def pending(self) -> dict[str, int]:
        """What is under way, by where it is: queues, visible or not, and what waits outside of them."""
        found = {name.removesuffix("QueueUrl"): self._messages(self.outputs[name]) for name in QUEUES}
        found["waiting"] = sum(1 for _ in self._scan("begins_with(sk, :p)", "dlv#", IndexName="waiting"))
        return {name: count for name, count in found.items() if count}

    def shorten_visibility(self, seconds: int) -> None:
        """What a dead function had taken comes back soon, instead of after six minutes."""
        for name in QUEUES:
            attributes = {"VisibilityTimeout": str(seconds)}
            self._sqs.set_queue_attributes(QueueUrl=self.outputs[name], Attributes=attributes)

    def redrive(self) -> int:
        """What an operator does after the alarm: whatever ingest received too often goes to it again."""
        dead, ingest = self.outputs["IngestDeadLetterQueueUrl"], self.outputs["IngestQueueUrl"]
        moved = 0
        while True:
            answer = self._sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            messages = answer.get("Messages", [])
            if not messages:
                return moved
            for message in messages:
                self._sqs.send_message(QueueUrl=ingest, MessageBody=message["Body"])
                self._sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
                moved += 1

    def _messages(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        names.append("ApproximateNumberOfMessagesDelayed")
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in names)

    def _read(self, read: Callable[[Item], T], condition: str, prefix: str) -> list[T]:
        return [read(item) for item in self._scan(condition, prefix)]

    def _scan(self, condition: str, prefix: str, **more: Any) -> Iterator[Item]:
        request = {"FilterExpression": condition, "ExpressionAttributeValues": {":p": {"S": prefix}}, **more}
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self.outputs["TableName"], **request):
            yield from page["Items"]


def lead_through(stack: LocalStack, url: str) -> None:
    """Have the functions call AWS by this address from their next version on."""
    functions = stack.client("lambda")
    for name in FUNCTIONS:
        function = stack.outputs[f"{name}FunctionName"]
        kept = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**kept, "AWS_ENDPOINT_URL": url}}
        )
        version = functions.publish_version(FunctionName=function)["Version"]
        functions.update_alias(FunctionName=function, Name="live", FunctionVersion=version)

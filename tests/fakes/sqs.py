"""SQS standard queues at boto3's client interface, in memory and virtual time.

Limits are those of the Amazon SQS Developer Guide ("Amazon SQS message quotas", "Visibility timeout", "Dead-letter
queues"), whether or not an emulator enforces them: 10 entries and 1 MiB a batch, bodies of XML 1.0 characters,
DelaySeconds 900, visibility at most 12 h counted from the receive, about 120,000 messages in flight.
"""

import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.aws_errors import client_error
from tests.fakes.clock import Clock
from tests.fakes.sqs_limits import check_entries, entry_bytes, fault

MAX_BYTES = 1024 * 1024
MAX_IN_FLIGHT = 120_000
MAX_VISIBILITY_MS = 12 * 3_600_000


@dataclass(slots=True)
class Message:
    """A message on a queue. `sent_at_ms` survives a redrive, the id does not."""

    message_id: str
    body: str
    attributes: Mapping[str, Any]
    group: str | None
    sent_at_ms: int
    receive_count: int = 0
    first_received_ms: int = 0
    received_at_ms: int = 0
    visible_at_ms: int = 0
    handle: str | None = None  # of the latest receive
    turn: int = 0  # counts changes of its visibility, to tell old entries of the heap


@dataclass(slots=True)
class FakeQueue:
    """One queue and its settings."""

    name: str
    visibility_seconds: int = 30
    retention_seconds: int = 345_600
    dead_letter_queue: "FakeQueue | None" = None
    max_receive_count: int = 0
    messages: dict[str, Message] = field(default_factory=dict)
    ready: deque[str] = field(default_factory=deque)
    hidden: list[tuple[int, int, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    expired: list[Message] = field(default_factory=list)
    groups: Counter[str | None] = field(default_factory=Counter)
    sent: int = 0
    max_in_flight: int = MAX_IN_FLIGHT
    repeats: int = 0  # messages that were shown to two receivers at once
    reordered: int = 0  # receives that were not of the oldest message
    on_visible: Callable[[int], None] | None = None  # told when a message will be visible

    @property
    def url(self) -> str:
        """As clients name it."""
        return f"https://sqs.us-east-1.amazonaws.com/123456789012/{self.name}"

    @property
    def arn(self) -> str:
        """As event source mappings name it."""
        return f"arn:aws:sqs:us-east-1:123456789012:{self.name}"


class FakeSQS:
    """A boto3 client. With a `random`, messages come in another order and some `duplicates` (a share) come twice."""

    def __init__(self, clock: Clock, *, rng: random.Random | None = None, duplicates: float = 0.0) -> None:
        self._clock = clock
        self._rng = rng
        self.duplicates = duplicates
        self.repeats = 0  # messages that were shown to two receivers at once
        self._ids = itertools.count(1)
        self.queues: dict[str, FakeQueue] = {}

    def add(self, queue: FakeQueue) -> FakeQueue:
        """Have a queue."""
        self.queues[queue.url] = queue
        return queue

    # ---- what boto3's client has

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Send up to 10 messages of together 1 MiB."""
        operation = "SendMessageBatch"
        queue = self._queue(operation, QueueUrl)
        check_entries(operation, Entries)
        if sum(map(entry_bytes, Entries)) > MAX_BYTES:
            raise client_error(
                operation, "AWS.SimpleQueueService.BatchRequestTooLong", "Batch requests cannot be longer"
            )
        successful: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for entry in Entries:
            if found := fault(entry):
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": found[0], "Message": found[1]})
            else:
                successful.append({"Id": entry["Id"], "MessageId": self._send(queue, entry).message_id})
        return {"Successful": successful, **({"Failed": failed} if failed else {})}

    def receive_message(self, *, QueueUrl: str, MaxNumberOfMessages: int = 1, WaitTimeSeconds: int = 0,
                        MessageSystemAttributeNames: Sequence[str] = (),
                        MessageAttributeNames: Sequence[str] = ()) -> dict[str, Any]:  # fmt: skip
        """Up to 10 messages."""
        operation = "ReceiveMessage"
        if not 1 <= MaxNumberOfMessages <= 10:
            raise client_error(operation, "InvalidParameterValue", "must be between 1 and 10")
        received = self.receive(self._queue(operation, QueueUrl), MaxNumberOfMessages)
        messages = [_shown(each, MessageAttributeNames) for each in received]
        return {"Messages": messages} if messages else {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Hide messages for so many seconds from now."""
        operation = "ChangeMessageVisibilityBatch"
        queue = self._queue(operation, QueueUrl)
        check_entries(operation, Entries)
        successful: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for entry in Entries:
            refused = self._change_visibility(queue, entry["ReceiptHandle"], entry["VisibilityTimeout"])
            if refused is None:
                successful.append({"Id": entry["Id"]})
            else:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": refused, "Message": refused})
        return {"Successful": successful, **({"Failed": failed} if failed else {})}

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Delete messages by the handle of a receive."""
        queue = self._queue("DeleteMessageBatch", QueueUrl)
        check_entries("DeleteMessageBatch", Entries)
        for entry in Entries:
            self.delete(queue, entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    # ---- what a mapping and a test need

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Sequence[str]) -> dict[str, Any]:
        """Its address, and how many messages it holds."""
        queue = self._queue("GetQueueAttributes", QueueUrl)
        known = {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(len(queue.messages) - queue.in_flight),
            "ApproximateNumberOfMessagesNotVisible": str(queue.in_flight),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        return {"Attributes": {name: known[name] for name in AttributeNames}}

    def receive(self, queue: FakeQueue, limit: int) -> list[Message]:
        """Take messages that are visible; what has been received too often goes to the dead-letter queue instead."""
        self._show(queue)
        taken: list[Message] = []
        while len(taken) < limit and queue.ready:
            if queue.in_flight >= queue.max_in_flight:
                if taken:
                    break
                raise client_error("ReceiveMessage", "OverLimit", "too many messages in flight")
            message = queue.messages.get(self._next(queue))
            if message is None:
                continue
            if queue.dead_letter_queue is not None and message.receive_count >= queue.max_receive_count:
                self._redrive(queue, queue.dead_letter_queue, message)
                continue
            message.receive_count += 1
            message.received_at_ms = self._clock.ms
            message.first_received_ms = message.first_received_ms or self._clock.ms
            message.handle = f"{message.message_id}#{message.receive_count}"
            visible_in_ms = queue.visibility_seconds * 1000
            if self._rng is not None and self._rng.random() < self.duplicates:
                self.repeats += 1
                queue.repeats += 1
                visible_in_ms = self._rng.randrange(1, 5_000)  # one of SQS's servers did not hear of the receive
            self._hide(queue, message, self._clock.ms + visible_in_ms)
            queue.in_flight += 1
            queue.most_in_flight = max(queue.most_in_flight, queue.in_flight)
            taken.append(message)
        return taken

    def show_soon(self, queue: FakeQueue, messages: Sequence[Message], after_ms: int) -> None:
        """Their visibility runs out while their receiver still works on them."""
        for message in messages:
            if message.message_id in queue.messages:
                queue.repeats += 1
                self._hide(queue, message, self._clock.ms + after_ms)

    def redrive(self, queue: FakeQueue, messages: Sequence[Message]) -> None:
        """They have been received too often."""
        if queue.dead_letter_queue is None:
            raise ValueError(f"{queue.name} has no dead-letter queue")
        self._show(queue)
        for message in messages:
            if message.message_id in queue.messages:
                queue.in_flight -= message.visible_at_ms > self._clock.ms
                self._redrive(queue, queue.dead_letter_queue, message)

    def delete(self, queue: FakeQueue, handle: str) -> None:
        """Delete a message; a handle of an earlier receive deletes it too, as SQS allows."""
        self._show(queue)
        message = queue.messages.pop(handle.partition("#")[0], None)
        if message is not None and message.visible_at_ms > self._clock.ms and message.receive_count:
            queue.in_flight -= 1

    def next_visible_ms(self, queue: FakeQueue) -> int | None:
        """When the next message can be received; None for an empty queue."""
        self._show(queue)
        if any(message_id in queue.messages for message_id in queue.ready):
            return self._clock.ms
        while queue.hidden and self._is_stale(queue, queue.hidden[0]):
            heapq.heappop(queue.hidden)
        return queue.hidden[0][0] if queue.hidden else None

    def _send(self, queue: FakeQueue, entry: Mapping[str, Any]) -> Message:
        number = next(self._ids)
        message = Message(
            message_id=f"{number:08x}-0000-4000-8000-{number * 2654435761 % 2**48:012x}",
            body=entry["MessageBody"],
            attributes=entry.get("MessageAttributes", {}),
            group=entry.get("MessageGroupId"),
            sent_at_ms=self._clock.ms,
        )
        queue.messages[message.message_id] = message
        queue.groups[message.group] += 1
        queue.sent += 1
        delay_seconds = entry.get("DelaySeconds", 0)
        if delay_seconds:
            self._hide(queue, message, self._clock.ms + delay_seconds * 1000)
        else:
            queue.ready.append(message.message_id)
            if queue.on_visible is not None:
                queue.on_visible(self._clock.ms)
        return message

    def _redrive(self, queue: FakeQueue, target: FakeQueue, message: Message) -> None:
        del queue.messages[message.message_id]
        entry = {"MessageBody": message.body, "MessageAttributes": message.attributes}
        self._send(target, entry).sent_at_ms = message.sent_at_ms

    def _hide(self, queue: FakeQueue, message: Message, visible_at_ms: int) -> None:
        message.turn += 1
        message.visible_at_ms = visible_at_ms
        heapq.heappush(queue.hidden, (visible_at_ms, message.turn, message.message_id))
        if queue.on_visible is not None:
            queue.on_visible(visible_at_ms)

    def _is_stale(self, queue: FakeQueue, entry: tuple[int, int, str]) -> bool:
        message = queue.messages.get(entry[2])
        return message is None or message.turn != entry[1]

    def _show(self, queue: FakeQueue) -> None:
        now_ms = self._clock.ms
        while queue.hidden and queue.hidden[0][0] <= now_ms:
            entry = heapq.heappop(queue.hidden)
            if self._is_stale(queue, entry):
                continue
            message = queue.messages[entry[2]]
            queue.in_flight -= message.receive_count > 0
            if now_ms - message.sent_at_ms > queue.retention_seconds * 1000:
                queue.expired.append(queue.messages.pop(message.message_id))
            else:
                queue.ready.append(message.message_id)

    def _next(self, queue: FakeQueue) -> str:
        if self._rng is not None and len(queue.ready) > 1:
            behind = self._rng.randrange(min(len(queue.ready), 20))
            queue.reordered += behind > 0
            queue.ready.rotate(-behind)
        return queue.ready.popleft()

    def _change_visibility(self, queue: FakeQueue, handle: str, seconds: int) -> str | None:
        self._show(queue)
        message = queue.messages.get(handle.partition("#")[0])
        if message is None or message.handle != handle or message.visible_at_ms <= self._clock.ms:
            return "InvalidParameterValue"  # not in flight
        until_ms = self._clock.ms + seconds * 1000
        if not 0 <= seconds <= 43_200 or until_ms - message.received_at_ms > MAX_VISIBILITY_MS:
            return "InvalidParameterValue"  # Total VisibilityTimeout for the message is beyond the limit
        self._hide(queue, message, until_ms)
        return None

    def _queue(self, operation: str, url: str) -> FakeQueue:
        if url not in self.queues:
            raise client_error(operation, "AWS.SimpleQueueService.NonExistentQueue", f"there is no queue {url}")
        return self.queues[url]


def lambda_record(queue: FakeQueue, message: Message) -> dict[str, Any]:
    """A message as Lambda's event source mapping hands it over (AWS Lambda Developer Guide, "Lambda with SQS")."""
    return {
        "messageId": message.message_id,
        "receiptHandle": message.handle,
        "body": message.body,
        "attributes": _system_attributes(message),
        "messageAttributes": {
            name: {"stringValue": each["StringValue"], "dataType": each["DataType"]}
            for name, each in message.attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
    }


def _system_attributes(message: Message) -> dict[str, str]:
    return {
        "ApproximateReceiveCount": str(message.receive_count),
        "SentTimestamp": str(message.sent_at_ms),
        "ApproximateFirstReceiveTimestamp": str(message.first_received_ms),
        **({"MessageGroupId": message.group} if message.group else {}),
    }


def _shown(message: Message, wanted: Sequence[str]) -> dict[str, Any]:
    shown = {"MessageId": message.message_id, "ReceiptHandle": message.handle, "Body": message.body}
    attributes = {n: v for n, v in message.attributes.items() if n in wanted or "All" in wanted}
    return {
        **shown,
        "Attributes": _system_attributes(message),
        **({"MessageAttributes": attributes} if attributes else {}),
    }

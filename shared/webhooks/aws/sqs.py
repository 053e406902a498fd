"""SQS as we use it: every message of a batch is sent, or the caller knows that it was not.

Limits: 10 entries and 1 MiB a batch, DelaySeconds at most 900, visibility at most 12 h from the receive
(Amazon SQS Developer Guide, "Amazon SQS message quotas").
"""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable
from webhooks.messages import (
    FIRST_SENT_ATTRIBUTE,
    HANDED_BACK_ATTRIBUTE,
    META_ATTRIBUTE,
    DeliveryMessage,
    Received,
    Unreadable,
    group_of,
)
from webhooks.models.event import Event
from webhooks.models.replay import ReplayJob
from webhooks.payload import dumps

BATCH_ENTRIES = 10
BATCH_BYTES = 1024 * 1024
ENTRY_OVERHEAD_BYTES = 200  # attribute names and types count towards the size too
INGEST_MESSAGE_BYTES = 256 * 1024  # several small events share a message: SQS bills each 64 KiB as one request
ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send."""

    body: str
    group: str | None = None
    attributes: Mapping[str, str] | None = None
    delay_seconds: int = 0

    @property
    def size_bytes(self) -> int:
        """What it counts towards SQS's size limits."""
        attributes = self.attributes or {}
        return (
            len(self.body.encode())
            + sum(len(k) + len(v.encode()) for k, v in attributes.items())
            + ENTRY_OVERHEAD_BYTES
        )

    def entry(self, entry_id: str) -> dict[str, Any]:
        """The message as an entry of SendMessageBatch."""
        entry: dict[str, Any] = {"Id": entry_id, "MessageBody": self.body}
        if self.group is not None:
            entry["MessageGroupId"] = self.group
        if self.delay_seconds:
            entry["DelaySeconds"] = self.delay_seconds
        if self.attributes:
            entry["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in self.attributes.items()
            }
        return entry


class Queue:
    """One SQS queue through a boto3 client."""

    def __init__(self, client: Any, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:  # noqa: ANN401
        self._client = client
        self._url = url
        self._sleep = sleep

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send all. Raises Unavailable when some could not be sent; others may have been: repeats must be harmless."""
        for batch in _batches(messages):
            pending = {str(i): message for i, message in enumerate(batch)}
            for turn in range(ROUNDS):
                if turn:
                    self._sleep(random.uniform(0.5, 1) * 0.05 * 2**turn)  # noqa: S311 - spreads load, guards nothing
                entries = [message.entry(entry_id) for entry_id, message in pending.items()]
                answer = _call(self._client.send_message_batch, QueueUrl=self._url, Entries=entries)
                failed: list[dict[str, Any]] = answer.get("Failed", [])
                if any(failure.get("SenderFault") for failure in failed):
                    raise Unavailable(f"SQS refused a message: {failed[0].get('Code')} {failed[0].get('Message', '')}")
                pending = {failure["Id"]: pending[failure["Id"]] for failure in failed}
                if not pending:
                    break
            else:
                raise Unavailable(f"SQS did not take {len(pending)} messages in {ROUNDS} tries")

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Make messages visible again after seconds: (receipt handle, seconds). Best effort.

        One that SQS does not take comes back at the queue's own visibility timeout: later, never lost.
        """
        for start in range(0, len(delays), BATCH_ENTRIES):
            entries = [
                {"Id": str(i), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                for i, (handle, seconds) in enumerate(delays[start : start + BATCH_ENTRIES])
            ]
            _call(self._client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries)


class SqsDeliveries:
    """The delivery queue (or the dead-letter queue) as a place for delivery messages.

    `static`: the queue of the sender with static addresses, for the messages of webhooks that want those.
    """

    def __init__(self, queue: Queue, static: Queue | None = None) -> None:
        self._queue = queue
        self._static = static

    @classmethod
    def of(cls, client: Any, url: str, static_url: str | None, *, sleep: Callable[[float], None]) -> Self:  # noqa: ANN401
        """The delivery queues of a deployment, which may have one sender or two."""
        return cls(
            Queue(client, url, sleep=sleep), None if static_url is None else Queue(client, static_url, sleep=sleep)
        )

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        """Send (message, delay in seconds) pairs, each to the queue of its webhook's sender. Raises Unavailable."""
        ordinary: list[Outgoing] = []
        static: list[Outgoing] = []
        for message, delay in messages:
            outgoing = Outgoing(message.body, message.group, {META_ATTRIBUTE: message.meta()}, delay)
            (ordinary if self._static is None or not message.static_egress else static).append(outgoing)
        self._queue.send(ordinary)
        if self._static is not None:
            self._static.send(static)

    def pass_on(self, unreadable: Sequence[Unreadable]) -> None:
        """Send messages that nobody can read on as they are. Raises Unavailable."""
        self._queue.send(
            [
                Outgoing(each.record["body"], None, {} if each.meta is None else {META_ATTRIBUTE: each.meta})
                for each in unreadable
            ]
        )

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Make messages visible again after seconds: (receipt handle, seconds). Best effort."""
        self._queue.postpone(delays)


class SqsIngest:
    """The ingest queue as a place for events."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def publish(self, events: Sequence[Event], token: str) -> None:
        """Hand events to ingestion: when this returns, SQS has all of them. Raises Unavailable; repeating is harmless.

        `token` is random for each call; ingestion tells a repeat of its own message from a duplicate by it.
        """
        outgoing: list[Outgoing] = []
        for position, chunk in _by_size(events):
            document: dict[str, object] = {
                "token": f"{token}-{position}",
                "publisher": chunk[0].publisher,
                "events": [event.document() for event in chunk],
            }
            if any(event.former_id for event in chunk):
                document["former_ids"] = [event.former_id for event in chunk]
            if any(event.fingerprint for event in chunk):
                document["fingerprints"] = [event.fingerprint for event in chunk]
            if any(event.trace for event in chunk):
                document["traces"] = [event.trace for event in chunk]
            outgoing.append(Outgoing(dumps(document), group_of(chunk[0].scope)))
        self._queue.send(outgoing)

    def continue_fan_out(self, continuations: Sequence[Mapping[str, object]], group: str) -> None:
        """Ask ingestion to go on with the next page of an event's webhooks."""
        self._queue.send([Outgoing(dumps({"continue": dict(each)}), group) for each in continuations])

    def hand_back(self, messages: Sequence[tuple[Received[str], int]]) -> None:
        """Have copies take the place of messages, each after a delay in seconds. Raises Unavailable."""
        self._queue.send(
            [
                Outgoing(
                    each.message,
                    each.group,
                    {HANDED_BACK_ATTRIBUTE: str(each.handed_back + 1), FIRST_SENT_ATTRIBUTE: str(each.sent_at_ms)},
                    delay,
                )
                for each, delay in messages
            ]
        )

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Make messages visible again after seconds: (receipt handle, seconds). Best effort."""
        self._queue.postpone(delays)

    def refuse(self, body: str, reason: str) -> None:
        """Put a message that cannot be read on this queue with the reason beside it."""
        self._queue.send([Outgoing(body, None, {"reason": reason[:1000]})])


class SqsJobs:
    """The jobs queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def go_on(self, job: ReplayJob, delay_seconds: int = 0) -> None:
        """Start or continue a job. Raises Unavailable.

        By its owner's group: while one owner's jobs take up the workers, SQS hands out others' first.
        """
        self._queue.send([Outgoing(json.dumps({"job_id": job.job_id}), group_of(job.owner), None, delay_seconds)])

    def go_on_erasing(self, scope: str, delay_seconds: int = 0) -> None:
        """Start or continue the erasure of a tenant. Raises Unavailable."""
        self._queue.send([Outgoing(json.dumps({"erase": scope}), group_of(scope), None, delay_seconds)])


def _by_size(events: Sequence[Event]) -> Iterator[tuple[int, Sequence[Event]]]:
    if len(events) == 1:  # whatever its size, it is one message
        yield 0, events
        return
    chunk: list[Event] = []
    size = start = 0
    for position, event in enumerate(events):
        event_size = len(dumps(event.document()))
        if chunk and (size + event_size > INGEST_MESSAGE_BYTES or event.scope != chunk[0].scope):
            yield start, chunk
            chunk, size, start = [], 0, position
        chunk.append(event)
        size += event_size
    if chunk:
        yield start, chunk


def _batches(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == BATCH_ENTRIES or size + message.size_bytes > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size_bytes
    if batch:
        yield batch


def _call(call: Callable[..., Any], **request: Any) -> Any:  # noqa: ANN401
    try:
        return call(**request)
    except ClientError as exc:
        raise Unavailable(f"SQS: {exc.response.get('Error', {}).get('Code', '')}") from exc
    except BotoCoreError as exc:
        raise Unavailable(f"SQS: {type(exc).__name__}") from exc

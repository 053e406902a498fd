"""Lambda's event source mapping for SQS, one batch a call (AWS Lambda Developer Guide, "Using Lambda with SQS")."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.sqs import FakeQueue, FakeSQS, Message, lambda_record

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Crash(BaseException):
    """The process is gone: no handler of ours may catch this."""


@dataclass(slots=True)
class EventSource:
    """Takes batches from a queue to a handler, and deletes what the handler did not report as failed."""

    sqs: FakeSQS
    queue: FakeQueue
    handler: Handler
    batch_size: int = 10
    crashes: int = 0

    def take(self) -> list[Message]:
        """Receive a batch."""
        return self.sqs.receive(self.queue, self.batch_size)

    def poll(self) -> int:
        """Hand over one batch; returns its size. A handler that crashes leaves everything to the visibility timeout."""
        batch = self.take()
        if batch:
            self.hand_over(batch)
        return len(batch)

    def hand_over(self, batch: Sequence[Message]) -> None:
        """The same for a batch that was received."""
        handles = {message.message_id: str(message.handle) for message in batch}
        try:
            answer = self.handler(self.event(batch))
        except (Crash, Exception):
            self.crashes += 1
            raise
        self.conclude(handles, answer)

    def event(self, batch: Sequence[Message]) -> dict[str, Any]:
        """A batch as the handler gets it."""
        return {"Records": [lambda_record(self.queue, message) for message in batch]}

    def conclude(self, handles: Mapping[str, str], answer: Mapping[str, Any]) -> None:
        """Delete what is done. An answer that names a message it never got fails the whole batch."""
        failed = {each["itemIdentifier"] for each in answer.get("batchItemFailures", ())}
        if failed - handles.keys():
            return
        for message_id, handle in handles.items():
            if message_id not in failed:
                self.sqs.delete(self.queue, handle)

"""A model of SQS fair queues. No emulator has them, and AWS describes them only so far; it is no measurement of AWS.

From the Amazon SQS Developer Guide, "How Amazon SQS fair queues work": a tenant is a MessageGroupId, and a message
without one is a tenant of its own; a tenant with more than 10 % of the messages in flight, and at least 30, is noisy;
while there are messages of quiet tenants, receivers get those; of several noisy ones that with the fewest in flight
goes first; a tenant whose backlog is gone is quiet again. Left out: the share of processing time, the five minutes, and
that the thresholds are approximate.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fakes.event_source import EventSource
from tests.fakes.sqs import Message

NOISY_SHARE, NOISY_LEAST = 0.1, 30


@dataclass(slots=True)
class FairQueueModel(EventSource):
    """An event source whose queue is fair."""

    in_flight: Counter[str] = field(default_factory=Counter)

    def take(self) -> list[Message]:
        """Quiet tenants' messages before those of noisy ones, each in their order."""
        queue, flying = self.queue, self.in_flight.total()
        noisy = {g for g, n in self.in_flight.items() if n >= NOISY_LEAST and n > NOISY_SHARE * flying}
        if noisy and queue.ready:
            groups = {each: _tenant(queue.messages[each]) for each in queue.ready if each in queue.messages}
            rank = {group: self.in_flight[group] for group in noisy}
            queue.ready = deque(sorted(groups, key=lambda each: rank.get(groups[each], 0)))
        batch = EventSource.take(self)
        self.in_flight.update(map(_tenant, batch))
        return batch

    def hand_over(self, batch: Sequence[Message]) -> None:
        """What was handed over is in flight no more."""
        try:
            EventSource.hand_over(self, batch)
        finally:
            self.in_flight.subtract(map(_tenant, batch))


def _tenant(message: Message) -> str:
    return message.group or message.message_id

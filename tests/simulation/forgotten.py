"""What was erased in a run, and that nothing of it is left: the ledger's part of erasing."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.fakes.world import TABLE, World
from tests.simulation.readable import texts
from webhooks.models.delivery import FINISHED, DeliveryRecord
from webhooks.models.event import EventRecord

TENANT = 3  # the workspace that is erased
SCOPE = f"ws:{TENANT}"
_CANARY = re.compile(r"canary:(\w+);")


def canary(event_id: str) -> str:
    """A text in an event's data that tells wherever it is left. Receivers send it back."""
    return f"canary:{event_id};"


@dataclass(slots=True)
class Forgotten:
    """`published` are the tenant's events, `webhooks` those that it had, as they were at the request; `events` were
    erased one by one."""

    published: set[str] = field(default_factory=set[str])
    webhooks: set[str] = field(default_factory=set[str])
    events: set[str] = field(default_factory=set[str])

    def faults(
        self, world: World, deliveries: Iterable[DeliveryRecord], events: Iterable[EventRecord]
    ) -> Iterator[str]:
        """What is left of it all, and should not be."""
        erased = self.published | self.events
        for (pk, sk), item in world.dynamodb.tables[TABLE].all_items():
            for event_id in {found for text in texts(item) for found in _CANARY.findall(text)} & erased:
                yield f"erased: {event_id} is readable in {pk} {sk}"
            if pk.partition("|")[0] in self.webhooks and sk.startswith(("sub#", "att#", "dead#")):
                yield f"erased: {pk} {sk} is left of an erased webhook"
        for queue in world.sqs.queues.values():
            for message in queue.messages.values():
                if "reason" in message.attributes:  # refused, and an operator's: docs/operations.md
                    continue
                text = message.body + json.dumps(message.attributes)
                for event_id in {*_CANARY.findall(text)} & erased:
                    yield f"erased: {event_id} is readable in queue {queue.name}"
        for record in deliveries:
            if record.webhook_id not in self.webhooks and record.event_id not in erased:
                continue
            if record.status not in FINISHED or record.waiting or record.body is not None:
                yield f"erased: {record.event_id} for {record.webhook_id} is {record.status}, and waits for ever"
        for event in events:
            if event.event_id in self.published:
                yield f"erased: {event.event_id} has a record"
        for item in world.items("webhook"):
            if item["pk"]["S"] in self.webhooks and item["status"]["S"] != "deleted":
                yield f"erased: {item['pk']['S']} is {item['status']['S']}"

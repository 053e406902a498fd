"""What was erased in a run, and that nothing of it is left: the ledger's part of erasing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.fakes.world import TABLE, World
from tests.simulation.readable import Left
from webhooks.models.delivery import FINISHED, DeliveryRecord
from webhooks.models.event import EventRecord

TENANT = 3  # the workspace that is erased
SCOPE = f"ws:{TENANT}"


@dataclass(slots=True)
class Forgotten:
    """`published` are the tenant's events, `webhooks` those that it had, as they were at the request; `events` were
    erased one by one."""

    published: set[str] = field(default_factory=set[str])
    webhooks: set[str] = field(default_factory=set[str])
    events: set[str] = field(default_factory=set[str])

    def faults(
        self,
        world: World,
        deliveries: Iterable[DeliveryRecord],
        events: Iterable[EventRecord],
        left: Iterable[Left],
    ) -> Iterator[str]:
        """What is left of it all, and should not be."""
        erased = self.published | self.events
        for event_id, place in left:
            if event_id in erased:
                yield f"erased: {event_id} is readable in {' '.join(place)}"
        for (pk, sk), _ in world.dynamodb.tables[TABLE].all_items():
            webhook_id = pk.removeprefix("pull|").partition("|")[0]
            if webhook_id in self.webhooks and sk.startswith(("sub#", "att#", "dead#", "got#", "consumer#")):
                yield f"erased: {pk} {sk} is left of an erased webhook"
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

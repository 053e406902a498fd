"""Tenants with a webhook each, and the events that the platform publishes for them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.owners import url_of
from tests.fakes.receivers import Behaviour
from tests.fakes.world import TABLE, event
from tests.simulation.scale.brief import BriefLog
from tests.simulation.scale.fleet import Fleet
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook
from webhooks.store.delivery_items import delivery_of


@dataclass(slots=True)
class Tenants:
    """So many tenants on a fleet; `tell` is told how far publishing has come (0..1)."""

    fleet: Fleet
    count: int
    seed: int = 0
    tell: Callable[[float], None] = lambda _share: None
    webhooks: list[Webhook] = field(default_factory=list[Webhook])
    published: dict[str, int] = field(default_factory=dict[str, int])  # event id -> when
    log: BriefLog = field(default_factory=BriefLog)

    def __post_init__(self) -> None:
        self.fleet.world.receivers.log = self.log  # type: ignore[assignment]

    def register(self, behaviours: Mapping[int, Behaviour] | None = None, **fields: Any) -> None:
        """A webhook for each tenant, whose receiver takes 20 to 200 ms unless a behaviour is given."""
        for tenant in range(self.count):
            webhook = self.fleet.world.owners.register(f"t{tenant}", user_id=tenant, workspace_id=tenant, **fields)
            self.webhooks.append(webhook)
            behaviour = (behaviours or {}).get(tenant)
            if behaviour is not None:
                self.fleet.world.receivers.behave(url_of(f"t{tenant}"), behaviour)

    def publish(self, gap_ms: float, for_ms: int, tenants: Sequence[int] | None = None) -> None:
        """At random moments, on average one event of each tenant in so many milliseconds; a strand of a fleet's run."""
        rng, chosen = random.Random(f"publishing {self.seed} {tenants}"), tenants or range(self.count)
        start_ms = self.fleet.clock.ms
        due_ms, number = float(start_ms), 0
        while True:
            due_ms += rng.expovariate(len(chosen) / gap_ms)
            if due_ms > start_ms + for_ms:
                return
            self.fleet.scheduler.sleep_until(round(due_ms))
            tenant = chosen[rng.randrange(len(chosen))]
            self.send(tenant, f"t{tenant}-{number}")
            number += 1
            if number % 1_000 == 0:
                self.tell((due_ms - start_ms) / for_ms)

    def send(self, tenant: int, event_id: str) -> None:
        """One event of a tenant."""
        self.published[event_id] = self.fleet.clock.ms
        self.fleet.publish(event(event_id, workspace_id=tenant, user_id=tenant))

    def latencies(self, tenants: Sequence[int]) -> list[int]:
        """From publishing to the receiver's first taking it, in order of size, for these tenants."""
        urls = {url_of(f"t{tenant}") for tenant in tenants}
        first: dict[str, int] = {}
        for request in self.log:
            if request.succeeded and request.url in urls:
                first.setdefault(request.event_id, request.at_ms)
        return sorted(at_ms - self.published[event_id] for event_id, at_ms in first.items())

    def share(self, tenants: Sequence[int]) -> float:
        """Of what was published for these tenants, how much their receivers took."""
        names = {f"t{tenant}" for tenant in tenants}
        wanted = {event_id for event_id in self.published if event_id.partition("-")[0] in names}
        return len(wanted & {request.event_id for request in self.log if request.succeeded}) / len(wanted)

    def records(self) -> list[DeliveryRecord]:
        """All deliveries."""
        items = self.fleet.world.dynamodb.tables[TABLE].items
        return [delivery_of(item) for (_, sk), item in items.items() if sk.startswith("dlv#")]


def percentile(ordered: Sequence[int], share: float) -> int:
    """The smallest value that so many are not above."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

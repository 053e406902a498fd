"""A tenant that lives beside the others and is erased, and the platform, which erases an event now and then."""

import random
from collections.abc import Callable
from typing import Any

from tests.fakes.owners import owner_of
from tests.fakes.receivers import Answer
from tests.fakes.world import World, event
from tests.simulation.callers import PLATFORM, Client
from tests.simulation.engine import Engine
from tests.simulation.forgotten import SCOPE, TENANT
from tests.simulation.ledger import Held, Known, Ledger
from tests.simulation.readable import canary
from tests.simulation.scenario import MINUTE, SECOND, Interest, for_pull
from webhooks.errors import NotFound
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.models.caller import Caller

ADMIN = Caller("platform", frozenset(), frozenset({"admin"}))
OWNER = "u3"
WEBHOOKS = 3
APART_MS = 10 * SECOND  # of the request from what comes before and after: clocks differ by some seconds
ANSWERS = (200, 200, 200, 500, 503, 410, 429)


class Tenant:
    """Of the size of a tenth of the run. It comes back after it was erased."""

    def __init__(
        self, engine: Engine, world: World, ledger: Ledger, client: Client, on_read: Callable[[Known], None]
    ) -> None:
        self._engine = engine
        self._world = world
        self._ledger = ledger
        self._client = client
        self._on_read = on_read
        self._rng = random.Random(f"tenant {engine.plan.seed}")
        self.is_busy = True

    def live(self) -> None:
        """Webhooks and events; then it is erased, and has others."""
        rng, plan = self._rng, self._engine.plan
        for number in range(WEBHOOKS):
            status = self._rng.choice(["active", "active", "paused"])
            self._register(f"tenant{number}", status, is_pull=number == WEBHOOKS - 1)
        amount = max(5, plan.events // 10)
        self._publish(0, amount, rng.uniform(0.3, 0.8) * plan.publishing_ms)
        forgotten = self._ledger.forgotten
        forgotten.published |= {f"t{number}" for number in range(amount)}
        forgotten.webhooks |= {
            known.webhook.webhook_id for known in self._ledger.webhooks.values() if known.webhook.scope == SCOPE
        }
        self._engine.scheduler.sleep_ms(APART_MS)
        self._client.ask(lambda api: api.use_cases.tenant_erasures.start(ADMIN, f"workspace:{TENANT}"))
        self._engine.scheduler.sleep_ms(APART_MS)
        self._register("tenant-again", "active")
        self._publish(amount, amount // 2 + 1, 20 * MINUTE)
        self.is_busy = False

    def _register(self, name: str, status: str, *, is_pull: bool = False) -> None:
        fields: dict[str, Any] = {
            "user_id": OWNER,
            "workspace_id": TENANT,
            "max_retries": self._rng.choice([0, 2, 9]),
            "rate_limit_rps": self._rng.choice([None, None, 1]),
            "status": status,
        }
        if is_pull:
            fields = for_pull(fields)
        webhook = self._client.ask(
            lambda api: api.owners.register(name, event_types=("*",), idempotency_key=name, **fields)
        )
        self._ledger.register(webhook, status)
        known = self._ledger.webhooks[webhook.webhook_id]
        who, webhook_id = owner_of(webhook), webhook.webhook_id
        found, _ = self._client.ask(lambda api: api.owners.subscriptions.page(who, webhook_id, after=None, limit=2))
        known.subscriptions[found[0].subscription_id] = Interest("*")
        known.history[:] = [Held(each.from_ms, each.status, (Interest("*"),)) for each in known.history]
        if is_pull:
            self._on_read(known)
        rng = random.Random(self._rng.random())
        self._world.receivers.behave(webhook.url, lambda _now_ms, _count: Answer(rng.choice(ANSWERS), 50))

    def _publish(self, first: int, amount: int, within_ms: float) -> None:
        rng, scheduler = self._rng, self._engine.scheduler
        for number in range(first, first + amount):
            scheduler.sleep_ms(round(rng.expovariate(amount / within_ms)))
            document = event(
                f"t{number}",
                rng.choice(DEFAULT_EVENT_TYPES),
                workspace_id=TENANT,
                user_id=rng.choice([7, 8, "u9", OWNER]),
                data={"fields": {"name": "Ann", "age": rng.randrange(90)}, "canary": canary(f"t{number}")},
            )
            self._ledger.published[document["id"]] = (document, self._engine.clock.ms)
            door = rng.random()
            if door < 0.5:
                self._client.ask(lambda api, d=document: api.publishing.publish(PLATFORM, d, None))
            elif door < 0.7:
                self._world.publish(document)
            else:
                self._world.put_event(document)


class Eraser:
    """Erases an event now and then, whatever has become of it."""

    def __init__(self, engine: Engine, ledger: Ledger, client: Client) -> None:
        self._engine = engine
        self._ledger = ledger
        self._client = client
        self._rng = random.Random(f"eraser {engine.plan.seed}")

    def work(self) -> None:
        """A tenth of all. An event under whose id another was published is left alone: that lies aside."""
        while len(self._ledger.forgotten.events) <= self._engine.plan.events // 10:
            self._engine.scheduler.sleep_ms(round(self._rng.expovariate(1 / (10 * MINUTE))))
            now_ms, ledger = self._engine.clock.ms, self._ledger
            settled = [
                event_id
                for event_id, (_, published_ms) in list(ledger.published.items())[-200:]
                if published_ms < now_ms - 2 * MINUTE and event_id[0] == "e" and not ledger.others.get(event_id)
            ]
            if settled:
                self._erase(self._rng.choice(settled))

    def _erase(self, event_id: str) -> None:
        try:
            self._client.ask(lambda api: api.use_cases.event_erasure.erase(PLATFORM, event_id, None, None))
        except NotFound:  # nobody has recorded it yet
            return
        self._ledger.forgotten.events.add(event_id)

"""Owners' consumers, which read their webhooks by the API, die anywhere and come back."""

import random
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.fakes.functions import Services
from tests.fakes.owners import owner_of
from tests.simulation import keeping
from tests.simulation.accounts import Account
from tests.simulation.callers import Client
from tests.simulation.engine import Engine
from tests.simulation.ledger import Known, Ledger
from tests.simulation.scenario import DAY, MINUTE, SECOND
from webhooks.errors import Conflict, NotFound
from webhooks.management.pulling import PulledEvent, Start
from webhooks.models.pull import LAG_MS, PUSH_LAG_MS
from webhooks.store.schema import DELIVERY_PREFIX, PULL_PREFIX

if TYPE_CHECKING:
    from tests.simulation.scheduler import Fiber

DEATH_RATE = 0.05


class Readers:
    """All of them."""

    def __init__(self, engine: Engine, services: Services, ledger: Ledger) -> None:
        self._engine = engine
        self._services = services
        self._ledger = ledger
        self._readers: dict[str, Reader] = {}

    def read(self, known: Known) -> None:
        """Have a consumer read this webhook from now on."""
        client = Client(self._engine, self._services)
        reader = self._readers[known.webhook.webhook_id] = Reader(self._engine, client, self._ledger, known)
        reader.fiber = self._engine.scheduler.spawn("reader", reader.work)

    def notice(self, key: tuple[str, str], *, is_new: bool) -> None:
        """An item is written. An idle consumer looks again when there is something to come."""
        pk, sk = key
        webhook_id = pk.split("|")[1] if sk.startswith(PULL_PREFIX) else pk.partition("|")[0]
        if is_new and sk.startswith((PULL_PREFIX, DELIVERY_PREFIX)) and webhook_id in self._readers:
            self._readers[webhook_id].wake()

    def are_done(self) -> bool:
        """Whether each has looked at all that there is."""
        return all(each.is_idle for each in self._readers.values())


class Reader:
    """A consumer of one webhook."""

    def __init__(self, engine: Engine, client: Client, ledger: Ledger, known: Known) -> None:
        self._engine = engine
        self._client = client
        self._ledger = ledger
        self._webhook = known.webhook
        self._is_pull = known.webhook.kind == "pull"
        self._rng = random.Random(f"reader {engine.plan.seed} {len(ledger.accounts)}")
        self._account = ledger.accounts[known.webhook.webhook_id] = Account(f"reader of {known.webhook.webhook_id}", {})
        self._cursor: str | None = None
        self._woken_ms = engine.clock.ms
        self.is_idle = False
        self.fiber: Fiber | None = None

    def wake(self) -> None:
        """There is something to come."""
        self._woken_ms = self._engine.clock.ms
        if self.is_idle and self.fiber in self._engine.scheduler.living:
            self.is_idle = False
            self._engine.scheduler.wake(self.fiber, self._woken_ms + self._rng.randrange(10 * SECOND))

    def work(self) -> None:
        """Read page after page, until the webhook is gone."""
        scheduler = self._engine.scheduler
        behind_ms = (LAG_MS if self._is_pull else PUSH_LAG_MS) + MINUTE
        pauses_ms = (SECOND, 3 * SECOND, 10 * SECOND) if self._is_pull else (10 * SECOND, MINUTE, 5 * MINUTE)
        with suppress(NotFound):
            while True:
                began_ms = self._engine.clock.ms
                try:
                    has_more = self._read()
                except Conflict:  # it is paused
                    scheduler.sleep_ms(self._rng.randrange(10 * MINUTE))
                    continue
                if began_ms > self._woken_ms + behind_ms and not has_more:
                    self.is_idle = True
                    scheduler.park(self._engine.clock.ms + DAY)
                    self.is_idle = False
                elif not has_more:
                    scheduler.sleep_ms(self._rng.choice(pauses_ms))
        self.is_idle = self._account.is_over = True

    def _read(self) -> bool:
        """One page, and whether there is more."""
        rng, who, webhook_id = self._rng, owner_of(self._webhook), self._webhook.webhook_id
        start = Start(consumer="c") if self._cursor is None else Start(after=self._cursor)
        limit, wait = rng.choice((1, 5, 20, 100)), rng.choice((0, 0, 5, 20))
        page = self._client.ask(lambda api: api.use_cases.pulling.read(who, webhook_id, start, limit, wait))
        for each in page.items:
            self._take(each)
        if rng.random() < DEATH_RATE:
            self._account.die()
            self._cursor = None
            self._engine.scheduler.sleep_ms(rng.randrange(5 * MINUTE))
            return True
        self._cursor = page.next_cursor
        if rng.random() < 0.5:
            self._client.ask(lambda api: api.use_cases.pulling.commit(who, webhook_id, "c", page.next_cursor))
        return page.has_more

    def _take(self, each: PulledEvent) -> None:
        event_id = each.entry.event_id
        self._account.note(each.entry.position, event_id)
        if event_id not in self._ledger.published:
            return  # our own announcements
        document = self._ledger.published[event_id][0]
        if each.body is None:
            self._account.blank.add(event_id)
        elif not keeping.is_whole(document) or not keeping.is_all_of(document, each.body.encode()):
            self._account.faults.append(f"{self._account.name} read {event_id} with another body")

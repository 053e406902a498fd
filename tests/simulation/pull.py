"""Consumers of pull webhooks that die and come back while ingest suffers what functions suffer, in virtual time.

Beyond the faults of the other simulation, a write may land long after its writer has given it up. Each consumer keeps
its own account of what it has read; nothing of the service judges it.

`make pull EVENTS=100000 SEED=7` is the long form.
"""

import argparse
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.api import Api
from tests.fakes.aws_errors import lost_answer
from tests.fakes.owners import owner_of
from tests.fakes.world import TABLE, World
from tests.simulation.accounts import Account
from tests.simulation.callers import Client, redrive
from tests.simulation.engine import Engine
from tests.simulation.ledger import Ledger, put_aside
from tests.simulation.scenario import MINUTE, Interest, Plan
from tests.simulation.seeding import seeded_ids
from tests.simulation.workers import Workers
from webhooks.management.pulling import Start
from webhooks.models.webhook import Webhook

WEBHOOKS, CONSUMERS = 5, 50
WRITERS = 4
DEATH_RATE = 0.01  # twice a page. More, and consumers stay far behind, where nothing can be jumped over
LATE_RATE, LATE_MS = 0.2, 30_000
INDEX_LAGS_MS = (0, 400, 5_000)
TOLD_EVERY_SECONDS = 10
QUIET_MS = MINUTE  # without faults, and longer than anything is on its way


@dataclass(slots=True)
class Known:
    """A pull webhook, and what its owner asked for."""

    webhook: Webhook
    interest: Interest
    places: dict[str, str] = field(default_factory=dict[str, str])  # event ids by position, as somebody read them

    def wants(self, document: Mapping[str, Any]) -> bool:
        """The plain matcher."""
        return str(document["workspace_id"]) == str(self.webhook.workspace_id) and self.interest.wants(document)


@dataclass(slots=True)
class Reading(Account):
    """What one consumer has read."""

    known: Known = field(kw_only=True)
    reached: str = ""  # where it goes on behind


class LateClient:
    """Some writes of entries land late: when their writer was told that nobody knows, or while it waits."""

    def __init__(self, client: Any, simulation: "PullSimulation") -> None:
        self._client = client
        self._simulation = simulation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_execute_statement(self, **request: Any) -> Any:
        engine = self._simulation.engine
        is_entry = "got#" in str(request["Statements"][0]["Parameters"][1])
        if not is_entry or not engine.is_faulty() or engine.rng.random() >= LATE_RATE:
            return self._client.batch_execute_statement(**request)
        raw, delay_ms = self._simulation.world.dynamodb, engine.rng.randrange(LATE_MS)
        if engine.rng.random() < 0.5:
            engine.wait(delay_ms)
            return self._client.batch_execute_statement(**request)

        def land() -> None:
            engine.scheduler.sleep_ms(delay_ms)
            raw.batch_execute_statement(**request)

        engine.scheduler.spawn("late write", land)
        engine.wait(engine.rng.randrange(LATE_MS // 2))
        raise lost_answer()


class PullSimulation:
    """From one seed."""

    def __init__(self, seed: int, events: int, consumers: int, on_event: Callable[[], None] = lambda: None) -> None:
        self.plan = Plan(seed, events, publishing_ms=max(5 * MINUTE, events * 100))
        self.world = World(seed, plan=lambda call: self.engine.strike(call), shuffled=True,
                           index_lag_ms=lambda: self.engine.rng.choice(INDEX_LAGS_MS))  # fmt: skip
        self.engine = Engine(self.plan, self.world.clock)
        self._services = replace(
            self.world.services,
            sleep=lambda seconds: self.engine.wait(round(seconds * 1000)),
            pass_ms=self.engine.wait,
            kms=self.world.clients["kms"],
        )
        raw = {"dynamodb": self.world.dynamodb, "sqs": self.world.sqs}
        self._raw = Api(replace(self.world.services, **raw))
        late: Any = LateClient(self._services.dynamodb, self)
        self._writers = replace(self._services, dynamodb=late)
        self.published: dict[str, dict[str, Any]] = {}
        self.readings: list[Reading] = []
        self.behind = Counter[str]()  # entries that came behind a position that somebody had read past, by webhook
        self.aside: Collection[str] = ()
        self._on_event = on_event
        self._count = consumers
        self._ended_ms: int | None = None
        self._left = consumers

    def run(self) -> list[str]:
        """Everything, and then what is broken."""
        random.seed(self.plan.seed)
        with seeded_ids(self.engine.rng):
            self.engine.scheduler.spawn("owner", self._own)
            self.engine.scheduler.run()
        return list(self._faults())

    def _own(self) -> None:
        client = Client(self.engine, self._services)
        known: list[Known] = []
        for number in range(WEBHOOKS):
            interest = Interest("*") if number < 2 else replace(self.plan.interest(), is_active=True)
            wanted = {"kind": "pull", "workspace_id": self.plan.rng.choice([1, 2]), "event_types": ()}
            webhook = client.ask(
                lambda api, n=number, w=wanted: api.owners.register(f"p{n}", idempotency_key=f"p{n}", **w)
            )
            request = interest.request()
            client.ask(lambda api, w=webhook, r=request: api.owners.subscribe(w, **r))
            known.append(Known(webhook, interest))
        self._watch_writes()
        for number in range(self._count):
            reading = Reading(f"c{number}", known[number % WEBHOOKS].places, known=known[number % WEBHOOKS])
            self.readings.append(reading)
            self.engine.scheduler.spawn(reading.name, lambda r=reading: self._consume(r))
        source = self.world.sources["ingest"]
        ledger = Ledger(self.world)
        for number in range(WRITERS):
            worker = Workers(self.engine, self._writers, self.world.sqs, ledger, "ingest", source)
            self.engine.scheduler.spawn(f"ingest {number}", worker.work)
        self.engine.scheduler.spawn("platform", self._publish)

    def _publish(self) -> None:
        plan, number = self.plan, 0
        while number < plan.events:
            size = min(plan.rng.choice((1, 1, 2, 5, 20)), plan.events - number)
            documents = [plan.event(number + position) for position in range(size)]
            self.published |= {each["id"]: each for each in documents}
            self.world.publish(*documents)
            number += size
            for _ in documents:
                self._on_event()
            self.engine.scheduler.sleep_ms(round(plan.rng.expovariate(plan.events / plan.publishing_ms / size)))
        self.engine.faulty_for(0)
        redrive(self.world)
        while self.world.ingest_queue.messages:
            self.engine.scheduler.sleep_ms(1_000)
            redrive(self.world)
        self._ended_ms = self.engine.clock.ms + QUIET_MS

    def _consume(self, reading: Reading) -> None:
        """Read, do something with it, and commit now and then; die anywhere, and come back."""
        rng = random.Random(f"{self.plan.seed} {reading.name}")
        client = Client(self.engine, self._services)
        webhook_id, who = reading.known.webhook.webhook_id, owner_of(reading.known.webhook)
        cursor: str | None = None
        while True:
            started_ms = self.engine.clock.ms
            start = Start(after=cursor) if cursor is not None else Start(consumer=reading.name)
            limit, wait = rng.choice((1, 3, 20, 100)), rng.choice((0, 0, 5, 20))
            page = client.ask(lambda api, s=start, n=limit, w=wait: _pulling(api).read(who, webhook_id, s, n, w))
            died = rng.random() < DEATH_RATE and self._ended_ms is None
            done = page.items[: rng.randrange(len(page.items) + 1)] if died else page.items
            for each in done:
                reading.note(each.entry.position, each.entry.event_id)
            if not died:
                cursor = page.next_cursor
                reading.reached = max(reading.reached, self._position(reading, page.next_cursor))
                if rng.random() < 0.5:
                    client.ask(lambda api, c=cursor: _pulling(api).commit(who, webhook_id, reading.name, c))
                died = rng.random() < DEATH_RATE and self._ended_ms is None
            if died:
                cursor = None
                reading.die()
                self.engine.scheduler.sleep_ms(rng.randrange(2 * MINUTE))
            elif not page.has_more:
                if self._ended_ms is not None and started_ms > self._ended_ms:
                    break
                self.engine.scheduler.sleep_ms(rng.choice((500, 3_000, 10_000)))
        self._left -= 1
        if not self._left:
            self.engine.scheduler.stop()

    def _position(self, reading: Reading, cursor: str) -> str:
        listing = f"pull|{reading.known.webhook.webhook_id}"
        return self._raw.use_cases.cursors.open(cursor, caller="", listing=listing) or ""

    def _watch_writes(self) -> None:
        table = self.world.dynamodb.tables[TABLE]
        write = table.write

        def watched(key: tuple[str, str], new: Any, *, by_ttl: bool = False) -> None:
            if new is not None and key[1].startswith("got#"):
                webhook_id, position = key[0].split("|")[1], key[1].removeprefix("got#")
                passed = (each.reached for each in self.readings if each.known.webhook.webhook_id == webhook_id)
                self.behind[webhook_id] += position < max(passed, default="")
            write(key, new, by_ttl=by_ttl)

        table.write = watched  # type: ignore[method-assign]

    def _faults(self) -> Iterator[str]:
        """What was put aside with its reason is an operator's: a table refuses good items here, too."""
        recorded = {each.event_id for each in self.world.event_records()}
        self.aside = put_aside(self.world).keys() - recorded
        wanted = {
            each.name: {name for name, document in self.published.items() if each.known.wants(document)} - self.aside
            for each in self.readings[:WEBHOOKS]
        }
        for number, reading in enumerate(self.readings):
            mine = wanted[f"c{number % WEBHOOKS}"]
            yield from (f"lost: {reading.name} never read {event_id}" for event_id in sorted(mine - reading.seen))
            for event_id in sorted(reading.seen - mine):
                yield f"{reading.name} read {event_id}, which it did not ask for"
            yield from reading.faults

    def summary(self) -> str:
        """The figures."""
        deaths = sum(each.deaths for each in self.readings)
        reads = sum(each.reads for each in self.readings)
        again = reads - sum(len(each.seen) for each in self.readings)
        places = [len(each) for each in {id(each.known): each.known.places for each in self.readings}.values()]
        return (
            f"{len(self.published):,} events, {len(self.aside)} put aside by their table, "
            f"{sum(places):,} places in {len(places)} orders, "
            f"{len(self.readings)} consumers with {deaths:,} deaths, {reads:,} reads, {again:,} of them again, "
            f"{self.engine.figures.struck.total():,} faults, {self.behind.total():,} writes that landed behind a reader"
        )


def _pulling(api: Api) -> Any:
    return api.use_cases.pulling


def main() -> int:
    """Prints progress, figures and what is broken; 1 if anything is."""
    parser = argparse.ArgumentParser(prog="make pull")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=5_000)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    started = told = time.monotonic()
    done = 0

    def note() -> None:
        nonlocal done, told
        done += 1
        if time.monotonic() - told > TOLD_EVERY_SECONDS:
            told = time.monotonic()
            print(f"{done:,} of {given.events:,} events, {told - started:.0f} s", flush=True)  # noqa: T201

    simulation = PullSimulation(given.seed, given.events, CONSUMERS, note)
    broken = simulation.run()
    figures = f"{simulation.summary()}; {len(broken)} promises broken, in {time.monotonic() - started:.0f} s"
    print(figures, *broken[:20], sep="\n")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

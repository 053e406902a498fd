"""Consumers of pull webhooks that die and come back while ingest suffers what functions suffer, in virtual time.

Beyond the faults of the other simulation, a write may land long after its writer has given it up. Each consumer keeps
its own account of what it has read; nothing of the service judges it.

`python -m tests.simulation.pull 7 100000` is seed 7 with so many events.
"""

import random
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.api import Api
from tests.fakes.aws_errors import lost_answer
from tests.fakes.owners import owner_of
from tests.fakes.world import TABLE, World
from tests.simulation.callers import Client
from tests.simulation.engine import Engine
from tests.simulation.ledger import Ledger
from tests.simulation.scenario import HOUR, MINUTE, Interest, Plan
from tests.simulation.seeding import seeded_ids
from tests.simulation.workers import Workers
from webhooks.management.pulling import Start
from webhooks.models.webhook import Webhook

WEBHOOKS = 5
WRITERS = 4
LATE_RATE, LATE_MS = 0.2, 30_000
INDEX_LAGS_MS = (0, 400, 5_000)
QUIET_MS = MINUTE  # without faults, and longer than anything is on its way


@dataclass(slots=True)
class Known:
    """A pull webhook, and what its owner asked for."""

    webhook: Webhook
    interest: Interest

    def wants(self, document: Mapping[str, Any]) -> bool:
        """The plain matcher."""
        return str(document["workspace_id"]) == str(self.webhook.workspace_id) and self.interest.wants(document)


@dataclass(slots=True)
class Reading:
    """What one consumer has read, by position: one list for each life."""

    name: str
    known: Known
    lives: list[list[tuple[str, str]]] = field(default_factory=lambda: [[]])
    reached: str = ""  # where it goes on behind
    deaths: int = 0

    @property
    def seen(self) -> set[str]:
        """Ids of events."""
        return {event_id for life in self.lives for _, event_id in life}


class LateClient:
    """Some writes of entries land later, when their writer was told that nobody knows."""

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

        def land() -> None:
            engine.scheduler.sleep_ms(delay_ms)
            raw.batch_execute_statement(**request)

        engine.scheduler.spawn("late write", land)
        engine.wait(engine.rng.randrange(LATE_MS // 2))
        raise lost_answer()


class PullSimulation:
    """From one seed."""

    def __init__(self, seed: int, events: int, consumers: int) -> None:
        self.plan = Plan(seed, events, publishing_ms=max(5 * MINUTE, events * 100))
        self.world = World(seed, plan=lambda call: self.engine.strike(call), shuffled=True,
                           index_lag_ms=lambda: self.engine.rng.choice(INDEX_LAGS_MS))  # fmt: skip
        self.engine = Engine(self.plan, self.world.clock)
        self.engine.faulty_for(HOUR)
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
            reading = Reading(f"c{number}", known[number % WEBHOOKS])
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
            self.engine.scheduler.sleep_ms(round(plan.rng.expovariate(plan.events / plan.publishing_ms / size)))
        self.engine.faulty_for(0)
        while self.world.ingest_queue.messages:
            self.engine.scheduler.sleep_ms(1_000)
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
            died = False
            for each in page.items:
                reading.lives[-1].append((each.entry.position, each.entry.event_id))
                if rng.random() < 0.005 and self._ended_ms is None:
                    died = True
                    break
            if not died:
                cursor = page.next_cursor
                reading.reached = max(reading.reached, self._position(reading, page.next_cursor))
                if rng.random() < 0.5:
                    client.ask(lambda api, c=cursor: _pulling(api).commit(who, webhook_id, reading.name, c))
                died = rng.random() < 0.02 and self._ended_ms is None
            if died:
                cursor = None
                reading.lives.append([])
                reading.deaths += 1
                self.engine.scheduler.sleep_ms(rng.randrange(5 * MINUTE))
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

    def _faults(self) -> Any:
        for reading in self.readings:
            wanted = {name for name, document in self.published.items() if reading.known.wants(document)}
            for event_id in sorted(wanted - reading.seen):
                yield f"lost: {reading.name} never read {event_id}"
            for event_id in sorted(reading.seen - wanted):
                yield f"{reading.name} read {event_id}, which it did not ask for"
            for life in reading.lives:
                positions = [position for position, _ in life]
                if positions != sorted(set(positions)):
                    yield f"{reading.name} read out of order"


def _pulling(api: Api) -> Any:
    return api.use_cases.pulling


if __name__ == "__main__":
    seed, events = (int(each) for each in sys.argv[1:])
    simulation = PullSimulation(seed, events, consumers=50)
    broken = simulation.run()
    read = sum(len(life) for each in simulation.readings for life in each.lives)
    deaths = sum(each.deaths for each in simulation.readings)
    print(  # noqa: T201
        f"{events:,} events, {len(simulation.readings)} consumers, {deaths:,} deaths, "
        f"{read:,} reads, {simulation.behind.total()} entries that landed late, {len(broken)} promises broken",
        *broken[:20],
        sep="\n",
    )
    sys.exit(bool(broken))

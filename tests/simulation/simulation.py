"""One run: the real use cases as many concurrent functions over the fakes, with faults, until nothing is pending."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tests.fakes.functions import COMPOSITIONS, Handler
from tests.fakes.world import TABLE, World
from tests.simulation.callers import Client, Owners, Platform, redrive
from tests.simulation.engine import Engine, Figures
from tests.simulation.erasures import Eraser, Tenant
from tests.simulation.ledger import Ledger, Verdict
from tests.simulation.readers import Readers
from tests.simulation.scenario import DAY, HOUR, MINUTE, Plan
from tests.simulation.seeding import pages_of, seeded_ids
from tests.simulation.streams import SHARDS, Streams
from tests.simulation.workers import Workers
from webhooks.errors import Conflict
from webhooks.models.exchange import Exchange, HttpRequest
from webhooks.store.schema import STATE_SK

WORKERS = {"ingest": 3, "sender": 6, "static_sender": 3, "dead_letter_writer": 2, "jobs": 1}
LONGEST_MS = 60 * DAY
PAGES = ((500, 10), (3, 1))  # webhooks in a page and in a short one: with the second, many events have several pages
INDEX_LAGS_MS = (0, 5, 50, 400, 5_000)


class Simulation:
    """From one seed; `on_event` is told of each event published, for a progress bar."""

    def __init__(self, plan: Plan, on_event: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self._on_event = on_event
        self.world = World(
            plan.seed,
            plan=self._strike,
            index_lag_ms=self._index_lag_ms,
            shuffled=True,
            keeps_stream=True,
            static_egress=True,
        )
        self.clock = self.world.clock
        self.engine = Engine(plan, self.clock)
        self.scheduler = self.engine.scheduler
        self.ledger = Ledger(self.world)
        self.publishing = True
        self._replayed, self._busy = False, True
        self._on_the_way = 0  # events between EventBridge and its target
        services = replace(
            self.world.services,
            sleep=lambda seconds: self.engine.wait(round(seconds * 1000)),
            pass_ms=self.engine.wait,
            transport=self,
            static_transport=_FromStaticAddresses(self),
            kms=self.world.clients["kms"],
        )
        self._services = services
        self.streams = Streams(self.engine, services, self.world.dynamodb.tables[TABLE])
        self.platform = Platform(self.engine, self.world, self.ledger, Client(self.engine, services))
        self.readers = Readers(self.engine, services, self.ledger)
        read = self.readers.read
        self.owners = Owners(self.engine, self.world, self.ledger, Client(self.engine, services), read)
        self.tenant = Tenant(self.engine, self.world, self.ledger, Client(self.engine, services), read)
        self.eraser = Eraser(self.engine, self.ledger, Client(self.engine, services))
        self.world.receivers.echo = True
        self.world.events.on_the_way = self._deliver
        self._watch_writes()

    @property
    def figures(self) -> Figures:
        """What the run did."""
        return self.engine.figures

    def run(self) -> Verdict:
        """Everything, and then the ledger's checks."""
        random.seed(self.engine.rng.getrandbits(64))  # the management's store waits for a random while between tries
        with seeded_ids(self.engine.rng), pages_of(PAGES[self.plan.seed % 2]):
            self.scheduler.spawn("owners", self._own)
            self.scheduler.spawn("schedule", self._tick)
            for shard in range(SHARDS):
                self.scheduler.spawn(f"rollup {shard}", lambda shard=shard: self.streams.work(shard))
            for name, count in WORKERS.items():
                source = self.world.sources[name]
                workers = Workers(self.engine, self._services, self.world.sqs, self.ledger, name, source)
                for number in range(count):
                    self.scheduler.spawn(f"{name} {number}", workers.work)
            self.scheduler.run()
        self._count_the_rest()
        return self._judge()

    def _judge(self) -> Verdict:
        jobs = {job.job_id: job for job in self.world.replay_jobs()}
        asked = [
            job for job, webhook_id in self.owners.jobs.items() if webhook_id not in self.ledger.forgotten.webhooks
        ]
        unfinished = [job for job in asked if jobs[job].status not in ("completed", "failed")]
        completed = [job for job in asked if jobs[job].status == "completed"]
        repeats = sum(source.queue.repeats for source in self.world.sources.values())
        # A message that SQS shows twice looks like one whose first receiver was cut off.
        verdict = self.ledger.check(
            max_unknown=self.engine.cut_off + repeats, cut_off_of=self.engine.cut_off_of, jobs=completed
        )
        verdict.faults += [f"lost: {job} did not come to its end" for job in unfinished]
        for name in ("ingest", "sender", "static_sender", "dead_letter_writer"):
            queue = self.world.sources[name].queue
            verdict.faults += [f"lost: {queue.name} dropped a message after its retention" for _ in queue.expired]
        return verdict

    def _count_the_rest(self) -> None:
        self.figures.virtual_ms = self.clock.ms - self.engine.start_ms
        self.figures.most_in_flight = self.world.delivery_queue.most_in_flight
        if self.plan.faults:
            self.figures.struck[("stale_index", "table")] += self.world.dynamodb.tables[TABLE].stale_reads
            for name, source in self.world.sources.items():
                self.figures.struck[("reordered", "sender" if name == "static_sender" else name)] += (
                    source.queue.reordered
                )

    # ---- users and the platform

    def _own(self) -> None:
        self.owners.register_all()
        self.scheduler.spawn("platform", self._publish)
        self.scheduler.spawn("tenant", self.tenant.live)
        self.scheduler.spawn("eraser", self.eraser.work)
        self.owners.meddle(lambda: self.publishing)
        self._busy = False

    def _publish(self) -> None:
        self.platform.publish(self._on_event)
        self.publishing = False

    def _watch_writes(self) -> None:
        """The ledger notes when what was written."""
        table = self.world.dynamodb.tables[TABLE]
        write = table.write

        def watched(key: tuple[str, str], new: Any, *, by_ttl: bool = False) -> None:
            if new is not None:
                self.ledger.note(key, new)
                self.readers.notice(key, is_new=key not in table.items)
            write(key, new, by_ttl=by_ttl)
            self.streams.notice()

        table.write = watched  # type: ignore[method-assign]

    def _deliver(self, deliver: Callable[[], None]) -> None:
        """EventBridge to its target: once as a rule, now and then twice, or later, or by way of the target's DLQ."""
        hits = self.engine.hits
        if hits("event_twice", "bus", 0.01):
            deliver()
        late_ms = 0
        if hits("event_late", "bus", 0.01):
            late_ms = self.engine.rng.randrange(1_000, 3 * HOUR)
        elif hits("event_refused", "bus", 0.005):  # until an operator has it sent again
            late_ms = self.engine.rng.randrange(MINUTE, 24 * HOUR)
        if not late_ms:
            deliver()
            return
        self._on_the_way += 1

        def later() -> None:
            self.scheduler.sleep_ms(late_ms)
            self._on_the_way -= 1
            deliver()

        self.scheduler.spawn("late", later)

    # ---- the schedule

    def _tick(self) -> None:
        """Each minute: release, the operator's redrive, and whether all is quiet."""
        handler: Handler | None = None
        while True:
            self.scheduler.sleep_until((self.clock.ms // MINUTE + 1) * MINUTE)
            if self.clock.ms - self.engine.start_ms > LONGEST_MS:
                raise RuntimeError(f"still busy after {LONGEST_MS // DAY} days of virtual time")
            redrive(self.world)
            if self.engine.hits("unreadable_item", "table", 0.01):
                self._spoil_a_state()
            if self._has_due():
                handler = self._release(handler)
            elif not self.publishing and not self._busy and not self.tenant.is_busy and self._is_quiet():
                if self._replayed:
                    self.scheduler.stop()
                    return
                self._replay()

    def _release(self, handler: Handler | None) -> Handler | None:
        hits = self.engine.hits
        if hits("run_missed", "release", 0.02):
            return handler
        if hits("run_twice", "release", 0.05):
            self.scheduler.spawn("release too", lambda: self._run_release(None))
        return self._run_release(None if hits("recycled", "release", 0.01) else handler)

    def _run_release(self, handler: Handler | None) -> Handler | None:
        handler = handler or COMPOSITIONS["release"](self.engine.services_for(self._services, "release"))
        return handler if self.engine.alive("release", lambda: handler({}), 0) else None

    def _replay(self) -> None:
        """When all is quiet, owners of webhooks that are active have their dead letters sent again, and half of them
        what they missed, faults and all.
        """
        self._replayed = self._busy = True
        self.engine.faulty_for(HOUR)
        self.scheduler.spawn("owners again", self._replay_all)

    def _replay_all(self) -> None:
        for webhook_id, known in self.ledger.webhooks.items():
            is_erased = webhook_id in self.ledger.forgotten.webhooks
            if known.status != "active" or is_erased:
                continue
            with suppress(Conflict):  # disabled meanwhile
                if self.engine.rng.random() < 0.5:
                    self.owners.recover(known, self.engine.start_ms)
                if self.ledger.letters.get(webhook_id):
                    self.owners.send_again(known)
                    self.owners.replay(known)
        self._busy = False

    def _spoil_a_state(self) -> None:
        """As a newer version might have written it; somebody mends it within the hour. Nobody writes it meanwhile."""
        items = self.world.dynamodb.tables[TABLE].items
        states = [item for (_, sk), item in items.items() if sk == STATE_SK and "circuit" in item]
        if not states:
            return
        item = self.engine.rng.choice(states)
        good, spoilt = item["circuit"], {"S": "{"}
        key = item["pk"]["S"], STATE_SK
        items[key] = {**item, "circuit": spoilt}

        def mend() -> None:
            self.scheduler.sleep_ms(self.engine.rng.randrange(MINUTE, HOUR))
            if items.get(key, {}).get("circuit") == spoilt:  # its webhook may be erased meanwhile
                items[key] = {**items[key], "circuit": good}

        self.scheduler.spawn("mending", mend)

    def _has_due(self) -> bool:
        index = self.world.dynamodb.tables[TABLE].indexes["waiting"]
        index.catch_up(self.clock.ms)
        until = f"{self.clock.ms + MINUTE:014d}|"
        return any(key.startswith("due|") and rows and rows[0][0] < until for key, rows in index.entries.items())

    def _is_quiet(self) -> bool:
        if self._on_the_way or any(fiber.deadline_ms is not None for fiber in self.scheduler.living):
            return False
        if any(source.queue.messages for source in self.world.sources.values()) or not self.streams.is_quiet():
            return False
        if not self.readers.are_done():
            return False
        index = self.world.dynamodb.tables[TABLE].indexes["waiting"]
        if index.pending or any(row[2] != "state" for rows in index.entries.values() for row in rows):
            return False
        erased = self.ledger.forgotten.webhooks
        return all(
            known.status != "paused" or webhook_id in erased for webhook_id, known in self.ledger.webhooks.items()
        )

    # ---- faults

    def _strike(self, call: str) -> Any:
        return self.engine.strike(call)

    def _index_lag_ms(self) -> int:
        return self.engine.rng.choice(INDEX_LAGS_MS) if self.engine.is_faulty() else 0

    async def send(self, request: HttpRequest, pool: str = "", *, is_static: bool = False) -> Exchange:
        """The transport port, with crash points of its own."""
        return await self.engine.send(self.world.receivers, request, is_static=is_static)


class _FromStaticAddresses:
    """The same, as the sender with static addresses has it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """The transport port."""
        return await self._simulation.send(request, pool, is_static=True)

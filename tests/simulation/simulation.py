"""One run: the real use cases as many concurrent functions over the fakes, with faults, until nothing is pending."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.event_source import Crash, EventSource
from tests.fakes.faults import FAULTS, PARTIAL
from tests.fakes.functions import COMPOSITIONS, Handler
from tests.fakes.sqs import FakeQueue
from tests.fakes.world import TABLE, World
from tests.simulation.ledger import Held, Known, Ledger, Verdict
from tests.simulation.scenario import DAY, HOUR, MINUTE, Plan
from tests.simulation.scheduler import Scheduler
from webhooks import ids
from webhooks.models.exchange import Exchange, HttpRequest

WORKERS = {"ingest": 3, "sender": 6, "undertaker": 2, "jobs": 1}
TIMEOUT_MS = 60_000
CALL_MS = (1, 12)
FAULT_RATE, STORM_RATE = 0.004, 0.08
KINDS = (*FAULTS, "slow")
LONGEST_MS = 60 * DAY


@dataclass(slots=True)
class Figures:
    """What a run did, beside the ledger's verdict."""

    calls: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)  # (fault, function: call)
    crashes: int = 0
    given_back: int = 0
    replays: int = 0
    virtual_ms: int = 0
    most_in_flight: int = 0


class Simulation:
    """From one seed; `on_event` is told of each event published, for a progress bar."""

    def __init__(self, plan: Plan, on_event: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self.rng = random.Random(f"faults {plan.seed}")
        self._on_event = on_event
        faults = plan.faults
        self.world = World(
            plan.seed,
            plan=self._strike,
            index_lag_ms=self._index_lag_ms if faults else lambda: 0,
            duplicates=0.005 if faults else 0.0,
            shuffled=True,
        )
        self.clock = self.world.clock
        self.start_ms = self.clock.ms
        self.scheduler = Scheduler(self.clock)
        self.figures = Figures()
        self.ledger = Ledger(self.world)
        self.publishing = True
        self._replayed = False
        self._faulty_until_ms = self.start_ms + plan.publishing_ms + 2 * HOUR
        self._in_flight_at_faults = 0
        self._storms = [self.start_ms + self.rng.randrange(plan.publishing_ms) for _ in range(4)]
        self._services = replace(
            self.world.services,
            sleep=lambda seconds: self._wait(round(seconds * 1000)),
            pass_ms=self._wait,
            transport=self,
        )
        self._idle: dict[str, list[Any]] = {}
        self._watch_writes()

    def run(self) -> Verdict:
        """Everything, and then the ledger's checks."""
        with _seeded_ids(self.rng):
            self._register()
            self.scheduler.spawn("platform", self._publish)
            self.scheduler.spawn("owners", self._meddle)
            self.scheduler.spawn("schedule", self._tick)
            for name, count in WORKERS.items():
                for number in range(count):
                    source = self.world.sources[name]
                    self.scheduler.spawn(f"{name} {number}", lambda n=name, s=source: self._work(n, s))
            self.scheduler.run()
        self.figures.virtual_ms = self.clock.ms - self.start_ms
        self.figures.most_in_flight = self.world.delivery_queue.most_in_flight
        # A message that SQS shows twice looks like one whose first receiver was cut off.
        verdict = self.ledger.check(max_unknown=self._in_flight_at_faults + self.world.sqs.repeats)
        verdict.faults += [f"lost: {job} did not come to its end" for job in self.world.unfinished_replays()]
        for queue in (self.world.ingest_queue, self.world.delivery_queue, self.world.dead_letter_queue):
            verdict.faults += [f"lost: {queue.name} dropped a message after its retention" for _ in queue.expired]
        return verdict

    # ---- users and the platform

    def _register(self) -> None:
        for number in range(self.plan.webhooks):
            fields = self.plan.webhook_fields()
            webhook = self.world.owners.register(f"w{number}", event_types=(), **fields)
            self.ledger.webhooks[webhook.webhook_id] = Known(webhook, [Held(self.clock.ms, webhook.status, ())])
            for _ in range(self.plan.rng.randrange(1, 3)):
                self._subscribe(webhook.webhook_id)
            behaviour = self.plan.behaviour(self.start_ms, self.start_ms + self.plan.publishing_ms)
            self.world.receivers.behave(webhook.url, behaviour)

    def _subscribe(self, webhook_id: str) -> None:
        known = self.ledger.webhooks[webhook_id]
        interest = self.plan.interest()
        wanted = interest.request()
        self.world.owners.subscribe(known.webhook, wanted.pop("event_type"), **wanted)
        held = known.history[-1]
        known.history.append(Held(self.clock.ms, held.status, (*held.interests, interest)))

    def _publish(self) -> None:
        gap_ms = self.plan.publishing_ms / max(1, self.plan.events)
        due_ms = float(self.clock.ms)
        for number in range(self.plan.events):
            due_ms += self.plan.rng.expovariate(1 / gap_ms)
            self.scheduler.sleep_until(round(due_ms))
            document = self.plan.event(number)
            self.ledger.published[document["id"]] = (document, self.clock.ms)
            if self.plan.rng.random() < 0.5:
                self.world.publish(document)
            else:
                self.world.put_event(document)
            if self.plan.faults and self.plan.rng.random() < 0.01:
                self.world.publish(document)  # published again, under another token
            if self.plan.faults and self.plan.rng.random() < 0.002:
                self.world.send_raw(self.world.ingest_queue, self.plan.rng.choice(["{", '{"continue": 1}', "x"]))
                self.world.send_raw(self.world.delivery_queue, "garbage")
            self._on_event()
        self.publishing = False

    def _meddle(self) -> None:
        """Owners change their webhooks while all this goes on, and resume what is paused in the end."""
        while self.publishing:
            self.scheduler.sleep_ms(round(self.plan.rng.expovariate(1 / (6 * MINUTE))))
            known = self.plan.rng.choice(list(self.ledger.webhooks.values()))
            if known.history[-1].status != "deleted":
                self._change(known)
        self.scheduler.sleep_ms(self.plan.rng.randrange(HOUR))
        for known in self.ledger.webhooks.values():
            if known.history[-1].status == "paused":
                self._set_status(known, "active")

    def _change(self, known: Known) -> None:
        roll = self.plan.rng.random()
        if roll < 0.25:
            self._subscribe(known.webhook.webhook_id)
        elif roll < 0.65:
            self._set_status(known, self.plan.rng.choice(["paused", "active", "active", "inactive"]))
        elif roll < 0.9:
            changes = {"rate_limit_rps": self.plan.rng.choice([None, 2, 50]), "max_retries": self.plan.rng.randrange(6)}
            self.world.owners.change(known.webhook, **changes)
        elif roll < 0.93:
            self.world.owners.delete(known.webhook)
            known.history.append(Held(self.clock.ms, "deleted", ()))

    def _set_status(self, known: Known, status: str) -> None:
        self.world.owners.change(known.webhook, status=status)
        known.history.append(Held(self.clock.ms, status, known.history[-1].interests))

    def _watch_writes(self) -> None:
        """Note when an event was recorded, and when the service itself disabled a webhook."""
        table = self.world.dynamodb.tables[TABLE]
        write = table.write

        def watched(key: tuple[str, str], new: Any, *, by_ttl: bool = False) -> None:  # noqa: ANN401
            if new is not None and key[0].startswith("event|"):
                self.ledger.recorded_ms.setdefault(key[0].removeprefix("event|"), self.clock.ms)
            if new is not None and key[1] == "webhook" and new["status"]["S"] == "failed":
                known = self.ledger.webhooks[key[0]]
                if known.history[-1].status != "failed":
                    known.history.append(Held(self.clock.ms, "failed", known.history[-1].interests))
            write(key, new, by_ttl=by_ttl)

        table.write = watched  # type: ignore[method-assign]

    # ---- functions

    def _work(self, name: str, source: EventSource) -> None:
        """One Lambda execution environment of a mapping: batch after batch, a new process after a crash."""
        handler: Handler | None = None
        function = {"undertaker": "replay", "jobs": "replay"}.get(name, name)
        while True:
            batch = source.take()
            if not batch:
                self._await_messages(source.queue)
                continue
            handler = handler or COMPOSITIONS[function](self._services)
            one = replace(source, handler=handler)
            if not self._alive(name, lambda one=one, batch=batch: one.hand_over(batch), len(batch)):
                handler = None

    def _alive(self, name: str, work: Callable[[], Any], size: int) -> bool:
        """Run an invocation under its function's timeout; False when it was cut off."""
        fiber = self.scheduler.current
        if fiber is None:
            raise RuntimeError("outside of any fiber")
        fiber.name, fiber.deadline_ms = name, self.clock.ms + TIMEOUT_MS
        before = self.figures.struck.total()
        try:
            work()
        except Crash:
            self.figures.crashes += 1
            self._in_flight_at_faults += size
            return False
        finally:
            fiber.deadline_ms = None
        if self.figures.struck.total() != before:
            self._in_flight_at_faults += size  # some of it may have been given back after its request
        return True

    def _await_messages(self, queue: FakeQueue) -> None:
        at_ms = self.world.sqs.next_visible_ms(queue)
        self.scheduler.sleep_until(min(at_ms if at_ms is not None else self.clock.ms + MINUTE, self.clock.ms + MINUTE))
        if at_ms is not None and at_ms <= self.clock.ms:
            self.scheduler.sleep_ms(self.rng.randrange(1, 50))

    def _tick(self) -> None:
        """Each minute: release (now and then twice at once), the operator's redrive, and whether all is quiet."""
        handler: Handler | None = None
        while True:
            self.scheduler.sleep_until((self.clock.ms // MINUTE + 1) * MINUTE)
            if self.clock.ms - self.start_ms > LONGEST_MS:
                raise RuntimeError(f"still busy after {LONGEST_MS // DAY} days of virtual time")
            self._redrive()
            if self._has_due():
                handler = handler or COMPOSITIONS["release"](self._services)
                if self._is_faulty() and self.rng.random() < 0.1:
                    self.scheduler.spawn("release too", self._release_too)
                if not self._alive("release", lambda handler=handler: handler({}), 0):
                    handler = None
            elif not self.publishing and self._is_quiet():
                if self._replayed:
                    self.scheduler.stop()
                    return
                self._replay()

    def _replay(self) -> None:
        """When all is quiet, owners of webhooks that are active have their dead letters sent again, faults and all."""
        self._replayed = True
        self._faulty_until_ms = self.clock.ms + HOUR
        with_letters = {letter.webhook_id for letter in self.world.dead_letters()}
        for webhook_id, known in self.ledger.webhooks.items():
            if known.history[-1].status == "active" and webhook_id in with_letters:
                self.figures.replays += 1
                self.world.start_replay(f"rpl_{self.figures.replays}", known.webhook)

    def _release_too(self) -> None:
        self._alive("release", lambda: COMPOSITIONS["release"](self._services)({}), 0)

    def _redrive(self) -> None:
        """What an operator does after the alarm: messages that are not refused go back to ingestion."""
        queue = self.world.ingest_dead_letter_queue
        for message in [m for m in queue.messages.values() if "reason" not in m.attributes]:
            self.world.send_raw(self.world.ingest_queue, message.body)
            del queue.messages[message.message_id]

    def _has_due(self) -> bool:
        index = self.world.dynamodb.tables[TABLE]._indexes["waiting"]
        index.catch_up(self.clock.ms)
        until = f"{self.clock.ms + MINUTE:014d}|"
        return any(key.startswith("due|") and rows and rows[0][0] < until for key, rows in index.entries.items())

    def _is_quiet(self) -> bool:
        if self.scheduler.living and any(f.deadline_ms is not None for f in self.scheduler.living):
            return False
        queues = [source.queue for source in self.world.sources.values()]
        if any(queue.messages for queue in queues):
            return False
        index = self.world.dynamodb.tables[TABLE]._indexes["waiting"]
        if index.pending or any(row[2] != "state" for rows in index.entries.values() for row in rows):
            return False
        return all(known.history[-1].status != "paused" for known in self.ledger.webhooks.values())

    # ---- faults

    def _is_faulty(self) -> bool:
        return self.plan.faults and self.clock.ms < self._faulty_until_ms

    def _strike(self, call: str) -> Any:  # noqa: ANN401
        """Each port call takes a moment, in which others work; and may fail."""
        fiber = self.scheduler.current
        if fiber is None or fiber.deadline_ms is None:
            return None
        self.figures.calls[call] += 1
        self._wait(self.rng.randrange(*CALL_MS))
        fault = self._fault(call)
        if fault is None:
            return None
        self.figures.struck[(fault, f"{fiber.name}: {call}")] += 1
        if fault == "slow":
            self._wait(self.rng.randrange(1_000, 70_000))
            return None
        return fault

    def _fault(self, call: str) -> str | None:
        if not self._is_faulty():
            return None
        storm = any(0 <= self.clock.ms - begin < 2 * MINUTE for begin in self._storms)
        if self.rng.random() >= (STORM_RATE if storm else FAULT_RATE):
            return None
        fault = self.rng.choice(KINDS)
        return None if fault == "partial" and call.partition(".")[2] not in PARTIAL else fault

    def _wait(self, duration_ms: int) -> None:
        """Time passes; a function that is out of it is killed."""
        fiber = self.scheduler.current
        deadline_ms = fiber.deadline_ms if fiber is not None else None
        until_ms = self.clock.ms + duration_ms
        if deadline_ms is not None and until_ms > deadline_ms:
            self.scheduler.sleep_until(deadline_ms)
            fiber.deadline_ms = None  # type: ignore[union-attr]
            raise Crash
        self.scheduler.sleep_until(until_ms)

    def _index_lag_ms(self) -> int:
        return self.rng.choice([0, 5, 50, 400, 5_000]) if self._is_faulty() else 0

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """The transport port, with crash points of its own."""
        fiber = self.scheduler.current
        fault = self._fault("http.send") if fiber is not None else None
        if fault == "crash_before":
            self.figures.struck[(fault, "sender: http.send")] += 1
            raise Crash
        exchange = await self.world.receivers.send(request, pool)
        if fault == "crash_after":
            self.figures.struck[(fault, "sender: http.send")] += 1
            raise Crash
        return exchange


@contextmanager
def _seeded_ids(rng: random.Random) -> Iterator[None]:
    """Ids come from the seed, so that a run can be repeated."""
    real = ids.secrets

    class Seeded:
        randbits = staticmethod(rng.getrandbits)

    ids.secrets = Seeded  # type: ignore[assignment]
    try:
        yield
    finally:
        ids.secrets = real

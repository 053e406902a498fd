"""Many functions at once over one world: what a load, or an outage, does to latency, queues and receivers.

Each mapping has a poller and so many workers, as Lambda has: a batch goes to a worker that is idle, and waits in its
queue when there is none. Every port call takes a few milliseconds of virtual time, in which others work. An invocation
that is out of its function's time is killed.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes.event_source import Crash, EventSource
from tests.fakes.faults import Plan
from tests.fakes.functions import COMPOSITIONS, TIMEOUTS_MS
from tests.fakes.sqs import FakeQueue, Message
from tests.fakes.world import TABLE, World, events
from tests.infrastructure.template_document import read_template
from tests.simulation.scheduler import Fiber, Scheduler

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
CALL_MS = (2, 9)
FUNCTIONS = {"dead_letter_writer": "replay", "jobs": "replay"}
MAPPINGS = {
    "ingest": "IngestMapping",
    "sender": "SenderMapping",
    "dead_letter_writer": "DeadLetterMapping",
    "jobs": "JobsMapping",
}


class Fleet:
    """`concurrency`: how many of a mapping's invocations run at once; as many as template.yaml lets unless given.
    `batch_size` is that of ingest and sender. `faults` says what goes wrong at the functions' calls, and may take its
    time. `look_ms`: CPU between two looks that matching takes at its clock."""

    def __init__(
        self,
        seed: int = 0,
        *,
        batch_size: int = 10,
        faults: Plan = lambda _call: None,
        look_ms: int = 0,
        partition_writes: int | None = None,
        **concurrency: int,
    ) -> None:
        self._faults = faults
        self._look_ms = look_ms
        self.world = World(seed, plan=self._call, batch_size=batch_size, partition_writes=partition_writes)
        self.clock = self.world.clock
        self.scheduler = Scheduler(self.clock)
        self.killed = 0  # invocations whose time was over
        self._looks: Counter[Fiber] = Counter()
        self._rng = random.Random(f"calls {seed}")
        self._concurrency = {name: _most_at_once(name) for name in MAPPINGS} | concurrency
        self._pollers: dict[str, _Poller] = {}
        self._services = replace(
            self.world.services,
            sqs=_Bell(self.world.services.sqs, self._wake),
            sleep=lambda seconds: self.pass_ms(round(seconds * 1000)),
            pass_ms=self.pass_ms,
            cpu_seconds=self._cpu_seconds,
        )

    def publish(self, *events: Any) -> None:
        """Events, by the API's way."""
        self.world.publish(*events)
        self.ring(self.world.ingest_queue)

    def ring(self, queue: FakeQueue) -> None:
        """Somebody has put something on this queue."""
        self._wake(queue.url)

    def publish_many(self, count: int, start: int = 0, **changes: Any) -> None:
        """e<start>, e<start + 1>, ... in messages of a hundred."""
        for first in range(start, start + count, 100):
            self.publish(*events(min(100, start + count - first), first, **changes))

    def run(self, *strands: Callable[[], None], for_ms: int | None = None, release: bool = True) -> None:
        """Until the strands have ended and nothing is pending, or for a time. Each run has processes of its own."""
        self.scheduler = Scheduler(self.clock)
        self._pollers = {
            source.queue.url: _Poller(self, FUNCTIONS.get(name, name), source, self._concurrency[name])
            for name, source in self.world.sources.items()
        }
        left = [len(strands)]

        def counted(strand: Callable[[], None]) -> None:
            strand()
            left[0] -= 1

        for poller in self._pollers.values():
            poller.start()
        for number, strand in enumerate(strands):
            self.scheduler.spawn(f"strand {number}", lambda strand=strand: counted(strand))
        end_ms = None if for_ms is None else self.clock.ms + for_ms
        self.scheduler.spawn("schedule", lambda: self._tick(end_ms, left, release))
        self.scheduler.run()

    def pass_ms(self, duration_ms: int) -> None:
        """Time passes for whoever calls. Raises Crash when it is an invocation whose time is over."""
        fiber = self.scheduler.current
        deadline_ms = None if fiber is None else fiber.deadline_ms
        if deadline_ms is not None and self.clock.ms + duration_ms > deadline_ms:
            self.scheduler.sleep_until(deadline_ms)
            self.killed += 1
            raise Crash
        self.scheduler.sleep_ms(duration_ms)

    def invoke(self, function: str, handler: Callable[[], object]) -> bool:
        """Called by a fiber: under the function's timeout. False when the process is gone."""
        fiber = self.scheduler.current
        if fiber is None:
            raise RuntimeError("outside of any fiber")
        fiber.deadline_ms = self.clock.ms + TIMEOUTS_MS[function]
        try:
            handler()
        except Crash:
            return False
        finally:
            fiber.deadline_ms = None
        return True

    def process(self, function: str) -> Callable[[Any], Any]:
        """A new one, with caches of its own."""
        return COMPOSITIONS[function](self._services)

    def is_idle(self) -> bool:
        """No invocation is under way and no message is on any queue."""
        return not any(poller.busy or poller.source.queue.messages for poller in self._pollers.values())

    def waiting(self) -> int:
        """Deliveries that wait outside SQS."""
        return sum("waiting" in item for item in self.world.dynamodb.tables[TABLE].items.values())

    def _tick(self, end_ms: int | None, strands_left: list[int], with_release: bool) -> None:
        handler = self.process("release")
        while True:
            due_ms = (self.clock.ms // MINUTE + 1) * MINUTE
            self.scheduler.sleep_until(due_ms if end_ms is None else min(due_ms, end_ms))
            if end_ms is not None and self.clock.ms >= end_ms:
                break
            if with_release and not self.invoke("release", lambda handler=handler: handler({})):
                handler = self.process("release")
            if end_ms is None and not strands_left[0] and self.is_idle() and not self.waiting():
                break
        self.scheduler.stop()

    def _call(self, call: str) -> str | None:
        """Each port call takes its time, and may fail."""
        if self.scheduler.current is None:
            return None
        self.pass_ms(self._rng.randint(*CALL_MS))
        return self._faults(call)

    def _cpu_seconds(self) -> float:
        """Nobody else's work counts: an invocation has its thread for itself."""
        if self._look_ms and (fiber := self.scheduler.current) is not None:
            self._looks[fiber] += 1
            self.pass_ms(self._look_ms)
            return self._looks[fiber] * self._look_ms / 1000
        return 0.0

    def _wake(self, url: str) -> None:
        if url in self._pollers:
            self._pollers[url].wake()


@dataclass(slots=True)
class _Bell:
    """SQS, that tells who polls a queue of what happens there."""

    client: Any
    ring: Callable[[str], None]

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self.client, operation)

        def told(**request: Any) -> Any:
            answer = call(**request)
            self.ring(request["QueueUrl"])
            return answer

        return told


class _Poller:
    """One event source mapping."""

    def __init__(self, fleet: Fleet, function: str, source: EventSource, workers: int) -> None:
        self.source = source
        self.busy = 0
        self._fleet = fleet
        self._function = function
        self._count = workers
        self._idle: list[_Worker] = []
        self._fiber: Fiber | None = None
        self._polls = False

    def start(self) -> None:
        self._fiber = self._fleet.scheduler.spawn(f"{self._function} poller", self._poll)

    def wake(self) -> None:
        if self._fiber is not None and not self._polls:
            self._fleet.scheduler.wake(self._fiber, self._fleet.clock.ms)

    def work(self, batch: Sequence[Message], handler: Callable[[Any], Any]) -> bool:
        """Called by a worker's fiber. False when it is gone."""

        def hand_over() -> None:
            self.source.handler = handler  # read before anybody else works
            self.source.hand_over(batch)

        self.busy += 1
        try:
            return self._fleet.invoke(self._function, hand_over)
        finally:
            self.busy -= 1

    def rest(self, worker: "_Worker") -> None:
        """The worker has nothing to do."""
        self._idle.append(worker)
        self.wake()

    def _poll(self) -> None:
        fleet = self._fleet
        while True:
            self._polls = True
            while self._may_work() and (batch := self.source.take()):
                self._next_worker().take(batch)
            self._polls = False
            at_ms = fleet.world.sqs.next_visible_ms(self.source.queue) if self._may_work() else None
            fleet.scheduler.sleep_until(min(at_ms or fleet.clock.ms + MINUTE, fleet.clock.ms + MINUTE))

    def _may_work(self) -> bool:
        return bool(self._idle) or self._count > 0

    def _next_worker(self) -> "_Worker":
        if self._idle:
            return self._idle.pop()
        self._count -= 1
        return _Worker(self, self._fleet, self._function)


def _most_at_once(name: str) -> int:
    template = read_template()
    most = template.properties(MAPPINGS[name])["ScalingConfig"]["MaximumConcurrency"]
    return most if isinstance(most, int) else template.parameters[most["Ref"]]["Default"]


class _Worker:
    """One execution environment, with one process after the other."""

    def __init__(self, poller: _Poller, fleet: Fleet, function: str) -> None:
        self._poller = poller
        self._fleet = fleet
        self._function = function
        self._handler = fleet.process(function)
        self._batch: Sequence[Message] | None = None
        self._fiber: Fiber | None = None

    def take(self, batch: Sequence[Message]) -> None:
        """Called by the poller: begin, or go on, with this batch."""
        self._batch = batch
        if self._fiber is None:
            self._fiber = self._fleet.scheduler.spawn("worker", self._run)
        else:
            self._fleet.scheduler.wake(self._fiber, self._fleet.clock.ms)

    def _run(self) -> None:
        while True:
            if self._batch is not None:
                batch, self._batch = self._batch, None
                if not self._poller.work(batch, self._handler):
                    self._handler = self._fleet.process(self._function)
                self._poller.rest(self)
            else:
                self._fleet.scheduler.sleep_until(self._fleet.clock.ms + 400 * DAY)

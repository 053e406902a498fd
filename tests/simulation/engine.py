"""What every part of a run shares: one clock, one source of chance, and the faults that this seed has in store."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.clock import Clock, SkewedClock
from tests.fakes.event_source import Crash
from tests.fakes.faults import FAULTS, applies
from tests.fakes.functions import Services
from tests.fakes.receivers import Answer, FakeReceivers
from tests.simulation import matrix
from tests.simulation.hazards import HAZARDS, RECEIVERS, kind_of
from tests.simulation.matrix import REQUEST, SLOW, Cell
from tests.simulation.scenario import HOUR, MINUTE, Plan
from tests.simulation.scheduler import Scheduler
from webhooks.models.exchange import Exchange, HttpRequest

TIMEOUT_MS = 60_000
CALL_MS = (1, 12)
FAULT_RATE, STORM_RATE, REQUEST_RATE = 0.006, 0.1, 0.002
THROTTLE_RATE = 0.9
STORM_MS = 5 * MINUTE
MEANS_RATE, CALL_MEANS_RATE = 0.05, 0.25
SOON = 0.7  # a fault that this seed must bring about lets some of the calls pass that it could strike
SKEW_MS = 2_000


@dataclass(slots=True)
class Figures:
    """What a run did, beside the ledger's verdict."""

    calls: Counter[str] = field(default_factory=Counter)
    struck: Counter[Cell] = field(default_factory=Counter)
    crashes: int = 0
    replays: int = 0
    virtual_ms: int = 0
    most_in_flight: int = 0


class Engine:
    """From one seed. Everything that a function waits for passes here."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self.plan = plan
        self.clock = clock
        self.rng = random.Random(f"faults {plan.seed}")
        self.scheduler = Scheduler(clock)
        self.figures = Figures()
        self.start_ms = clock.ms
        self.cut_off = 0  # messages that were in hand when something went wrong around them
        self.cut_off_of = Counter[str]()  # and how often which delivery's
        self._faulty_until_ms = clock.ms + plan.publishing_ms + 2 * HOUR
        self._storms = [clock.ms + self.rng.randrange(plan.publishing_ms) for _ in range(3)]
        self._throttled = clock.ms + self.rng.randrange(plan.publishing_ms)
        self._wanted: defaultdict[str, list[str]] = defaultdict(list)
        for kind, place in sorted(matrix.targets(plan.seed)) if plan.faults else ():
            self._wanted[place].append(kind)

    # ---- chance

    def is_faulty(self) -> bool:
        """Whether faults happen now."""
        return self.plan.faults and self.clock.ms < self._faulty_until_ms

    def faulty_for(self, duration_ms: int) -> None:
        """Have faults for so long from now."""
        self._faulty_until_ms = self.clock.ms + duration_ms

    def hits(self, hazard: str, where: str, rate: float) -> bool:
        """Whether this hazard strikes here and now; if so, it is counted."""
        if not self.is_faulty() or where not in HAZARDS[hazard].where:
            return False
        wanted = self._wanted.get(where)
        if wanted and hazard in wanted and self.rng.random() < SOON:
            wanted.remove(hazard)
        elif self.rng.random() >= (MEANS_RATE if self._is_means((hazard, where)) else rate):
            return False
        self.count(hazard, where)
        return True

    def _is_means(self, cell: Cell) -> bool:
        return any(self._wanted.get(place) for place, means in matrix.MEANS.items() if means == cell)

    def count(self, kind: str, where: str) -> None:
        """A fault happened."""
        self.figures.struck[(kind, where)] += 1

    def _fault(self, place: str, kinds: list[str], rate: float) -> str | None:
        if not self.is_faulty():
            return None
        if "dynamodb" in place and 0 <= self.clock.ms - self._throttled < MINUTE and self.rng.random() < THROTTLE_RATE:
            self.count("throttled_minute", "region")
            return "throttled"
        wanted = self._wanted.get(place)
        if wanted and self.rng.random() < SOON:
            return wanted.pop(self.rng.randrange(len(wanted)))
        for kind, at in dict.fromkeys(matrix.MEANS.values()):
            often = MEANS_RATE if at == REQUEST else CALL_MEANS_RATE
            if at == place and self._is_means((kind, at)) and self.rng.random() < often:
                return kind
        if any(0 <= self.clock.ms - begin < STORM_MS for begin in self._storms):
            if self.rng.random() >= STORM_RATE:
                return None
            self.count("storm", "region")
        elif self.rng.random() >= rate:
            return None
        return self.rng.choice(kinds)

    # ---- time

    def wait(self, duration_ms: int) -> None:
        """Time passes; a function that is out of it is killed."""
        fiber = self.scheduler.current
        deadline_ms = fiber.deadline_ms if fiber is not None else None
        until_ms = self.clock.ms + duration_ms
        if fiber is not None and deadline_ms is not None and until_ms > deadline_ms:
            self.scheduler.sleep_until(deadline_ms)
            fiber.deadline_ms = None
            self.count("timed_out", fiber.name)
            raise Crash
        self.scheduler.sleep_until(until_ms)

    def alive(self, name: str, work: Callable[[], Any], size: int) -> bool:
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
            self.cut_off += size
            return False
        finally:
            fiber.deadline_ms = None
        if self.figures.struck.total() != before:
            self.cut_off += size  # some of it may have been given back after its request
        return True

    # ---- calls

    def services_for(self, services: Services, function: str) -> Services:
        """Those of a new process, whose clock may differ."""
        if not self.hits("clock_skew", function, 0.3):
            return services
        return replace(services, clock=SkewedClock(self.clock, self.rng.randrange(-SKEW_MS, SKEW_MS)))

    def strike(self, call: str) -> Any:
        """The plan of every port call: it takes a moment, in which others work; and it may fail."""
        fiber = self.scheduler.current
        if fiber is None or fiber.deadline_ms is None:
            return None
        place = f"{fiber.name}: {call}"
        self.figures.calls[place] += 1
        self.wait(self.rng.randrange(*CALL_MS))
        if fiber.name in self._wanted and "timed_out" in self._wanted[fiber.name] and self.rng.random() < 0.1:
            self._wanted[fiber.name].remove("timed_out")
            self.wait(TIMEOUT_MS + 1)
        fault = self._fault(place, _kinds_at(call.partition(".")[2]), FAULT_RATE)
        if fault is None:
            return None
        self.count(fault, place)
        if fault == SLOW:
            self.wait(self.rng.randrange(1_000, 70_000))
            return None
        return fault

    async def send(self, receivers: FakeReceivers, request: HttpRequest, *, is_static: bool = False) -> Exchange:
        """The transport: the process may end before or after a request, and the receiver may be as bad as any."""
        self.figures.calls[REQUEST] += 1
        fault = self._fault(REQUEST, _REQUEST_KINDS, REQUEST_RATE)
        if fault == "crash_before":
            self.count(fault, REQUEST)
            raise Crash
        forced: Answer | None = None
        if fault is not None and fault != "crash_after":
            forced = RECEIVERS[fault][0]
            if fault == "just_in_time":
                forced = replace(forced, latency_ms=round(request.timeout_seconds * 1000) - 50)
                self.count(fault, REQUEST)
        answer = await receivers.answer(request, forced, is_static=is_static)
        if kind := kind_of(answer[1]):
            self.count(kind, REQUEST)
        if fault == "crash_after":
            self.count(fault, REQUEST)
            raise Crash
        return answer[0]


_REQUEST_KINDS = ["crash_before", "crash_after", *RECEIVERS]
_by_operation: dict[str, list[str]] = {}


def _kinds_at(operation: str) -> list[str]:
    if operation not in _by_operation:
        _by_operation[operation] = [*(fault for fault in FAULTS if applies(fault, operation)), SLOW]
    return _by_operation[operation]

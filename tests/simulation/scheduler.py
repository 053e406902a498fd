"""Fibers in virtual time: of many strands of work exactly one runs, so that a seed decides every interleaving."""

import asyncio
import heapq
import sys
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from greenlet import getcurrent, greenlet

from tests.fakes.clock import Clock


class Stopped(BaseException):
    """The simulation is over; the fiber ends."""


class Fiber:
    """One strand of work. `deadline_ms`: when its Lambda function would be killed."""

    def __init__(self, name: str, work: Callable[[], object], scheduler: "Scheduler") -> None:
        self.name = name
        self.deadline_ms: int | None = None
        self.turn = 0  # of its place in the schedule: older places are void
        self._scheduler = scheduler
        self._work = work
        self._strand = greenlet(self._run)

    def resume(self) -> None:
        """Hand the baton over; returns when it comes back."""
        self._strand.parent = getcurrent()
        self._strand.switch()

    def pause(self) -> None:
        """Give the baton back; returns when it is this fiber's turn again."""
        with _outside_of_any_loop():
            cast("greenlet", self._strand.parent).switch()
        if self._scheduler.stopped:
            raise Stopped

    def _run(self) -> None:
        try:
            if not self._scheduler.stopped:
                self._work()
        except Stopped:
            pass
        except BaseException as exc:  # told to whoever runs the schedule
            self._scheduler.failure = exc
        self._scheduler.living.discard(self)


@contextmanager
def _outside_of_any_loop() -> Iterator[None]:
    """asyncio remembers by thread which loop and which task run: while this fiber waits, others run theirs."""
    loop = asyncio._get_running_loop()
    if loop is None:
        yield
        return
    task, hooks = asyncio.current_task(loop), sys.get_asyncgen_hooks()
    if task is not None:
        _leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            _enter_task(loop, task)
        sys.set_asyncgen_hooks(*hooks)


class Scheduler:
    """Runs the fiber whose time comes first; of two at the same time, the one that asked first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: list[tuple[int, int, int, Fiber]] = []
        self._count = 0
        self.current: Fiber | None = None
        self.living: set[Fiber] = set()
        self.failure: BaseException | None = None
        self.stopped = False

    def spawn(self, name: str, work: Callable[[], object]) -> Fiber:
        """Have another fiber, from now on."""
        fiber = Fiber(name, work, self)
        self.living.add(fiber)
        self.wake(fiber, self._clock.ms)
        return fiber

    def wake(self, fiber: Fiber, at_ms: int) -> None:
        """Give a fiber its (only) place in the schedule."""
        fiber.turn += 1
        self._count += 1
        heapq.heappush(self._places, (max(at_ms, self._clock.ms), self._count, fiber.turn, fiber))

    def sleep_until(self, at_ms: int) -> None:
        """Called by a fiber: let the others work until then."""
        fiber = self.current
        if fiber is None:
            self._clock.advance_to(at_ms)
            return
        while self._places and self._places[0][2] != self._places[0][3].turn:
            heapq.heappop(self._places)
        if not self._places or self._places[0][0] > at_ms:
            self._clock.advance_to(at_ms)  # nobody else has anything to do until then
            return
        self.wake(fiber, at_ms)
        fiber.pause()

    def park(self, until_ms: int | None = None) -> None:
        """Called by a fiber: let the others work until one of them wakes it, or until then."""
        fiber = self.current
        if fiber is None:
            raise RuntimeError("outside of any fiber")
        if until_ms is not None:
            self.wake(fiber, until_ms)
        fiber.pause()

    def sleep_ms(self, duration_ms: int) -> None:
        """Called by a fiber: let the others work for so long."""
        self.sleep_until(self._clock.ms + duration_ms)

    def run(self) -> None:
        """Until no fiber is left, or `stop` was called. Raises what a fiber raised."""
        while self._places and not self.stopped and self.failure is None:
            at_ms, _, turn, fiber = heapq.heappop(self._places)
            if turn != fiber.turn or fiber not in self.living:
                continue
            self._clock.advance_to(at_ms)
            self.current = fiber
            fiber.resume()
            self.current = None
        self.stopped = True
        for fiber in list(self.living):
            fiber.resume()
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Called by a fiber: end it all."""
        self.stopped = True

"""An asyncio loop in virtual time: nothing to wait for but timers, and waiting for one moves the clock."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.clock import Clock


class _Timers(selectors.BaseSelector):
    """Instead of waiting for sockets, of which there are none, passes time."""

    def __init__(self, clock: Clock, pass_ms: Callable[[int], None]) -> None:
        self._clock = clock
        self._pass_ms = pass_ms

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("the loop waits for something that never comes")
        if timeout > 0:
            self._pass_ms(max(1, round(timeout * 1000)))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`pass_ms` is how time passes: by default the clock jumps."""

    def __init__(self, clock: Clock, pass_ms: Callable[[int], None] | None = None) -> None:
        def jump(milliseconds: int) -> None:
            clock.ms += milliseconds

        super().__init__(_Timers(clock, pass_ms or jump))
        self._virtual_clock = clock
        self._clock_resolution = 0.0005  # epoch seconds as floats know no nanosecond: a timer due now would never be

    def _make_self_pipe(self) -> None:
        """Nothing comes from other threads."""

    def _close_self_pipe(self) -> None:
        """There is none."""

    def time(self) -> float:
        """The loop's time is the clock's."""
        return self._virtual_clock.ms / 1000

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """There are no other threads: the work is done at once."""
        future = self.create_future()
        future.set_result(func(*args))
        return future

    def abandon(self) -> None:
        """What is under way stops where it is, as in a process that is killed."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()

    def __del__(self, *_: object) -> None:
        """A process that is no more needed just goes."""
        if not self.is_closed():
            self.close()

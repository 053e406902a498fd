"""What a process takes from the machine it runs on, so that a simulation can give it something else."""

import gc
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


def now_ms() -> int:
    """Milliseconds since 1970 by the machine's clock."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Runtime:
    """The clock, chance from 0 to below 1, waiting in seconds, where the lines of batches are written, and the CPU that
    the calling thread has used, in seconds."""

    now_ms: Callable[[], int] = now_ms
    random: Callable[[], float] = random.random
    sleep: Callable[[float], None] = time.sleep
    write: Callable[[str], object] = sys.stdout.write
    cpu_seconds: Callable[[], float] = time.thread_time


MACHINE = Runtime()


def settle() -> None:
    """Tell the garbage collector that what was made so far stays: there is no use in looking through it, nor in looking
    for cycles at every 700th object, which took a tenth of a batch's CPU. Each app.py has switched it off until then:
    while a process starts it took an eighth."""
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()

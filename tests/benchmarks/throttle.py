"""Holding this process to a share of a core, as Lambda does by memory: it is stopped for the rest of each period."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

PERIOD_SECONDS = 0.02
# Its own process, since one that is stopped cannot wake itself. It ends with its parent's pipe.
_HOLDER = """
import os, select, signal, sys, time
pid, share, period = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
tick, page = os.sysconf("SC_CLK_TCK"), 0
def used():
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9
try:
    while not select.select([sys.stdin], [], [], 0)[0]:
        start, before = time.monotonic(), used()
        while (rest := start + period - time.monotonic()) > 0:
            if used() - before >= share * period:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(rest)
                os.kill(pid, signal.SIGCONT)
                break
            time.sleep(min(rest, 0.001))
except (ProcessLookupError, FileNotFoundError):
    pass
"""


@contextlib.contextmanager
def held_to(share: float) -> Iterator[None]:
    """This process has `share` of a core while the block runs; with 1 or more it is left alone."""
    if share >= 1:
        yield
        return
    arguments = [str(os.getpid()), str(share), str(PERIOD_SECONDS)]
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, *arguments], stdin=subprocess.PIPE)
    try:
        if holder.stdin is None:
            raise RuntimeError("the holder has no pipe")
        yield
    finally:
        holder.communicate(b"\n")
        with contextlib.suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGCONT)

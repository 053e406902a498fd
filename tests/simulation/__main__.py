"""`make simulate`: many runs from consecutive seeds, shared over the cores; ends at the first broken promise."""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.fakes.faults import PARTIAL
from tests.simulation.runs import Run, simulate
from tests.simulation.scenario import DAY
from tests.simulation.simulation import KINDS

EVENTS_A_RUN = 500
CALM_EVERY = 8  # every so many runs, one without faults


@dataclass(slots=True)
class Sum:
    """All runs together."""

    runs: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    calm: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, run: Run) -> None:
        """Count a run."""
        self.runs += 1
        for name in ("events", "pairs", "delivered", "dead", "requests", "duplicates", "unknown"):
            self.totals[name] += getattr(run.verdict, name)
            self.calm[name] += 0 if run.faults else getattr(run.verdict, name)
        self.totals["crashes"] += run.figures.crashes
        self.totals["virtual days"] += round(run.figures.virtual_ms / DAY)
        self.calls.update(run.figures.calls)
        self.struck.update(run.figures.struck)


def runs(jobs: list[tuple[int, int, bool]], processes: int) -> Iterator[Run]:
    """Each run as it ends."""
    if processes == 1 or len(jobs) == 1:
        yield from map(simulate, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(simulate, jobs)


def matrix(summed: Sum) -> Table:
    """Faults by function and port call; a dash where a fault cannot happen."""
    table = Table("port call", *KINDS, title="faults struck", title_justify="left")
    for place in _places(summed):
        cells = [str(summed.struck[(kind, place)]) if _applies(kind, place) else "-" for kind in KINDS]
        table.add_row(place, *cells)
    return table


def never_struck(summed: Sum) -> int:
    """Cells of the matrix that could have been struck and were not."""
    cells = [(kind, place) for place in _places(summed) for kind in KINDS if _applies(kind, place)]
    return sum(not summed.struck[cell] for cell in cells)


def _places(summed: Sum) -> list[str]:
    return sorted({place for _, place in summed.struck})


def _applies(kind: str, place: str) -> bool:
    operation = place.rpartition(".")[2]
    if operation == "send":
        return kind.startswith("crash")
    return kind != "partial" or operation in PARTIAL


def main() -> int:
    """Prints figures; 1 with the failing seed and its command when a promise is broken."""
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seed", type=int, default=None, help="this run only")
    parser.add_argument("--events", type=int, default=None, help="in all (or of the one seed)")
    parser.add_argument("--calm", action="store_true", help="the one seed without faults")
    parser.add_argument("--first", type=int, default=1, help="the first of the seeds")
    given = parser.parse_args()
    if given.seed is not None:
        jobs = [(given.seed, given.events or EVENTS_A_RUN, not given.calm)]
    else:
        count = max(1, (given.events or 20_000) // EVENTS_A_RUN)
        jobs = [(given.first + n, EVENTS_A_RUN, n % CALM_EVERY != CALM_EVERY - 1) for n in range(count)]
    console = Console(width=None if sys.stdout.isatty() else 170)
    summed, started = Sum(), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("events", total=sum(events for _, events, _ in jobs))
        for run in runs(jobs, min(os.cpu_count() or 1, len(jobs))):
            summed.add(run)
            progress.update(task, advance=run.events)
            if run.broken:
                console.print(f"[red]seed {run.seed} broke a promise[/]; repeat it with: {run.command}")
                for line in run.broken[:20]:
                    console.print(f"  {line}", markup=False)
                return 1
    if given.seed is None:
        console.print(matrix(summed))
        console.print(f"cells never struck: {never_struck(summed)}")
    figures = ", ".join(f"{count:,} {name}" for name, count in summed.totals.items())
    console.print(f"{summed.runs} runs from seed {jobs[0][0]} in {time.monotonic() - started:.0f} s: {figures}")
    console.print(f"{summed.calls.total():,} port calls, {summed.struck.total():,} faults; lost: 0", end="")
    if summed.calm["delivered"]:
        share = summed.calm["duplicates"] / summed.calm["delivered"]
        console.print(f"; without faults {share:.3%} duplicates, {summed.calm['unknown']} unknown", end="")
    console.print()
    return 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # a seed decides everything, the order of sets included
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        sys.exit(subprocess.call(again, env={**os.environ, "PYTHONHASHSEED": "0"}))
    sys.exit(main())

"""`make simulate`: many runs from consecutive seeds, shared over the cores, and the matrix of what was struck."""

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.simulation import matrix
from tests.simulation.hazards import RECEIVERS
from tests.simulation.runs import Run, simulate
from tests.simulation.scenario import DAY

EVENTS = 20_000
LEAST_RUNS, EVENTS_A_RUN = 40, 5_000  # fewer events a run when there are few: it takes some seeds to strike all cells
CALM_EVERY = 8  # every so many runs, one without faults
MOST_BROKEN = 5
TOLD_EVERY_SECONDS = 30

Job = tuple[int, int, bool]  # seed, events, with faults


@dataclass(slots=True)
class Sum:
    """All runs together."""

    runs: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    calm: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    struck: Counter[matrix.Cell] = field(default_factory=Counter)
    lost: int = 0
    broken: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Count a run."""
        self.runs += 1
        for name in ("events", "pairs", "delivered", "dead", "requests", "duplicates", "unknown", "reads"):
            self.totals[name] += getattr(run.verdict, name)
            self.calm[name] += 0 if run.faults else getattr(run.verdict, name)
        self.totals["crashes"] += run.figures.crashes
        self.totals["replays"] += run.figures.replays
        self.totals["virtual days"] += round(run.figures.virtual_ms / DAY)
        self.calls.update(run.figures.calls)
        self.struck.update(run.figures.struck)
        self.lost += sum(line.startswith("lost") for line in run.broken)
        if run.broken:
            self.broken.append(run)

    @property
    def faults(self) -> int:
        """Faults and hazards, without the receivers' own bad answers and SQS's order."""
        known = set(matrix.cells())
        apart = {(kind, matrix.REQUEST) for kind in RECEIVERS}
        return sum(n for cell, n in self.struck.items() if cell in known - apart and cell[0] != "reordered")


def runs(jobs: list[Job], processes: int) -> Iterator[Run]:
    """Each run as it ends."""
    if processes == 1 or len(jobs) == 1:
        yield from map(simulate, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(processes, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(simulate, jobs)


def jobs_of(first: int, events: int) -> list[Job]:
    """Consecutive seeds."""
    a_run = min(EVENTS_A_RUN, max(1, events // LEAST_RUNS))
    return [(first + n, a_run, n % CALM_EVERY != CALM_EVERY - 1) for n in range(max(1, events // a_run))]


def carry_out(jobs: list[Job], console: Console, summed: Sum) -> None:
    """All of them, with a bar on a terminal and a line now and then elsewhere. Some broken promises end it early."""
    total = sum(events for _, events, _ in jobs)
    started = told = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("events", total=total)
        for run in runs(jobs, min(os.cpu_count() or 1, len(jobs))):
            summed.add(run)
            progress.update(task, advance=run.events)
            if run.broken:
                tell_broken(run, console)
            if len(summed.broken) >= MOST_BROKEN:
                break
            if not console.is_terminal and time.monotonic() - told > TOLD_EVERY_SECONDS:
                told = time.monotonic()
                done = summed.totals["events"]
                console.print(
                    f"{done:,} of {total:,} events, {told - started:.0f} s, {len(summed.broken)} seeds broken"
                )


def tell_broken(run: Run, console: Console) -> None:
    """Which promise, and how to see it again."""
    console.print(f"[red]seed {run.seed} broke a promise[/]; repeat it with: {run.command}")
    for line in run.broken[:20]:
        console.print(f"  {line}", markup=False)


def tell(summed: Sum, console: Console, *, with_matrix: bool) -> None:
    """The figures."""
    if with_matrix:
        for table in matrix.tables(summed.struck, summed.calls):
            console.print(table)
        missing = matrix.missing(summed.struck)
        console.print(
            f"{len(matrix.cells())} applicable cells of {len({kind for kind, _ in matrix.cells()})} kinds; "
            f"struck least: {matrix.minimum(summed.struck)}; never: {len(missing)}"
        )
        for place in matrix.unlisted(summed.calls):
            console.print(f"  no row for {place}")
        for kind, place in missing:
            console.print(f"  never struck: {kind} at {place}")
    figures = ", ".join(f"{count:,} {name}" for name, count in summed.totals.items())
    console.print(figures)
    console.print(f"{summed.calls.total():,} port calls, {summed.faults:,} faults; lost: {summed.lost}", end="")
    if summed.calm["delivered"]:
        share = summed.calm["duplicates"] / summed.calm["delivered"]
        console.print(
            f"; in {summed.calm['events']:,} events without faults {share:.3%} duplicates, "
            f"{summed.calm['unknown']} unknown",
            end="",
        )
    console.print()


def main() -> int:
    """Prints figures; 1 with the failing seeds and their commands when a promise is broken."""
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seed", type=int, default=None, help="this run only")
    parser.add_argument("--events", type=int, default=None, help="in all (or of the one seed)")
    parser.add_argument("--calm", action="store_true", help="the one seed without faults")
    parser.add_argument("--first", type=int, default=1, help="the first of the seeds")
    given = parser.parse_args()
    jobs = jobs_of(given.first, given.events or EVENTS)
    if given.seed is not None:
        jobs = [(given.seed, given.events or EVENTS // LEAST_RUNS, not given.calm)]
    console = Console(width=None if sys.stdout.isatty() else 180)
    started = time.monotonic()
    summed = Sum()
    try:
        carry_out(jobs, console, summed)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]; so far:")
    tell(summed, console, with_matrix=given.seed is None)
    seconds = time.monotonic() - started
    console.print(f"{summed.runs} runs, seeds {jobs[0][0]} to {jobs[-1][0]}, in {seconds:.0f} s")
    return 1 if summed.broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # a seed decides everything, the order of sets included
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        sys.exit(subprocess.call(again, env={**os.environ, "PYTHONHASHSEED": "0"}))
    sys.exit(main())

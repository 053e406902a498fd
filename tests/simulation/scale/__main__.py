"""`make simulate-scale`: the long forms, with their progress, their figures and what must hold of them."""

import argparse
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.simulation.scale.lifecycle import run_lives
from tests.simulation.scale.month import month
from tests.simulation.scale.outage import MAX_IN_FLIGHT, day
from tests.simulation.scale.rooms import beside_a_dead_tenant, pause_and_resume

Tell = Callable[[float], None]
Check = tuple[str, bool]

TIMES = 1.5  # what is slower is an event that meets an ingest which knows no subscriptions yet: three calls more


def outage(seed: int, scale: float, tell: Tell) -> tuple[list[object], list[Check]]:
    """24 hours of outage for half of 20 webhooks, at one event a second in all."""
    calm = day(20, 20 / scale, outage=False, seed=seed, tell=lambda share: tell(share / 3))
    out = day(20, 20 / scale, outage=True, seed=seed, tell=lambda share: tell(1 / 3 + share * 2 / 3))
    return [calm, out], [
        ("everything is delivered", out.deliveries == out.delivered),
        ("no attempt was used up by a deferral", out.spent_on_deferrals == 0),
        ("no premature dead letter", out.dead == 0),
        (f"at most {MAX_IN_FLIGHT:,} in flight", out.most_in_flight <= MAX_IN_FLIGHT),
        ("p99 of the healthy within 10 % of the calm run", out.healthy_p99_ms <= 1.1 * calm.healthy_p99_ms),
    ]


def a_month(seed: int, scale: float, tell: Tell) -> tuple[list[object], list[Check]]:
    """A month of 100 webhooks with stated outages."""
    found = month(100, 240 / scale, seed, tell)
    return [found], [
        (f"{found.share:.4%} of receivers that came back: at least 99.9 %", found.share >= 0.999),
        (f"{found.share_recovered:.4%} when the lost have been recovered", found.share_recovered >= 0.999),
    ]


def rooms(seed: int, scale: float, tell: Tell) -> tuple[list[object], list[Check]]:
    """100,000 deliveries are paused and resumed, and release is killed 100 times."""
    count = round(100_000 * scale)
    found = pause_and_resume(count, 100, seed, tell)
    return [found], [
        ("each delivered once", (found.delivered, found.sent_twice, found.still_waiting) == (count, 0, 0)),
        ("release was killed", found.kills >= min(100, count // 400)),
    ]


def dead_tenant(seed: int, scale: float, tell: Tell) -> tuple[list[object], list[Check]]:
    """A dead tenant with 200,000 deliveries, which are all given up in the middle of half an hour, and a slow one."""
    count = round(200_000 * scale)
    alone, beside = beside_a_dead_tenant(count, 30, seed, tell)
    return [alone, beside], [
        ("all its deliveries are dead letters", beside.dead_letters == count),
        ("all others are delivered", beside.delivered == beside.published),
        (f"p99 of the others at most {TIMES} times that alone", beside.p99_ms <= TIMES * alone.p99_ms),
        (f"at most {MAX_IN_FLIGHT:,} in flight", beside.most_in_flight <= MAX_IN_FLIGHT),
    ]


def lives(seed: int, scale: float, tell: Tell) -> tuple[list[object], list[Check]]:
    """10,000 runs of the state machine of a delivery's life, in two processes."""
    parts, runs = os.cpu_count() or 1, round(10_000 * scale)
    chunk = 100
    jobs = [(seed + number, min(chunk, runs - number * chunk)) for number in range(-(-runs // chunk))]
    done: list[tuple[int, int, str]] = []
    with multiprocessing.get_context("spawn").Pool(parts) as pool:
        for each in pool.imap_unordered(run_lives, jobs):
            done.append(each)
            tell(len(done) / len(jobs))
            if each[2]:
                return [f"seed {each[0]}:\n{each[2]}"], [("no invariant is broken", False)]
    return [f"{sum(runs for _, runs, _ in done):,} runs from seeds {jobs[0][0]} to {jobs[-1][0]}"], [
        ("no invariant is broken", not any(fault for _, _, fault in done))
    ]


FORMS = {"outage": outage, "month": a_month, "rooms": rooms, "dead-tenant": dead_tenant, "lives": lives}


def carry_out(name: str, seed: int, scale: float, console: Console) -> bool:
    """One form, with its figures; whether everything holds."""
    started, twentieths = time.monotonic(), 0
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=1.0)

        def tell(share: float) -> None:
            nonlocal twentieths
            progress.update(task, completed=share)
            if not console.is_terminal and int(share * 20) > twentieths:  # a line now and then
                twentieths = int(share * 20)
                console.print(f"{name}: {share:.0%} after {time.monotonic() - started:.0f} s", highlight=False)

        figures, checks = FORMS[name](seed, scale, tell)
    console.print(f"[bold]{name}[/] (seed {seed}, {time.monotonic() - started:.0f} s)")
    for figure in figures:
        console.print(f"  {figure}", markup=False)
    for what, holds in checks:
        console.print(f"  {'[green]holds[/]' if holds else '[red]BROKEN[/]'}  {what}")
    return all(holds for _, holds in checks)


def main() -> int:
    """1 when something does not hold."""
    parser = argparse.ArgumentParser(prog="make simulate-scale")
    parser.add_argument("forms", nargs="*", help=f"of {', '.join(FORMS)}: all of them unless named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="0.1 for a tenth of the load")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 170)
    held = [carry_out(name, given.seed, given.scale, console) for name in given.forms or FORMS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # a seed decides everything, the order of sets included
        again = [sys.executable, "-m", "tests.simulation.scale", *sys.argv[1:]]
        sys.exit(subprocess.call(again, env={**os.environ, "PYTHONHASHSEED": "0"}))
    sys.exit(main())

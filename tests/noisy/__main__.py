"""`make noisy`: bad neighbours beside a quiet tenant, and what it notices of them; 1 when a promise is broken."""

import argparse
import logging
import sys
import time
from dataclasses import replace

from tests.noisy import neighbours, run, virtual
from tests.support.beside import Beside, table

MORE_SECONDS = 1.0  # that p99 may be beside a neighbour on the local stack
TIMES = 1.5  # and how many times that of the tenant alone in virtual time


def say(line: str) -> None:
    """To whoever waits."""
    print(line, flush=True)  # noqa: T201


def is_meant(name: str, words: list[str]) -> bool:
    """All are, where no words are given."""
    return not words or any(word in name for word in words)


def in_virtual_time(words: list[str]) -> list[str]:
    """What is broken of the promises, after its tables."""
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    alone = virtual.beside(None)
    bar = TIMES * alone.p99
    rows = [alone]
    for neighbour in virtual.NEIGHBOURS:
        if is_meant(neighbour.name, words):
            rows.append(virtual.beside(neighbour))
            say(f"[in virtual time, {time.monotonic() - began:.0f} s] {rows[-1].name}: p99 {rows[-1].p99:.3f} s")
    say("\n" + table(rows, bar))
    outages = [virtual.a_minute_without_dynamodb(name) for name in virtual.OUTAGES if is_meant(name, words)]
    for each in outages:
        quiet = each.quiet
        say(
            f"{quiet.name} for a minute: all is there {each.back_seconds:.0f} s after its return; lost {quiet.lost}, "
            f"failed {quiet.failed}, false unknown {quiet.unknown}"
        )
    logging.disable(logging.NOTSET)
    return [fault for row in rows for fault in row.faults(bar)] + [fault for each in outages for fault in each.faults()]


def on_the_local_stack(words: list[str], script: run.Script, *, short: bool) -> list[str]:
    """The same there."""
    chosen = [each for each in neighbours.NEIGHBOURS if (each.is_short or not short) and is_meant(each.name, words)]
    if not chosen:
        return []
    began = time.monotonic()
    alone = run.beside(None, script, say)
    bar = alone.p99 + MORE_SECONDS
    say(f"alone: p50 {alone.p50:.2f} s, p99 {alone.p99:.2f} s; {len(chosen)} neighbours, {script.seconds:.0f} s each")
    rows: list[Beside] = [alone]
    for number, neighbour in enumerate(chosen, start=1):
        row = run.beside(neighbour, script, say)
        rows.append(row)
        told = "; ".join(row.faults(bar)) or f"{row.name}: p99 {row.p99:.2f} s"
        say(f"[{number}/{len(chosen)}, {time.monotonic() - began:.0f} s] {told}")
    say("\n" + table(rows, bar))
    return [fault for row in rows for fault in row.faults(bar)]


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make noisy", description=__doc__)
    parser.add_argument("words", nargs="*", help="only neighbours whose name has one of these words")
    parser.add_argument("--seconds", type=float, default=run.Script().seconds, help="beside each on the local stack")
    parser.add_argument("--short", action="store_true", help="there, the form that is part of the tests")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--virtual", action="store_true", help="in virtual time only")
    only.add_argument("--local", action="store_true", help="on the local stack only")
    given = parser.parse_args()
    script = run.SHORT if given.short else replace(run.Script(), seconds=given.seconds)
    faults: list[str] = []
    if not given.local:
        faults += in_virtual_time(given.words)
    if not given.virtual:
        faults += on_the_local_stack(given.words, script, short=given.short)
    for fault in faults:
        say(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

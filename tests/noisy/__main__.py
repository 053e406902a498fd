"""`make noisy`: bad neighbours beside a quiet tenant, and what it notices of them; 1 when a promise is broken."""

import argparse
import sys
import time
from dataclasses import replace

from tests.noisy.neighbours import NEIGHBOURS
from tests.noisy.run import SHORT, Script, beside
from tests.support.beside import Beside, table

MORE_SECONDS = 1.0  # that p99 may be beside a neighbour


def say(line: str) -> None:
    """To whoever waits."""
    print(line, flush=True)  # noqa: T201


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make noisy", description=__doc__)
    parser.add_argument("words", nargs="*", help="only neighbours whose name has one of these words")
    parser.add_argument("--seconds", type=float, default=Script().seconds, help="beside each")
    parser.add_argument("--short", action="store_true", help="the form that is part of the tests")
    given = parser.parse_args()
    script = SHORT if given.short else replace(Script(), seconds=given.seconds)
    chosen = [
        each
        for each in NEIGHBOURS
        if (each.is_short or not given.short) and (not given.words or any(word in each.name for word in given.words))
    ]
    began = time.monotonic()
    alone = beside(None, script, say)
    bar = alone.p99 + MORE_SECONDS
    say(f"alone: p50 {alone.p50:.2f} s, p99 {alone.p99:.2f} s; {len(chosen)} neighbours, {script.seconds:.0f} s each")
    rows: list[Beside] = [alone]
    for number, neighbour in enumerate(chosen, start=1):
        row = beside(neighbour, script, say)
        rows.append(row)
        told = "; ".join(row.faults(bar)) or f"{row.name}: p99 {row.p99:.2f} s"
        say(f"[{number}/{len(chosen)}, {time.monotonic() - began:.0f} s] {told}")
    say("\n" + table(rows, bar))
    faults = [fault for row in rows for fault in row.faults(bar)]
    for fault in faults:
        say(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

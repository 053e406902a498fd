"""`make chaos`: a bad day of the local stack, with its progress and figures; 1 when a promise is broken."""

import argparse
import sys
from collections import Counter
from dataclasses import replace

from tests.chaos.run import LONG, SHORT, Chaos


def say(line: str) -> None:
    """To whoever waits."""
    print(line, flush=True)  # noqa: T201


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=LONG.events)
    parser.add_argument("--short", action="store_true", help="the form that is part of the tests")
    given = parser.parse_args()
    script = SHORT if given.short else replace(LONG, events=given.events)
    chaos = Chaos(replace(script, seed=given.seed), say)
    verdict = chaos.run()
    struck: dict[str, Counter[str]] = {}
    for (kind, call), count in sorted(chaos.figures.struck.items()):
        struck.setdefault(call, Counter())[kind] = count
    for call, kinds in struck.items():
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        say(f"  {call:30} {chaos.figures.calls[call]:7,} calls: {told}")
    say(chaos.summary(verdict))
    for fault in verdict.faults[:40]:
        say(f"  {fault}")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())

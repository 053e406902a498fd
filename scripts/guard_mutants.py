"""Takes each guard out, one at a time, in a copy of the project, and shows which test notices: `make guard-mutants`.

Each mutant's own test must fail with it and pass without it. Most tests are quick; none needs the running stack.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import mutants

LIST = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which stands in `file` once, becomes `new`."""

    guard: str
    file: str
    old: str
    new: str
    test: str


def why_missed(folder: Path, mutant: Mutant) -> str | None:
    """Mutate, test, and put it back; None when the test noticed."""
    try:
        with mutants.mutated(folder, mutant.file, mutant.old, mutant.new):
            return None if mutants.failed_test(mutants.run(folder, [mutant.test])) else "its test passes"
    except mutants.Unfit as exc:
        return str(exc)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a guard could go without a test noticing."""
    parser = argparse.ArgumentParser(prog="make guard-mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="words that a guard's name must hold; all of them without any")
    names = parser.parse_args(arguments).names
    listed = [Mutant(**each) for each in mutants.listed(LIST)]
    chosen = [each for each in listed if not names or any(name in each.guard for name in names)]
    with mutants.copy_of_project("guard-mutants") as folder:
        if not mutants.passes(folder, sorted({each.test for each in chosen})):
            return 1
        missed = 0
        for mutant in chosen:
            started = time.monotonic()
            why = why_missed(folder, mutant)
            missed += why is not None
            state = "caught" if why is None else f"MISSED ({why})"
            test = mutant.test.rpartition("::")[2]
            print(f"{mutant.guard:58} {state:8} {time.monotonic() - started:5.1f} s  {test}", flush=True)
    print(f"{len(chosen)} guards taken out, {len(chosen) - missed} noticed, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

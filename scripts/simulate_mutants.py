"""Plants faults in the delivery logic, one at a time, and shows which test notices: `make simulate-mutants`.

Each mutant is tried on the tests that its list names and on the unit tests of its module, then on the simulation's
short form, then on all other tests of the logic. A mutant that none of them notices fails the run, and so does one
whose text is not there any more. In the end, all tests that have noticed something must pass without any mutant.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from scripts import mutants

LIST = Path(__file__).with_suffix(".toml")
PROCESSES = 2
SIMULATION = ("tests/simulation/test_simulation.py", "-k", "nothing_is_lost or without_faults")
LOGIC = ("tests/simulation", "tests/unit")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which stands in `file` once, becomes `new`. `tests` know the kind, beside those of the module."""

    fault: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()

    def stages(self, folder: Path) -> tuple[tuple[str, ...], ...]:
        """What to try, one after the other."""
        own = (folder / "tests" / "unit").rglob(f"test_{Path(self.file).stem}.py")
        return self.tests, tuple(str(path.relative_to(folder)) for path in own), SIMULATION, LOGIC


@dataclass(frozen=True, slots=True)
class Outcome:
    """`caught_by` is the first test that failed, or None; `words` say why that is so."""

    mutant: Mutant
    caught_by: str | None
    words: str
    seconds: float


def try_out(folder: Path, mutant: Mutant, stages: Sequence[Sequence[str]]) -> Outcome:
    """Mutate, test stage by stage until one notices, and put it back."""
    started = time.monotonic()
    caught_by, words = None, "no test notices"
    try:
        with mutants.mutated(folder, mutant.file, mutant.old, mutant.new):
            for tests in stages:
                if caught_by is None and tests:
                    caught_by = mutants.failed_test(mutants.run(folder, tests))
    except mutants.Unfit as exc:
        caught_by, words = None, str(exc)
    return Outcome(mutant, caught_by, words, time.monotonic() - started)


def outcomes(chosen: Sequence[Mutant], *, by_simulation: bool) -> Iterator[Outcome]:
    """Every mutant's, in their order, from as many copies of the project as there are processes."""
    with ExitStack() as stack:
        folders: SimpleQueue[Path] = SimpleQueue()
        for _ in range(PROCESSES):
            folders.put(stack.enter_context(mutants.copy_of_project("simulate-mutants")))

        def work(mutant: Mutant) -> Outcome:
            folder = folders.get()
            try:
                return try_out(folder, mutant, [SIMULATION] if by_simulation else mutant.stages(folder))
            finally:
                folders.put(folder)

        yield from stack.enter_context(ThreadPoolExecutor(PROCESSES)).map(work, chosen)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a fault could stand in the code without a test noticing."""
    parser = argparse.ArgumentParser(prog="make simulate-mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="words that a fault's name must hold; all of them without any")
    parser.add_argument("--by-simulation", action="store_true", help="try nothing but the simulation")
    given = parser.parse_args(arguments)
    os.nice(10)
    listed = [Mutant(**{**each, "tests": tuple(each.get("tests", ()))}) for each in mutants.listed(LIST)]
    chosen = [each for each in listed if not given.names or any(name in each.fault for name in given.names)]
    survivors, started = 0, time.monotonic()
    noticed: set[str] = set()
    for done in outcomes(chosen, by_simulation=given.by_simulation):
        survivors += done.caught_by is None
        noticed |= {done.caught_by} if done.caught_by else set()
        state = f"caught by {done.caught_by}" if done.caught_by else f"SURVIVED: {done.words}"
        print(f"{done.mutant.fault:70} {done.seconds:5.1f} s  {state}", flush=True)
    print(f"{len(chosen)} faults planted in {time.monotonic() - started:.0f} s, {survivors} survived", flush=True)
    with mutants.copy_of_project("simulate-mutants") as folder:
        sound = not noticed or mutants.passes(folder, sorted(noticed))
    return 1 if survivors or not sound else 0


if __name__ == "__main__":
    sys.exit(main())

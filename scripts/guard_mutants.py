"""Takes each guard out, one at a time, in a copy of the project, and shows which test notices: `make guard-mutants`.

A mutant is a piece of text replaced by another in one file. Its test must fail with it and pass without it. Most tests
are quick; none needs the running stack.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
COPIED = ("shared", "functions", "tests", "localstack", "docs", "scripts", "template.yaml", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis", "node_modules")
LIST = Path(__file__).with_suffix(".toml")
TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which stands in `file` once, becomes `new`."""

    guard: str
    file: str
    old: str
    new: str
    test: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the test said. `seconds` is how long it took to say so."""

    mutant: Mutant
    caught: bool
    seconds: float
    words: str


def copy_project(folder: Path) -> None:
    """What the tests need of the project."""
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, folder / name)


def run(folder: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """pytest in the copy, which its own code comes from."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests]
    paths = {"PYTHONPATH": f"{folder / 'shared'}", "PATH": "/usr/bin:/bin", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=paths, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )


def try_out(folder: Path, mutant: Mutant) -> Outcome:
    """Mutate, test, and put it back."""
    path = folder / mutant.file
    original = path.read_text(encoding="utf-8")
    started = time.monotonic()
    if original.count(mutant.old) != 1:
        return Outcome(mutant, False, 0.0, f"the text to replace stands there {original.count(mutant.old)} times")
    path.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        done = run(folder, [mutant.test])
    finally:
        path.write_text(original, encoding="utf-8")
    # 1: tests failed. Anything else (nothing collected, a crash of pytest) proves nothing.
    words = "" if done.returncode == 1 else f"pytest ended with {done.returncode}"
    if "SyntaxError" in done.stdout or "ImportError" in done.stdout:
        words = "the mutant does not even load"
    return Outcome(mutant, not words, time.monotonic() - started, words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a guard could go without a test noticing."""
    parser = argparse.ArgumentParser(prog="make guard-mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="words that a guard's name must hold; all of them without any")
    names = parser.parse_args(arguments).names
    listed = [Mutant(**each) for each in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"]]
    chosen = [each for each in listed if not names or any(name in each.guard for name in names)]
    with tempfile.TemporaryDirectory(prefix="guard-mutants-") as scratch:
        folder = Path(scratch)
        copy_project(folder)
        intact = run(folder, sorted({each.test for each in chosen}))
        if intact.returncode != 0:
            print(intact.stdout[-3000:], file=sys.stderr)
            print("The tests fail without any mutant.", file=sys.stderr)
            return 1
        missed = 0
        for mutant in chosen:
            outcome = try_out(folder, mutant)
            missed += not outcome.caught
            test = mutant.test.rpartition("::")[2]
            state = "caught" if outcome.caught else f"MISSED ({outcome.words or 'its test passes'})"
            print(f"{mutant.guard:58} {state:8} {outcome.seconds:5.1f} s  {test}", flush=True)
    print(f"{len(chosen)} guards taken out, {len(chosen) - missed} noticed, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

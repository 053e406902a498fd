"""Mutants: faults planted in a copy of the project, each to be noticed by a test.

A mutant is a piece of text replaced by another in one file. The working tree is never touched.
"""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
COPIED = (
    "shared", "functions", "tests", "localstack", "docs", "scripts", "examples", "events", "layers", "monitoring",
    "README.md", "CONTRIBUTING.md", "Makefile", "samconfig.toml", "template.yaml", "pyproject.toml", "uv.lock",
)  # fmt: skip
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis", "node_modules")
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "xdist.plugin")  # that our tests cannot do without
TIMEOUT_SECONDS = 900


class Unfit(Exception):
    """The mutant says nothing: its text stands elsewhere now, or what came of it does not load."""


def listed(path: Path) -> list[dict[str, Any]]:
    """The mutants of a list."""
    return tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]


@contextmanager
def copy_of_project(name: str) -> Iterator[Path]:
    """A folder with what the tests need of the project; it goes at the end."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as scratch:
        folder = Path(scratch)
        for part in COPIED:
            source = PROJECT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=LEFT_OUT)
            else:
                shutil.copy(source, folder / part)
        yield folder


@contextmanager
def mutated(folder: Path, file: str, old: str, new: str) -> Iterator[None]:
    """The copy with `old`, which must stand there once, replaced. Raises Unfit."""
    path = folder / file
    original = path.read_text(encoding="utf-8")
    if original.count(old) != 1:
        raise Unfit(f"the text to replace stands there {original.count(old)} times")
    _write(path, original.replace(old, new))
    try:
        yield
    finally:
        _write(path, original)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()  # it is told from the source by its second and size, which a mutant may share


def run(folder: Path, tests: Iterable[str], *options: str) -> subprocess.CompletedProcess[str]:
    """pytest in the copy, which its own code comes from, until the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    command += [each for plugin in PLUGINS for each in ("-p", plugin)]
    environment = {
        "PYTHONPATH": f"{folder / 'shared'}",
        "PATH": "/usr/bin:/bin",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # half of a start
    }
    return subprocess.run(
        [*command, *options, *tests],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def failed_test(done: subprocess.CompletedProcess[str]) -> str | None:
    """The test that failed; None when all passed. Raises Unfit for an end that proves nothing."""
    if "SyntaxError" in done.stdout or "ImportError" in done.stdout:
        raise Unfit("the mutant does not even load")
    if done.returncode == 0:
        return None
    if done.returncode != 1:  # nothing collected, a crash of pytest
        raise Unfit(f"pytest ended with {done.returncode}: {done.stdout[-300:]}")
    summary = done.stdout.rpartition("short test summary info")[2]
    failures = [line for line in summary.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if not failures:
        raise Unfit(f"pytest names no test that failed: {done.stdout[-300:]}")
    return failures[0].partition(" ")[2].partition(" - ")[0]


def passes(folder: Path, tests: Sequence[str]) -> bool:
    """Whether the tests pass without any mutant; what they say when not goes to standard error."""
    intact = run(folder, tests)
    if intact.returncode != 0:
        print(intact.stdout[-3000:], file=sys.stderr)
        print("The tests fail without any mutant.", file=sys.stderr)
    return intact.returncode == 0

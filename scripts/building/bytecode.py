"""Compiled modules for the target's Python: what Lambda would otherwise compile at each cold start."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from scripts.building.target import BuildError

PYTHON_VARIABLE = "TARGET_PYTHON"


def interpreter(version: str) -> str | None:
    """A Python of this version on this machine, or None. TARGET_PYTHON names one; it is an error if that is another."""
    named = os.environ.get(PYTHON_VARIABLE)
    if named:
        if _version(named) != version:
            raise BuildError(f"{PYTHON_VARIABLE}={named} is not Python {version}.")
        return named
    if version == "{}.{}".format(*sys.version_info) and sys.implementation.name == "cpython":
        return sys.executable
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    managed = [str(path / "bin" / "python") for path in sorted(versions.glob(f"{version}*"), reverse=True)]
    on_path = shutil.which(f"python{version}")
    candidates = [*([on_path] if on_path else []), *managed, shutil.which("python3") or ""]
    return next((each for each in candidates if each and _version(each) == version), None)


def compile_modules(folder: Path, python: str) -> None:
    """__pycache__ beside every module below `folder`, taken by Python without a look at the source's time.

    Tracebacks name the modules where Lambda has them. The same bytes for the same sources: in one process, in the order
    of their names. Raises BuildError when a module does not compile.
    """
    options = ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/"]
    done = subprocess.run(
        # -I: nothing of this shell's Python settings; -j 1 and sorted names: an order that is always the same
        [python, "-I", "-m", "compileall", "-q", "-f", "-j", "1", *options, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"Not all modules compile with {python}:\n{done.stdout}{done.stderr}")


@cache
def _version(python: str) -> str:
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
    try:
        # an answer takes milliseconds; a version manager's stand-in for a Python that is not there fails
        done = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version, _, implementation = done.stdout.strip().partition(" ")
    return version if done.returncode == 0 and implementation == "cpython" else ""

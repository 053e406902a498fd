"""The commands of docs/operations.md, run as operators run them: by bash and the AWS CLI, against a local stack.

`make` is stood in for: it builds and deploys by sam. What it is asked for is noted, and it prints what `PRINTS` says.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from localstack.emulator import PROJECT, REGION

CLI = PROJECT / ".venv-sam" / "bin"
PAGE = PROJECT / "docs" / "operations.md"
# Variables go on from block to block, as in the shell of whoever types them. For SQS the CLI's version 1 has an address
# of its own, which only the option replaces.
SCRIPT = """set -euo pipefail
make() {{ printf '%s\\0' "$@" '' >>"$NOTES/made"; printf '%s' "${{PRINTS-}}"; }}
aws() {{ command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }}
{commands}
for name in {names}; do printf '%s=%s\\0' "$name" "${{!name-}}"; done >"$NOTES/variables"
"""


class CommandsFailed(AssertionError):
    """The shell's own words."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a block: what it printed, the variables afterwards, and what make was asked for."""

    printed: str
    variables: Mapping[str, str]
    made: tuple[tuple[str, ...], ...]


def blocks() -> list[str]:
    """All of the page's blocks of commands, in their order."""
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def block(containing: str) -> str:
    """The one block with this text in it."""
    (found,) = [each for each in blocks() if containing in each]
    return found


def need_cli() -> None:
    """Skips without the AWS CLI."""
    if not (CLI / "aws").exists():
        pytest.skip("the AWS CLI is not there: `make test` sets it up (.venv-sam)")


def run(commands: str, endpoint_url: str, variables: Mapping[str, str], region: str = REGION) -> Ran:
    """Raises CommandsFailed with what went wrong."""
    names = sorted({*variables, *re.findall(r"^(\w+)=", commands, re.MULTILINE)})
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["bash", "-c", SCRIPT.format(commands=commands, names=" ".join(names))],
            env={name: os.environ[name] for name in ("LANG", "LC_ALL", "HOME") if name in os.environ}
            | {
                "PATH": f"{CLI}{os.pathsep}{os.environ['PATH']}",
                "AWS_ENDPOINT_URL": endpoint_url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": region,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
                "NOTES": folder,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandsFailed(f"exit {done.returncode} of\n{commands}\n{done.stdout}{done.stderr}")
        kept = dict(each.split("=", 1) for each in _words(Path(folder) / "variables"))
        said = "\0".join(_words(Path(folder) / "made")).split("\0\0")
        made = [tuple(each.strip("\0").split("\0")) for each in said if each]
        return Ran(done.stdout, kept, tuple(made))


def _words(path: Path) -> list[str]:
    return path.read_text().removesuffix("\0").split("\0") if path.exists() else []

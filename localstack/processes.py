"""The processes of the local stack, as /proc has them (Linux)."""

import contextlib
from pathlib import Path

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    return [child for child in _all() if _parent(child) == pid]


def runs_function(pid: int, function_name: str) -> bool:
    """Whether the process is a worker of this Lambda function."""
    with contextlib.suppress(OSError):
        environment = PROC.joinpath(str(pid), "environ").read_bytes().split(b"\0")
        return f"AWS_LAMBDA_FUNCTION_NAME={function_name}".encode() in environment
    return False


def _all() -> list[int]:
    return [int(folder.name) for folder in PROC.glob("[0-9]*")]


def _parent(pid: int) -> int | None:
    with contextlib.suppress(OSError):  # it may have ended meanwhile
        # pid (name) state parent ...; the name may hold anything
        return int(PROC.joinpath(str(pid), "stat").read_text().rsplit(")", 1)[1].split()[1])
    return None

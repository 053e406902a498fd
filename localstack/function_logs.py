"""What the functions log, read from the emulator's file and made fit for a terminal."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

POLL_SECONDS = 0.3
LINE_WIDTH = 220
# Said elsewhere in the line, or the same in every one.
LEFT_OUT = {
    "level", "message", "location", "timestamp", "service", "cold_start", "function_name", "function_memory_size",
    "function_arn", "function_request_id", "xray_trace_id", "exception", "exception_name", "stack_trace",
    "function", "steps", "_aws",
}  # fmt: skip
QUIET_PATHS = {"/health", "/ready"}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation of a function. `at`: seconds since the epoch; `error`: the handler raised or was cut off."""

    at: float
    function: str
    request_id: str
    error: bool
    duration_ms: int
    lines: list[str]


def read(path: Path) -> list[Invocation]:
    """All that is in the file."""
    if not path.exists():
        return []
    return [Invocation(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def follow(path: Path) -> Iterator[Invocation]:
    """What comes from now on, without end."""
    with path.open(encoding="utf-8") as file:
        file.seek(0, 2)
        pending = ""
        while True:
            pending += file.readline()
            if pending.endswith("\n"):
                yield Invocation(**json.loads(pending))
                pending = ""
            else:
                time.sleep(POLL_SECONDS)


def for_terminal(invocation: Invocation) -> list[str]:
    """One short line for each log line that says something; what a handler raised, in full."""
    clock = datetime.fromtimestamp(invocation.at).strftime("%H:%M:%S")
    name = invocation.function.rsplit("-", 1)[-1]
    shown: list[str] = []
    for line in invocation.lines:
        text = _brief(line) if not invocation.error else line
        if text:
            shown.append(f"{clock} {name:<10} {text}")
    return shown


def _brief(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line[:LINE_WIDTH]
    if not isinstance(entry, dict):
        return ""
    fields = cast("dict[str, Any]", entry)
    if fields.get("path") in QUIET_PATHS and fields.get("level") in {"INFO", "DEBUG"}:
        return ""
    details = " ".join(
        f"{key}={_short(value)}"
        for key, value in fields.items()
        if key not in LEFT_OUT and value not in (None, "", [], {})
    )
    level = "" if fields.get("level") == "INFO" else f"{fields.get('level')} "
    brief = f"{level}{_short(fields.get('message', ''))} {details}".strip()[:LINE_WIDTH]
    return brief + (f"\n{_short(fields['exception'])}" if "exception" in fields else "")


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

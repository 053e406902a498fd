"""`make trace`: from one delivery's id, every step it took, out of what the functions logged here.

Ingestion logs by event and everything else by delivery, so the event's id is looked up in the delivery's lines first.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from localstack import function_logs
from localstack.emulator import PROJECT
from localstack.function_logs import Invocation

_SHOWN = (
    "attempt", "status_code", "reason", "cause", "duration_ms", "retry_in_ms", "receive_count", "generation",
    "message_id", "webhook_id", "detail",
)  # fmt: skip


def steps(invocations: Sequence[Invocation], delivery_id: str) -> Iterator[str]:
    """One line a step, oldest first: when, which function and invocation, what."""
    said = [(each, entry) for each in invocations for line in each.lines for entry in _entries(line)]
    event_id = next((found for _, entry in said if (found := _event_of(entry, delivery_id))), None)
    for invocation, entry in said:
        for what in _told(entry, delivery_id, event_id):
            clock = datetime.fromtimestamp(invocation.at).strftime("%H:%M:%S")
            name = invocation.function.rsplit("-", 1)[-1]
            yield f"{clock}  {name:<7} {invocation.request_id[:8]}  {what}"


def _entries(line: str) -> Iterator[dict[str, Any]]:
    with suppress(ValueError):
        entry = json.loads(line)
        if isinstance(entry, dict):
            yield cast("dict[str, Any]", entry)


def _steps_of(entry: dict[str, Any]) -> list[list[str]]:
    return [step.split(" ", 2) for step in cast("list[str]", entry.get("steps") or [])]


def _event_of(entry: dict[str, Any], delivery_id: str) -> str | None:
    if entry.get("delivery_id") == delivery_id:
        return entry.get("event_id")
    return next((event_id for who, event_id, _ in _steps_of(entry) if who == delivery_id), None)


def _told(entry: dict[str, Any], delivery_id: str, event_id: str | None) -> Iterator[str]:
    message = entry.get("message", "")
    for who, second, third in _steps_of(entry):
        if who == delivery_id:
            yield f"{message}: {third}"
        elif who == event_id:
            yield f"{message}: event {who}, {second} {third}"
    if delivery_id in (entry.get("delivery_ids") or ()) or entry.get("delivery_id") == delivery_id:
        details = " ".join(f"{name}={entry[name]}" for name in _SHOWN if entry.get(name) is not None)
        yield f"{message} {details}".rstrip()


def main() -> int:
    """Print them; 1 when there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("delivery_id")
    parser.add_argument("--log", type=Path, default=PROJECT / ".local" / "functions.log", help="the functions' log")
    asked = parser.parse_args()
    found = list(steps(function_logs.read(asked.log), asked.delivery_id))
    print("\n".join(found) if found else f"Nothing was logged of {asked.delivery_id} since the stack started.")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())

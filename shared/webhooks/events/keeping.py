"""What is kept of a payload whose publisher wants less of it kept: nothing, or all but the named fields.

Receivers get all of it. `retention_days` and `redact` stand beside an event's own fields, and are no part of what is
sent.
"""

from collections.abc import Callable, Mapping
from typing import cast

from webhooks.matching.paths import MISSING, OWN, TOP_LEVEL, step, steps_of
from webhooks.models.keeping import Keeping
from webhooks.payload import serialise

RETENTION_DAYS, REDACT = "retention_days", "redact"
REDACTED = "redacted"  # in the place of a value
MAX_DAYS = 3_650
MAX_PATHS, MAX_PATH = 20, 256


def faults_of(given: Mapping[str, object]) -> list[tuple[str, str]]:
    """What is wrong with an event's two fields: (field, message)."""
    faults: list[tuple[str, str]] = []
    days, paths = given.get(RETENTION_DAYS), given.get(REDACT)
    if days is not None and not (type(days) is int and 0 <= days <= MAX_DAYS):
        faults.append((RETENTION_DAYS, f"must be a number of days, 0 to {MAX_DAYS}; 0: only until it is delivered"))
    if paths is None:
        return faults
    if not isinstance(paths, list) or len(cast("list[object]", paths)) > MAX_PATHS:
        return [*faults, (REDACT, f"must be a list of at most {MAX_PATHS} paths, such as data.fields.email")]
    for position, path in enumerate(cast("list[object]", paths)):
        at = f"{REDACT}.{position}"
        if not isinstance(path, str) or not 0 < len(path) <= MAX_PATH:
            faults.append((at, f"must be a path of 1 to {MAX_PATH} characters, such as data.fields.email"))
        elif path.partition(".")[0] in OWN:
            faults.append((at, "only fields of data and metadata can be redacted"))
    return faults


def kept(payload: Mapping[str, object], body: bytes, keeping: Keeping | None) -> bytes:
    """What of a payload, and of its `body`, is stored with its event."""
    if keeping is None or keeping.is_whole:
        return body
    if keeping.days == 0:
        return b""
    for path in keeping.redact:
        payload = _without(payload, path)
    return serialise(payload)


def _without(payload: Mapping[str, object], path: str) -> Mapping[str, object]:
    """A path means what it means in a filter; where it may mean several fields, none of them is kept."""
    head, dot, _ = path.partition(".")
    starts: list[tuple[str, ...]] = [()] if dot and head in TOP_LEVEL else [("data", "fields"), ("data",)]
    ways: list[tuple[str, ...] | None] = [None]
    if (steps := steps_of(path)) is not None:
        ways.append(tuple(name for name, _ in steps))
    left: object = payload
    for start in starts:
        for way in ways:
            replaced = _replaced(left, start, path, way)
            left = left if replaced is MISSING else replaced
    return cast("Mapping[str, object]", left)


def _replaced(container: object, start: tuple[str, ...], path: str, steps: tuple[str, ...] | None) -> object:
    """A copy with another value below `start`; MISSING where nothing is there."""
    if start:
        return _put(container, start[0], lambda inner: _replaced(inner, start[1:], path, steps))
    if steps is not None:
        return _put(container, steps[0], lambda inner: _replaced(inner, (), path, steps[1:]) if steps[1:] else REDACTED)
    if isinstance(container, dict):
        level = cast("dict[str, object]", container)
        if path in level:
            return {**level, path: REDACTED}
    head, dot, rest = path.partition(".")
    return _put(cast("object", container), head, lambda inner: _replaced(inner, (), rest, None) if dot else REDACTED)


def _put(container: object, name: str, change: Callable[[object], object]) -> object:
    inner = step(container, name)
    changed = MISSING if inner is MISSING else change(inner)
    if changed is MISSING:
        return MISSING
    if isinstance(container, dict):
        return {**cast("dict[str, object]", container), name: changed}
    elements = list(cast("list[object]", container))
    elements[int(name)] = changed
    return elements

"""Where the fields that filters name are looked up in an event.

A path that has a dot and starts with a top-level name of the payload (`data.`, `metadata.`, ...) is looked up from the
root. Every other name is looked up in `data.fields`, then in `data`; where neither has it, `id`, `type`, `resource_id`,
`workspace_id`, `user_id` and `timestamp` are the event's own. At each step the rest of the path
is first taken as one key, so that a field called "No. of seats" is found. A number is an element of a list (`tags.0`,
and `tags.-1` for the last). A name in double quotes is a field's and one step, whatever it holds: `"type.code"`,
`data."x.y"`; quotes in it are written as JSON has them. A path that is there as it stands, quotes included, is that.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import cast

TOP_LEVEL = frozenset(("id", "type", "resource_id", "workspace_id", "user_id", "timestamp", "data", "metadata"))
OWN = frozenset(("id", "type", "resource_id", "workspace_id", "user_id", "timestamp"))
_STEP = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')
_POSITION = re.compile(r"-?\d{1,6}", re.ASCII)
MISSING = object()


def look_up(event: Mapping[str, object], path: str) -> object:
    """What is at a path as written; MISSING where there is nothing."""
    head, dot, _ = path.partition(".")
    if dot and head in TOP_LEVEL:
        found = walk(event, path)
    else:
        in_data = _dict(event.get("data"))
        found = walk(_dict(in_data.get("fields")), path)
        if found is MISSING:
            found = walk(in_data, path)
        if found is MISSING and path in OWN:
            return event.get(path, MISSING)
    if found is MISSING and (steps := steps_of(path)) is not None:
        return _look_up_steps(event, steps)
    return found


def _look_up_steps(event: Mapping[str, object], steps: "_Steps") -> object:
    (head, is_quoted), *rest = steps
    if rest and not is_quoted and head in TOP_LEVEL:
        return walk_steps(event, steps)
    in_data = _dict(event.get("data"))
    found = walk_steps(_dict(in_data.get("fields")), steps)
    return walk_steps(in_data, steps) if found is MISSING else found


def _dict(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def walk(container: object, path: str) -> object:
    """What is at a path below a container."""
    rest = path
    while True:
        if isinstance(container, dict):
            level = cast("dict[str, object]", container)
            if rest in level:
                return level[rest]
        head, dot, rest = rest.partition(".")
        container = step(cast("object", container), head)
        if not dot:
            return container


_Steps = tuple[tuple[str, bool], ...]  # each with whether it was quoted


@lru_cache(maxsize=4_096)
def steps_of(path: str) -> _Steps | None:
    """The steps of a path some of which are quoted; None for every other path."""
    if '"' not in path:
        return None
    steps: list[tuple[str, bool]] = []
    end = -1
    for found in _STEP.finditer(path):
        if found.start() != end + 1 or (steps and path[end] != "."):
            return None
        end = found.end()
        try:
            steps.append((json.loads(found[0]), True) if found[0][0] == '"' else (found[0], False))
        except ValueError:
            return None
    return tuple(steps) if end == len(path) else None


def walk_steps(container: object, steps: _Steps) -> object:
    """The same by steps."""
    for name, is_quoted in steps:
        container = step(container, name, is_quoted=is_quoted)
    return container


def step(container: object, name: str, *, is_quoted: bool = False) -> object:
    """What a field or a list has under one name; MISSING where there is nothing."""
    if isinstance(container, dict):
        return cast("dict[str, object]", container).get(name, MISSING)
    if isinstance(container, list) and not is_quoted and _POSITION.fullmatch(name):
        elements = cast("list[object]", container)
        position = int(name)
        return elements[position] if -len(elements) <= position < len(elements) else MISSING
    return MISSING


def field_of(path: str) -> str:
    """The path without where fields are, as what changed is named."""
    for start in ("data.", "fields."):
        path = path.removeprefix(start)
    steps = steps_of(path)
    return steps[0][0] if steps is not None and len(steps) == 1 else path


def prefixes(path: str) -> Iterator[str]:
    """The path, and those of what it is in."""
    yield path
    for found in re.finditer(r"\.", path):
        yield path[: found.start()]

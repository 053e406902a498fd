"""What a subscription's filters mean: which events of its types it wants.

All given parts must hold: `fields`, `conditions`, `user_id`, `time_range`.

Where a field is looked up: a path that has a dot and starts with a top-level name of the payload (`data.`,
`metadata.`, ...) from the root; every other name in `data.fields`, then in `data`. At each step the rest of the path is
first taken as one key, so that a field called "No. of seats" is found.

What rules mean: comparing different types is false, never an error. Numbers compare by value (1 equals 1.0), `true` is
no number, `null` equals `null` alone; strings order by code point. A missing field equals nothing and contains nothing.
`exists` holds where the field is there, if only as `null`. `contains` finds a part of a string or an element of a list.
Each negative operator (not_equals, not_in, not_contains, not_exists) is exactly the negation of its positive one, and
so holds for a field that is missing or of another type. `and`: every rule holds; `or`: at least one; `not`: none.
"""

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from webhooks.matching.filter_document import Filters, Group, Rule, TimeRange, parse_filters, parse_time

__all__ = [
    "USER",
    "Filters",
    "Predicate",
    "Subject",
    "compile_filters",
    "compile_predicate",
    "explain",
    "key_of",
    "parse_filters",
    "unchecked",
]

T = TypeVar("T")
Predicate = Callable[["Subject"], bool]

USER = ""  # under this name a Subject has its user; no field has an empty name

_TOP_LEVEL = frozenset(("id", "type", "resource_id", "workspace_id", "user_id", "timestamp", "data", "metadata"))
_MISSING = object()
_NUMBER, _STRING = frozenset((int, float)), frozenset((str,))  # exact types: bool is no number
_SCALARS = _NUMBER | _STRING
_LONG = 4_096  # characters of a text, elements of a list: what reads more of them asks whether there is time
_SHOWN = 80  # characters of a rule's value in an explanation


def unchecked() -> None:
    """Any time is enough."""


class Subject(dict[str, object]):
    """An event as filters see it: `subject[path]` looks a field up once, however many filters ask.

    `check` is called before whatever takes long, and may raise to end it.
    """

    __slots__ = ("_members", "_names", "_timestamp", "check", "event")

    def __init__(self, event: Mapping[str, object], check: Callable[[], None] = unchecked) -> None:
        super().__init__()
        self.check = check
        self.event: dict[str, object] = event if isinstance(event, dict) else dict(event)
        self._members: dict[str, frozenset[Hashable]] = {}
        self._names: frozenset[str] | None = None
        self._timestamp: object = _MISSING
        user = self.event.get("user_id")
        self[USER] = str(user) if isinstance(user, (int, str)) and not isinstance(user, bool) else None

    def __missing__(self, path: str) -> object:
        value = self[path] = _look_up(self.event, path)
        return value

    @property
    def names(self) -> frozenset[str]:
        """Every path without a dot at which there is something."""
        if self._names is None:
            data = self.event.get("data")
            in_data = cast("dict[str, object]", data) if isinstance(data, dict) else {}
            fields = in_data.get("fields")
            in_fields = cast("dict[str, object]", fields) if isinstance(fields, dict) else {}
            self._names = frozenset((USER, *in_data, *in_fields))
        return self._names

    def has(self, path: str) -> bool:
        """Whether there is something at `path`, if only null."""
        return self[path] is not _MISSING

    def members(self, path: str) -> frozenset[Hashable]:
        """The scalars in the list at `path`, hashed once: a long list costs the same for one rule and for many."""
        if path not in self._members:
            elements = (key_of(element) for element in cast("list[object]", self[path]))
            self._members[path] = frozenset(key for key in elements if key is not None)
        return self._members[path]

    def contains(self, path: str, piece: Hashable) -> bool:
        """Whether the text at `path` has this piece, or the list this scalar (as a key)."""
        found = self[path]
        if isinstance(found, str):
            if len(found) > _LONG:
                self.check()
            return isinstance(piece, str) and piece in found
        return isinstance(found, list) and piece in self.members(path)

    def having(self, path: str, pieces: Sequence[tuple[str, T]]) -> Iterator[T]:
        """What belongs to those of the pieces that the text at `path` has."""
        text = cast("str", self[path])
        for number in range(0, len(pieces), step := 1 if len(text) > _LONG else _LONG):
            self.check()
            yield from [of_it for piece, of_it in pieces[number : number + step] if piece in text]

    @property
    def timestamp(self) -> datetime | None:
        """The event's own time, None when it has none that can be read."""
        if self._timestamp is _MISSING:
            self._timestamp = parse_time(self.event.get("timestamp"))
        return cast("datetime | None", self._timestamp)


def compile_filters(filters: Filters) -> Callable[[Mapping[str, object]], bool]:
    """The filters as one function of an event."""
    predicate = compile_predicate(filters)
    return lambda event: predicate(Subject(event))


def compile_predicate(filters: Filters) -> Predicate:
    """The filters as one function of a `Subject`, which many filters of one event share."""
    return _all(list(_parts(filters)))


def explain(filters: Filters, event: Mapping[str, object]) -> str | None:
    """The first rule that rejected the event, by its place in the document; None when the event is wanted."""
    subject = Subject(event)
    for name, value in (filters.fields or {}).items():
        if not _equals(name, value)(subject):
            return f"fields.{name}: does not equal {_shown(value)}"
    if filters.conditions is not None and (reason := _explain_group(filters.conditions, "conditions", subject)):
        return reason
    if filters.user_id is not None and not _user(filters.user_id)(subject):
        return "user_id: the event's user is not listed"
    if filters.time_range is not None and not _within(filters.time_range)(subject):
        return "time_range: the event's timestamp lies outside"
    return None


def key_of(value: object) -> Hashable:
    """Equal for values that equal each other under the rules of filters; None for what equals nothing.

    Python takes True for 1, filters do not.
    """
    if type(value) in _SCALARS:  # by far the most, and long lists of them
        return cast("Hashable", value)
    if value is None or isinstance(value, bool):
        return ("constant", value)
    return value if isinstance(value, (str, int, float)) else None


def _parts(filters: Filters) -> Iterator[Predicate]:
    for name, value in (filters.fields or {}).items():
        yield _equals(name, value)
    if filters.conditions is not None:
        yield _group(filters.conditions)
    if filters.user_id is not None:
        yield _user(filters.user_id)
    if filters.time_range is not None:
        yield _within(filters.time_range)


def _look_up(event: Mapping[str, object], path: str) -> object:
    head, dot, _ = path.partition(".")
    if dot and head in _TOP_LEVEL:
        return _walk(event, path)
    data = event.get("data")
    if not isinstance(data, dict):
        return _MISSING
    in_data = cast("dict[str, object]", data)
    found = _walk(in_data.get("fields"), path)
    return _walk(in_data, path) if found is _MISSING else found


def _walk(container: object, path: str) -> object:
    rest = path
    while isinstance(container, dict):
        level = cast("dict[str, object]", container)
        if rest in level:
            return level[rest]
        head, dot, rest = rest.partition(".")
        if not dot:
            return _MISSING
        container = level.get(head)
    return _MISSING


def _all(tests: list[Predicate]) -> Predicate:
    if not tests:
        return lambda subject: True
    if len(tests) == 1:
        return tests[0]

    def every_one_holds(subject: Subject) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the tests
            if not test(subject):
                return False
        return True

    return every_one_holds


def _any(tests: list[Predicate]) -> Predicate:
    def one_holds(subject: Subject) -> bool:
        for test in tests:  # noqa: SIM110
            if test(subject):
                return True
        return False

    return one_holds


def _not(test: Predicate) -> Predicate:
    return lambda subject: not test(subject)


def _group(group: Group) -> Predicate:
    tests = [_node(rule) for rule in group.rules]
    match group.operator:
        case "and":
            return _all(tests)
        case "or":
            return _any(tests)
        case "not":
            return _not(_any(tests))


def _node(node: Rule | Group) -> Predicate:
    return _group(node) if isinstance(node, Group) else _rule(node)


def _rule(rule: Rule) -> Predicate:
    path, value = rule.field, rule.value
    match rule.operator:
        case "equals":
            return _equals(path, value)
        case "in":
            return _in(path, value)
        case "contains":
            return _contains(path, value)
        case "exists":
            return lambda subject: subject[path] is not _MISSING
        case "not_equals":
            return _not(_equals(path, value))
        case "not_in":
            return _not(_in(path, value))
        case "not_contains":
            return _not(_contains(path, value))
        case "not_exists":
            return lambda subject: subject[path] is _MISSING
        case "starts_with":
            return lambda subject: isinstance(text := subject[path], str) and text.startswith(value)
        case "ends_with":
            return lambda subject: isinstance(text := subject[path], str) and text.endswith(value)
        case "greater_than" | "greater_than_or_equal" | "less_than" | "less_than_or_equal":
            return _ordered(rule)


def _equals(path: str, value: object) -> Predicate:
    if value is None or isinstance(value, bool):
        return lambda subject: subject[path] is value
    if isinstance(value, str):
        return lambda subject: subject[path] == value
    return lambda subject: (found := subject[path]) == value and found is not True and found is not False


def _in(path: str, values: list[object]) -> Predicate:
    keys = frozenset(map(key_of, values))
    return lambda subject: key_of(subject[path]) in keys


def _contains(path: str, value: object) -> Predicate:
    piece = key_of(value)
    return lambda subject: subject.contains(path, piece)


def _ordered(rule: Rule) -> Predicate:
    # One lambda each: where ranges overlap, these run for many subscriptions of one event.
    path, value = rule.field, rule.value
    kinds: frozenset[type] = _STRING if isinstance(value, str) else _NUMBER
    limit: Any = value
    match rule.operator:
        case "greater_than":
            return lambda subject: type(found := subject[path]) in kinds and limit < found
        case "greater_than_or_equal":
            return lambda subject: type(found := subject[path]) in kinds and limit <= found
        case "less_than":
            return lambda subject: type(found := subject[path]) in kinds and limit > found
        case _:
            return lambda subject: type(found := subject[path]) in kinds and limit >= found


def _user(users: list[object]) -> Predicate:
    wanted = frozenset(map(str, users))
    return lambda subject: subject[USER] in wanted


def _within(bounds: TimeRange) -> Predicate:
    start, end = parse_time(bounds.start), parse_time(bounds.end)

    def within(subject: Subject) -> bool:
        moment = subject.timestamp
        return moment is not None and (start is None or start <= moment) and (end is None or moment <= end)

    return within


def _explain_group(group: Group, path: str, subject: Subject) -> str | None:
    if _group(group)(subject):
        return None
    if group.operator == "or":
        return f"{path}: none of its rules holds"
    for position, rule in enumerate(group.rules):
        place = f"{path}.rules.{position}"
        if group.operator == "not" and _node(rule)(subject):
            return f"{place}: {_described(rule)} holds, and must not"
        if group.operator == "and" and (reason := _explain_node(rule, place, subject)):
            return reason
    raise AssertionError("a group that does not hold has a rule to blame")


def _explain_node(node: Rule | Group, place: str, subject: Subject) -> str | None:
    if isinstance(node, Group):
        return _explain_group(node, place, subject)
    return None if _rule(node)(subject) else f"{place}: {_described(node)} does not hold"


def _described(node: Rule | Group) -> str:
    if isinstance(node, Group):
        return f"its {node.operator}"
    given = "" if node.operator in ("exists", "not_exists") else f" {_shown(node.value)}"
    return f"{node.field} {node.operator}{given}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

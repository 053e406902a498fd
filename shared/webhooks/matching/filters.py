"""What a subscription's filters mean: which events of its types it wants.

All given parts must hold: `fields`, `conditions`, `user_id`, `time_range`.

Where a field is looked up is said in `paths`.

What rules mean: comparing different types is false, never an error. Numbers compare by value (1 equals 1.0), `true` is
no number, `null` equals `null` alone; strings order by code point. A missing field equals nothing and contains nothing.
`exists` holds where the field is there, if only as `null`; `blank` where it is missing, `null`, "" or []. `contains`
finds a part of a string or an element of a list. Each negative operator (not_equals, not_in, not_contains, not_exists,
not_blank) is exactly the negation of its positive one, and so holds for a field that is missing or of another type.
`before` and `after` compare moments: RFC 3339 times by their offsets, and dates as midnight in UTC. `ignore_case`
compares texts by their case folding. `and`: every rule holds; `or`: at least one; `not`: none.

What changed: `data.changed_fields` says so, a list of names, where there is one. Else a field has changed that
`data.previous` has with another value than the event has now, or that is gone now; what `data.previous` does not have
has not changed. `changed_from` and `changed_to` ask for the value in `data.previous`, and the value now, as well.

Lists: `any`, `all` and `none` of the elements are as `where` says; what is no list has none that is, and not all.
"""

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from webhooks.matching.filter_document import Filters, Group, ListRule, Rule, TimeRange, parse_filters, parse_moment
from webhooks.matching.paths import MISSING, OWN, field_of, look_up, prefixes, steps_of, walk, walk_steps
from webhooks.times import parse_rfc3339

__all__ = [
    "BLANK",
    "BY_MOMENT",
    "CHANGED",
    "COLUMN",
    "FOLDED",
    "MOMENT",
    "PREVIOUS",
    "USER",
    "Filters",
    "Path",
    "Predicate",
    "Subject",
    "compile_filters",
    "compile_predicate",
    "explain",
    "folded",
    "key_of",
    "parse_filters",
    "unchecked",
]

# What a rule asks for: a path as written, or something derived from what is there: its texts folded, the moment it
# names, whether it is blank or has changed, its value before, or a column: what one path has in each element of a list.
Path = str | tuple[str, ...]
FOLDED, MOMENT, BLANK, CHANGED, PREVIOUS, COLUMN = "folded", "moment", "blank", "changed", "previous", "column"
T = TypeVar("T")
Predicate = Callable[["Subject"], bool]

USER = ""  # under this name a Subject has its user; no field has an empty name

# Exact types: bool is no number.
_NUMBER, _STRING, _TIME = frozenset((int, float)), frozenset((str,)), frozenset((datetime,))
_SCALARS = _NUMBER | _STRING
_LONG = 4_096  # characters of a text, elements of a list: what reads more of them asks whether there is time
_BETWEEN_CHECKS = 512  # elements of a list
BY_MOMENT: Mapping[str, str] = {  # what orders moments, by what orders values
    "before": "less_than",
    "before_or_equal": "less_than_or_equal",
    "after": "greater_than",
    "after_or_equal": "greater_than_or_equal",
}
_KINDS: Mapping[type, frozenset[type]] = {str: _STRING, datetime: _TIME, int: _NUMBER, float: _NUMBER}
_SHOWN = 80  # characters of a rule's value in an explanation


def unchecked() -> None:
    """Any time is enough."""


class Subject(dict[Path, object]):
    """An event as filters see it: `subject[path]` looks a field up once, however many filters ask.

    `check` is called before whatever takes long, and may raise to end it.
    """

    __slots__ = ("_changed", "_members", "_names", "_timestamp", "check", "event")

    def __init__(self, event: Mapping[str, object], check: Callable[[], None] = unchecked) -> None:
        super().__init__()
        self.check = check
        self.event: dict[str, object] = event if isinstance(event, dict) else dict(event)
        self._members: dict[Path, frozenset[Hashable]] = {}
        self._changed: frozenset[str] | None = None
        self._names: frozenset[str] | None = None
        self._timestamp: object = MISSING
        user = self.event.get("user_id")
        self[USER] = str(user) if isinstance(user, (int, str)) and not isinstance(user, bool) else None

    def __missing__(self, path: Path) -> object:
        value = self[path] = self.look_up(path) if isinstance(path, str) else self._derived(*path)
        return value

    def look_up(self, path: str) -> object:
        """What is at a path as written."""
        return look_up(self.event, path)

    def _derived(self, kind: str, path: str, inner: str = "") -> object:
        if kind == PREVIOUS:
            return self._previous(path)
        if kind == CHANGED:
            return self._has_changed(path)
        found = self[path]
        if kind == MOMENT:
            return parse_moment(found) or MISSING
        if kind == BLANK:
            return found is MISSING or found is None or found == "" or found == []
        if kind == FOLDED:
            return self._folded(found)
        if not isinstance(found, list):
            return MISSING
        column = (element.look_up(inner) for element in self.elements(cast("list[object]", found)))
        return [value for value in column if value is not MISSING]

    def _folded(self, found: object) -> object:
        if _is_long(found):
            self.check()
        return folded(found)

    def _previous(self, path: str) -> object:
        data = self.event.get("data")
        before = {"data": cast("dict[str, object]", data).get("previous")} if isinstance(data, dict) else {}
        found = look_up(before, path)
        return look_up(before, field_of(path)) if found is MISSING else found

    def _has_changed(self, path: str) -> bool:
        data = self.event.get("data")
        listed = cast("dict[str, object]", data).get("changed_fields") if isinstance(data, dict) else None
        if isinstance(listed, list):
            if self._changed is None:
                names = (name for name in cast("list[object]", listed) if isinstance(name, str))
                self._changed = frozenset(map(field_of, names))
            return not self._changed.isdisjoint(prefixes(field_of(path)))
        before = self[PREVIOUS, path]
        if before is MISSING:
            return False
        self.check()
        return not _is_same(before, self[path])

    def elements(self, found: list[object]) -> Iterator["Subject"]:
        """The elements of a list, as rules see them."""
        for position, element in enumerate(found):
            if position % _BETWEEN_CHECKS == _BETWEEN_CHECKS - 1:
                self.check()
            yield _Element(element, self.check)

    @property
    def names(self) -> frozenset[str]:
        """Every path without a dot or quotes at which there is something."""
        if self._names is None:
            data = self.event.get("data")
            in_data = cast("dict[str, object]", data) if isinstance(data, dict) else {}
            fields = in_data.get("fields")
            in_fields = cast("dict[str, object]", fields) if isinstance(fields, dict) else {}
            self._names = frozenset((USER, *in_data, *in_fields, *(OWN & self.event.keys())))
        return self._names

    def has(self, path: Path) -> bool:
        """Whether there is something at `path`, if only null."""
        return self[path] is not MISSING

    def members(self, path: Path) -> frozenset[Hashable]:
        """The scalars in the list at `path`, hashed once: a long list costs the same for one rule and for many."""
        if path not in self._members:
            elements = (key_of(element) for element in cast("list[object]", self[path]))
            self._members[path] = frozenset(key for key in elements if key is not None)
        return self._members[path]

    def contains(self, path: Path, piece: Hashable) -> bool:
        """Whether the text at `path` has this piece, or the list this scalar (as a key)."""
        found = self[path]
        if isinstance(found, str):
            if len(found) > _LONG:
                self.check()
            return isinstance(piece, str) and piece in found
        return isinstance(found, list) and piece in self.members(path)

    def having(self, path: Path, pieces: Sequence[tuple[str, T]]) -> Iterator[T]:
        """What belongs to those of the pieces that the text at `path` has."""
        text = cast("str", self[path])
        for number in range(0, len(pieces), step := 1 if len(text) > _LONG else _LONG):
            self.check()
            yield from [of_it for piece, of_it in pieces[number : number + step] if piece in text]

    @property
    def timestamp(self) -> datetime | None:
        """The event's own time, None when it has none that can be read."""
        if self._timestamp is MISSING:
            self._timestamp = parse_rfc3339(self.event.get("timestamp"))
        return cast("datetime | None", self._timestamp)


class _Element(Subject):
    """An element of a list: names are those of its own fields, and `.` is the element."""

    __slots__ = ("_element",)

    def __init__(
        self, element: object, check: Callable[[], None]
    ) -> None:  # of which there are many: no more than this
        self._element = element
        self._members = {}
        self.check = check

    def look_up(self, path: str) -> object:
        if path == ".":
            return self._element
        found = walk(self._element, path)
        if found is MISSING and (steps := steps_of(path)) is not None:
            return walk_steps(self._element, steps)
        return found


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


def _is_long(value: object) -> bool:
    return isinstance(value, (str, list)) and len(cast("Sequence[object]", value)) > _LONG


def folded(value: object) -> object:
    """A text, or the texts of a list, without their case; anything else as it is."""
    if isinstance(value, list):
        return [each.casefold() if isinstance(each, str) else each for each in cast("list[object]", value)]
    return value.casefold() if isinstance(value, str) else value


def _is_same(left: object, right: object) -> bool:
    """Whether two values of JSON are the same under the rules of filters."""
    if isinstance(left, list) and isinstance(right, list):
        pair = cast("list[object]", left), cast("list[object]", right)
        return len(pair[0]) == len(pair[1]) and all(map(_is_same, *pair))
    if isinstance(left, dict) and isinstance(right, dict):
        one, other = cast("dict[str, object]", left), cast("dict[str, object]", right)
        return one.keys() == other.keys() and all(_is_same(value, other[name]) for name, value in one.items())
    key = key_of(cast("object", left))
    return key is not None and key == key_of(right)


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


def _node(node: Rule | Group | ListRule) -> Predicate:
    if isinstance(node, ListRule):
        return _of_list(node)
    return _group(node) if isinstance(node, Group) else _rule(node)


def _rule(rule: Rule) -> Predicate:
    path: Path = (FOLDED, rule.field) if rule.ignore_case else rule.field
    value: Any = folded(rule.value) if rule.ignore_case else rule.value
    match rule.operator:
        case "equals":
            return _equals(path, value)
        case "in":
            return _in(path, value)
        case "contains":
            return _contains(path, value)
        case "exists":
            return lambda subject: subject[path] is not MISSING
        case "not_equals":
            return _not(_equals(path, value))
        case "not_in":
            return _not(_in(path, value))
        case "not_contains":
            return _not(_contains(path, value))
        case "not_exists":
            return lambda subject: subject[path] is MISSING
        case "starts_with":
            return lambda subject: isinstance(text := subject[path], str) and text.startswith(value)
        case "ends_with":
            return lambda subject: isinstance(text := subject[path], str) and text.endswith(value)
        case "blank" | "not_blank":
            return _equals((BLANK, rule.field), rule.operator == "blank")
        case "changed":
            return _equals((CHANGED, rule.field), True)
        case "changed_from":
            return _all([_equals((CHANGED, rule.field), True), _equals((PREVIOUS, rule.field), value)])
        case "changed_to":
            return _all([_equals((CHANGED, rule.field), True), _equals(path, value)])
        case "greater_than" | "greater_than_or_equal" | "less_than" | "less_than_or_equal":
            return _ordered(path, rule.operator, value)
        case _:
            return _ordered((MOMENT, rule.field), BY_MOMENT[rule.operator], parse_moment(value))


def _of_list(rule: ListRule) -> Predicate:
    path, where = rule.field, _node(rule.where)

    def any_is(subject: Subject) -> bool:
        found = subject[path]
        return isinstance(found, list) and any(map(where, subject.elements(cast("list[object]", found))))

    def all_are(subject: Subject) -> bool:
        found = subject[path]
        return isinstance(found, list) and all(map(where, subject.elements(cast("list[object]", found))))

    return {"any": any_is, "all": all_are, "none": _not(any_is)}[rule.operator]


def _equals(path: Path, value: object) -> Predicate:
    if value is None or isinstance(value, bool):
        return lambda subject: subject[path] is value
    if isinstance(value, str):
        return lambda subject: subject[path] == value
    return lambda subject: (found := subject[path]) == value and found is not True and found is not False


def _in(path: Path, values: list[object]) -> Predicate:
    keys = frozenset(map(key_of, values))
    return lambda subject: key_of(subject[path]) in keys


def _contains(path: Path, value: object) -> Predicate:
    piece = key_of(value)
    return lambda subject: subject.contains(path, piece)


def _ordered(path: Path, operator: str, limit: Any) -> Predicate:  # noqa: ANN401 - a number, a text or a moment
    # One lambda each: where ranges overlap, these run for many subscriptions of one event.
    kinds = _KINDS[type(limit)]
    match operator:
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
    start, end = parse_rfc3339(bounds.start), parse_rfc3339(bounds.end)

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


def _explain_node(node: Rule | Group | ListRule, place: str, subject: Subject) -> str | None:
    if isinstance(node, Group):
        return _explain_group(node, place, subject)
    return None if _node(node)(subject) else f"{place}: {_described(node)} does not hold"


def _described(node: Rule | Group | ListRule) -> str:
    if isinstance(node, Group):
        return f"its {node.operator}"
    if isinstance(node, ListRule):
        return f"{node.field} {node.operator} where {_described(node.where)}"
    given = "" if node.operator in ("exists", "not_exists", "blank", "not_blank", "changed") else _shown(node.value)
    return " ".join(filter(None, (node.field, node.operator, given, "(ignoring case)" if node.ignore_case else "")))


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

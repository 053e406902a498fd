"""What a subscription's filters mean: which events of its types it wants.

All given parts must hold: `fields`, `conditions`, `user_id`, `time_range`.

Where a field is looked up is said in `paths`, and what of an event they see in `subject`.

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
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from webhooks.matching.filter_document import Filters, Group, ListRule, Rule, TimeRange
from webhooks.matching.paths import MISSING
from webhooks.matching.subject import (
    BLANK,
    BY_MOMENT,
    CHANGED,
    FOLDED,
    MOMENT,
    PREVIOUS,
    USER,
    Path,
    Predicate,
    Subject,
    folded,
    key_of,
    parse_moment,
)
from webhooks.times import parse_rfc3339

# Exact types: bool is no number.
_NUMBER, _STRING, _TIME = frozenset((int, float)), frozenset((str,)), frozenset((datetime,))
_KINDS: Mapping[type, frozenset[type]] = {str: _STRING, datetime: _TIME, int: _NUMBER, float: _NUMBER}
_SHOWN = 80  # characters of a rule's value in an explanation


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


def _parts(filters: Filters) -> Iterator[Predicate]:
    for name, value in (filters.fields or {}).items():
        yield _equals(name, value)
    if filters.conditions is not None:
        yield _group(filters.conditions)
    if filters.user_id is not None:
        yield _user(filters.user_id)
    if filters.time_range is not None:
        yield _within(filters.time_range)


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

"""The filter document of a subscription: what may be written. What it means is in `filters`."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from webhooks.errors import FieldError, InvalidFilter
from webhooks.faults import code_of, in_words
from webhooks.matching.subject import parse_moment
from webhooks.payload import UnfitNumber, dumps, floats
from webhooks.times import parse_rfc3339

MAX_NODES = 100  # rules, groups and `fields` entries
MAX_DEPTH = 8  # groups within groups
MAX_SEARCHES = 16  # rules that may read the whole event: contains, ignore_case, changed, and each in a `where`
MAX_VALUES = 1_000  # of one list
MAX_STRING = 1_024
MAX_NAME = 256
MAX_ERRORS = 20


def _is_scalar(value: object) -> bool:
    kind = type(value)  # exact, and the most frequent first: lists have a thousand
    if kind is str:
        return len(cast("str", value)) <= MAX_STRING
    if kind is int or kind is bool or value is None:
        return True
    return isinstance(value, float) and math.isfinite(value)


def _scalar(value: object) -> object:
    if not _is_scalar(value):
        raise PydanticCustomError("scalar", "must be a number, a boolean, null or a string of at most 1,024 characters")
    return value


def _user_id(value: object) -> object:
    if not _is_scalar(value) or not isinstance(value, (int, str)) or isinstance(value, bool):
        raise PydanticCustomError("user_id", "must be an integer or a string")
    return value


def _time(value: str) -> str:
    if parse_rfc3339(value) is None:
        raise PydanticCustomError("time", "must be an RFC 3339 time with its offset, like 2024-01-01T00:00:00Z")
    return value


Scalar = Annotated[object, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
UserId = Annotated[object, AfterValidator(_user_id), WithJsonSchema({"type": ["string", "integer"]})]
Time = Annotated[str, AfterValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
Path = Annotated[
    Name,
    Field(
        description="Looked up in data.fields, then in data; where neither has it, id, type, resource_id, "
        "workspace_id, user_id and timestamp are the event's own. A path with a dot that starts with data, metadata or "
        "one of those starts at the root. tags.0 and tags.-1 are elements of a list; a name in double quotes "
        '("type.code") is one step, and always of a field.',
        examples=["status", "data.previous.status", "tags.0", '"type.code"'],
    ),
]
Operator = Literal[
    "equals",
    "not_equals",
    "greater_than",
    "greater_than_or_equal",
    "less_than",
    "less_than_or_equal",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "exists",
    "not_exists",
    "blank",
    "not_blank",
    "before",
    "before_or_equal",
    "after",
    "after_or_equal",
    "changed",
    "changed_from",
    "changed_to",
]
ListOperator = Literal["any", "all", "none"]
_OF_LISTS = frozenset(get_args(ListOperator))
_CHANGES = frozenset(("changed", "changed_from", "changed_to"))
_THAT_SEARCH = "with contains, not_contains, changed, changed_from, changed_to or ignore_case, or in a where"
_OF_TEXT = frozenset(("equals", "not_equals", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"))


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Rule(_Strict):
    """One comparison of one field. exists, not_exists, blank, not_blank and changed take no value, in and not_in a
    list. With `ignore_case`, texts are compared without regard to case."""

    field: Path
    operator: Operator
    value: Annotated[Any, WithJsonSchema({})] = None
    ignore_case: bool = False

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        wanted = _misfit(self.operator, self.value, given="value" in self.model_fields_set)
        if wanted is not None:
            raise PydanticCustomError(
                "operand", "{operator} takes {wanted}", {"operator": self.operator, "wanted": wanted}
            )
        if self.ignore_case and self.operator not in _OF_TEXT:
            raise PydanticCustomError("ignore_case", "ignore_case goes with " + ", ".join(sorted(_OF_TEXT)))
        return self


def _kind(value: object) -> str:
    if not isinstance(value, dict):
        return "group" if isinstance(value, Group) else "list" if isinstance(value, ListRule) else "rule"
    given = cast("dict[str, object]", value)
    if "rules" in given:
        return "group"
    return "list" if "where" in given or given.get("operator") in tuple(_OF_LISTS) else "rule"


_Node = Annotated[
    Annotated[Rule, Tag("rule")] | Annotated["Group", Tag("group")] | Annotated["ListRule", Tag("list")],
    Discriminator(_kind),
]


class ListRule(_Strict):
    """Whether any, all or none of the elements of a list are as `where` says. In there, names are those of an element's
    fields, and `.` is the element itself."""

    field: Path
    operator: ListOperator
    where: _Node

    @model_validator(mode="after")
    def _within_elements(self) -> Self:
        level: list[Rule | Group | ListRule] = [self.where]
        while level:
            node = level.pop()
            if isinstance(node, Rule) and node.operator in _CHANGES:
                raise PydanticCustomError("where", "what changed is not known of a list's elements")
            level += node.rules if isinstance(node, Group) else [node.where] if isinstance(node, ListRule) else []
        return self


class Group(_Strict):
    """Rules joined: every one (and), at least one (or), none (not) of them holds."""

    operator: Literal["and", "or", "not"]
    rules: Annotated[list[_Node], Field(min_length=1)]


class TimeRange(_Strict):
    """Bounds of the event's own timestamp, both inclusive; at least one is given."""

    start: Time | None = None
    end: Time | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        start, end = parse_rfc3339(self.start), parse_rfc3339(self.end)
        if start is None and end is None:
            raise PydanticCustomError("time_range", "needs a start, an end or both")
        if start is not None and end is not None and end < start:
            raise PydanticCustomError("time_range", "ends before it starts")
        return self


class Filters(_Strict):
    """Which events a subscription wants: all parts that are given must hold. The names of `fields` are looked up like
    those of rules."""

    fields: dict[Name, Scalar] | None = None
    conditions: Group | None = None
    user_id: Annotated[list[UserId], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    time_range: TimeRange | None = None


def parse_filters(document: object, *, at: str = "filters") -> Filters:
    """The checked document. Raises `InvalidFilter` with the path of each fault, below `at`."""
    try:
        _check_size(document, at)
        return Filters.model_validate(document)
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        errors = [FieldError(_path(at, fault["loc"]), in_words(fault), code_of(fault)) for fault in faults]
        raise InvalidFilter(f"{errors[0].field}: {errors[0].message}", errors) from None


def check_filters(document: object, *, at: str = "filters") -> Filters:
    """As `parse_filters`, for a document with its numbers as they were written. Raises also for digits that would not
    count."""
    try:
        return parse_filters(floats(document, exactly=True), at=at)
    except UnfitNumber as exc:
        raise InvalidFilter(f"{at}: {exc}", [FieldError(at, str(exc))]) from exc


def filter_bytes(document: Mapping[str, object] | None) -> int:
    """The size of a filter document, as budgets and memory count it: of its compact JSON."""
    return len(dumps(document)) if document else 0


def filter_searches(document: Mapping[str, object] | None) -> int:
    """Rules of a filter document that may read the whole event."""
    return _measured(document or {})[2]


def _misfit(operation: Operator, value: object, *, given: bool) -> str | None:
    """What the operator takes, when that is not what it got."""
    match operation:
        case "exists" | "not_exists" | "blank" | "not_blank" | "changed":
            return "no value" if given and value is not None else None
        case "in" | "not_in":
            items = cast("list[object]", value) if isinstance(value, list) else []
            fits = 0 < len(items) <= MAX_VALUES and all(map(_is_scalar, items))
            return None if fits else f"a list of 1 to {MAX_VALUES:,} strings, numbers, booleans or nulls"
        case "starts_with" | "ends_with":
            return (
                None
                if isinstance(value, str) and _is_scalar(value)
                else f"a string of at most {MAX_STRING:,} characters"
            )
        case "before" | "before_or_equal" | "after" | "after_or_equal":
            return None if parse_moment(value) else "a time with its offset, like 2024-01-01T00:00:00Z, or a date"
        case "equals" | "not_equals" | "contains" | "not_contains" | "changed_from" | "changed_to":
            return None if given and _is_scalar(value) else "a string, a number, a boolean or null"
        case "greater_than" | "greater_than_or_equal" | "less_than" | "less_than_or_equal":
            fits = _is_scalar(value) and isinstance(value, (str, int, float)) and not isinstance(value, bool)
            return None if fits else f"a number or a string of at most {MAX_STRING:,} characters"


def _check_size(document: object, at: str) -> None:
    """Before the models see it, so that no document costs more than its limits."""
    nodes, depth, searches = _measured(document)
    for excess, message in (
        (nodes > MAX_NODES, f"has at most {MAX_NODES} rules, groups and fields"),
        (depth > MAX_DEPTH, f"nests groups at most {MAX_DEPTH} deep"),
        (searches > MAX_SEARCHES, f"has at most {MAX_SEARCHES} rules {_THAT_SEARCH}"),
    ):
        if excess:
            raise InvalidFilter(f"{at}: {message}", [FieldError(at, message, "too_large")])


def _measured(document: object) -> tuple[int, int, int]:
    """Nodes, depth and searches; counted no further than until one of them is too many."""
    root = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    fields = root.get("fields")
    nodes = len(cast("dict[str, object]", fields)) if isinstance(fields, dict) else 0
    searches = depth = 0
    level = [(root["conditions"], False)] if root.get("conditions") is not None else []
    while level:
        inner = [found for node, in_list in level if (found := _within(node, in_list)) is not None]
        depth += bool(inner)
        nodes += len(level)
        searches += sum(_searches(node, in_list) for node, in_list in level)
        if nodes > MAX_NODES or depth > MAX_DEPTH or searches > MAX_SEARCHES:
            break
        level = [each for found in inner for each in found]
    return nodes, depth, searches


def _within(node: object, in_list: bool) -> list[tuple[object, bool]] | None:
    """What a group or a rule of lists holds, each with whether it is asked for every element of a list."""
    if not isinstance(node, dict):
        return None
    given = cast("dict[str, object]", node)
    if isinstance(rules := given.get("rules"), list):
        return [(rule, in_list) for rule in cast("list[object]", rules)]
    return [(given["where"], True)] if "where" in given else None


def _searches(node: object, in_list: bool) -> bool:
    if not isinstance(node, dict):
        return False
    given = cast("dict[str, object]", node)
    operator = given.get("operator")
    return (
        (in_list and "rules" not in given and "where" not in given)
        or given.get("ignore_case") is True
        or operator in ("contains", "not_contains", *_CHANGES)
    )


def _path(at: str, location: Sequence[int | str]) -> str:
    """The fault's place as the writer of the document sees it: without the tags of the union."""
    parts = [at]
    for before, part in zip((None, *location), location, strict=False):
        if not ((isinstance(before, int) or before == "where") and part in ("rule", "group", "list")):
            parts.append(str(part)[:MAX_NAME])
    return ".".join(parts)

"""Finds the few of many filters that an event may fulfil, without asking the others.

Each filter is entered under one part that must hold for the whole to hold: any one rule of an `and`, one rule of every
branch of an `or`. A part stands under its field: values that it may equal in a dictionary, bounds in a sorted list.
Only fields that the event has are looked at. Filters that consist of the same negation stand together, and are left
out where it fails. Filters without any such part are always asked. The index may find too many, never too few, so each
filter that it finds is asked as well. It reads raw documents: none needs to be compiled for it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar, cast

from webhooks.matching.subject import (
    BLANK,
    BY_MOMENT,
    CHANGED,
    COLUMN,
    FOLDED,
    MOMENT,
    PREVIOUS,
    USER,
    Path,
    Subject,
    folded,
    key_of,
    parse_moment,
)

T = TypeVar("T")

_NEGATIVE = 4  # the kind of a part that holds for most events
_MANY_KEYS = 16  # an entry under each of a longer list of values would outgrow the filters
_CONSIDERED = 16  # rules that must all hold: any one of them will do, and looking at each of a hundred takes long
_LOWER = frozenset(("greater_than", "greater_than_or_equal"))
_UPPER = frozenset(("less_than", "less_than_or_equal"))
_NEGATED = {"not_equals": "equals", "not_in": "in", "not_contains": "contains", "not_exists": "exists"}
_OPPOSITES = {**_NEGATED, "not_blank": "blank", "none": "any"}
_NEGATION = {**_OPPOSITES, **{positive: negative for negative, positive in _OPPOSITES.items()}}


class _Part(NamedTuple):  # of which there are many: a dataclass takes four times as long to make
    """Holds where the field at `path` equals one of `keys`, contains `piece`, or lies within the bounds.

    Bounds are included, and open where they are None; with `backwards` they are those of the text read from its end.
    With none of all that, it holds where the field is there. `negated`, it holds where it would not otherwise.
    """

    path: Path
    keys: tuple[Hashable, ...] = ()
    piece: Hashable = None
    low: Any = None
    high: Any = None
    backwards: bool = False
    negated: bool = False

    @property
    def order(self) -> str:
        """What kind of bounds it has."""
        bound = self.high if self.low is None else self.low
        return "texts" if isinstance(bound, str) else "moments" if isinstance(bound, datetime) else "numbers"

    @property
    def marks(self) -> list[Hashable]:
        """What makes it more or less common."""
        if self.negated:
            return [("not", self.path, self.keys, self.piece)]
        if self.keys:
            return [(self.path, key) for key in self.keys]
        return [(self.path, self.piece, self.low, self.high)]

    @property
    def kind(self) -> int:
        """The lower, the better it tells filters apart."""
        if self.negated:
            return _NEGATIVE
        if self.keys or self.piece is not None:
            return 0
        bounds = (self.low is not None) + (self.high is not None)
        return 3 - bounds


_Cover = Sequence[_Part]  # at least one of them holds where the filter holds


class FilterIndex(Generic[T]):
    """Filter documents, each with the entry that it belongs to."""

    def __init__(self, entries: Iterable[tuple[Mapping[str, object], T]]) -> None:
        self._always: list[T] = []
        self._fields: dict[Path, _Field[T]] = defaultdict(_Field[T])
        self._negations: dict[_Part, list[T]] = defaultdict(list[T])
        covers = [(list(_covers(document)), entry) for document, entry in entries]
        users = Counter(mark for choices, _ in covers for cover in choices for part in cover for mark in part.marks)
        for choices, entry in covers:
            if not choices:
                self._always.append(entry)
                continue
            chosen = choices[0]
            if len(choices) > 1:
                chosen = min(choices, key=lambda cover: _expected(cover, users, len(covers)))
            for part in chosen:
                if part.negated:
                    self._negations[part].append(entry)
                else:
                    self._fields[part.path].add(part, entry)
        self._paths = frozenset(path for path in self._fields if isinstance(path, str) and not {".", '"'} & {*path})
        self._others = [path for path in self._fields if path not in self._paths]
        for entered in self._fields.values():
            entered.sort()

    def candidates(self, subject: Subject) -> Iterator[list[T]]:
        """Lists of entries whose filters may hold; an entry may come twice."""
        yield self._always
        for path in subject.names & self._paths:
            yield from self._fields[path].fitting(subject, path)
        for path in self._others:
            if subject.has(path):
                yield from self._fields[path].fitting(subject, path)
        for part, entries in self._negations.items():
            if not _is_refused(part, subject):
                yield entries


@dataclass(slots=True)
class _Field(Generic[T]):
    present: list[T] = field(default_factory=list[T])
    values: dict[Hashable, list[T]] = field(default_factory=lambda: defaultdict[Hashable, list[T]](list[T]))
    pieces: dict[Hashable, list[T]] = field(default_factory=lambda: defaultdict[Hashable, list[T]](list[T]))
    snippets: list[tuple[str, list[T]]] = field(default_factory=list[tuple[str, list[T]]])  # those that are texts
    texts: "_Ranges[T]" = field(default_factory=lambda: _Ranges[T]())
    endings: "_Ranges[T]" = field(default_factory=lambda: _Ranges[T]())
    numbers: "_Ranges[T]" = field(default_factory=lambda: _Ranges[T]())
    moments: "_Ranges[T]" = field(default_factory=lambda: _Ranges[T]())

    def add(self, part: _Part, entry: T) -> None:
        if part.keys:
            for key in part.keys:
                self.values[key].append(entry)
        elif part.piece is not None:
            self.pieces[part.piece].append(entry)
        elif part.low is None and part.high is None:
            self.present.append(entry)
        else:
            ranges = {"texts": self.texts, "numbers": self.numbers, "moments": self.moments}
            (self.endings if part.backwards else ranges[part.order]).add(part, entry)

    def sort(self) -> None:
        for ranges in (self.texts, self.endings, self.numbers, self.moments):
            ranges.sort()
        self.snippets = [(piece, found) for piece, found in self.pieces.items() if isinstance(piece, str)]

    def fitting(self, subject: Subject, path: Path) -> Iterator[list[T]]:
        value = subject[path]
        yield self.present
        key = key_of(value)
        if key in self.values:
            yield self.values[key]
        if isinstance(value, str):
            yield self.texts.around(value)
            yield self.endings.around(value[::-1])
            yield from subject.having(path, self.snippets)
        elif isinstance(value, list):
            yield from (self.pieces[key] for key in subject.members(path) & self.pieces.keys())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield self.numbers.around(value)
        elif isinstance(value, datetime):
            yield self.moments.around(value)


class _Ranges(Generic[T]):
    """Entries with bounds of one kind. Those with a lower one stand in its order beside the highest upper bound so far,
    which tells when no earlier one can reach up to a value; those with an upper one alone in the order of that."""

    def __init__(self) -> None:
        self._from: list[tuple[Any, Any, T]] = []
        self._upto: list[tuple[Any, T]] = []
        self._lows: list[Any] = []
        self._tops: list[Any] = []  # None: open
        self._highs: list[Any] = []

    def add(self, part: _Part, entry: T) -> None:
        if part.low is None:
            self._upto.append((part.high, entry))
        else:
            self._from.append((part.low, part.high, entry))

    def sort(self) -> None:
        self._from.sort(key=lambda each: each[0])
        self._upto.sort(key=lambda each: each[0])
        self._lows = [low for low, _, _ in self._from]
        self._highs = [high for high, _ in self._upto]
        for _, high, _ in self._from:
            before = self._tops[-1] if self._tops else high
            self._tops.append(None if before is None or high is None else max(before, high))

    def around(self, value: Any) -> list[T]:  # noqa: ANN401 - a number or a text
        found = [entry for _, entry in self._upto[bisect_left(self._highs, value) :]]
        for position in range(bisect_right(self._lows, value) - 1, -1, -1):
            top = self._tops[position]
            if top is not None and top < value:
                break
            _, high, entry = self._from[position]
            if high is None or value <= high:
                found.append(entry)
        return found


def _is_refused(part: _Part, subject: Subject) -> bool:
    """Whether what `part` negates holds."""
    if part.keys:
        key = key_of(subject[part.path])
        return key is not None and key in part.keys
    if part.piece is None:
        return subject.has(part.path)
    return subject.contains(part.path, part.piece)


def _expected(cover: _Cover, users: Mapping[Hashable, int], filters: int) -> tuple[int, int]:
    """How many filters are likely to be found where one of the cover's parts holds: what is rare keeps lists short."""
    # How bounds of other filters overlap is not known.
    least = {0: 0, 1: filters // 16, 2: filters // 2, 3: 0, _NEGATIVE: filters}
    return sum(max(least[part.kind], *map(users.__getitem__, part.marks)) for part in cover), _kind(cover)


def _kind(cover: _Cover) -> int:
    return max(part.kind for part in cover)


def _covers(document: Mapping[str, object]) -> Iterator[_Cover]:
    fields, conditions, users = document.get("fields"), document.get("conditions"), document.get("user_id")
    if isinstance(fields, dict):
        for name, value in islice(cast("dict[str, object]", fields).items(), _CONSIDERED):
            yield [_Part(name, (key_of(value),))]
    yield from _covers_of(conditions)
    if isinstance(users, list) and len(cast("list[object]", users)) <= _MANY_KEYS:
        yield [_Part(USER, tuple({key_of(str(user)) for user in cast("list[object]", users)}))]


def _covers_of(node: object) -> Iterator[_Cover]:
    if not isinstance(node, dict):
        return
    node = cast("dict[str, object]", node)
    rules, path = node.get("rules"), node.get("field")
    if isinstance(path, str):
        parts = _of_list(path, node) if "where" in node else _parts(path, node)
        yield from ([part] for part in parts if part is not None)
    elif isinstance(rules, list) and node.get("operator") == "and":
        covers = [cover for rule in cast("list[object]", rules)[:_CONSIDERED] for cover in _covers_of(rule)]
        yield from covers
        yield from _between(covers)
    elif isinstance(rules, list) and node.get("operator") == "or":
        branches = [list(_covers_of(rule)) for rule in cast("list[object]", rules)]
        if branches and all(branches):
            yield [part for branch in branches for part in min(branch, key=_kind)]
    elif isinstance(rules, list) and node.get("operator") == "not":
        for rule in cast("list[object]", rules)[:_CONSIDERED]:
            yield from _covers_of(_opposite(rule))


def _opposite(rule: object) -> object:
    """The rule that holds where this one does not, if it has an operator that has an opposite."""
    if not isinstance(rule, dict):
        return None
    rule = cast("dict[str, object]", rule)
    return {**rule, "operator": _NEGATION.get(str(rule.get("operator")))}


def _between(covers: Sequence[_Cover]) -> Iterator[_Cover]:
    """A lower and an upper bound of the same field, as one."""
    lower: dict[tuple[Path, str], Any] = {}
    for part in (cover[0] for cover in covers if len(cover) == 1):
        if part.low is not None and part.high is None and not part.backwards:
            lower[part.path, part.order] = part.low
    for part in (cover[0] for cover in covers if len(cover) == 1):
        if part.low is None and part.high is not None and (part.path, part.order) in lower:
            yield [_Part(part.path, low=lower[part.path, part.order], high=part.high)]


def _parts(path: str, rule: Mapping[str, object]) -> Iterator[_Part | None]:
    """Each must hold where the rule holds."""
    operator, value = str(rule.get("operator")), rule.get("value")
    if operator in ("blank", "not_blank"):
        yield _Part((BLANK, path), (key_of(operator == "blank"),))
    elif operator in ("changed", "changed_from", "changed_to"):
        yield _Part((CHANGED, path), (key_of(True),))
        if operator != "changed":
            yield _Part((PREVIOUS, path) if operator == "changed_from" else path, (key_of(value),))
    elif operator in BY_MOMENT:
        yield _part((MOMENT, path), BY_MOMENT[operator], parse_moment(value))
    elif rule.get("ignore_case") is True:
        yield _part((FOLDED, path), operator, folded(value))
    else:
        yield _part(path, operator, value)


def _of_list(path: str, rule: Mapping[str, object]) -> Iterator[_Part | None]:
    """A list whose elements are looked for by a value is one of its column's members."""
    where, operator = rule["where"], rule.get("operator")
    wanted = _equal_value(where)
    if operator == "any":
        yield _Part(path) if wanted is None else _Part((COLUMN, path, wanted[0]), piece=wanted[1])
    elif operator == "all":
        yield _Part(path)
    elif operator == "none" and wanted is not None and "field" in cast("dict[str, object]", where):
        yield _Part((COLUMN, path, wanted[0]), piece=wanted[1], negated=True)


def _equal_value(where: object) -> tuple[str, Hashable] | None:
    """What a field of an element must equal."""
    if not isinstance(where, dict):
        return None
    node = cast("dict[str, object]", where)
    path, key = node.get("field"), key_of(node.get("value"))
    if node.get("operator") == "equals" and isinstance(path, str) and node.get("ignore_case") is not True:
        return None if key is None else (path, key)
    if node.get("operator") == "and" and isinstance(node.get("rules"), list):
        rules = cast("list[object]", node["rules"])[:_CONSIDERED]
        return next((found for rule in rules if (found := _equal_value(rule)) is not None), None)
    return None


def _part(path: Path, operator: object, value: Any) -> _Part | None:  # noqa: ANN401 - JSON
    if operator in _NEGATED:
        part = _part(path, _NEGATED[str(operator)], value)
        return part and part._replace(negated=True)
    if operator == "equals":
        return _Part(path, (key_of(value),))
    if operator == "in":
        return _one_of(path, value)
    if operator == "exists":
        return _Part(path)
    if operator == "contains" and key_of(value) is not None:
        return _Part(path, piece=key_of(value))
    if type(value) not in (int, float, str, datetime) or value != value:  # a NaN would break the order
        return None
    if operator == "starts_with":
        return _Part(path, low=value, high=_after(value))
    if operator == "ends_with" and isinstance(value, str):
        return _Part(path, low=value[::-1], high=_after(value[::-1]), backwards=True)
    if operator in _LOWER:
        return _Part(path, low=value)
    return _Part(path, high=value) if operator in _UPPER else None


def _one_of(path: Path, values: object) -> _Part | None:
    if not isinstance(values, list) or len(cast("list[object]", values)) > _MANY_KEYS:
        return None
    return _Part(path, tuple({key_of(value) for value in cast("list[object]", values)}))


def _after(prefix: object) -> str | None:
    """The first text that sorts behind all that begin with `prefix`."""
    if not isinstance(prefix, str) or not prefix or prefix[-1] == "\U0010ffff":
        return None
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)

"""An event as filters see it.

Apart from what filters mean: indexes look at events without a filter, and what a filter's document may say is checked
by pydantic, which takes 80 ms to be imported.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar, cast

from webhooks.matching.paths import MISSING, OWN, field_of, look_up, prefixes, steps_of, walk, walk_steps
from webhooks.times import parse_rfc3339

# What a rule asks for: a path as written, or something derived from what is there: its texts folded, the moment it
# names, whether it is blank or has changed, its value before, or a column: what one path has in each element of a list.
Path = str | tuple[str, ...]
FOLDED, MOMENT, BLANK, CHANGED, PREVIOUS, COLUMN = "folded", "moment", "blank", "changed", "previous", "column"
T = TypeVar("T")
Predicate = Callable[["Subject"], bool]

USER = ""  # under this name a Subject has its user; no field has an empty name

_SCALARS = frozenset((str, int, float))  # exact types: bool is no number
_LONG = 4_096  # characters of a text, elements of a list: what reads more of them asks whether there is time
_BETWEEN_CHECKS = 512  # elements of a list
BY_MOMENT: Mapping[str, str] = {  # what orders moments, by what orders values
    "before": "less_than",
    "before_or_equal": "less_than_or_equal",
    "after": "greater_than",
    "after_or_equal": "greater_than_or_equal",
}


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


def key_of(value: object) -> Hashable:
    """Equal for values that equal each other under the rules of filters; None for what equals nothing.

    Python takes True for 1, filters do not.
    """
    if type(value) in _SCALARS:  # by far the most, and long lists of them
        return cast("Hashable", value)
    if value is None or isinstance(value, bool):
        return ("constant", value)
    return value if isinstance(value, (str, int, float)) else None


def parse_moment(value: object) -> datetime | None:
    """The moment of an RFC 3339 time, or of a date alone: its midnight in UTC."""
    if isinstance(value, str) and len(value) == len("2024-01-01"):
        value += "T00:00:00Z"
    return parse_rfc3339(value)


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

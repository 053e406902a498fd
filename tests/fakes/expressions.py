"""DynamoDB's condition, update and key condition expressions: the part that this project uses.

Whatever is not understood is refused, and so are DynamoDB's reserved words where a name must stand for itself.
"""

import importlib.util
import re
from collections.abc import Callable, Mapping, Set
from functools import lru_cache
from pathlib import Path
from typing import Any

Item = dict[str, Any]
Names = Mapping[str, str]
Values = Mapping[str, Any]
Condition = Callable[[Item | None], bool]
Change = Callable[[Item], None]
_Test = Callable[[Item, Names, Values], bool]  # an expression is read once, for whatever names and values
_Step = Callable[[Item, Item, Names, Values], object]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+\-]|[#:]?[A-Za-z_][A-Za-z0-9_]*|[#:][0-9A-Za-z_]+)")
_FUNCTIONS = ("attribute_exists", "attribute_not_exists", "begins_with")


class NotUnderstood(Exception):
    """DynamoDB would refuse the expression, or this fake does not know it."""


@lru_cache(maxsize=1)
def reserved_words() -> frozenset[str]:
    """DynamoDB Developer Guide, "Reserved words in DynamoDB", as moto ships them."""
    spec = importlib.util.find_spec("moto")
    if spec is None or spec.origin is None:
        raise RuntimeError("moto is not installed")
    listed = Path(spec.origin).parent / "dynamodb" / "parsing" / "reserved_keywords.txt"
    return frozenset(listed.read_text().upper().split())


@lru_cache(maxsize=1000)
def tokens(text: str) -> tuple[str, ...]:
    """The words of an expression."""
    found: list[str] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotUnderstood(f"cannot read {text[position:]!r}")
        found.append(match[1])
        position = match.end()
    return tuple(found)


def is_less(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Order of two values of the same type; of different types there is none."""
    kind = type_of(left)
    if kind != type_of(right) or kind not in ("S", "N", "B"):
        return False
    if kind == "N":
        return number(left) < number(right)
    return left[kind] < right[kind]  # Python orders texts by code points, which is the order of their UTF-8


def is_equal(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Numbers by value, all else by type and value."""
    if "N" in left and "N" in right:
        return number(left) == number(right)
    return dict(left) == dict(right)


def number(value: Mapping[str, Any]) -> int | float:
    """What an N holds."""
    text = value["N"]
    return int(text) if text.lstrip("-").isdigit() else float(text)


def type_of(value: Mapping[str, Any]) -> str:
    """S, N, B, BOOL, ..."""
    return next(iter(value))


_COMPARISONS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "=": is_equal,
    "<>": lambda a, b: not is_equal(a, b),
    "<": is_less,
    "<=": lambda a, b: is_less(a, b) or is_equal(a, b),
    ">": lambda a, b: is_less(b, a),
    ">=": lambda a, b: is_less(b, a) or is_equal(a, b),
}


class _Reader:
    """Goes through an expression; names and values are put in when it is carried out."""

    def __init__(self, text: str) -> None:
        self.words = tokens(text)
        self.at = 0
        self.used: set[str] = set()
        self.numbers: list[str] = []  # values that have to be numbers

    def peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def next(self) -> str:
        word = self.peek()
        if word is None:
            raise NotUnderstood("the expression ends too early")
        self.at += 1
        return word

    def take(self, word: str) -> bool:
        if (self.peek() or "").upper() != word:
            return False
        self.at += 1
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise NotUnderstood(f"expected {word!r}, found {self.peek()!r}")

    def path(self) -> str:
        word = self.next()
        if word.startswith("#"):
            self.used.add(word)
            return word
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", word):
            raise NotUnderstood(f"{word!r} is no attribute name")
        if word.upper() in reserved_words():
            raise NotUnderstood(f"Attribute name is a reserved keyword; reserved keyword: {word}")
        return word

    def value(self) -> str:
        word = self.next()
        if not word.startswith(":"):
            raise NotUnderstood(f"{word!r} is no value")
        self.used.add(word)
        return word

    def done(self) -> bool:
        return self.peek() is None


def check_used(used: Set[str], names: Names, values: Values) -> None:
    """DynamoDB refuses names and values that no expression uses."""
    if len(used) < len(names) + len(values) or not (used >= names.keys() and used >= values.keys()):
        unused = sorted({*names, *values} - used)
        raise NotUnderstood(f"Value provided in ExpressionAttributeNames or -Values unused: {unused}")


def condition(text: str, names: Names, values: Values) -> tuple[Condition, Set[str]]:
    """A condition on an item, and the placeholders that it uses."""
    test, used = _condition(text)
    _check_defined(used, names, values)
    return lambda item: test(item or {}, names, values), used


def update(text: str, names: Names, values: Values) -> tuple[Change, Set[str], Set[str]]:
    """A change of an item, the attributes that it changes, and the placeholders that it uses."""
    steps, placeholders, numbers, used = _update(text)
    _check_defined(used, names, values)
    paths = {names.get(path, path) for path in placeholders}
    if len(paths) < len(placeholders):
        raise NotUnderstood("Two document paths overlap with each other")
    if any("N" not in values[each] for each in numbers):
        raise NotUnderstood("ADD takes numbers")

    def apply(item: Item) -> None:
        before = dict(item)  # every right side sees the item as it was
        for step in steps:
            step(item, before, names, values)

    return apply, paths, used


def _check_defined(used: Set[str], names: Names, values: Values) -> None:
    for each in used:
        if each not in names and each not in values:
            raise NotUnderstood(f"{each} is not defined")


@lru_cache(maxsize=1000)
def _condition(text: str) -> tuple[_Test, frozenset[str]]:
    reader = _Reader(text)
    parsed = _either(reader)
    if not reader.done():
        raise NotUnderstood(f"left over: {reader.words[reader.at :]}")
    return parsed, frozenset(reader.used)


def _either(reader: _Reader) -> _Test:
    parts = [_all(reader)]
    while reader.take("OR"):
        parts.append(_all(reader))
    return parts[0] if len(parts) == 1 else lambda item, n, v: any(part(item, n, v) for part in parts)


def _all(reader: _Reader) -> _Test:
    parts = [_single(reader)]
    while reader.take("AND"):
        parts.append(_single(reader))
    return parts[0] if len(parts) == 1 else lambda item, n, v: all(part(item, n, v) for part in parts)


def _single(reader: _Reader) -> _Test:
    if reader.take("NOT"):
        inner = _single(reader)
        return lambda item, n, v: not inner(item, n, v)
    if reader.take("("):
        inner = _either(reader)
        reader.expect(")")
        return inner
    if reader.peek() in _FUNCTIONS:
        return _function(reader)
    path = reader.path()
    operator = reader.next()
    if operator.upper() == "BETWEEN":
        low, _, high = reader.value(), reader.expect("AND"), reader.value()
        return lambda item, n, v: (
            (it := item.get(n.get(path, path))) is not None and not is_less(it, v[low]) and not is_less(v[high], it)
        )
    if operator not in _COMPARISONS:
        raise NotUnderstood(f"the operator {operator!r} is unknown")
    compare, right = _COMPARISONS[operator], reader.value()
    return lambda item, n, v: (it := item.get(n.get(path, path))) is not None and compare(it, v[right])


def _function(reader: _Reader) -> _Test:
    name = reader.next()
    reader.expect("(")
    path = reader.path()
    if name == "begins_with":
        reader.expect(",")
        start = reader.value()
        reader.expect(")")
        return lambda item, n, v: item.get(n.get(path, path), {}).get("S", "").startswith(v[start]["S"])
    reader.expect(")")
    if name == "attribute_exists":
        return lambda item, n, _v: n.get(path, path) in item
    return lambda item, n, _v: n.get(path, path) not in item


@lru_cache(maxsize=5000)
def _update(text: str) -> tuple[list[_Step], list[str], list[str], frozenset[str]]:
    reader = _Reader(text)
    steps: list[_Step] = []
    paths: list[str] = []
    while not reader.done():
        clause = reader.next().upper()
        if clause not in ("SET", "REMOVE", "ADD"):
            raise NotUnderstood(f"the clause {clause!r} is unknown")
        while True:
            paths.append(reader.path())
            steps.append(_step(clause, paths[-1], reader))
            if not reader.take(","):
                break
    return steps, paths, reader.numbers, frozenset(reader.used)


def _step(clause: str, path: str, reader: _Reader) -> _Step:
    if clause == "REMOVE":
        return lambda item, _before, n, _v: item.pop(n.get(path, path), None)
    if clause == "ADD":
        amount = reader.value()
        reader.numbers.append(amount)

        def add(item: Item, before: Item, n: Names, v: Values) -> None:
            name = n.get(path, path)
            item[name] = _sum(before.get(name, {"N": "0"}), v[amount])

        return add
    reader.expect("=")
    operand = _operand(reader)
    if (reader.peek() or "") in ("+", "-"):
        sign = 1 if reader.next() == "+" else -1
        other = _operand(reader)
        return lambda item, before, n, v: item.__setitem__(
            n.get(path, path), _sum(operand(before, n, v), other(before, n, v), sign)
        )
    return lambda item, before, n, v: item.__setitem__(n.get(path, path), operand(before, n, v))


def _operand(reader: _Reader) -> Callable[[Item, Names, Values], Mapping[str, Any]]:
    if reader.take("IF_NOT_EXISTS"):
        reader.expect("(")
        path = reader.path()
        reader.expect(",")
        default = _operand(reader)
        reader.expect(")")
        return lambda item, n, v: item.get(n.get(path, path)) or default(item, n, v)
    if (reader.peek() or "").startswith(":"):
        value = reader.value()
        return lambda _item, _n, v: v[value]
    path = reader.path()

    def read(item: Item, n: Names, _v: Values) -> Mapping[str, Any]:
        name = n.get(path, path)
        if name not in item:
            raise NotUnderstood("The provided expression refers to an attribute that does not exist in the item")
        return item[name]

    return read


def _sum(left: Mapping[str, Any], right: Mapping[str, Any], sign: int = 1) -> Item:
    return {"N": str(number(left) + sign * number(right))}

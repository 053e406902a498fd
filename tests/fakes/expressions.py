"""DynamoDB's condition, update and key condition expressions: the part that this project uses.

Whatever is not understood is refused, and so are DynamoDB's reserved words where a name must stand for itself.
"""

import importlib.util
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

Item = dict[str, Any]
Condition = Callable[[Item | None], bool]
Change = Callable[[Item], None]

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
    if kind == "S":
        return left["S"].encode() < right["S"].encode()
    return left["B"] < right["B"]


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
    def __init__(self, text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self.words = tokens(text)
        self.at = 0
        self.names, self.values = names, values
        self.used: set[str] = set()

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
            if word not in self.names:
                raise NotUnderstood(f"the name {word} is not defined")
            return self.names[word]
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", word):
            raise NotUnderstood(f"{word!r} is no attribute name")
        if word.upper() in reserved_words():
            raise NotUnderstood(f"Attribute name is a reserved keyword; reserved keyword: {word}")
        return word

    def value(self) -> Mapping[str, Any]:
        word = self.next()
        if not word.startswith(":"):
            raise NotUnderstood(f"{word!r} is no value")
        self.used.add(word)
        if word not in self.values:
            raise NotUnderstood(f"the value {word} is not defined")
        return self.values[word]

    def done(self) -> bool:
        return self.peek() is None


def check_used(used: set[str], names: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """DynamoDB refuses names and values that no expression uses."""
    unused = sorted({*names, *values} - used)
    if unused:
        raise NotUnderstood(f"Value provided in ExpressionAttributeNames or -Values unused in expressions: {unused}")


def condition(text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> tuple[Condition, set[str]]:
    """A condition on an item, and the placeholders that it uses."""
    reader = _Reader(text, names, values)
    parsed = _either(reader)
    if not reader.done():
        raise NotUnderstood(f"left over: {reader.words[reader.at :]}")
    return parsed, reader.used


def _either(reader: _Reader) -> Condition:
    parts = [_all(reader)]
    while reader.take("OR"):
        parts.append(_all(reader))
    return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)


def _all(reader: _Reader) -> Condition:
    parts = [_single(reader)]
    while reader.take("AND"):
        parts.append(_single(reader))
    return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)


def _single(reader: _Reader) -> Condition:
    if reader.take("NOT"):
        inner = _single(reader)
        return lambda item: not inner(item)
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
        return lambda item: (v := (item or {}).get(path)) is not None and not is_less(v, low) and not is_less(high, v)
    if operator not in _COMPARISONS:
        raise NotUnderstood(f"the operator {operator!r} is unknown")
    compare, right = _COMPARISONS[operator], reader.value()
    return lambda item: (v := (item or {}).get(path)) is not None and compare(v, right)


def _function(reader: _Reader) -> Condition:
    name = reader.next()
    reader.expect("(")
    path = reader.path()
    if name == "begins_with":
        reader.expect(",")
        start = reader.value()["S"]
        reader.expect(")")
        return lambda item: (
            (item or {}).get(path, {}).get("S", "").startswith(start) if (item or {}).get(path) else False
        )
    reader.expect(")")
    if name == "attribute_exists":
        return lambda item: path in (item or {})
    return lambda item: path not in (item or {})


def update(text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> tuple[Change, set[str], set[str]]:
    """A change of an item, the attributes that it changes, and the placeholders that it uses."""
    reader = _Reader(text, names, values)
    changes: list[Callable[[Item, Item], object]] = []
    paths: set[str] = set()
    while not reader.done():
        clause = reader.next().upper()
        if clause not in ("SET", "REMOVE", "ADD"):
            raise NotUnderstood(f"the clause {clause!r} is unknown")
        while True:
            path = reader.path()
            if path in paths:
                raise NotUnderstood("Two document paths overlap with each other")
            paths.add(path)
            changes.append(_change(clause, path, reader))
            if not reader.take(","):
                break

    def apply(item: Item) -> None:
        before = dict(item)  # every right side sees the item as it was
        for change in changes:
            change(item, before)

    return apply, paths, reader.used


def _change(clause: str, path: str, reader: _Reader) -> Callable[[Item, Item], object]:
    if clause == "REMOVE":
        return lambda item, _before: item.pop(path, None)
    if clause == "ADD":
        amount = reader.value()
        if "N" not in amount:
            raise NotUnderstood("ADD takes numbers")
        return lambda item, before: item.__setitem__(path, _sum(before.get(path, {"N": "0"}), amount))
    reader.expect("=")
    operand = _operand(reader)
    if (reader.peek() or "") in ("+", "-"):
        sign = 1 if reader.next() == "+" else -1
        other = _operand(reader)
        return lambda item, before: item.__setitem__(path, _sum(operand(before), other(before), sign))
    return lambda item, before: item.__setitem__(path, operand(before))


def _operand(reader: _Reader) -> Callable[[Item], Mapping[str, Any]]:
    if reader.take("IF_NOT_EXISTS"):
        reader.expect("(")
        path = reader.path()
        reader.expect(",")
        default = _operand(reader)
        reader.expect(")")
        return lambda item: item.get(path) or default(item)
    if (reader.peek() or "").startswith(":"):
        value = reader.value()
        return lambda _item: value
    path = reader.path()

    def read(item: Item) -> Mapping[str, Any]:
        if path not in item:
            raise NotUnderstood("The provided expression refers to an attribute that does not exist in the item")
        return item[path]

    return read


def _sum(left: Mapping[str, Any], right: Mapping[str, Any], sign: int = 1) -> Item:
    return {"N": str(number(left) + sign * number(right))}

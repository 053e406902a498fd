"""DynamoDB's key conditions: one partition, and a range of its sort keys.

Amazon DynamoDB API Reference, Query: KeyConditionExpression.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from tests.fakes.expressions import Names, NotUnderstood, Values, check_used, condition, tokens

Operator = Literal["", "=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]
_SYNTAX = {"=", "<", "<=", ">", ">=", "AND", "BETWEEN", "begins_with", "(", ")", ","}
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A partition, and the bounds of the sort values."""

    hash_value: str
    operator: Operator = ""
    first: str = ""
    second: str = ""

    def bounds(self, values: Sequence[Any], of: Callable[[Any], str]) -> tuple[int, int]:
        """Where it begins and ends in rows that are ordered by their sort values."""
        first, last = 0, len(values)
        if self.operator in ("=", ">=", "BETWEEN", "begins_with"):
            first = bisect_left(values, self.first, key=of)
        elif self.operator == ">":
            first = bisect_right(values, self.first, key=of)
        if self.operator == "<":
            last = bisect_left(values, self.first, key=of)
        elif self.operator in ("=", "<=", "BETWEEN"):
            last = bisect_right(values, self.second if self.operator == "BETWEEN" else self.first, key=of)
        elif self.operator == "begins_with":
            last = bisect_right(values, self.first + _LAST, key=of)
        return first, max(first, last)


def key_range(text: str, hash_name: str, range_name: str, names: Names, values: Values) -> KeyRange:
    """Raises NotUnderstood for what is no key condition."""
    condition_names = tuple(names.items())
    hash_value, operator, bounds = _read(text, hash_name, range_name, condition_names)
    _, used = condition(text, names, values)
    check_used(used, names, values)
    first, second = (*(_text(values[each]) for each in bounds), "", "")[:2]
    if operator == "BETWEEN" and second < first:
        raise NotUnderstood("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
    return KeyRange(_text(values[hash_value]), operator, first, second)


def _text(value: Mapping[str, Any]) -> str:
    if "S" not in value:
        raise NotUnderstood("Condition parameter type does not match schema type")
    return value["S"]


@lru_cache(maxsize=1000)
def _read(
    text: str, hash_name: str, range_name: str, names: tuple[tuple[str, str], ...]
) -> tuple[str, Operator, tuple[str, ...]]:
    words = [dict(names).get(word, word) for word in tokens(text)]
    if not {word for word in words if not word.startswith(":")} <= _SYNTAX | {hash_name, range_name}:
        raise NotUnderstood("Query key condition not supported")
    terms = _terms([word for word in words if word not in ("(", ")", ",")])
    (hashed,) = [term for term in terms if term[:2] == [hash_name, "="]] or [None]
    if hashed is None:
        raise NotUnderstood(f"Query condition missed key schema element: {hash_name}")
    ranges = [term for term in terms if term is not hashed]
    if not ranges:
        return hashed[2], "", ()
    if len(ranges) > 1 or range_name not in ranges[0]:
        raise NotUnderstood("Conditions can be of length 1 or 2 only")
    return hashed[2], *_range(ranges[0])


def _terms(words: Sequence[str]) -> list[list[str]]:
    terms: list[list[str]] = [[]]
    for word in words:
        if word == "AND" and not (len(terms[-1]) == 3 and terms[-1][1] == "BETWEEN"):
            terms.append([])
        else:
            terms[-1].append(word)
    return terms


def _range(term: Sequence[str]) -> tuple[Operator, tuple[str, ...]]:
    match term:
        case ["begins_with", _, start]:
            return "begins_with", (start,)
        case [_, "BETWEEN", low, "AND", high]:
            return "BETWEEN", (low, high)
        case [_, ("=" | "<" | "<=" | ">" | ">=") as operator, bound]:
            return operator, (bound,)
        case _:
            raise NotUnderstood(f"no condition on a sort key: {' '.join(term)}")

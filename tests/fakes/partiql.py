"""The PartiQL statements that this project's stores emit: writes of one item by its whole key.

Amazon DynamoDB Developer Guide, "PartiQL - a SQL-compatible query language". Everything else is refused.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from tests.fakes.expressions import NotUnderstood, is_equal, is_less, reserved_words

_INSERT = re.compile(r"""INSERT INTO "(?P<table>[^"]+)" VALUE \{(?P<fields>.*)\}""", re.DOTALL)
_UPDATE = re.compile(r"""UPDATE "(?P<table>[^"]+)" (?P<clauses>.*) WHERE (?P<where>.*)""", re.DOTALL)
_DELETE = re.compile(r"""DELETE FROM "(?P<table>[^"]+)" WHERE (?P<where>.*)""", re.DOTALL)
_FIELD = re.compile(r"\s*'([^']+)'\s*:\s*\?\s*")
_CLAUSE = re.compile(r"""\s*(?:SET\s+(?P<set>"[^"]+"|\w+)\s*=\s*\?|REMOVE\s+(?P<remove>"[^"]+"|\w+))""")
_TERM = re.compile(r"""\s*(?P<name>"[^"]+"|\w+)\s*(?P<operator><=|>=|<>|=|<|>)\s*\?\s*""")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A statement; its parameters fill `sets` in order, then `where`, or for an insert `fields`."""

    kind: Literal["insert", "update", "delete"]
    table: str
    fields: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> int:
        """How many values it takes."""
        return len(self.fields) + len(self.sets) + len(self.where)

    def key(self, parameters: tuple[Any, ...]) -> tuple[str, str]:
        """The item that it names."""
        if self.kind == "insert":
            given = dict(zip(self.fields, parameters, strict=True))
        else:
            values = parameters[len(self.sets) :]
            given = {name: v for (name, operator), v in zip(self.where, values, strict=True) if operator == "="}
        if "pk" not in given or "sk" not in given:
            raise NotUnderstood("Where clause does not contain a mandatory equality on all key attributes")
        return given["pk"]["S"], given["sk"]["S"]

    def holds(self, item: dict[str, Any], parameters: tuple[Any, ...]) -> bool:
        """Whether the WHERE clause is true of an item."""
        for (name, operator), value in zip(self.where, parameters[len(self.sets) :], strict=True):
            stored = item.get(name)
            if stored is None or not _compare(stored, operator, value):
                return False
        return True


@lru_cache(maxsize=5000)
def parse(text: str) -> Parsed:
    """Raises NotUnderstood."""
    if match := _INSERT.fullmatch(text):
        return Parsed("insert", match["table"], fields=_each(_FIELD, match["fields"], ","))
    if match := _UPDATE.fullmatch(text):
        sets: list[str] = []
        removes: list[str] = []
        position = 0
        while position < len(match["clauses"]):
            clause = _CLAUSE.match(match["clauses"], position)
            if clause is None:
                raise NotUnderstood(f"cannot read {match['clauses'][position:]!r}")
            if removes and clause["set"]:
                raise NotUnderstood("this fake takes SET before REMOVE, as our stores write them")
            (sets if clause["set"] else removes).append(_name(clause["set"] or clause["remove"]))
            position = clause.end()
        if len({*sets, *removes}) != len(sets) + len(removes) or {"pk", "sk"} & {*sets, *removes}:
            raise NotUnderstood("an attribute is changed twice, or is part of the key")
        return Parsed("update", match["table"], sets=tuple(sets), removes=tuple(removes), where=_where(match["where"]))
    if match := _DELETE.fullmatch(text):
        return Parsed("delete", match["table"], where=_where(match["where"]))
    raise NotUnderstood(f"cannot read {text!r}")


def _where(text: str) -> tuple[tuple[str, str], ...]:
    terms: list[tuple[str, str]] = []
    for part in text.split(" AND "):
        match = _TERM.fullmatch(part)
        if match is None:
            raise NotUnderstood(f"cannot read {part!r}")
        terms.append((_name(match["name"]), match["operator"]))
    return tuple(terms)


def _each(pattern: re.Pattern[str], text: str, separator: str) -> tuple[str, ...]:
    found: list[str] = []
    for part in text.split(separator):
        match = pattern.fullmatch(part)
        if match is None:
            raise NotUnderstood(f"cannot read {part!r}")
        found.append(match[1])
    if len(set(found)) != len(found):
        raise NotUnderstood("an attribute is given twice")
    return tuple(found)


def _name(text: str) -> str:
    if text.startswith('"'):
        return text[1:-1]
    if text.upper() in reserved_words():
        raise NotUnderstood(f"{text} is a reserved word: put it in double quotes")
    return text


def _compare(stored: dict[str, Any], operator: str, value: dict[str, Any]) -> bool:
    match operator:
        case "=":
            return is_equal(stored, value)
        case "<>":
            return not is_equal(stored, value)
        case "<":
            return is_less(stored, value)
        case "<=":
            return is_less(stored, value) or is_equal(stored, value)
        case ">":
            return is_less(value, stored)
        case _:
            return is_less(value, stored) or is_equal(stored, value)

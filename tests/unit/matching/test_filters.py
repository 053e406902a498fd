import json
import random
import re
import sys
import time
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_times import OTHER_SPELLINGS
from webhooks.errors import InvalidFilter
from webhooks.matching.filter_document import ListOperator, Operator, Rule, filter_searches, parse_filters
from webhooks.matching.filter_index import FilterIndex
from webhooks.matching.filters import compile_filters, explain
from webhooks.matching.subject import Subject, key_of

EVENT: dict[str, Any] = {
    "id": "evt_1234567890",
    "type": "record.created",
    "resource_id": "rec123",
    "workspace_id": 456,
    "user_id": 789,
    "timestamp": "2024-01-01T12:00:00Z",
    "data": {
        "id": "rec123",
        "status": "in data",
        "plan": "pro",
        "fields": {
            "name": "John Doe",
            "status": "completed",
            "amount": 1500,
            "ratio": 1.0,
            "done": True,
            "none": None,
            "tags": ["a", 1, True, None, {"b": 1}],
            "No. of seats": 4,
            "address": {"city": "Graz", "zip.code": "8010"},
            "type.code": "in one",
            "data.x": 1,
            'say "hi"': "quoted",
            '5" pipe': "as it stands",
            '"quoted"': "as it stands, quotes included",
            "rows": [{"name": "first", "amount": 1}, {"name": "second", "amount": 2, "tags": ["x", "y"]}],
            "empty": [],
            "no text": "",
            "object": {},
            "day": "2024-05-05",
            "moment": "2024-05-05T02:30:00+05:00",
            "word": "Straße",
            "words": ["Äpfel", "Birnen", 5],
        },
    },
    "metadata": {"source": "api", "version": "v1"},
}


def wants(document: Mapping[str, object], event: Mapping[str, object] = EVENT) -> bool:
    filters = parse_filters(document)
    wanted = compile_filters(filters)(event)
    assert (explain(filters, event) is None) == wanted
    return wanted


def rule(field: str, operator: str, *value: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, **({"value": value[0]} if value else {})}


def holds(field: str, operator: str, *value: object) -> bool:
    return wants({"conditions": {"operator": "and", "rules": [rule(field, operator, *value)]}})


def faults(document: object) -> list[str]:
    with pytest.raises(InvalidFilter) as refusal:
        parse_filters(document)
    assert all(error.message for error in refusal.value.field_errors)
    return [error.field for error in refusal.value.field_errors]


# The four blocks of the client's document, and an event that each wants or not.
@pytest.mark.parametrize(
    ("document", "fields", "wanted"),
    [
        ('{"fields": {"status": "completed", "priority": "high"}}', {"status": "completed", "priority": "high"}, True),
        ('{"fields": {"status": "completed", "priority": "high"}}', {"status": "completed", "priority": "low"}, False),
        ('{"fields": {"status": "completed", "priority": "high"}}', {"status": "completed"}, False),
        (
            '{"conditions": {"operator": "and", "rules": [{"field": "amount", "operator": "greater_than", "value": 1000'
            '}, {"field": "status", "operator": "equals", "value": "pending"}]}}',
            {"amount": 1000.5, "status": "pending"},
            True,
        ),
        (
            '{"conditions": {"operator": "and", "rules": [{"field": "amount", "operator": "greater_than", "value": 1000'
            '}, {"field": "status", "operator": "equals", "value": "pending"}]}}',
            {"amount": 1000, "status": "pending"},
            False,
        ),
        ('{"user_id": [123, 456, 789]}', {}, True),
        ('{"user_id": [123, 456]}', {}, False),
        ('{"time_range": {"start": "2024-01-01T00:00:00Z", "end": "2024-01-31T23:59:59Z"}}', {}, True),
        ('{"time_range": {"start": "2024-01-02T00:00:00Z", "end": "2024-01-31T23:59:59Z"}}', {}, False),
    ],
)
def test_the_blocks_of_the_clients_document_work_as_written(
    document: str, fields: dict[str, Any], wanted: bool
) -> None:
    assert wants(json.loads(document), {**EVENT, "data": {"fields": fields}}) is wanted


@pytest.mark.parametrize("document", [{}, {"fields": {}}, {"fields": None, "conditions": None, "user_id": None}])
def test_a_filter_that_says_nothing_wants_everything(document: dict[str, Any]) -> None:
    assert wants(document)


def test_all_given_parts_must_hold() -> None:
    parts: dict[str, Any] = {
        "fields": {"status": "completed"},
        "conditions": {"operator": "and", "rules": [rule("amount", "greater_than", 1)]},
        "user_id": ["789"],
        "time_range": {"end": "2024-01-01T12:00:00Z"},
    }
    assert wants(parts)
    wrong: dict[str, Any] = {
        "fields": {"status": "open"},
        "conditions": {"operator": "and", "rules": [rule("amount", "less_than", 1)]},
        "user_id": [1],
        "time_range": {"end": "2024-01-01T11:59:59.999999Z"},
    }
    for name, part in wrong.items():
        assert not wants(parts | {name: part})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "completed"),  # data.fields comes before data
        ("plan", "pro"),
        ("id", "rec123"),  # data.fields, then data, come before the event's own
        ("type", "record.created"),
        ("resource_id", "rec123"),
        ("workspace_id", 456),
        ("user_id", 789),
        ("timestamp", "2024-01-01T12:00:00Z"),
        ('"type.code"', "in one"),
        ('"data.x"', 1),
        ('data.fields."type.code"', "in one"),
        ('data."fields"."address"."zip.code"', "8010"),
        ('address."zip.code"', "8010"),
        ('"say \\"hi\\""', "quoted"),
        ('5" pipe', "as it stands"),
        ('"quoted"', "as it stands, quotes included"),
        ("tags.0", "a"),
        ("tags.-1.b", 1),
        ("data.fields.tags.4.b", 1),
        ("fields.rows.1.name", "second"),
        ("data.id", "rec123"),
        ("data.status", "in data"),
        ("data.fields.status", "completed"),
        ("metadata.source", "api"),
        ("address.city", "Graz"),
        ("address.zip.code", "8010"),
        ("No. of seats", 4),
        ("data.fields.No. of seats", 4),
        ("fields.status", "completed"),
    ],
)
def test_a_field_is_found_where_the_rules_say(path: str, value: object) -> None:
    assert holds(path, "equals", value)


@pytest.mark.parametrize(
    "path",
    [
        '"type"',  # in quotes it is a field's
        '"user_id"',
        '"metadata.source"',
        'data."plan.x"',
        '"say hi',
        '"a"b',
        "tags.5",
        "tags.-6",
        "tags.01x",
        'tags."0"',
        "tags.0.0",
        "metadata",
        "source",
        "data.plan.x",
        "metadata.status",
        "type.x",
        "address.",
        ".",
        "name.0",
    ],
)
def test_a_field_is_found_nowhere_else(path: str) -> None:
    assert holds(path, "not_exists")
    assert not holds(path, "exists")


@pytest.mark.parametrize(
    "data", [None, 1, "x", [], {"fields": None}, {"fields": [1]}, {"fields": "status"}, {"fields": {"status": {}}}]
)
def test_an_event_of_any_shape_can_be_judged(data: object) -> None:
    assert not wants({"fields": {"status": "completed"}}, {**EVENT, "data": data})
    assert not wants({"fields": {"data.fields.status": "completed"}}, {"data": data})


HOLDS = [
    ("amount", "equals", 1500),
    ("amount", "equals", 1500.0),
    ("type", "equals", "record.created"),
    ("resource_id", "in", ["rec123"]),
    ("user_id", "equals", 789),
    ("timestamp", "equals", "2024-01-01T12:00:00Z"),
    ("ratio", "equals", 1),
    ("done", "equals", True),
    ("none", "equals", None),
    ("none", "exists"),
    ("missing", "not_exists"),
    ("amount", "greater_than", 1499.9),
    ("amount", "greater_than_or_equal", 1500),
    ("amount", "less_than", 10**400),
    ("amount", "less_than_or_equal", 1500),
    ("name", "greater_than", "John"),
    ("name", "less_than", "Johnny"),
    ("status", "in", ["open", "completed"]),
    ("amount", "in", ["1500", 1500.0]),
    ("none", "in", [None]),
    ("name", "contains", "n D"),
    ("tags", "contains", "a"),
    ("tags", "contains", 1.0),
    ("tags", "contains", True),
    ("tags", "contains", None),
    ("name", "starts_with", "John"),
    ("name", "ends_with", "Doe"),
    ("name", "starts_with", ""),
    ("missing", "blank"),
    ("none", "blank"),
    ("no text", "blank"),
    ("empty", "blank"),
    ("amount", "not_blank"),
    ("done", "not_blank"),
    ("object", "not_blank"),
    ("moment", "before", "2024-05-04T23:00:00Z"),
    ("moment", "before_or_equal", "2024-05-04T21:30:00Z"),
    ("moment", "after_or_equal", "2024-05-05T00:30:00+03:00"),
    ("moment", "after", "2024-05-04"),
    ("day", "after_or_equal", "2024-05-05"),
    ("day", "before", "2024-05-05T02:00:01+02:00"),
    ("timestamp", "before", "2024-01-01T12:00:00.000001Z"),
]
FAILS = [
    ("amount", "equals", "1500"),
    ("done", "equals", 1),
    ("ratio", "equals", True),
    ("done", "equals", "true"),
    ("none", "equals", False),
    ("none", "equals", ""),
    ("missing", "equals", None),
    ("missing", "exists"),
    ("tags", "equals", "a"),
    ("amount", "greater_than", 1500),
    ("amount", "greater_than", "1"),
    ("name", "greater_than", 0),
    ("done", "greater_than", 0),
    ("done", "less_than", 2),
    ("none", "less_than", 1),
    ("missing", "less_than", 1),
    ("tags", "greater_than", 0),
    ("done", "in", [1, "true"]),
    ("ratio", "in", [True]),
    ("missing", "in", [None]),
    ("tags", "in", ["a"]),
    ("name", "contains", "doe"),
    ("amount", "contains", "5"),
    ("name", "contains", 1),
    ("tags", "contains", False),
    ("tags", "contains", "A"),
    ("address", "contains", "city"),
    ("missing", "contains", "a"),
    ("amount", "starts_with", "1"),
    ("missing", "ends_with", ""),
    ("object", "blank"),
    ("day", "blank"),
    ("missing", "not_blank"),
    ("moment", "after", "2024-05-04T21:30:00Z"),
    ("moment", "before", "2024-05-04T21:30:00Z"),
    ("name", "before", "2030-01-01"),
    ("amount", "before", "2030-01-01"),
    ("missing", "before", "2030-01-01"),
    ("day", "after", "2024-05-05"),
]


@pytest.mark.parametrize("case", HOLDS, ids=str)
def test_a_rule_holds(case: "tuple[Any, ...]") -> None:
    assert holds(*case)


@pytest.mark.parametrize("case", FAILS, ids=str)
def test_a_rule_does_not_hold_and_is_no_error(case: "tuple[Any, ...]") -> None:
    assert not holds(*case)


@pytest.mark.parametrize("case", [case for case in HOLDS + FAILS if case[1] in ("equals", "in", "contains")], ids=str)
def test_a_negative_operator_is_exactly_the_negation(case: "tuple[Any, ...]") -> None:
    field, operator, value = case
    assert holds(field, f"not_{operator}", value) is not holds(field, operator, value)


@pytest.mark.parametrize(
    ("operator", "value", "path", "expected"),
    [
        ("equals", "STRASSE", "word", True),
        ("equals", "straße", "word", True),
        ("not_equals", "strasse", "word", False),
        ("equals", 5, "amount", False),
        ("equals", 1500, "amount", True),
        ("in", ["x", "STRASSE", 1], "word", True),
        ("not_in", ["x", "STRASSE"], "word", False),
        ("contains", "ASS", "word", True),
        ("contains", "äpfel", "words", True),
        ("contains", 5, "words", True),
        ("contains", "äpf", "words", False),
        ("not_contains", "BIRNEN", "words", False),
        ("starts_with", "STRA", "word", True),
        ("ends_with", "SSE", "word", True),
        ("ends_with", "ss", "word", False),
    ],
)
def test_case_is_ignored_where_a_rule_says_so(operator: str, value: object, path: str, expected: bool) -> None:
    assert wants(conditions({**rule(path, operator, value), "ignore_case": True})) is expected


def of_list(field: str, operator: str, where: dict[str, Any]) -> dict[str, Any]:
    return {"field": field, "operator": operator, "where": where}


@pytest.mark.parametrize(
    ("operator", "path", "where", "expected"),
    [
        ("any", "rows", rule("name", "equals", "second"), True),
        ("any", "rows", rule("name", "equals", "third"), False),
        ("all", "rows", rule("amount", "greater_than", 0), True),
        ("all", "rows", rule("amount", "greater_than", 1), False),
        ("none", "rows", rule("amount", "greater_than", 2), True),
        ("none", "rows", rule("amount", "greater_than", 1), False),
        (
            "any",
            "rows",
            {"operator": "and", "rules": [rule("name", "equals", "first"), rule("amount", "equals", 2)]},
            False,
        ),
        (
            "any",
            "rows",
            {"operator": "and", "rules": [rule("name", "equals", "second"), rule("amount", "equals", 2)]},
            True,
        ),
        ("any", "rows", of_list("tags", "any", rule(".", "equals", "y")), True),
        ("any", "rows", rule("tags.1", "equals", "y"), True),
        ("any", "tags", rule(".", "equals", True), True),
        ("any", "tags", rule(".", "starts_with", "b"), False),
        ("any", "tags", rule("b", "equals", 1), True),
        ("any", "words", {**rule(".", "starts_with", "äpf"), "ignore_case": True}, True),
        ("any", "rows", rule("type", "exists"), False),  # an element has no event of its own
        ("any", "empty", rule(".", "exists"), False),
        ("all", "empty", rule(".", "exists"), True),
        ("none", "empty", rule(".", "exists"), True),
        ("any", "missing", rule(".", "exists"), False),
        ("all", "missing", rule(".", "exists"), False),
        ("none", "missing", rule(".", "exists"), True),
        ("all", "name", rule(".", "exists"), False),
        ("all", "address", rule(".", "exists"), False),
    ],
)
def test_elements_of_a_list_are_asked(operator: str, path: str, where: dict[str, Any], expected: bool) -> None:
    assert wants(conditions(of_list(path, operator, where))) is expected


CHANGES: dict[str, Any] = {
    "fields": {"status": "done", "amount": 5, "tags": [1, True], "owner": {"name": "Ann"}, "note": None, "new": 1},
    "previous": {"status": "open", "amount": 5.0, "tags": [1, 1], "owner": {"name": "Bob"}, "gone": "x", "note": None},
}


@pytest.mark.parametrize(
    ("path", "operator", "value", "expected"),
    [
        ("status", "changed", None, True),
        ("data.fields.status", "changed", None, True),
        ("data.status", "changed", None, True),
        ("fields.status", "changed", None, True),
        ("amount", "changed", None, False),
        ("tags", "changed", None, True),
        ("owner", "changed", None, True),
        ("owner.name", "changed", None, True),
        ("gone", "changed", None, True),
        ("note", "changed", None, False),
        ("new", "changed", None, False),  # what was before is not known
        ("type", "changed", None, False),
        ("metadata.version", "changed", None, False),
        ("status", "changed_from", "open", True),
        ("status", "changed_from", "done", False),
        ("owner.name", "changed_from", "Bob", True),
        ("gone", "changed_from", "x", True),
        ("status", "changed_to", "done", True),
        ("status", "changed_to", "open", False),
        ("amount", "changed_to", 5, False),
    ],
)
def test_what_changed_is_told_by_the_values_before(path: str, operator: str, value: object, expected: bool) -> None:
    given = {} if operator == "changed" else {"value": value}
    document = conditions({"field": path, "operator": operator, **given})
    assert wants(document, {**EVENT, "data": CHANGES}) is expected
    snapshot = {"fields": CHANGES["fields"], "previous": {"fields": CHANGES["previous"]}}
    if path != "data.status":
        assert wants(document, {**EVENT, "data": snapshot}) is expected
    assert not wants(document, {**EVENT, "data": {"fields": CHANGES["fields"]}}), "nothing is known to have changed"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("status", True), ("data.fields.status", True), ("owner.name", True), ("amount", False), ('"a.b"', True)],
)
def test_what_the_platform_lists_as_changed_has_changed(path: str, expected: bool) -> None:
    listed = {"fields": CHANGES["fields"], "changed_fields": ["status", "fields.owner", "a.b", 5]}
    assert wants(conditions(rule(path, "changed")), {**EVENT, "data": listed}) is expected
    both = {**listed, "previous": {"status": "done", "amount": 1}}
    assert wants(conditions(rule(path, "changed")), {**EVENT, "data": both}) is expected, "the list decides"


@pytest.mark.parametrize("text", [each for each in OTHER_SPELLINGS if each != "2024-01-01"])  # a date is its midnight
def test_a_time_of_another_spelling_is_none(text: str) -> None:
    assert faults({"time_range": {"start": text}}) == ["filters.time_range.start"]
    assert faults(conditions(rule("at", "before", text))) == ["filters.conditions.rules.0"]
    event = {**EVENT, "timestamp": text, "data": {"fields": {"at": text}}}
    assert not wants({"time_range": {"start": "0001-01-01T00:00:00Z"}}, event)
    for field in ("at", "timestamp"):
        assert not wants(conditions(rule(field, "after", "0001-01-01")), event)


YES, NO = rule("amount", "equals", 1500), rule("amount", "equals", 0)


@pytest.mark.parametrize(
    ("operator", "rules", "expected"),
    [
        ("and", [YES, YES], True),
        ("and", [YES, NO], False),
        ("or", [NO, YES], True),
        ("or", [NO, NO], False),
        ("not", [NO], True),
        ("not", [YES], False),
        ("not", [NO, NO], True),
        ("not", [NO, YES], False),
        ("and", [{"operator": "or", "rules": [NO, {"operator": "not", "rules": [NO]}]}, YES], True),
    ],
)
def test_groups_join_their_rules(operator: str, rules: list[object], expected: bool) -> None:
    assert wants({"conditions": {"operator": operator, "rules": rules}}) is expected


@pytest.mark.parametrize(
    ("user", "listed", "expected"),
    [
        (789, ["789"], True),
        ("789", [789], True),
        ("usr_a", ["usr_a"], True),
        (789, [7, 8, 9], False),
        (None, ["None"], False),
        (True, ["True", 1], False),
        ([], ["[]"], False),
    ],
)
def test_users_compare_by_their_string_form(user: object, listed: list[object], expected: bool) -> None:
    assert wants({"user_id": listed}, {**EVENT, "user_id": user}) is expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2024-01-01T00:00:00Z", True),
        ("2024-01-31T23:59:59Z", True),
        ("2024-02-01T00:59:59+01:00", True),
        ("2024-01-31T23:59:59.000001Z", False),
        ("2023-12-31T23:59:59.999Z", False),
        ("2024-01-01t00:00:00.123456789z", True),
        ("2024-01-31 23:59:59Z", True),
        ("2024-02-01 00:00:00Z", False),
        ("2024-01-15T12:00:00", False),
        ("2024-01-15", False),
        ("2024-13-15T12:00:00Z", False),
        ("\uff12024-01-15T12:00:00Z", False),
        (1_705_320_000, False),
        (None, False),
    ],
)
def test_a_time_range_includes_both_ends(timestamp: object, expected: bool) -> None:
    document = {"time_range": {"start": "2024-01-01T00:00:00Z", "end": "2024-01-31 23:59:59Z"}}
    assert wants(document, {**EVENT, "timestamp": timestamp}) is expected


def conditions(*rules: object, operator: str = "and") -> dict[str, Any]:
    return {"conditions": {"operator": operator, "rules": list(rules)}}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "filters"),
        ("x", "filters"),
        ({"field": {}}, "filters.field"),
        ({"fields": []}, "filters.fields"),
        ({"fields": {"a": []}}, "filters.fields.a"),
        ({"fields": {"a": {"b": 1}}}, "filters.fields.a"),
        ({"fields": {"a": "x" * 1_025}}, "filters.fields.a"),
        ({"conditions": []}, "filters.conditions"),
        ({"conditions": {}}, "filters.conditions.operator"),
        ({"conditions": {"operator": "xor", "rules": [YES]}}, "filters.conditions.operator"),
        ({"conditions": {"operator": "AND", "rules": [YES]}}, "filters.conditions.operator"),
        (conditions(), "filters.conditions.rules"),
        ({"conditions": {"operator": "and", "rules": {}}}, "filters.conditions.rules"),
        (conditions(1), "filters.conditions.rules.0"),
        (conditions(YES, {"operator": "equals", "value": 1}), "filters.conditions.rules.1.field"),
        (conditions(rule("", "equals", 1)), "filters.conditions.rules.0.field"),
        (conditions(rule("a" * 257, "equals", 1)), "filters.conditions.rules.0.field"),
        (conditions(rule("a", "matches", "x")), "filters.conditions.rules.0.operator"),
        (conditions({**YES, "extra": 1}), "filters.conditions.rules.0.extra"),
        (conditions(rule("a", "equals")), "filters.conditions.rules.0"),
        (conditions(rule("a", "equals", [1])), "filters.conditions.rules.0"),
        (conditions(rule("a", "in", 1)), "filters.conditions.rules.0"),
        (conditions(rule("a", "in", [])), "filters.conditions.rules.0"),
        (conditions(rule("a", "in", [[1]])), "filters.conditions.rules.0"),
        (conditions(rule("a", "in", [1] * 1_001)), "filters.conditions.rules.0"),
        (conditions(rule("a", "greater_than", True)), "filters.conditions.rules.0"),
        (conditions(rule("a", "greater_than", None)), "filters.conditions.rules.0"),
        (conditions(rule("a", "less_than")), "filters.conditions.rules.0"),
        (conditions(rule("a", "less_than", float("inf"))), "filters.conditions.rules.0"),
        (conditions(rule("a", "starts_with", 1)), "filters.conditions.rules.0"),
        (conditions(rule("a", "exists", True)), "filters.conditions.rules.0"),
        (conditions(rule("a", "blank", "x")), "filters.conditions.rules.0"),
        (conditions(rule("a", "changed", 1)), "filters.conditions.rules.0"),
        (conditions(rule("a", "changed_to")), "filters.conditions.rules.0"),
        (conditions(rule("a", "before", "yesterday")), "filters.conditions.rules.0"),
        (conditions(rule("a", "after", "2024-01-01T00:00:00")), "filters.conditions.rules.0"),
        (conditions(rule("a", "after", 5)), "filters.conditions.rules.0"),
        (conditions({**rule("a", "greater_than", 5), "ignore_case": True}), "filters.conditions.rules.0"),
        (conditions({**rule("a", "equals", 5), "ignore_case": "yes"}), "filters.conditions.rules.0.ignore_case"),
        (conditions(rule("a", "any", 5)), "filters.conditions.rules.0.where"),
        (conditions(of_list("a", "some", YES)), "filters.conditions.rules.0.operator"),
        (conditions(of_list("a", "any", rule("b", "matches", 1))), "filters.conditions.rules.0.where.operator"),
        (conditions(of_list("a", "any", rule("b", "changed"))), "filters.conditions.rules.0"),
        (conditions({"operator": "or", "rules": [YES, {}]}), "filters.conditions.rules.0.rules.1.field"),
        ({"user_id": 123}, "filters.user_id"),
        ({"user_id": []}, "filters.user_id"),
        ({"user_id": [1, 1.5]}, "filters.user_id.1"),
        ({"user_id": [True]}, "filters.user_id.0"),
        ({"user_id": [None]}, "filters.user_id.0"),
        ({"time_range": {}}, "filters.time_range"),
        ({"time_range": {"start": "yesterday"}}, "filters.time_range.start"),
        ({"time_range": {"start": 1}}, "filters.time_range.start"),
        ({"time_range": {"end": "2024-01-01T00:00:00"}}, "filters.time_range.end"),
        ({"time_range": {"start": "2024-01-02T00:00:00Z", "end": "2024-01-01T00:00:00Z"}}, "filters.time_range"),
        ({"time_range": {"start": "2024-01-02T00:00:00Z", "until": "x"}}, "filters.time_range.until"),
    ],
)
def test_a_fault_is_reported_at_its_place(document: object, path: str) -> None:
    assert path in faults(document)


def nested(depth: int) -> dict[str, Any]:
    group: dict[str, Any] = {"operator": "and", "rules": [YES]}
    for _ in range(depth - 1):
        group = {"operator": "and", "rules": [group]}
    return {"conditions": group}


def test_groups_nest_at_most_8_deep() -> None:
    assert wants(nested(8))
    assert faults(nested(9)) == ["filters"]
    assert faults(nested(100_000)) == ["filters"]


def test_a_filter_has_at_most_100_rules_groups_and_fields() -> None:
    assert wants(conditions(*[YES] * 99))
    assert faults(conditions(*[YES] * 100)) == ["filters"]
    assert faults({"fields": {str(number): 1 for number in range(101)}}) == ["filters"]
    assert faults({"fields": {str(number): 1 for number in range(50)}, **conditions(*[YES] * 50)}) == ["filters"]


@pytest.mark.parametrize(
    "searching",
    [
        rule("a", "contains", "x"),
        {**rule("a", "equals", "x"), "ignore_case": True},
        rule("a", "changed"),
        rule("a", "changed_to", 1),
        of_list("a", "any", YES),
        of_list("a", "all", of_list("b", "none", YES)),
    ],
    ids=str,
)
def test_what_may_read_a_whole_event_counts_as_a_search(searching: dict[str, Any]) -> None:
    assert filter_searches(conditions(searching, YES)) == 1
    assert filter_searches(conditions(of_list("a", "any", {"operator": "and", "rules": [YES, searching]}))) == 2
    parse_filters(conditions(*[rule("a", "contains", "x")] * 15, searching if searching["operator"] != "all" else YES))
    assert faults(conditions(*[rule("a", "contains", "x")] * 16, searching)) == ["filters"]


def test_a_filter_searches_at_most_16_times() -> None:
    assert wants(conditions(*[rule("name", "contains", "J")] * 16))
    assert faults(conditions(*[rule("name", "not_contains", "x")] * 17)) == ["filters"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"fields": {"status": "completed", "plan": "free"}}, 'fields.plan: does not equal "free"'),
        (conditions(YES, NO), "conditions.rules.1: amount equals 0 does not hold"),
        (conditions(NO, NO, operator="or"), "conditions: none of its rules holds"),
        (conditions(NO, YES, operator="not"), "conditions.rules.1: amount equals 1500 holds, and must not"),
        (
            conditions(YES, {"operator": "and", "rules": [YES, rule("missing", "exists")]}),
            "conditions.rules.1.rules.1: missing exists does not hold",
        ),
        (
            conditions({"operator": "and", "rules": [YES]}, operator="not"),
            "conditions.rules.0: its and holds, and must not",
        ),
        ({"user_id": [1]}, "user_id: the event's user is not listed"),
        ({"time_range": {"end": "2020-01-01T00:00:00Z"}}, "time_range: the event's timestamp lies outside"),
        ({"fields": {"name": "x" * 999}}, f'fields.name: does not equal "{"x" * 79}...'),
    ],
)
def test_an_explanation_names_the_first_rule_that_said_no(document: dict[str, Any], reason: str) -> None:
    assert explain(parse_filters(document), EVENT) == reason


_names = st.sampled_from(["a", "b", "a.b", "data.a", "metadata.a", "user_id"])
_scalars = st.sampled_from([None, True, False, 0, 1, 1.0, -1, 2.5, "", "a", "ab", "1"])
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3), max_leaves=6
)
_rules = st.one_of(
    st.builds(
        rule,
        _names,
        st.sampled_from(["equals", "not_equals", "contains", "not_contains"]),
        _scalars,
    ),
    st.builds(rule, _names, st.sampled_from(["in", "not_in"]), st.lists(_scalars, min_size=1, max_size=4)),
    st.builds(
        rule,
        _names,
        st.sampled_from(["greater_than", "greater_than_or_equal", "less_than", "less_than_or_equal"]),
        st.sampled_from([0, 1, 1.5, "", "a", "1"]),
    ),
    st.builds(rule, _names, st.sampled_from(["starts_with", "ends_with"]), st.sampled_from(["", "a", "ab"])),
    st.builds(rule, _names, st.sampled_from(["exists", "not_exists"])),
)
groups = st.recursive(
    st.fixed_dictionaries(
        {"operator": st.sampled_from(["and", "or", "not"]), "rules": st.lists(_rules, min_size=1, max_size=3)}
    ),
    lambda inner: st.fixed_dictionaries(
        {"operator": st.sampled_from(["and", "or", "not"]), "rules": st.lists(_rules | inner, min_size=1, max_size=3)}
    ),
    max_leaves=4,
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "fields": st.dictionaries(_names, _scalars, max_size=2),
        "conditions": groups,
        "user_id": st.lists(st.sampled_from([1, 2, "1", "a"]), min_size=1, max_size=3),
    },
)
events = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from([1, 2, "1", "a", None]),
        "metadata": st.dictionaries(_names, _json, max_size=3),
        "data": st.dictionaries(_names, _json, max_size=3)
        | st.fixed_dictionaries({"fields": st.dictionaries(_names, _json, max_size=3)}),
    },
)


@given(documents, events)
def test_an_answer_and_its_explanation_agree(document: dict[str, Any], event: dict[str, Any]) -> None:
    wants(document, event)


@given(st.lists(documents, min_size=1, max_size=6), events)
def test_the_index_finds_every_filter_that_wants_an_event(several: list[dict[str, Any]], event: dict[str, Any]) -> None:
    index = FilterIndex((document, number) for number, document in enumerate(several))
    found = {number for numbers in index.candidates(Subject(event)) for number in numbers}
    assert {number for number, document in enumerate(several) if wants(document, event)} <= found


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (conditions(rule("name", "not_equals", "John Doe")), False),
        (conditions(rule("name", "not_equals", "Jane Doe")), True),
        (conditions(rule("missing", "not_equals", "John Doe")), True),
        (conditions(rule("amount", "not_in", [1, 1500.0])), False),
        (conditions(rule("name", "not_contains", "Doe")), False),
        (conditions(rule("tags", "not_contains", 1)), False),
        (conditions(rule("tags", "not_contains", "b")), True),
        (conditions(rule("none", "not_exists")), False),
        (conditions(rule("name", "equals", "John Doe"), NO, operator="not"), False),
        (conditions(rule("name", "not_equals", "John Doe"), operator="not"), True),
        (conditions(rule("name", "not_equals", "John Doe"), NO, operator="or"), False),
    ],
)
def test_the_index_leaves_out_filters_whose_negation_fails(document: dict[str, Any], found: bool) -> None:
    index = FilterIndex([(document, 1)])
    assert list(chain(*index.candidates(Subject(EVENT)))) == [1] * found


@given(_json, _json)
def test_keys_are_equal_exactly_for_values_that_equal_each_other(left: object, right: object) -> None:
    equal = key_of(left) is not None and key_of(left) == key_of(right)
    number = (int, float)
    same_type = type(left) is type(right) or (type(left) in number and type(right) in number)
    assert equal == (same_type and not isinstance(left, (list, dict)) and left == right)


@given(_json)
def test_any_document_is_taken_or_refused_with_places(document: object) -> None:
    try:
        parse_filters({"fields": document, "conditions": document, "user_id": document, "time_range": document})
    except InvalidFilter as refusal:
        assert refusal.field_errors


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer that counts lines takes most of the time")
def test_the_worst_event_for_the_worst_filter_takes_under_20_milliseconds() -> None:
    generator = random.Random(1)
    needle = "a" * 512 + "b" + "a" * 511
    searches = [rule(name, "contains", needle[n:]) for n in range(8) for name in ("text", "list")]
    ordered = [rule("text", "less_than", "a" * 1_022 + str(n)) for n in range(80)]
    filters = parse_filters(conditions(*searches, *ordered, operator="not"))
    fields = {"text": "a" * 130_000, "list": ["a" * generator.randrange(4) for _ in range(40_000)]}
    wanted = compile_filters(filters)
    fastest = 1.0
    for _ in range(5):
        started = time.thread_time()
        wanted({**EVENT, "data": {"fields": fields}})
        fastest = min(fastest, time.thread_time() - started)
    assert fastest < 0.02


def documented() -> list[dict[str, Any]]:
    """Every JSON value in the documents' code blocks about filters."""
    found: list[dict[str, Any]] = []
    for name in ("docs/filters.md", "README.md"):
        text = (Path(__file__).parents[3] / name).read_text()
        for block in re.findall(r"```json\n(.*?)```", text[text.index("# Filter") :], re.DOTALL):
            rest = block.strip()
            while rest:
                value, end = json.JSONDecoder().raw_decode(rest)
                found.append(value)
                rest = rest[end:].strip()
    return found


def test_every_filter_of_the_documents_can_be_written_so() -> None:
    rules = [each for each in documented() if "field" in each]
    documents = [each.get("filters", each) for each in documented() if {"filters", "conditions"} & each.keys()]
    for document in (*documents, *(conditions(each) for each in rules)):
        parse_filters(document)
    assert len(rules) >= 6
    assert len(documents) == 2


def test_where_names_are_looked_up_is_documented_in_each_place() -> None:
    own = {"id", "type", "resource_id", "workspace_id", "user_id", "timestamp"}
    project = Path(__file__).parents[3]
    texts = [(project / name).read_text() for name in ("docs/filters.md", "README.md")]
    for text in (*texts, Rule.model_json_schema()["properties"]["field"]["description"]):
        assert {name for name in own if name not in text} == set()
        assert "data.fields" in text
        assert "double quotes" in text


def test_every_operator_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs/filters.md").read_text()
    assert [each for each in (*get_args(Operator), *get_args(ListOperator)) if f"`{each}`" not in text] == []

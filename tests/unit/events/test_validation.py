from typing import Any

import pytest

from tests.unit.test_times import OTHER_SPELLINGS
from webhooks.errors import Invalid
from webhooks.events.validation import FIELDS, normalise
from webhooks.models.event import Event

GOOD = {"type": "record.created", "workspace_id": 1, "user_id": "u"}


def normal(raw: object) -> Event:
    return normalise(raw, default_id="evt_default", default_timestamp="2025-01-01T00:00:00Z")


def test_what_is_missing_gets_its_default_in_the_documented_order() -> None:
    event = normal(GOOD)
    assert tuple(event.payload) == FIELDS
    assert (event.payload["id"], event.payload["timestamp"]) == ("evt_default", "2025-01-01T00:00:00Z")
    assert (event.payload["data"], event.payload["metadata"], event.payload["resource_id"]) == ({}, {}, None)


def test_scopes_are_the_workspace_and_the_user() -> None:
    assert (normal(GOOD).scope, normal(GOOD).user_scope) == ("ws:1", "user:u")
    assert normal({**GOOD, "workspace_id": None}).scope == "user:u"
    assert normal({**GOOD, "user_id": None}).user_scope is None


def test_ids_are_kept_as_given() -> None:
    assert normal({**GOOD, "workspace_id": 2**62}).payload["workspace_id"] == 2**62
    assert normal({**GOOD, "workspace_id": "7"}).payload["workspace_id"] == "7"
    assert normal({**GOOD, "workspace_id": "7"}).scope == normal({**GOOD, "workspace_id": 7}).scope


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "a.b"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": 5}, "id"),
        ({"id": ""}, "id"),
        ({"type": None}, "type"),
        ({"type": ""}, "type"),
        ({"user_id": None, "workspace_id": None}, "workspace_id"),
        ({"user_id": True}, "user_id"),
        ({"user_id": "a|b"}, "user_id"),
        ({"user_id": 1.5}, "user_id"),
        ({"workspace_id": 2**63}, "workspace_id"),
        ({"workspace_id": "a\nb"}, "workspace_id"),
        ({"resource_id": {}}, "resource_id"),
        ({"timestamp": "yesterday"}, "timestamp"),
        *(({"timestamp": each}, "timestamp") for each in OTHER_SPELLINGS),
        ({"timestamp": 5}, "timestamp"),
        ({"data": []}, "data"),
        ({"metadata": "x"}, "metadata"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_every_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        normal({**GOOD, **change})
    assert [each.field for each in caught.value.field_errors] == [field]


@pytest.mark.parametrize("time", ["2024-01-01T00:00:00z", "2024-01-01t00:00:00.10Z", "2024-01-01T00:00:00-00:00"])
def test_a_time_is_kept_as_it_was_written(time: str) -> None:
    assert normal({**GOOD, "timestamp": time}).payload["timestamp"] == time


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        normal({"id": "a.b", "data": 5, "x": 1})
    assert {each.field for each in caught.value.field_errors} == {"x", "id", "type", "workspace_id", "data"}


@pytest.mark.parametrize("raw", [None, [], "x", 5, True])
def test_what_is_no_object_is_no_event(raw: object) -> None:
    with pytest.raises(Invalid):
        normal(raw)

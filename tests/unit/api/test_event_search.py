"""GET /events over HTTP, on fakes: what is found, whose it is, and by which pages."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, ApiClient
from tests.unit.api.test_deliveries import record
from webhooks.ids import delivery_id
from webhooks.models.event import EventRecord
from webhooks.times import rfc3339

ADMIN = ("webhooks", "admin")


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def event(n: int, **changes: Any) -> EventRecord:
    given = {"scope": "user:123", "event_type": "record.created", "user_id": 123, "workspace_id": None, "body": b"{}"}
    return EventRecord(f"e{n}", page=0, token="t", accepted_at_ms=NOW + n, **{**given, **changes})


def of_workspace(n: int, workspace_id: int, **changes: Any) -> EventRecord:
    return event(n, scope=f"ws:{workspace_id}", workspace_id=workspace_id, **{"user_id": 9, **changes})


def found(client: ApiClient, **query: Any) -> list[dict[str, Any]]:
    caller = {name: query.pop(name) for name in ("user_id_", "workspaces", "scopes") if name in query}
    if "user_id_" in caller:
        caller["user_id"] = caller.pop("user_id_")
    answer = client.call("GET", "/events", query=query or None, **caller)
    assert answer.status == 200, answer.text
    return answer.body["items"]


def ids(client: ApiClient, **query: Any) -> list[str]:
    return [each["id"] for each in found(client, **query)]


def test_my_events_and_my_workspaces_come_newest_first_whatever_became_of_them(client: ApiClient) -> None:
    client.events.add(event(1), of_workspace(2, 7), event(3, skipped_counts={"filtered": 2}), of_workspace(4, 8))
    assert ids(client) == ["e3", "e1"]
    assert ids(client, workspaces=["7"]) == ["e3", "e2", "e1"]
    assert [each["disposition"] for each in found(client)] == ["no_match", "no_match"]
    assert found(client)[0]["counts"] == {"filtered": 2}


def test_pages_go_on_behind_each_other_and_through_namesakes_of_one_millisecond(client: ApiClient) -> None:
    one = of_workspace(1, 7)
    client.events.add(one, replace(one, scope="user:123", workspace_id=None, user_id=123), of_workspace(2, 7))
    seen: list[tuple[str, int | None]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.call("GET", "/events", query={"limit": "1", **cursor}, workspaces=["7"])
        seen += [(each["id"], each["workspace_id"]) for each in answer.body["items"]]
        if answer.body["next_cursor"] is None:
            break
        cursor = {"cursor": answer.body["next_cursor"]}
    assert seen == [("e2", 7), ("e1", 7), ("e1", None)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"event_type": "table.created"}, ["e2"]),
        ({"resource_id": "42"}, ["e3"]),
        ({"disposition": "no_match"}, ["e3", "e2"]),
        ({"disposition": "queued"}, ["e1"]),
        ({"from": rfc3339(NOW + 2)}, ["e3", "e2"]),
        ({"to": rfc3339(NOW + 1)}, ["e1"]),
        ({"user_id": "123"}, ["e3", "e2", "e1"]),
        ({"id": "e2"}, ["e2"]),
        ({"id": "e2", "event_type": "record.created"}, []),
        ({"id": "no event\u2019s"}, []),
    ],
)
def test_events_are_searched(client: ApiClient, query: dict[str, str], expected: list[str]) -> None:
    client.events.add(
        event(1, queued=(client.register()["id"],)), event(2, event_type="table.created"), event(3, resource_id=42)
    )
    assert ids(client, **query) == expected


def test_an_event_names_its_deliveries_to_webhooks_that_the_caller_sees(client: ApiClient) -> None:
    mine: list[str] = []
    for n in range(7):
        client.now_ms += 1
        mine.append(client.register(name=f"W{n}", workspace_id=7, workspaces=["7"])["id"])
    theirs = client.register(user_id="9", workspace_id=7, workspaces=["7"])["id"]
    published = of_workspace(1, 7, queued=tuple(sorted([*mine, theirs])))
    client.events.add(published)
    key = delivery_id(published.accepted_at_ms, "ws:7", "e1", mine[-1])
    client.history.add(record(mine[-1], 1, delivery_id=key, status="failed", reason="http_500"))
    client.call("DELETE", f"/webhooks/{mine[-2]}", workspaces=["7"])
    (shown,) = found(client, workspaces=["7"])
    assert shown["counts"] == {"queued": 8}
    assert [each["webhook_name"] for each in shown["deliveries"]] == ["W6", "W4", "W3", "W2", "W1"]
    assert shown["deliveries"][0] == {"id": key, "webhook_id": mine[-1], "webhook_name": "W6", "status": "failed"}
    assert shown["deliveries"][1]["status"] == "pending"  # before anything of it was recorded
    assert [each["webhook_id"] for each in found(client, user_id_="9", workspaces=["7"])[0]["deliveries"]] == [theirs]


@pytest.mark.parametrize(
    ("query", "caller", "status"),
    [
        ({"workspace_id": "8"}, {}, 403),
        ({"user_id": "9"}, {}, 403),
        ({"user_id": "9", "workspace_id": "7"}, {"workspaces": ["7"]}, 200),
        ({}, {"scopes": ADMIN}, 422),
        ({"user_id": "9"}, {"scopes": ADMIN}, 200),
        ({"workspace_id": "8"}, {"scopes": ADMIN}, 200),
        ({}, {"workspaces": [str(n) for n in range(50)]}, 422),
        ({}, {"scopes": ("events:write",)}, 403),
    ],
)
def test_whose_events_may_be_listed(client: ApiClient, query: Any, caller: Any, status: int) -> None:
    assert client.call("GET", "/events", query=query or None, **caller).status == status


def test_where_events_are_not_listed_they_are_found_by_id() -> None:
    client = ApiClient(list_events=False)
    client.events.add(event(1), of_workspace(2, 8))
    refused = client.call("GET", "/events")
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "id")
    assert "ListEvents" in refused.body["detail"]
    assert ids(client, id="e1") == ["e1"]
    assert ids(client, id="e2") == []
    assert ids(client, id="e2", scopes=ADMIN) == ["e2"]


def test_a_list_s_word_is_not_enough_to_show_an_event(client: ApiClient) -> None:
    client.events.add(event(1), event(2, user_id=9))  # which stands in a list that it does not belong to
    assert ids(client) == ["e1"]


def test_an_event_of_several_pages_is_counted_beyond_its_first(client: ApiClient) -> None:
    first = event(1, queued=("wh_1", "wh_2"), continues_after="wh_2")
    client.events.add(
        first, replace(first, page=1, body=b"", queued=("wh_3",), missed=(("wh_4", "inactive"),), continues_after=None)
    )
    (shown,) = found(client)
    assert shown["counts"] == {"queued": 3, "inactive": 1}

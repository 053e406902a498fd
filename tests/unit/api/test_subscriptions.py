"""Subscriptions over HTTP, on fakes."""

import json
from typing import Any

import pytest

from tests.support.api_client import ApiClient
from webhooks.management.requests import MAX_FIRST_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS

FILTERS = [
    {"event_type": "record.updated", "filters": {"fields": {"status": "completed", "priority": "high"}}},
    {
        "event_type": "record.created",
        "filters": {
            "conditions": {
                "operator": "and",
                "rules": [
                    {"field": "amount", "operator": "greater_than", "value": 1000},
                    {"field": "status", "operator": "equals", "value": "pending"},
                ],
            }
        },
    },
    {"event_type": "table.created", "filters": {"user_id": [123, 456, 789]}},
    {
        "event_type": "record.updated",
        "filters": {"time_range": {"start": "2024-01-01T00:00:00Z", "end": "2024-01-31T23:59:59Z"}},
    },
]


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


@pytest.fixture
def path(client: ApiClient) -> str:
    return f"/webhooks/{client.register()['id']}/subscriptions"


@pytest.mark.parametrize("request_body", FILTERS)
def test_the_clients_own_filters_are_accepted_as_they_are(
    client: ApiClient, path: str, request_body: dict[str, Any]
) -> None:
    answer = client.call("POST", path, request_body)
    assert answer.status == 201
    body = answer.body
    assert answer.headers["location"] == f"/api/v1{path}/{body['id']}"
    assert (body["event_type"], body["filters"]) == (request_body["event_type"], request_body["filters"])
    assert (body["is_active"], body["resource_id"], body["version"]) == (True, None, 1)
    assert client.call("GET", f"{path}/{body['id']}").body == body


def test_subscriptions_to_one_pattern_share_a_row(client: ApiClient, path: str) -> None:
    ids = [client.call("POST", path, {"event_type": "record.*", "resource_id": n}).body["id"] for n in (1, "two")]
    (row,) = client.store.rows.values()
    assert sorted(json.loads(row.subscriptions)) == sorted([[ids[0], "1", None], [ids[1], "two", None]])
    assert client.store.versions == {("user:123", "record.*"): 2}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event_type"),
        ({"event_type": "no.such"}, "event_type"),
        ({"event_type": "webhook.test"}, "event_type"),
        ({"event_type": 1}, "event_type"),
        ({"event_type": "*", "is_active": "yes"}, "is_active"),
        ({"event_type": "*", "filters": []}, "filters"),
        ({"event_type": "*", "filters": {"unknown": 1}}, "filters.unknown"),
        ({"event_type": "*", "filters": {"user_id": []}}, "filters.user_id"),
        (
            {"event_type": "*", "filters": {"conditions": {"operator": "xor", "rules": []}}},
            "filters.conditions.operator",
        ),
        ({"event_type": "*", "id": "sub_1"}, "id"),
        ({"event_type": "*", "resource_id": "a|b"}, "resource_id"),
        ({"event_type": "*", "resource_id": True}, "resource_id"),
    ],
)
def test_a_wrong_subscription_is_refused_by_field(
    client: ApiClient, path: str, body: dict[str, Any], field: str
) -> None:
    answer = client.call("POST", path, body)
    assert answer.status == 422
    assert field in [error["field"] for error in answer.body["errors"]]
    assert not client.store.rows


def test_only_given_fields_change_and_null_takes_a_filter_away(client: ApiClient, path: str) -> None:
    made = client.call(
        "POST", path, {"event_type": "record.created", "resource_id": "r", "filters": {"user_id": [1]}}
    ).body
    each = f"{path}/{made['id']}"
    changed = client.call("PUT", each, {"event_type": "record.updated"}).body
    assert (changed["event_type"], changed["resource_id"], changed["filters"]) == (
        "record.updated",
        "r",
        {"user_id": [1]},
    )
    changed = client.call("PUT", each, {"filters": None, "resource_id": None}).body
    assert (changed["filters"], changed["resource_id"], changed["version"]) == (None, None, 3)
    assert {pattern for _, pattern, _ in client.store.rows} == {"record.updated"}


def test_what_a_change_filters_by_is_routed_by_from_then_on(client: ApiClient, path: str) -> None:
    made = client.call("POST", path, {"event_type": "record.created"}).body
    changed = client.call("PUT", f"{path}/{made['id']}", {"resource_id": 5, "filters": {"user_id": [1]}}).body
    assert (changed["resource_id"], changed["filters"]) == ("5", {"user_id": [1]})
    (row,) = client.store.rows.values()
    assert json.loads(row.subscriptions) == [[made["id"], "5", {"user_id": [1]}]]


def test_numbers_of_filters_come_back_as_they_were_written_and_are_floats_where_they_are_compared(
    client: ApiClient, path: str
) -> None:
    filters = '{"fields":{"a":1.10,"b":1E5},"conditions":{"operator":"and","rules":[%s]},"user_id":[7]}'
    written = filters % '{"field":"c","operator":"in","value":[-0,0.50]}'
    made = client.call("POST", path, f'{{"event_type":"*","filters":{written}}}')
    assert f'"filters":{written}' in made.text
    assert f'"filters":{written}' in client.call("GET", f"{path}/{made.body['id']}").text
    (row,) = client.store.rows.values()
    assert json.dumps(json.loads(row.subscriptions)[0][2], separators=(",", ":")) == (
        written.replace("1.10", "1.1").replace("1E5", "100000.0").replace("-0", "0").replace("0.50", "0.5")
    )
    for method, at in (("POST", path), ("PUT", f"{path}/{made.body['id']}")):
        answer = client.call(method, at, '{"event_type":"*","filters":{"fields":{"a":0.30000000000000000001}}}')
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "filters")
        assert "more digits than a 64-bit float has: 0.30000000000000000001" in answer.text


def test_an_inactive_subscription_has_no_route(client: ApiClient, path: str) -> None:
    made = client.call("POST", path, {"event_type": "*"}).body
    assert client.call("PUT", f"{path}/{made['id']}", {"is_active": False}).body["is_active"] is False
    assert not client.store.rows
    assert client.call("PUT", f"{path}/{made['id']}", {"is_active": True}).status == 200
    assert len(client.store.rows) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": None},
        {"is_active": None},
        {"event_type": "no.such"},
        {"x": 1},
        {"filters": {"conditions": {"operator": "xor", "rules": []}}},
    ],
)
def test_a_change_is_judged_like_a_subscription(client: ApiClient, path: str, change: dict[str, Any]) -> None:
    made = client.call("POST", path, {"event_type": "*"}).body
    assert client.call("PUT", f"{path}/{made['id']}", change).status == 422


def test_if_match_is_that_of_the_subscription(client: ApiClient, path: str) -> None:
    made = client.call("POST", path, {"event_type": "*"}).body
    each = f"{path}/{made['id']}"
    assert client.call("PUT", each, {"is_active": False}, headers={"If-Match": '"2"'}).status == 412
    answer = client.call("PUT", each, {"is_active": False}, headers={"If-Match": '"1"'})
    assert (answer.status, answer.headers["etag"]) == (200, '"2"')
    assert client.call("DELETE", each, headers={"If-Match": '"1"'}).status == 412
    assert client.call("DELETE", each, headers={"If-Match": '"2"'}).status == 204


def test_a_subscription_leaves_its_webhooks_version_alone(client: ApiClient, path: str) -> None:
    client.call("POST", path, {"event_type": "*"})
    assert client.call("GET", path.removesuffix("/subscriptions")).headers["etag"] == '"1"'


def test_deleting_takes_the_route_away(client: ApiClient, path: str) -> None:
    made = client.call("POST", path, {"event_type": "*"}).body
    assert client.call("DELETE", f"{path}/{made['id']}").status == 204
    assert not client.store.rows
    assert client.call("GET", f"{path}/{made['id']}").status == 404
    assert client.call("DELETE", f"{path}/{made['id']}").status == 404


def test_another_webhooks_subscription_is_not_found(client: ApiClient, path: str) -> None:
    made = client.call("POST", path, {"event_type": "*"}).body
    other = f"/webhooks/{client.register()['id']}/subscriptions/{made['id']}"
    for method, body in (("GET", None), ("PUT", {"is_active": False}), ("DELETE", None)):
        assert client.call(method, other, body).status == 404
        assert client.call(method, f"{path}/{made['id']}", body, user_id="124").status == 404


def test_lists_are_paged_oldest_first(client: ApiClient, path: str) -> None:
    made = []
    for _ in range(3):
        client.now_ms += 1
        made.append(client.call("POST", path, {"event_type": "*"}).body["id"])
    first = client.call("GET", path, query={"limit": "2"}).body
    assert [each["id"] for each in first["items"]] == made[:2]
    second = client.call("GET", path, query={"limit": "2", "cursor": first["next_cursor"]}).body
    assert ([each["id"] for each in second["items"]], second["next_cursor"]) == (made[2:], None)
    other = f"/webhooks/{client.register()['id']}/subscriptions"
    assert client.call("GET", other, query={"cursor": first["next_cursor"]}).status == 422


def test_a_webhook_has_so_many_subscriptions_and_no_more(client: ApiClient) -> None:
    made = client.register(subscriptions=[{"event_type": "*"}] * MAX_FIRST_SUBSCRIPTIONS)
    for _ in range(MAX_SUBSCRIPTIONS - MAX_FIRST_SUBSCRIPTIONS):
        assert client.call("POST", f"/webhooks/{made['id']}/subscriptions", {"event_type": "*"}).status == 201
    answer = client.call("POST", f"/webhooks/{made['id']}/subscriptions", {"event_type": "*"})
    assert (answer.status, answer.body["type"]) == (409, "/problems/conflict")


def test_filters_have_a_size_limit_together(client: ApiClient, path: str) -> None:
    large = {"event_type": "*", "filters": {"conditions": {"operator": "and", "rules": [
        {"field": "a", "operator": "in", "value": ["x" * 200] * 900}
    ]}}}  # fmt: skip
    assert client.call("POST", path, large).status == 201
    assert client.call("POST", path, large).status == 409
    assert client.call("POST", path, {"event_type": "*"}).status == 201


def test_two_who_subscribe_at_once_both_get_their_row(client: ApiClient, path: str) -> None:
    client.call("POST", path, {"event_type": "*"})
    client.store.interferences = 1
    client.call("POST", path, {"event_type": "*"})
    (row,) = client.store.rows.values()
    assert len(json.loads(row.subscriptions)) == 2

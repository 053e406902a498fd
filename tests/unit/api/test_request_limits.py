"""Who is not let in: our own deliveries, tenants who ask too often, owners who have all they may have."""

from typing import Any

import pytest

from tests.support.api_client import ApiClient

EVENT = {"type": "record.created", "data": {}}


@pytest.mark.parametrize("name", ["X-PyAirtable-Hop", "x-pyairtable-hop", "X-PYAIRTABLE-HOP"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/events"), ("POST", "/webhooks"), ("GET", "/webhooks"), ("GET", "//health")]
)
def test_a_delivery_that_comes_back_to_us_ends_there(method: str, path: str, name: str) -> None:
    client = ApiClient()
    answer = client.call(method, path, EVENT if method == "POST" else None, headers={name: "1"})
    assert (answer.status, answer.body["type"]) == (400, "/problems/loop")
    assert not client.ingest.published
    assert not client.store.webhooks_by_id


def test_a_tenant_beyond_its_requests_is_told_when_to_come_again() -> None:
    client = ApiClient(per_second=1)
    answers = [client.call("POST", "/events", EVENT) for _ in range(12)]
    assert [answer.status for answer in answers] == [202] * 10 + [429] * 2
    assert answers[-1].body["type"] == "/problems/too-many-requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert len(client.ingest.published) == 10
    assert client.call("GET", "/webhooks").status == 429, "whatever the route"
    assert client.call("GET", "/webhooks", user_id="another").status == 200
    assert client.call("GET", "//health", user_id=None).status == 200


def test_what_is_left_of_the_requests_is_told_with_each_answer() -> None:
    client = ApiClient(per_second=1)
    client.now_ms = client.now_ms // 10_000 * 10_000 + 2_500
    answers = [client.call("GET", "/event-types") for _ in range(12)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=10;w=10'}
    left = [*range(9, -1, -1), 0, 0]
    assert [answer.headers["ratelimit"] for answer in answers] == [f'"requests";r={each};t=8' for each in left]
    assert [answer.status for answer in answers[-2:]] == [429, 429]
    assert answers[-1].headers["retry-after"] == "8"
    wrong = client.call("POST", "/webhooks", {}, user_id="another")
    assert (wrong.status, wrong.headers["ratelimit"]) == (422, '"requests";r=9;t=8')
    client.now_ms += 8_000
    assert client.call("GET", "/event-types").headers["ratelimit"] == '"requests";r=9;t=10'


@pytest.mark.parametrize(
    ("per_second", "more"),
    [(0, {}), (1, {"scopes": ["events:write:any", "webhooks"]}), (1, {"user_id": None}), (1, {"expires_in": -40})],
)
def test_who_has_no_limit_is_told_none(per_second: float, more: dict[str, Any]) -> None:
    answer = ApiClient(per_second=per_second).call("GET", "/event-types", **more)
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


def test_requests_that_are_wrong_count_too() -> None:
    client = ApiClient(per_second=1)
    assert [client.call("POST", "/webhooks", {}).status for _ in range(11)] == [422] * 10 + [429]


def test_ten_events_count_as_one_request() -> None:
    client = ApiClient(per_second=1)
    assert client.call("POST", "/events", {"events": [EVENT] * 91}).status == 202
    refused = client.call("POST", "/events", {"events": [EVENT] * 11})
    assert (refused.status, len(client.ingest.published)) == (429, 1)
    assert "at most 10 requests in 10 seconds" in refused.body["detail"]


@pytest.mark.parametrize(
    ("path", "query"), [("/deliveries", {"id": "dlv_1"}), ("/webhooks", {"q": "x"}), ("/dead-letters", {"reason": "x"})]
)
def test_a_search_counts_as_ten_requests_and_a_page_of_a_list_as_one(path: str, query: dict[str, str]) -> None:
    client = ApiClient(per_second=2)
    statuses = [client.call("GET", path, query=query).status for _ in range(3)]
    assert [status == 429 for status in statuses] == [False, False, True]
    pages = [client.call("GET", "/webhooks", query={"limit": "5"}, user_id="another").status for _ in range(21)]
    assert pages == [200] * 20 + [429]


def test_a_dry_run_counts_as_a_hundred_requests() -> None:
    client = ApiClient(per_second=10)
    path = f"/webhooks/{client.register()['id']}/recover"
    client.now_ms += 10_000
    asked = {"from": "2025-01-01T00:00:00Z", "dry_run": True}
    assert [client.call("POST", path, asked).status for _ in range(2)] == [200, 429]


def test_an_owner_has_so_many_webhooks_at_most() -> None:
    client = ApiClient(max_webhooks=2)
    first = client.register()
    client.register()
    refused = client.call("POST", "/webhooks", {"name": "third", "url": "https://example.com/"})
    assert (refused.status, refused.body["type"]) == (409, "/problems/conflict")
    assert "2 webhooks" in refused.body["detail"]
    client.register(user_id="another")
    assert client.call("DELETE", f"/webhooks/{first['id']}").status == 204
    client.register()


def searching(*words: str) -> dict[str, Any]:
    rules = [{"field": "name", "operator": "contains", "value": word} for word in words]
    return {"event_type": "*", "filters": {"conditions": {"operator": "or", "rules": rules}}}


def test_the_webhooks_of_a_scope_share_a_budget_of_searches_and_are_told_what_is_left() -> None:
    client = ApiClient(max_filter_searches=3)
    made = client.register(subscriptions=[searching("a", "b")])
    refused = client.call("POST", f"/webhooks/{made['id']}/subscriptions", searching("c", "d"))
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "filters")
    assert "share 3 searches" in refused.body["errors"][0]["message"]
    assert "2 are used, and this takes 2 more" in refused.body["errors"][0]["message"]
    new = {"name": "n", "url": "https://example.com/", "subscriptions": [searching("c", "d")]}
    assert client.call("POST", "/webhooks", new).status == 422
    assert client.call("POST", "/webhooks", new, user_id="another").status == 201, "a scope of its own"
    one = client.call("POST", f"/webhooks/{made['id']}/subscriptions", searching("c"))
    assert one.status == 201
    path = f"/webhooks/{made['id']}/subscriptions/{one.body['id']}"
    assert client.call("PUT", path, {"filters": searching("c", "d")["filters"]}).status == 422
    assert client.call("PUT", path, {"is_active": False}).status == 200
    assert client.call("POST", f"/webhooks/{made['id']}/subscriptions", searching("e")).status == 201
    assert client.call("PUT", path, {"is_active": True}).status == 422, "it counts again when it is active again"
    assert client.call("DELETE", f"/webhooks/{made['id']}").status == 204
    assert client.call("POST", "/webhooks", new).status == 201, "what is deleted makes room"


def test_the_webhooks_of_a_workspace_share_a_budget_of_filter_bytes_whoever_owns_them() -> None:
    client = ApiClient(max_filter_kilobytes=3)
    long = {"event_type": "*", "filters": {"fields": {"name": "x" * 1_000, "text": "y" * 900}}}
    client.register(subscriptions=[long], workspace_id="ws_1", workspaces=["ws_1"])
    new = {"name": "n", "url": "https://example.com/", "workspace_id": "ws_1", "subscriptions": [long]}
    refused = client.call("POST", "/webhooks", new, user_id="another", workspaces=["ws_1"])
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "filters")
    assert "share 3,072 bytes of filters" in refused.body["errors"][0]["message"]

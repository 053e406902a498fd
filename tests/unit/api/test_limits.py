"""GET /limits: an owner learns what it may have, and what it has, before it meets a limit."""

from typing import Any

from tests.support.api_client import USER_SCOPES, ApiClient

FILTERS = {"conditions": {"operator": "and", "rules": [{"field": "a", "operator": "contains", "value": "x"}]}}


def limits(client: ApiClient, **caller: Any) -> dict[tuple[str, str | None], tuple[float | None, int | None]]:
    answer = client.call("GET", "/limits", **caller)
    assert answer.status == 200, answer.text
    return {(each["name"], each["workspace_id"]): (each["limit"], each["used"]) for each in answer.body["items"]}


def test_what_is_used_goes_up_with_what_is_made() -> None:
    client = ApiClient(max_webhooks=7, max_replays=3, max_tests=(2, 9), per_second=50)
    before = limits(client)
    assert before["webhooks", None] == (7, 0)
    assert before["filter_searches", None] == (500, 0)
    assert before["test_deliveries", None] == (2, 0)
    assert before["replays", None] == (3, 0)
    assert before["requests_per_second", None] == (50, None)
    webhook = client.register(subscriptions=[{"event_type": "*", "filters": FILTERS}])
    assert client.call("POST", f"/webhooks/{webhook['id']}/recover", {"from": "2025-01-01T00:00:00Z"}).status == 202
    after = limits(client)
    assert after["webhooks", None] == (7, 1)
    assert after["filter_searches", None] == (500, 1)
    assert (after["filter_bytes", None][1] or 0) > 50
    assert after["replays", None] == (3, 1)


def test_a_test_delivery_under_way_is_counted_until_its_lease_is_over() -> None:
    client = ApiClient(max_tests=(2, 9))
    client.slots.take("tests", "123", 0, None, f"{client.now_ms + 1}:evt_1")
    assert limits(client)["test_deliveries", None] == (2, 1)
    client.now_ms += 1
    assert limits(client)["test_deliveries", None] == (2, 0)


def test_the_filters_of_each_workspace_are_counted_apart() -> None:
    client = ApiClient()
    subscriptions = [{"event_type": "*", "filters": FILTERS}]
    client.register(workspace_id="456", workspaces=["456"], subscriptions=subscriptions)
    found = limits(client, workspaces=["456", "789"])
    assert [found["filter_searches", each] for each in (None, "456", "789")] == [(500, 0), (500, 1), (500, 0)]
    assert ("filter_searches", "456") not in limits(client), "only of workspaces that the token names"


def test_without_a_limit_on_requests_there_is_none_to_show() -> None:
    assert limits(ApiClient(per_second=0))["requests_per_second", None] == (None, None)


def test_only_admins_see_what_others_use() -> None:
    client = ApiClient()
    client.register(user_id="456")
    assert client.call("GET", "/limits", query={"user_id": "456"}).status == 403
    found = limits(client, query={"user_id": "456"}, scopes=[*USER_SCOPES, "admin"])
    assert found["webhooks", None] == (1000, 1)

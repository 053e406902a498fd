"""GET /deliveries, /replays and /webhooks over HTTP, on fakes: what is found, whose it is, and by which pages."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, Answered, ApiClient
from tests.unit.api.test_deliveries import letter_of, record
from webhooks.management.delivery_search import MERGED
from webhooks.models.delivery import DeliveryRecord

ADMIN = ("webhooks", "admin")


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def found(client: ApiClient, path: str = "/deliveries", **more: Any) -> list[dict[str, Any]]:
    caller = {name: more.pop(name) for name in ("user_id", "scopes") if name in more}
    answer = client.call("GET", path, query=more or None, **caller)
    assert answer.status == 200, answer.text
    return answer.body["items"]


def events(client: ApiClient, **more: Any) -> list[str]:
    return [each["event_id"] for each in found(client, **more)]


def paged(client: ApiClient, path: str, limit: int, **query: str) -> list[str]:
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.call("GET", path, query={**query, **cursor, "limit": str(limit)})
        assert answer.status == 200, answer.text
        ids += [each["id"] for each in answer.body["items"]]
        if answer.body["next_cursor"] is None:
            return ids
        cursor = {"cursor": answer.body["next_cursor"]}


def given_up(client: ApiClient, webhook_id: str, n: int, owner: str = "123", **changes: Any) -> DeliveryRecord:
    made = record(webhook_id, n, **{"status": "failed", "reason": "http_500", **changes})
    client.history.add(made, letter_of(made, owner=owner))
    return made


def test_deliveries_of_all_my_webhooks_come_newest_first(client: ApiClient) -> None:
    one, two = client.register(name="One")["id"], client.register(name="Two")["id"]
    client.history.add(record(one, 1), record(two, 2), record(one, 3), record(two, 4, event_type="table.created"))
    assert events(client) == ["e4", "e3", "e2", "e1"]
    assert [each["webhook_name"] for each in found(client)] == ["Two", "One", "Two", "One"]
    assert events(client, event_type="table.created") == ["e4"]
    assert events(client, webhook_id=one) == ["e3", "e1"]
    newest_first = [each["id"] for each in found(client)]
    assert paged(client, "/deliveries", 1) == newest_first
    assert paged(client, "/deliveries", 3) == newest_first


def test_what_was_given_up_is_found_however_many_webhooks_there_are(client: ApiClient) -> None:
    webhooks = [client.register()["id"] for _ in range(MERGED + 2)]
    for n, webhook_id in enumerate(webhooks):
        given_up(client, webhook_id, n)
    assert len(paged(client, "/deliveries", 20, status="failed")) == len(webhooks)
    refused = client.call("GET", "/deliveries")
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "webhook_id")
    assert str(MERGED) in refused.body["detail"]


def test_one_that_was_delivered_since_is_not_among_the_failed(client: ApiClient) -> None:
    mine = client.register()["id"]
    again = given_up(client, mine, 1)
    given_up(client, mine, 2)
    client.history.add(replace(again, status="delivered"))
    assert events(client, status="failed") == ["e2"]


def test_what_is_retried_is_looked_for_where_notes_say_so(client: ApiClient) -> None:
    quiet, paused, failing = (client.register()["id"] for _ in range(3))
    for n, each in enumerate((quiet, paused, failing)):
        client.history.add(record(each, n, status="retrying"))
    client.statistics.in_trouble["123"] = [("status", paused)]
    client.statistics.failed_lately["123"] = [failing, paused]
    assert events(client, status="retrying") == ["e2", "e1"]


def test_a_delivery_is_found_by_its_id_alone(client: ApiClient) -> None:
    for _ in range(120):
        client.register()
    mine = client.register()["id"]
    others = client.register(user_id="999")["id"]
    own, foreign = record(mine, 1), record(others, 2)
    client.history.add(own, foreign)
    assert [each["webhook_id"] for each in found(client, id=own.delivery_id)] == [mine]
    assert found(client, id=foreign.delivery_id) == []
    assert found(client, id="dlv_nothing") == []
    assert [each["webhook_id"] for each in found(client, id=foreign.delivery_id, scopes=ADMIN)] == [others]


def test_nobody_finds_the_deliveries_of_others(client: ApiClient) -> None:
    theirs = client.register(user_id="999")["id"]
    given_up(client, theirs, 1, owner="999")
    client.statistics.failed_lately["123"] = [theirs]  # a note that is wrong
    client.history.add(record(theirs, 2, status="retrying"))
    wrong_letter = record(theirs, 3, status="failed")
    client.history.add(wrong_letter, letter_of(wrong_letter, owner="123"))
    for status in ("failed", "abandoned", "retrying", "pending", "delivered"):
        assert events(client, status=status) == [], status
    assert client.call("GET", "/deliveries", query={"webhook_id": theirs}).status == 404
    for path in ("/deliveries", "/replays"):
        assert client.call("GET", path, query={"user_id": "999"}).status == 403
        assert client.call("GET", path, user_id=None).status == 401


def test_admins_search_everybodys_failures_and_one_owners_deliveries(client: ApiClient) -> None:
    mine, theirs = client.register()["id"], client.register(user_id="999")["id"]
    given_up(client, mine, 1)
    given_up(client, theirs, 2, owner="999")
    listed = found(client, status="failed", scopes=ADMIN)
    assert [(each["event_id"], each["user_id"]) for each in listed] == [("e2", "999"), ("e1", "123")]
    assert events(client, user_id="1", scopes=ADMIN, status="failed") == ["e2", "e1"]
    refused = client.call("GET", "/deliveries", scopes=ADMIN)
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "user_id")


def of_owner(client: ApiClient, path: str, owner: str, **query: str) -> Answered:
    return client.call("GET", path, scopes=ADMIN, user_id="1", query={"user_id": owner, **query})


def test_admins_name_an_owner(client: ApiClient) -> None:
    mine, theirs = client.register()["id"], client.register(user_id="999")["id"]
    client.history.add(record(mine, 1), record(theirs, 2))
    answer = of_owner(client, "/deliveries", "999")
    assert [each["event_id"] for each in answer.body["items"]] == ["e2"]


def test_replays_are_listed_newest_first_by_owner_webhook_and_status(client: ApiClient) -> None:
    one, two = client.register()["id"], client.register()["id"]
    jobs = []
    for n, webhook_id in enumerate((one, two, one)):
        client.now_ms = NOW + n
        jobs.append(client.call("POST", f"/webhooks/{webhook_id}/dead-letters/bulk-replay", {}).body["id"])
    theirs = client.register(user_id="999")["id"]
    client.call("POST", f"/webhooks/{theirs}/dead-letters/bulk-replay", {}, user_id="999")
    assert [each["id"] for each in found(client, "/replays")] == jobs[::-1]
    assert paged(client, "/replays", 1) == jobs[::-1]
    assert [each["id"] for each in found(client, "/replays", webhook_id=two)] == [jobs[1]]
    assert found(client, "/replays", status="completed") == []
    assert len(found(client, "/replays", scopes=ADMIN)) == 4
    assert [each["user_id"] for each in of_owner(client, "/replays", "999").body["items"]] == ["999"]


def test_a_replay_is_cancelled_once_and_stays_so(client: ApiClient) -> None:
    mine = client.register()["id"]
    job = client.call("POST", f"/webhooks/{mine}/dead-letters/bulk-replay", {}).body["id"]
    assert client.call("POST", f"/replays/{job}/cancel", user_id="999").status == 404
    for _ in range(2):
        answer = client.call("POST", f"/replays/{job}/cancel")
        assert (answer.status, answer.body["status"]) == (200, "cancelled")
    client.jobs.jobs[job] = replace(client.jobs.jobs[job], status="completed")
    assert client.call("POST", f"/replays/{job}/cancel").status == 409


def test_webhooks_are_found_by_words_and_status(client: ApiClient) -> None:
    for name in ("Alpha shop", "Beta SHOP", "Gamma"):
        client.register(name=name)
    paused = client.register(name="Alpha too", status="paused")
    assert {each["name"] for each in found(client, "/webhooks", q="shop")} == {"Beta SHOP", "Alpha shop"}
    assert [each["name"] for each in found(client, "/webhooks", q="alpha", status="paused")] == ["Alpha too"]
    assert [each["id"] for each in found(client, "/webhooks", q=paused["id"])] == [paused["id"]]
    assert len(paged(client, "/webhooks", 1, q="shop")) == 2
    assert client.call("GET", "/webhooks", query={"status": "gone"}).status == 422

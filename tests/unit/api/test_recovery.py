"""Failures by cause, recovery and filter tests over HTTP, on fakes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, ApiClient
from tests.unit.api.test_dead_letters import letter
from webhooks.delivery.attempt_detail import pack_detail, pack_failure
from webhooks.ids import delivery_id
from webhooks.models.delivery import Attempt, DeliveryRecord
from webhooks.models.event import EventRecord
from webhooks.models.exchange import Exchange
from webhooks.payload import Number

FILTERS = {"conditions": {"operator": "and", "rules": [{"field": "amount", "operator": "greater_than", "value": 10}]}}


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


@pytest.fixture
def mine(client: ApiClient) -> str:
    return client.register()["id"]


def retrying(webhook_id: str, n: int) -> DeliveryRecord:
    key = delivery_id(NOW + n, "user:123", f"r{n}", webhook_id)
    attempt = Attempt(1, NOW + n, 20, "failure", 500)
    return DeliveryRecord(key, webhook_id, f"r{n}", "record.created", "user:123", "retrying", 1, 2, (attempt,),
                          reason="http_500")  # fmt: skip


def record(n: int, **changes: Any) -> EventRecord:
    payload = {"id": f"e{n}", "type": "record.created", "user_id": "123", "data": {"fields": {"amount": n}}}
    made = {
        "event_id": f"e{n}", "scope": "user:123", "page": 0, "token": "t", "event_type": "record.created",
        "user_id": "123", "workspace_id": None, "accepted_at_ms": NOW + n, "body": json.dumps(payload).encode(),
    }  # fmt: skip
    return EventRecord(**{**made, **changes})


def groups(client: ApiClient, path: str, **more: Any) -> list[tuple[str, int, int]]:
    answer = client.call("GET", path, **more)
    assert answer.status == 200, answer.text
    return [(each["cause"], each["dead_letters"], each["retrying"]) for each in answer.body["items"]]


def test_dead_letters_are_grouped_by_webhook_and_cause_the_largest_first(client: ApiClient, mine: str) -> None:
    client.history.add(
        *(letter(mine, n, dead_at_ms=NOW + n) for n in range(3)),
        letter(mine, 3, cause="unreachable", last_status_code=None, last_error_code="unreachable"),
        letter(mine, 4, is_processed=True),
    )
    (first, second) = client.call("GET", "/dead-letters/groups").body["items"]
    assert first == {
        "webhook_id": mine,
        "cause": "http_503:1f0c9a2b",
        "explanation": "The receiver answered 503.",
        "count": 3,
        "dead_letters": 3,
        "retrying": 0,
        "first_seen": "2025-10-09T08:53:20.000Z",
        "last_seen": "2025-10-09T08:53:20.002Z",
        "sample": {
            "delivery_id": letter(mine, 2).delivery_id,
            "event_id": "e2",
            "event_type": "record.created",
            "status_code": 503,
            "error_code": None,
        },
    }
    assert (second["cause"], second["count"]) == ("unreachable", 1)


def test_a_webhooks_failures_count_what_is_still_being_tried(client: ApiClient, mine: str) -> None:
    body = b'{"error": "boom"}'
    for n in range(2):
        one = retrying(mine, n)
        client.history.add(one)
        packed = pack_detail(Exchange(NOW + n, 20, 500, response_body=body))
        client.history.kept_details[one.delivery_id] = {NOW + n: packed or b""}
    client.history.add(letter(mine, 9))
    found = groups(client, f"/webhooks/{mine}/failures")
    assert [(cause.partition(":")[0], dead, more) for cause, dead, more in found] == [
        ("http_500", 0, 2),
        ("http_503", 1, 0),
    ]
    assert found[0][0].partition(":")[2]


def test_a_failure_in_the_record_has_the_same_cause_as_one_in_an_item_of_its_own(client: ApiClient, mine: str) -> None:
    exchange = Exchange(NOW, 20, 500, response_body=b'{"error": "boom"}')
    beside = retrying(mine, 0)
    client.history.add(beside)
    client.history.kept_details[beside.delivery_id] = {NOW: pack_detail(exchange) or b""}
    within = retrying(mine, 1)
    packed = pack_failure(replace(exchange, started_at_ms=NOW + 1), fitting=1_000)
    client.history.add(replace(within, response=packed))
    ((cause, _, count),) = groups(client, f"/webhooks/{mine}/failures")
    assert cause.partition(":")[2]
    assert count == 2


def test_groups_come_in_pages_that_add_up(client: ApiClient, mine: str) -> None:
    client.history.add(*(letter(mine, n) for n in range(750)))
    first = client.call("GET", "/dead-letters/groups").body
    second = client.call("GET", "/dead-letters/groups", query={"cursor": first["next_cursor"]}).body
    assert [first["items"][0]["count"], second["items"][0]["count"]] == [500, 250]
    assert second["next_cursor"] is None


def test_groups_are_ones_own_and_everybodys_for_admins(client: ApiClient, mine: str) -> None:
    theirs = client.register(user_id="9")["id"]
    client.history.add(letter(theirs, 1, owner="9"))
    assert groups(client, "/dead-letters/groups") == []
    assert len(groups(client, "/dead-letters/groups", scopes=["webhooks", "admin"])) == 1
    for owner, amount in (("9", 1), ("123", 0)):
        asked = {"user_id": owner}
        assert len(groups(client, "/dead-letters/groups", scopes=["webhooks", "admin"], query=asked)) == amount
    assert client.call("GET", "/dead-letters/groups", query={"user_id": "9"}).status == 403
    assert client.call("GET", f"/webhooks/{theirs}/failures").status == 404


def test_a_recovery_is_a_job_and_a_dry_run_counts(client: ApiClient, mine: str) -> None:
    client.history.add(letter(mine, 1), letter(mine, 2))
    client.events.add(record(5, missed=((mine, "inactive"),)))
    client.now_ms = NOW + 60_000
    asked = {"from": "2025-10-09T08:00:00Z", "rate_per_second": 1, "dry_run": True}
    dry = client.call("POST", f"/webhooks/{mine}/recover", asked)
    estimate = {"kind": "estimate", "count": 3, "webhooks": 1, "left_out": 0, "is_exact": True, "duration_seconds": 3}
    assert (dry.status, dry.body) == (200, estimate)
    assert not client.jobs.started
    begun = client.call("POST", f"/webhooks/{mine}/recover", {**asked, "dry_run": False})
    assert begun.status == 202
    assert begun.headers["location"] == f"/api/v1/replays/{begun.body['id']}"
    job = client.jobs.jobs[begun.body["id"]]
    assert (job.with_missed, job.scope, client.jobs.started) == (True, "user:123", [job.job_id])
    assert client.call("GET", f"/replays/{job.job_id}").body["status"] == "pending"


@pytest.mark.parametrize(
    "body", [{}, {"from": "yesterday"}, {"from": "2025-10-09T08:00:00Z", "to": "2025-10-08T08:00:00Z"}, {"x": 1}]
)
def test_a_recovery_without_a_sensible_time_is_refused(client: ApiClient, mine: str, body: dict[str, str]) -> None:
    assert client.call("POST", f"/webhooks/{mine}/recover", body).status == 422


def test_nothing_is_recovered_to_an_inactive_webhook_or_somebody_elses(client: ApiClient, mine: str) -> None:
    client.call("PUT", f"/webhooks/{mine}", {"status": "inactive"})
    asked = {"reason": "missed"}
    assert client.call("POST", f"/webhooks/{mine}/recover", asked).status == 409
    assert client.call("POST", f"/webhooks/{mine}/recover", {**asked, "dry_run": True}).status == 200
    assert client.call("POST", f"/webhooks/{mine}/recover", asked, user_id="9").status == 404


def test_filters_are_tried_on_a_sample_and_the_deciding_rule_is_named(client: ApiClient) -> None:
    def tried(amount: int) -> dict[str, Any]:
        event = {"type": "record.created", "data": {"fields": {"amount": amount}}}
        answer = client.call("POST", "/filters/test", {"filters": FILTERS, "event": event})
        assert answer.status == 200, answer.text
        (item,) = answer.body["items"]
        return item

    assert (tried(11)["matched"], tried(11)["rule"]) == (True, None)
    assert (tried(10)["matched"], tried(10)["rule"]) == (
        False,
        "conditions.rules.0: amount greater_than 10 does not hold",
    )


def test_a_sample_and_its_filters_are_compared_as_events_are(client: ApiClient) -> None:
    same = (("1.10", "1.1"), ("1.1", "1.10"), ("10.0", "1e1"), ("1e20", "100000000000000000000.00001"))
    for wanted, number in (*same, ("1.1", "1.11")):
        event = {"type": "record.created", "data": {"a": Number(number)}}
        answer = client.call("POST", "/filters/test", {"filters": {"fields": {"a": Number(wanted)}}, "event": event})
        assert answer.body["matched"] == ((wanted, number) in same), answer.text


def test_filters_are_tried_on_the_last_events_that_came_to_ones_webhooks(client: ApiClient, mine: str) -> None:
    for n in (5, 50, 500):
        key = delivery_id(NOW + n, "user:123", f"e{n}", mine)
        client.history.add(DeliveryRecord(key, mine, f"e{n}", "record.created", "user:123", "delivered", 1, 1))
        client.events.add(record(n))
    answer = client.call("POST", "/filters/test", {"filters": FILTERS}).body
    assert [(each["event_id"], each["matched"]) for each in answer["items"]] == [
        ("e500", True),
        ("e50", True),
        ("e5", False),
    ]
    assert answer["matched"] == 2
    assert len(client.call("POST", "/filters/test", {"filters": None, "last": 1}).body["items"]) == 1
    assert client.call("POST", "/filters/test", {"filters": FILTERS}, user_id="9").body["items"] == []
    theirs = client.call("POST", "/filters/test", {"filters": FILTERS, "webhook_id": mine}, user_id="9")
    assert theirs.status == 404


def test_wrong_filters_and_events_are_refused_with_their_place(client: ApiClient) -> None:
    bad = client.call("POST", "/filters/test", {"filters": {"conditions": {"operator": "xor", "rules": []}}})
    assert bad.status == 422
    assert bad.body["errors"][0]["field"].startswith("filters.conditions")
    event = client.call("POST", "/filters/test", {"filters": {}, "event": {"type": 5}})
    assert (event.status, event.body["errors"][0]["field"]) == (422, "event.type")


def test_what_is_still_being_tried_is_counted_on_the_first_page_alone(client: ApiClient, mine: str) -> None:
    client.history.add(retrying(mine, 1), *(letter(mine, n) for n in range(750)))
    path = f"/webhooks/{mine}/failures"
    first = client.call("GET", path).body
    second = client.call("GET", path, query={"cursor": first["next_cursor"]}).body
    assert [sum(each["retrying"] for each in page["items"]) for page in (first, second)] == [1, 0]
    assert [sum(each["dead_letters"] for each in page["items"]) for page in (first, second)] == [500, 250]


def test_a_sample_that_names_a_user_is_not_made_the_callers(client: ApiClient) -> None:
    filters = {"user_id": [5]}
    for user_id, matched in ((5, True), (None, False)):
        event = {"type": "record.created", "user_id": user_id}
        (item,) = client.call("POST", "/filters/test", {"filters": filters, "event": event}).body["items"]
        assert item["matched"] is matched


def test_filters_are_tried_on_each_event_once_and_on_those_of_one_type(client: ApiClient, mine: str) -> None:
    other = client.register()["id"]
    for n, event_type in ((1, "record.created"), (2, "record.updated")):
        client.events.add(record(n, event_type=event_type))
        for webhook_id in (mine, other):
            key = delivery_id(NOW + n, "user:123", f"e{n}", webhook_id)
            client.history.add(DeliveryRecord(key, webhook_id, f"e{n}", event_type, "user:123", "delivered", 1, 1))

    def tried(**more: str) -> list[str]:
        items = client.call("POST", "/filters/test", {"filters": None, **more}).body["items"]
        return [each["event_id"] for each in items]

    assert tried() == ["e2", "e1"]
    assert tried(event_type="record.created") == ["e1"]


def test_filters_of_a_pattern_are_tried_on_its_events_only(client: ApiClient, mine: str) -> None:
    for n, event_type in ((1, "record.created"), (2, "table.created"), (3, "webhook.failing"), (4, "record.updated")):
        client.events.add(record(n, event_type=event_type))
        key = delivery_id(NOW + n, "user:123", f"e{n}", mine)
        client.history.add(DeliveryRecord(key, mine, f"e{n}", event_type, "user:123", "delivered", 1, 1))
    for pattern, expected in (("record.*", ["e4", "e1"]), ("*", ["e4", "e2", "e1"]), ("webhook.failing", ["e3"])):
        items = client.call("POST", "/filters/test", {"filters": None, "event_type": pattern}).body["items"]
        assert [each["event_id"] for each in items] == expected

"""/webhooks/:id/deliveries over HTTP, on fakes: what was sent, every attempt, and sending it again."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, Answered, ApiClient
from webhooks.delivery.attempt_detail import pack_detail, pack_failure
from webhooks.ids import delivery_id
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord, Waiting
from webhooks.models.event import EventRecord
from webhooks.models.exchange import Exchange, Timings

PAYLOAD = {"id": "e0", "type": "record.created", "data": {"n": 1}}


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


@pytest.fixture
def mine(client: ApiClient) -> str:
    return client.register()["id"]


def record(webhook_id: str, n: int = 0, **changes: Any) -> DeliveryRecord:
    made = DeliveryRecord(
        delivery_id=delivery_id(NOW + n, "user:123", f"e{n}", webhook_id),
        webhook_id=webhook_id,
        event_id=f"e{n}",
        event_type="record.created",
        scope="user:123",
        status="delivered",
        revision=1,
        attempts=(Attempt(1, NOW + n, 12, "success", 200),),
        cycle_started_at_ms=NOW + n,
    )
    return replace(made, **changes)


def letter_of(of: DeliveryRecord, **changes: Any) -> DeadLetter:
    body = json.dumps(PAYLOAD).encode()
    made = DeadLetter(of.delivery_id, of.webhook_id, "123", of.event_id, of.event_type, of.scope, of.generation,
                      "failed", "gone", 1, 410, None, NOW, body)  # fmt: skip
    return replace(made, **changes)


def listed(client: ApiClient, webhook_id: str, **query: str) -> list[str]:
    answer = client.call("GET", f"/webhooks/{webhook_id}/deliveries", query=query)
    assert answer.status == 200, answer.text
    return [each["event_id"] for each in answer.body["items"]]


def one(client: ApiClient, of: DeliveryRecord, **more: Any) -> Answered:
    return client.call("GET", f"/webhooks/{of.webhook_id}/deliveries/{of.delivery_id}", **more)


def retry(client: ApiClient, of: DeliveryRecord, **more: Any) -> Answered:
    return client.call("POST", f"/webhooks/{of.webhook_id}/deliveries/{of.delivery_id}/retry", **more)


def test_deliveries_are_listed_newest_first_in_one_shape(client: ApiClient, mine: str) -> None:
    waiting = Waiting("room", NOW + 90_000, "circuit_open")
    client.history.add(
        record(mine, 1),
        record(mine, 2, status="retrying", reason="timeout", next_attempt_at_ms=NOW + 5_000,
               attempts=(Attempt(1, NOW, 15_000, "failure", None, "timeout"),)),
        record(mine, 3, status="pending", attempts=(), waiting=waiting),
    )  # fmt: skip
    items = client.call("GET", f"/webhooks/{mine}/deliveries").body["items"]
    assert [each["event_id"] for each in items] == ["e3", "e2", "e1"]
    assert len({tuple(each) for each in items}) == 1
    assert items[0]["waiting"] == {
        "kind": "room",
        "reason": "circuit_open",
        "explanation": items[0]["waiting"]["explanation"],
        "until": "2025-10-09T08:54:50.000Z",
    }
    assert items[1] == {
        "id": record(mine, 2).delivery_id,
        "webhook_id": mine,
        "event_id": "e2",
        "event_type": "record.created",
        "kind": "event",
        "status": "retrying",
        "reason": "timeout",
        "explanation": "The receiver did not answer in time.",
        "attempt_count": 1,
        "last_attempt_at": "2025-10-09T08:53:20.000Z",
        "last_status_code": None,
        "last_error_code": "timeout",
        "next_attempt_at": "2025-10-09T08:53:25.000Z",
        "waiting": None,
        "created_at": "2025-10-09T08:53:20.002Z",
    }


def test_deliveries_are_found_by_status_type_code_and_time(client: ApiClient, mine: str) -> None:
    client.history.add(
        record(mine, 1),
        record(mine, 2, status="failed", reason="gone", attempts=(Attempt(1, NOW, 9, "failure", 410),)),
        record(mine, 3, event_type="table.created"),
        record(mine, 1000, attempts=(Attempt(1, NOW, 9, "failure", 503), Attempt(2, NOW, 9, "success", 204))),
    )
    assert listed(client, mine, status="failed") == ["e2"]
    assert listed(client, mine, status="delivered") == ["e1000", "e3", "e1"]
    assert listed(client, mine, status="abandoned") == []
    assert listed(client, mine, event_type="table.created") == ["e3"]
    assert listed(client, mine, status_code="503") == ["e1000"]
    assert listed(client, mine, status_code="200", status="delivered", event_type="record.created") == ["e1"]
    assert listed(client, mine, **{"from": "2025-10-09T08:53:20.003Z"}) == ["e1000", "e3"]
    for text in ("2025-10-09T10:53:20.003+02:00", "2025-10-09 10:53:20.003+02:00", "2025-10-09 10:53:20.003 02:00"):
        assert listed(client, mine, **{"from": text}) == ["e1000", "e3"], text
    assert listed(client, mine, to="2025-10-09T08:53:20.002Z") == ["e2", "e1"]
    assert listed(client, mine, **{"from": "2025-10-09T08:53:20.002Z", "to": "2025-10-09T08:53:21Z"}) == [
        "e1000",
        "e3",
        "e2",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("status_code", "ok"),
        ("status_code", "99"),
        ("from", "yesterday"),
        ("from", "2025-10-09"),
        ("to", "2025-10-09T08:53:20"),
        ("to", "2025-13-09T08:53:20Z"),
        ("limit", "0"),
        ("limit", "101"),
        ("cursor", "x"),
        ("state", "failed"),
    ],
)
def test_a_wrong_filter_is_named(client: ApiClient, mine: str, name: str, value: str) -> None:
    answer = client.call("GET", f"/webhooks/{mine}/deliveries", query={name: value})
    assert (answer.status, [each["field"] for each in answer.body["errors"]]) == (422, [name])


def test_pages_follow_one_another_and_belong_to_their_filter(client: ApiClient, mine: str) -> None:
    client.history.add(*(record(mine, n) for n in range(25)))
    path = f"/webhooks/{mine}/deliveries"
    first = client.call("GET", path, query={"limit": "10"}).body
    second = client.call("GET", path, query={"limit": "10", "cursor": first["next_cursor"]}).body
    third = client.call("GET", path, query={"limit": "10", "cursor": second["next_cursor"]}).body
    found = [each["event_id"] for page in (first, second, third) for each in page["items"]]
    assert found == [f"e{n}" for n in range(24, -1, -1)]
    assert third["next_cursor"] is None
    other = {"limit": "10", "cursor": first["next_cursor"], "status": "delivered"}
    assert client.call("GET", path, query=other).status == 422


def test_a_rare_match_among_very_many_may_take_several_pages(client: ApiClient, mine: str) -> None:
    client.history.add(*(record(mine, n) for n in range(2_500)), record(mine, 2_500, event_type="table.created"))
    client.history.add(record(mine, -1, event_type="table.created"))
    query = {"event_type": "table.created"}
    first = client.call("GET", f"/webhooks/{mine}/deliveries", query=query).body
    assert [each["event_id"] for each in first["items"]] == ["e2500"]
    second = client.call("GET", f"/webhooks/{mine}/deliveries", query={**query, "cursor": first["next_cursor"]}).body
    assert [each["event_id"] for each in second["items"]] == ["e-1"]
    assert second["next_cursor"] is None


def test_a_delivery_shows_every_attempt(client: ApiClient) -> None:
    mine = client.register(headers={"X-Api-Key": "secret"})["id"]
    attempts = (
        Attempt(1, NOW, 31, "failure", 503),
        Attempt(0, NOW + 5_000, 0, "unknown"),
        Attempt(2, NOW + 6_000, 44, "failure", None, "tls"),
        Attempt(3, NOW + 7_000, 20, "success", 200),
        Attempt(4, NOW + 8_000, 10, "failure", 302),
    )
    answered = Exchange(
        NOW,
        31,
        503,
        (("content-type", "text/plain"),),
        "zu spät".encode(),
        remark="The body was cut off.",
        timings=Timings(1, 2, 3, 4),
    )
    refused = Exchange(NOW + 6_000, 44, error_code="tls", error_message="The certificate cannot be trusted: expired.")
    thanked = Exchange(NOW + 7_000, 20, 200, (), bytes(range(33, 127)) * 9, timings=Timings(wait_ms=9))
    stored = record(mine, attempts=attempts, response=pack_detail(thanked, fitting=100), event_id="e0")
    client.history.add(stored, letter_of(stored))
    client.history.kept_details[stored.delivery_id] = {
        NOW: pack_detail(answered) or b"",
        NOW + 6_000: pack_detail(refused) or b"",
    }
    answer = one(client, stored)
    assert answer.status == 200, answer.text
    first, cut_off, second, third, fourth = answer.body["attempts"]
    assert answer.body["payload"] == PAYLOAD
    assert answer.body["attempt_count"] == 4
    assert first == {
        "number": 1,
        "outcome": "failure",
        "started_at": "2025-10-09T08:53:20.000Z",
        "duration_ms": 31,
        "status_code": 503,
        "error_code": None,
        "explanation": "The receiver answered 503.",
        "remark": "The body was cut off.",
        "timings": {"dns_ms": 1, "connect_ms": 2, "tls_ms": 3, "wait_ms": 4},
        "request": {
            "headers": {
                "X-Api-Key": "********",
                "Content-Type": "application/json",
                "User-Agent": "PyAirtable-Webhooks/1.0",
                "X-PyAirtable-Event-ID": "e0",
                "X-PyAirtable-Event-Type": "record.created",
                "X-PyAirtable-Webhook-ID": mine,
                "X-PyAirtable-Delivery-ID": stored.delivery_id,
                "X-PyAirtable-Attempt": "1",
                "X-PyAirtable-Hop": "1",
                "X-PyAirtable-Timestamp": "1760000000",
                "X-PyAirtable-Signature": "sha256=...",
                "webhook-id": "e0",
                "webhook-timestamp": "1760000000",
                "webhook-signature": "v1,...",
            }
        },
        "response": {"headers": [["content-type", "text/plain"]], "body": "zu spät", "body_truncated": False},
    }
    assert (cut_off["number"], cut_off["outcome"], cut_off["request"]) == (None, "unknown", None)
    assert "may or may not" in cut_off["explanation"]
    assert (second["error_code"], second["response"]) == ("tls", None)
    assert second["explanation"] == "The certificate cannot be trusted: expired."
    assert second["request"]["headers"]["X-PyAirtable-Attempt"] == "2"
    assert (third["explanation"], third["timings"]["wait_ms"]) == (None, 9)
    assert third["response"]["body_truncated"]
    assert fourth["explanation"] == "The receiver answered 302; redirects are not followed."
    assert fourth["response"] == {"headers": [], "body": "", "body_truncated": False}


def test_attempts_that_share_the_record_show_what_came_back(client: ApiClient, mine: str) -> None:
    exchanges = [
        Exchange(NOW + n, 31, status, (("x-n", str(n)),), f"answer {n}".encode())
        for n, status in enumerate((503, 500, 200))
    ]
    attempts = tuple(
        Attempt(n + 1, each.started_at_ms, 31, "success" if each.status_code == 200 else "failure", each.status_code)
        for n, each in enumerate(exchanges)
    )
    kept = pack_failure(exchanges[1], fitting=1_000, beside=pack_failure(exchanges[0], fitting=1_000))
    stored = record(mine, attempts=attempts, response=pack_detail(exchanges[2], fitting=1_000, beside=kept))
    client.history.add(stored)
    shown = [attempt["response"] for attempt in one(client, stored).body["attempts"]]
    assert shown == [{"headers": [["x-n", str(n)]], "body": f"answer {n}", "body_truncated": False} for n in range(3)]
    client.history.add(record(mine, 1, attempts=attempts, response=b"\x7fas a newer version packs it"))
    assert [each["response"]["body"] for each in one(client, record(mine, 1)).body["attempts"]] == ["", "", ""]


def test_the_payload_comes_from_wherever_it_is_kept(client: ApiClient, mine: str) -> None:
    body = json.dumps(PAYLOAD).encode()
    parked = record(mine, 1, status="retrying", body=body, waiting=Waiting("due", NOW, "timeout"))
    dead, delivered, gone = record(mine, 2, status="failed"), record(mine, 3), record(mine, 4)
    client.history.add(parked, dead, delivered, gone, letter_of(dead))
    client.events.add(EventRecord("e3", "user:123", 0, "t", "record.created", 123, None, NOW, body))
    assert [one(client, each).body["payload"] for each in (parked, dead, delivered, gone)] == [PAYLOAD] * 3 + [None]


def test_a_delivery_that_waits_says_when_its_subscription_is_gone(client: ApiClient, mine: str) -> None:
    waits, settled = record(mine, 1, status="retrying", waiting=Waiting("due", NOW, "timeout")), record(mine, 2)
    client.history.add(waits, settled)
    assert one(client, waits).body["subscribed"] is False
    subscription = client.call("POST", f"/webhooks/{mine}/subscriptions", {"event_type": "record.*"}).body
    assert one(client, waits).body["subscribed"] is True
    path = f"/webhooks/{mine}/subscriptions/{subscription['id']}"
    client.call("PUT", path, {"is_active": False})
    assert one(client, waits).body["subscribed"] is False
    assert one(client, settled).body["subscribed"] is None


def test_payloads_are_shown_with_their_numbers_as_they_were_published(client: ApiClient, mine: str) -> None:
    payload = (
        '{"id":"e3","type":"record.created","resource_id":null,"workspace_id":null,"user_id":123,'
        '"timestamp":"2024-01-01T12:00:00Z","data":{"10":1.10,"b":[-0,1E5,{"x":12345678901234567890.12345}],'
        '"a":9007199254740993,"s":"1.10","f":0.1},"metadata":{"n":1.0}}'
    )
    dead, delivered = record(mine, 2, status="failed"), record(mine, 3)
    letter = replace(letter_of(dead), body=payload.encode())
    client.history.add(dead, delivered, letter)
    client.events.add(EventRecord("e3", "user:123", 0, "t", "record.created", 123, None, NOW, payload.encode()))
    answers = [
        client.call("GET", "/events/e3"),
        one(client, dead),
        one(client, delivered),
        client.call("GET", "/dead-letters"),
    ]
    assert [payload in each.text for each in answers] == [True] * 4


def test_what_another_tenant_has_is_not_found(client: ApiClient, mine: str) -> None:
    theirs = client.register(user_id="9")["id"]
    stored = record(theirs)
    client.history.add(stored)
    assert client.call("GET", f"/webhooks/{theirs}/deliveries").status == 404
    assert one(client, stored).status == 404
    assert one(client, replace(stored, webhook_id=mine)).status == 404
    assert retry(client, stored).status == 404
    assert retry(client, replace(stored, webhook_id=mine)).status == 404
    assert one(client, stored, scopes=["admin"]).status == 200
    for unknown in ("dlv_1", "x", f"dlv_{'0' * 26}"):
        assert client.call("GET", f"/webhooks/{mine}/deliveries/{unknown}").status == 404
    assert not client.delivery_queue.sent


@pytest.mark.parametrize("status", ["failed", "abandoned", "retrying", "delivered"])
def test_a_delivery_in_any_state_is_sent_again_with_a_new_generation(client: ApiClient, mine: str, status: str) -> None:
    stored = record(mine, status=status, generation=3, reason=None if status == "delivered" else "gone")
    client.history.add(stored, letter_of(stored))
    client.now_ms = NOW + 99
    answer = retry(client, stored)
    assert (answer.status, answer.body["status"]) == (202, "delivered" if status == "delivered" else "pending")
    assert answer.headers["location"] == f"/api/v1/webhooks/{mine}/deliveries/{stored.delivery_id}"
    ((message, delay),) = client.delivery_queue.sent
    assert (message.delivery_id, message.generation, delay) == (stored.delivery_id, 4, 0)
    assert (message.attempts_before_cycle, message.cycle_started_at_ms) == (1, NOW + 99)
    assert json.loads(message.body) == PAYLOAD
    assert client.history.kept[stored.delivery_id].generation == 4
    letter = client.history.letters[stored.delivery_id]
    assert (letter.is_processed, letter.processed_by) == (True, "manual")


def test_of_two_who_ask_for_a_retry_the_second_is_refused(client: ApiClient, mine: str) -> None:
    stored = record(mine, status="failed")
    client.history.add(stored, letter_of(stored))
    first, second = retry(client, stored), retry(client, stored)
    assert (first.status, second.status, second.body["type"]) == (202, 409, "/problems/conflict")
    assert "being sent again" in second.body["detail"]
    assert len(client.delivery_queue.sent) == 1


def test_nothing_is_sent_again_where_nothing_may_arrive_or_nothing_is_left(client: ApiClient, mine: str) -> None:
    stored = record(mine)
    client.history.add(stored)
    refused = retry(client, stored)
    assert (refused.status, refused.body["type"]) == (409, "/problems/conflict")
    client.history.add(letter_of(stored))
    client.call("PUT", f"/webhooks/{mine}", {"status": "inactive"})
    assert retry(client, stored).status == 409
    client.call("PUT", f"/webhooks/{mine}", {"status": "paused"})
    assert retry(client, stored).status == 202
    client.call("DELETE", f"/webhooks/{mine}")
    assert retry(client, stored).status == 404
    assert len(client.delivery_queue.sent) == 1

"""/webhooks/:id/deliveries over HTTP: what is told of a delivery is what the receiver saw of it."""

from datetime import datetime

import pytest

from tests.support.receiver import answer, reset
from tests.support.service import PATIENCE_SECONDS, Document, Service, User, assert_problem, body_of, event, eventually

UNKNOWN = "dlv_00000000000000000000000000"


def test_a_delivery_shows_its_attempt_as_the_receiver_saw_it(service: Service, user: User) -> None:
    path = service.path(answer(201, b'{"stored": true}', [("X-Trace", "abc")]))
    webhook = user.register(service.receiver.url(path), headers={"X-Key": "hidden"})
    published = event(data={"fields": {"name": "Łukasz"}})
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    user.post("/events", published, headers={"traceparent": trace})

    delivery = user.settled(webhook["id"], published["id"])
    (request,) = service.receiver.requests(path)
    assert delivery["id"] == request.header("X-PyAirtable-Delivery-ID")
    assert delivery["payload"] == body_of(request)
    assert (delivery["status"], delivery["attempt_count"], delivery["last_status_code"]) == ("delivered", 1, 201)
    (attempt,) = delivery["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["status_code"]) == (1, "success", 201)
    assert attempt["response"]["body"] == '{"stored": true}'
    assert ["X-Trace", "abc"] in attempt["response"]["headers"]
    started = datetime.fromisoformat(attempt["started_at"]).timestamp()
    assert abs(started - request.arrived_at) < 5
    shown = attempt["request"]["headers"]
    sent = dict(request.headers)
    assert shown["X-Key"] == "********"
    same = ("X-PyAirtable-Timestamp", "X-PyAirtable-Event-ID", "webhook-id", "X-PyAirtable-Attempt", "User-Agent")
    assert {name: shown[name] for name in same} == {name: sent[name] for name in same}
    assert shown["traceparent"] == sent["traceparent"] == trace
    assert sent["X-PyAirtable-Signature"] not in str(delivery)


def test_a_failed_attempt_shows_why_and_what_came_back(service: Service, user: User) -> None:
    path = service.path(reset(), answer(503, b"down for repair"), answer())
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)

    delivery = user.settled(webhook["id"], published["id"], timeout=40)
    first, second, third = delivery["attempts"]
    assert (first["outcome"], first["status_code"], first["error_code"]) == ("failure", None, "connect_reset")
    assert (second["outcome"], second["status_code"], second["response"]["body"]) == ("failure", 503, "down for repair")
    assert (third["outcome"], third["number"]) == ("success", 3)
    assert all(each["explanation"] for each in (first, second))
    assert [request.header("X-PyAirtable-Attempt") for request in service.receiver.requests(path)] == ["1", "2", "3"]


@pytest.fixture(scope="module")
def mixed(service: Service) -> tuple[User, Document, dict[str, list[str]]]:
    """A user, a webhook with three delivered and two failed deliveries, and the event ids of each kind."""
    user = service.user()
    path = service.path(answer(200), answer(200), answer(200), answer(400))
    webhook = user.register(service.receiver.url(path), max_retries=0)
    ids: dict[str, list[str]] = {"delivered": [], "failed": []}
    for status, event_type in [("delivered", "record.created")] * 3 + [("failed", "table.created")] * 2:
        published = event(event_type)
        user.post("/events", published)
        user.settled(webhook["id"], published["id"], status)
        ids[status].append(published["id"])
    return user, webhook, ids


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["delivered", "failed"]),
        ({"status": "failed"}, ["failed"]),
        ({"status": "delivered"}, ["delivered"]),
        ({"status": "retrying"}, []),
        ({"event_type": "table.created"}, ["failed"]),
        ({"status_code": 400}, ["failed"]),
        ({"from": "2024-01-01T00:00:00Z"}, ["delivered", "failed"]),
        ({"to": "2024-01-01T00:00:00Z"}, []),
    ],
)
def test_deliveries_are_listed_by_status_type_answer_and_time(
    mixed: tuple[User, Document, dict[str, list[str]]], query: Document, expected: list[str]
) -> None:
    user, webhook, ids = mixed
    listed = user.items(f"/webhooks/{webhook['id']}/deliveries", **query)
    newest_first = [each for status in expected for each in ids[status]][::-1]
    assert [each["event_id"] for each in listed] == newest_first


@pytest.mark.parametrize("query", [{}, {"status": "failed"}])
def test_pages_of_one_hold_every_delivery_once(
    mixed: tuple[User, Document, dict[str, list[str]]], query: Document
) -> None:
    user, webhook, _ = mixed
    path = f"/webhooks/{webhook['id']}/deliveries"
    whole = user.items(path, **query)
    assert user.items(path, limit=1, **query) == whole
    cursor = user.read(path, limit=1, **query)["next_cursor"]
    assert_problem(user.get(path, params={"cursor": cursor, "event_type": "x"}), 422, "validation", "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("from=yesterday", "from"),
        ("status_code=abc", "status_code"),
        ("limit=1000", "limit"),
    ],
)
def test_a_list_refuses_what_it_does_not_take(
    mixed: tuple[User, Document, dict[str, list[str]]], query: str, field: str
) -> None:
    user, webhook, _ = mixed
    assert_problem(user.get(f"/webhooks/{webhook['id']}/deliveries?{query}"), 422, "validation", field)


def test_a_manual_retry_sends_a_delivered_one_again_with_the_same_ids(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])

    retried = user.post(f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry")
    assert retried.status_code == 202
    first, second = service.receiver.wait_for(path, 2, PATIENCE_SECONDS)
    assert first.body == second.body
    assert first.header("X-PyAirtable-Delivery-ID") == second.header("X-PyAirtable-Delivery-ID")
    assert second.header("X-PyAirtable-Attempt") == "2"
    shown = user.http.get(retried.headers["Location"], headers=user.headers)
    assert shown.json()["id"] == delivery["id"]
    eventually(lambda: len(user.delivery(webhook["id"], delivery["id"])["attempts"]) == 2)


def test_a_manual_retry_ends_a_long_wait(service: Service, user: User) -> None:
    path = service.path(answer(429, headers=[("Retry-After", "3600")]), answer(200))
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)
    waiting = user.settled(webhook["id"], published["id"], "retrying")
    assert waiting["next_attempt_at"] is not None

    user.change(webhook["id"], status="active")
    assert user.post(f"/webhooks/{webhook['id']}/deliveries/{waiting['id']}/retry").status_code == 202
    # the receiver's wish holds for the webhook: the retry waits in its room
    parked = eventually(
        lambda: user.delivery(webhook["id"], waiting["id"]),
        lambda one: one["waiting"] and one["waiting"]["kind"] == "room",
    )
    assert parked["waiting"]["reason"] == "slowed_down"
    assert len(service.receiver.requests(path)) == 1


def test_an_inactive_webhook_takes_no_retry(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path()))
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"])
    user.change(webhook["id"], status="inactive")
    assert_problem(user.post(f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry"), 409, "conflict")


def test_an_unknown_delivery_is_not_found(user: User) -> None:
    webhook = user.register("https://example.com/")
    for strange in (UNKNOWN, "1", "dlv_"):
        assert_problem(user.get(f"/webhooks/{webhook['id']}/deliveries/{strange}"), 404, "not-found")
        assert_problem(user.post(f"/webhooks/{webhook['id']}/deliveries/{strange}/retry"), 404, "not-found")

"""/webhooks over HTTP: what the answer says is what the next read, or the receiver, shows."""

import base64
import hashlib
import hmac
import json
from operator import itemgetter

import pytest
from standardwebhooks import Webhook

from tests.support.receiver import ReceivedRequest, answer, never_answer
from tests.support.service import (
    PATIENCE_SECONDS,
    Document,
    Service,
    User,
    assert_problem,
    body_of,
    event,
    ids_at,
    new_id,
)

UNKNOWN = "wh_00000000000000000000000000"


def signature_by(secret: str, request: ReceivedRequest) -> str:
    """The plain signature that this secret gives."""
    signed = (request.header("X-PyAirtable-Timestamp") or "").encode() + b"." + request.body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def test_a_registered_webhook_is_found_under_its_location_with_inline_subscriptions(user: User) -> None:
    created = user.post(
        "/webhooks",
        {
            "name": "Orders",
            "url": "https://example.com/orders?x=1",
            "subscriptions": [
                {"event_type": "record.created", "filters": {"fields": {"status": "paid"}}},
                {"event_type": "table.*", "resource_id": "tbl1", "is_active": False},
            ],
        },
    )
    assert created.status_code == 201
    webhook = created.json()
    assert webhook["secret"].startswith("whsec_")
    assert len(base64.b64decode(webhook["secret"].removeprefix("whsec_"))) == 32
    assert webhook["notice"] is None

    found = user.http.get(created.headers["Location"], headers=user.headers)
    assert found.status_code == 200
    assert found.headers["ETag"] == created.headers["ETag"] == '"1"'
    assert found.json() == {k: v for k, v in webhook.items() if k not in ("secret", "subscriptions", "notice")}
    subscriptions = user.items(f"/webhooks/{webhook['id']}/subscriptions")
    assert subscriptions == sorted(webhook["subscriptions"], key=itemgetter("id"))
    assert sorted((each["event_type"], each["resource_id"], each["is_active"]) for each in subscriptions) == [
        ("record.created", None, True),
        ("table.*", "tbl1", False),
    ]


def test_a_webhook_without_subscriptions_says_that_nothing_will_arrive(user: User) -> None:
    created = user.post("/webhooks", {"name": "Idle", "url": "https://example.com/"})
    assert "nothing will arrive" in created.json()["notice"]
    assert user.items(f"/webhooks/{created.json()['id']}/subscriptions") == []


def test_no_answer_but_the_first_shows_the_secret_or_the_values_of_headers(user: User) -> None:
    webhook = user.register("https://example.com/", headers={"Authorization": "Bearer of-the-receiver"})
    later = [
        user.get(f"/webhooks/{webhook['id']}"),
        user.get("/webhooks"),
        user.put(f"/webhooks/{webhook['id']}", {"name": "B"}),
    ]
    for response in later:
        assert response.status_code == 200
        assert webhook["secret"] not in response.text
        assert "of-the-receiver" not in response.text
    assert later[0].json()["headers"] == {"Authorization": "********"}


def test_a_list_is_paged_newest_first_by_cursors_of_its_caller_alone(service: Service, user: User) -> None:
    ids = [user.register("https://example.com/", name=f"No. {number}")["id"] for number in range(5)]

    first = user.read("/webhooks", limit=2)
    second = user.read("/webhooks", limit=2, cursor=first["next_cursor"])
    third = user.read("/webhooks", limit=2, cursor=second["next_cursor"])
    assert [each["id"] for page in (first, second, third) for each in page["items"]] == ids[::-1]
    assert third["next_cursor"] is None

    stolen = service.user().get("/webhooks", params={"cursor": first["next_cursor"]})
    assert_problem(stolen, 422, "validation", "cursor")
    elsewhere = user.get(f"/webhooks/{ids[0]}/subscriptions", params={"cursor": first["next_cursor"]})
    assert_problem(elsewhere, 422, "validation", "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("cursor=abc", "cursor"), ("page=2", "page")],
)
def test_a_list_refuses_what_it_does_not_take(user: User, query: str, field: str) -> None:
    assert_problem(user.get(f"/webhooks?{query}"), 422, "validation", field)


def test_a_change_touches_only_the_fields_that_it_names(user: User) -> None:
    webhook = user.register("https://example.com/", description="before", metadata={"a": 1}, rate_limit_rps=2.5)
    changed = user.change(webhook["id"], name="After", rate_limit_rps=None, max_retries=0)

    assert user.read(f"/webhooks/{webhook['id']}") == changed
    assert (changed["name"], changed["rate_limit_rps"], changed["max_retries"]) == ("After", None, 0)
    assert (changed["description"], changed["metadata"], changed["version"]) == ("before", {"a": 1}, 2)


def test_a_mask_sent_back_keeps_the_headers_value(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path), headers={"X-Key": "kept", "X-Other": "dropped"})
    user.change(webhook["id"], headers={"X-Key": "********", "X-New": "added"})
    user.post(f"/webhooks/{webhook['id']}/test")

    (request,) = service.receiver.requests(path)
    assert (request.header("X-Key"), request.header("X-New")) == ("kept", "added")
    assert request.header("X-Other") is None


def test_if_match_lets_only_the_version_that_was_read_be_changed(user: User) -> None:
    webhook = user.register("https://example.com/")
    path = f"/webhooks/{webhook['id']}"
    read = user.get(path).headers["ETag"]

    assert user.put(path, {"name": "First"}, headers={"If-Match": read}).status_code == 200
    for refused in (
        user.put(path, {"name": "Second"}, headers={"If-Match": read}),
        user.delete(path, headers={"If-Match": read}),
        user.post(f"{path}/regenerate-secret", headers={"If-Match": read}),
    ):
        assert_problem(refused, 412, "version-conflict")
    assert user.read(path)["name"] == "First"
    current = user.get(path).headers["ETag"]
    assert user.delete(path, headers={"If-Match": current}).status_code == 204


def test_a_deleted_webhook_is_gone_from_every_read(user: User) -> None:
    webhook = user.register("https://example.com/")
    path = f"/webhooks/{webhook['id']}"

    assert user.delete(path).status_code == 204
    assert_problem(user.get(path), 404, "not-found")
    assert_problem(user.delete(path), 404, "not-found")
    assert_problem(user.put(path, {"name": "Back"}), 404, "not-found")
    assert user.items("/webhooks") == []


def test_a_repeated_idempotency_key_registers_one_webhook(user: User) -> None:
    wanted: Document = {"name": "Once", "url": "https://example.com/"}
    key = {"Idempotency-Key": "the-same"}
    first = user.post("/webhooks", wanted, headers=key)
    again = user.post("/webhooks", wanted, headers=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len(user.items("/webhooks")) == 1
    assert_problem(user.post("/webhooks", wanted | {"name": "Another"}, headers=key), 409, "conflict")
    assert len(user.items("/webhooks")) == 1


def test_a_key_of_one_user_is_nothing_to_another(service: Service, user: User) -> None:
    wanted: Document = {"name": "Mine", "url": "https://example.com/"}
    key = {"Idempotency-Key": "shared"}
    other = service.user()
    ids = {each.post("/webhooks", wanted, headers=key).json()["id"] for each in (user, other)}
    assert len(ids) == 2


def test_an_existing_secret_signs_from_the_first_delivery(service: Service, user: User) -> None:
    path, secret = service.path(), "a secret of the former service, 1234"
    webhook = user.register(service.receiver.url(path), secret=secret)
    user.post(f"/webhooks/{webhook['id']}/test")

    (request,) = service.receiver.requests(path)
    assert request.header("X-PyAirtable-Signature") == signature_by(secret, request)


def test_a_new_secret_signs_beside_the_old_one_until_the_overlap_ends(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path))
    rotated = user.post(f"/webhooks/{webhook['id']}/regenerate-secret", {"overlap_hours": 1})
    assert rotated.status_code == 200
    old, new = webhook["secret"], rotated.json()["secret"]
    assert old != new
    assert rotated.json()["previous_secret_expires_at"] is not None
    service.put_events([event(user_id=user.user_id)])

    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    headers = {name.lower(): value for name, value in request.headers}
    assert Webhook(old).verify(request.body, headers) == Webhook(new).verify(request.body, headers)
    assert request.header("X-PyAirtable-Signature") == signature_by(old, request)
    assert request.header("X-PyAirtable-Signature-Next") == signature_by(new, request)


def test_a_new_secret_without_overlap_signs_alone(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path))
    new = user.post(f"/webhooks/{webhook['id']}/regenerate-secret", {"overlap_hours": 0}).json()
    assert new["previous_secret_expires_at"] is None
    user.post(f"/webhooks/{webhook['id']}/test")

    (request,) = service.receiver.requests(path)
    assert request.header("X-PyAirtable-Signature") == signature_by(new["secret"], request)
    assert request.header("X-PyAirtable-Signature-Next") is None
    assert len((request.header("webhook-signature") or "").split()) == 1


@pytest.mark.parametrize("hours", [-1, 169, "1", None, 1.5])
def test_an_overlap_is_whole_hours_up_to_a_week(user: User, hours: object) -> None:
    webhook = user.register("https://example.com/")
    refused = user.post(f"/webhooks/{webhook['id']}/regenerate-secret", {"overlap_hours": hours})
    assert_problem(refused, 422, "validation", "overlap_hours")


def test_a_test_delivery_shows_what_was_sent_and_what_came_back(service: Service, user: User) -> None:
    path = service.path(answer(418, b"short and stout", [("X-Pot", "tea")]))
    webhook = user.register(service.receiver.url(path), headers={"X-Key": "hidden"})
    result = user.post(
        f"/webhooks/{webhook['id']}/test", {"event_type": "record.created", "data": {"fields": {"n": 1}}}
    ).json()

    (request,) = service.receiver.requests(path)
    assert (result["succeeded"], result["status_code"], result["error_code"]) == (False, 418, None)
    assert result["response"]["body"] == "short and stout"
    assert ["X-Pot", "tea"] in result["response"]["headers"]
    assert result["duration_ms"] >= 0
    assert result["request"]["body"].encode() == request.body
    assert result["request"]["headers"]["X-Key"] == "********"
    assert request.header("X-Key") == "hidden"
    assert body_of(request) | {"type": "record.created", "data": {"fields": {"n": 1}}} == body_of(request)
    assert result["event_id"] == body_of(request)["id"] == request.header("webhook-id")
    (listed,) = user.items(f"/webhooks/{webhook['id']}/deliveries")
    assert (listed["id"], listed["kind"]) == (result["delivery_id"], "test")


def test_a_test_delivery_to_a_silent_receiver_ends_at_the_webhooks_timeout(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path(never_answer())), timeout_seconds=1)
    result = user.post(f"/webhooks/{webhook['id']}/test", {}).json()
    assert (result["succeeded"], result["status_code"], result["error_code"]) == (False, None, "timeout")
    assert 900 <= result["duration_ms"] < 3_000


def test_a_test_of_an_unknown_event_type_is_refused(user: User) -> None:
    webhook = user.register("https://example.com/")
    refused = user.post(f"/webhooks/{webhook['id']}/test", {"event_type": "record.vanished"})
    assert_problem(refused, 422, "validation", "event_type")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://user:password@example.com/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://[fe80::1]/"}, "url"),
        ({"max_retries": 16}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"max_retries": "3"}, "max_retries"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 31}, "timeout_seconds"),
        ({"rate_limit_rps": 0}, "rate_limit_rps"),
        ({"headers": {"Host": "elsewhere"}}, "headers.Host"),
        ({"headers": {"X-PyAirtable-Signature": "forged"}}, "headers.X-PyAirtable-Signature"),
        ({"headers": {"X-Split": "a\r\nInjected: b"}}, "headers.X-Split"),
        ({"metadata": ["a"]}, "metadata"),
        ({"status": "failed"}, "status"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_wrong_field_is_named_at_registering_and_at_changing(user: User, change: Document, field: str) -> None:
    whole: Document = {"name": "Wrong", "url": "https://example.com/"}
    assert_problem(user.post("/webhooks", whole | change), 422, "validation", field)
    assert user.items("/webhooks") == []

    webhook = user.register("https://example.com/")
    assert_problem(user.put(f"/webhooks/{webhook['id']}", change), 422, "validation", field)
    assert user.read(f"/webhooks/{webhook['id']}")["version"] == 1


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"{", 400, "bad-request"),
        (b"", 422, "validation"),
        (b'{"name": NaN}', 400, "bad-request"),
        (b"\xff\xfe", 400, "bad-request"),
        (b"[" * 1000 + b"]" * 1000, 400, "bad-request"),
        (b"[]", 422, "validation"),
        (b'"text"', 422, "validation"),
        (json.dumps({"description": "x" * 300_000}).encode(), 413, "too-large"),
    ],
)
def test_a_body_that_is_no_request_is_refused_and_does_nothing(user: User, body: bytes, status: int, name: str) -> None:
    refused = user.post("/webhooks", content=body, headers={"Content-Type": "application/json"})
    problem = refused.json()
    assert_problem(refused, status, name, *(each["field"] for each in problem.get("errors", [])))
    assert user.items("/webhooks") == []


def test_all_wrong_fields_are_told_at_once(user: User) -> None:
    wrong = {"url": "https://example.com/", "max_retries": -1, "subscriptions": [{"event_type": 5}]}
    refused = user.post("/webhooks", wrong)
    problem = refused.json()
    assert {each["field"] for each in problem["errors"]} == {"name", "max_retries", "subscriptions[0].event_type"}


def test_a_body_of_another_kind_is_refused(user: User) -> None:
    refused = user.post("/webhooks", content="name=a", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert_problem(refused, 415, "unsupported-media-type")


def test_a_workspace_of_others_cannot_be_listened_to(service: Service) -> None:
    workspace_id = new_id()
    wanted: Document = {"name": "Spy", "url": "https://example.com/", "workspace_id": workspace_id}
    assert_problem(service.user(workspace_id=new_id()).post("/webhooks", wanted), 403, "forbidden")
    assert service.user(workspace_id=workspace_id).post("/webhooks", wanted).status_code == 201


def test_a_webhook_of_a_workspace_hears_it_and_not_its_owners_other_events(service: Service) -> None:
    path, workspace_id = service.path(), new_id()
    owner = service.user(workspace_id=workspace_id)
    owner.register(service.receiver.url(path), workspace_id=workspace_id)
    elsewhere = event(user_id=owner.user_id, workspace_id=new_id())
    inside = event(user_id=new_id(), workspace_id=workspace_id)
    service.put_events([elsewhere, event(user_id=owner.user_id), inside])

    service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    assert ids_at(service.receiver, path) == [inside["id"]]


def test_a_method_that_a_route_does_not_have_is_told_what_it_has(user: User) -> None:
    for method in ("DELETE", "PATCH"):
        refused = user.request(method, "/webhooks")
        assert_problem(refused, 405, "method-not-allowed")
        assert refused.headers["Allow"] == "GET, POST"
    head = user.request("HEAD", "/webhooks")
    assert (head.status_code, head.headers["Allow"]) == (405, "GET, POST")


def test_an_unknown_id_is_not_found(user: User) -> None:
    for strange in (UNKNOWN, "1", "wh_%2e%2e", "a" * 300):
        assert_problem(user.get(f"/webhooks/{strange}"), 404, "not-found")

"""/webhooks over HTTP, on fakes."""

import json
from typing import Any

import pytest

from tests.support.api_client import DAY_MS, NOW, Answered, ApiClient
from webhooks.management.requests import MAX_SUBSCRIPTIONS
from webhooks.models.webhook import Sealed
from webhooks.payload import Number
from webhooks.request.headers import MASK
from webhooks.request.signed_request import unsealed

CLIENTS_EXAMPLE = {
    "name": "My Webhook",
    "url": "https://myapp.com/webhook",
    "description": "Webhook for record updates",
    "max_retries": 3,
    "timeout_seconds": 30,
    "rate_limit_rps": 10,
    "headers": {"Authorization": "Bearer token", "X-Custom-Header": "value"},
    "metadata": {"environment": "production", "version": "1.0"},
}


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def sealed(client: ApiClient, webhook_id: str) -> Sealed:
    webhook = client.store.webhooks_by_id[webhook_id]
    return unsealed(client.management.box.open(webhook.sealed, context=webhook.sealed_context))


def test_the_clients_own_configuration_is_accepted_as_it_is(client: ApiClient) -> None:
    answer = client.call("POST", "/webhooks", CLIENTS_EXAMPLE)
    assert answer.status == 201
    body = answer.body
    assert answer.headers["location"] == f"/api/v1/webhooks/{body['id']}"
    assert answer.headers["etag"] == '"1"'
    assert {name: body[name] for name in CLIENTS_EXAMPLE if name != "headers"} == {
        name: value for name, value in CLIENTS_EXAMPLE.items() if name != "headers"
    }
    assert body["headers"] == {"Authorization": MASK, "X-Custom-Header": MASK}
    assert (body["user_id"], body["workspace_id"], body["status"], body["version"]) == (123, None, "active", 1)
    assert body["secret"].startswith("whsec_")
    assert "nothing will arrive" in body["notice"]
    assert body["created_at"].endswith("Z")


def test_defaults_are_those_of_the_docs(client: ApiClient) -> None:
    body = client.register()
    assert (body["max_retries"], body["timeout_seconds"], body["rate_limit_rps"]) == (9, 15, None)
    assert (body["headers"], body["metadata"], body["description"]) == ({}, {}, "")


def test_the_secret_is_shown_once(client: ApiClient) -> None:
    made = client.register(headers={"Authorization": "Bearer canary"})
    for answer in (client.call("GET", f"/webhooks/{made['id']}"), client.call("GET", "/webhooks")):
        assert answer.status == 200
        assert made["secret"] not in answer.text
        assert "canary" not in answer.text
        assert '"secret"' not in answer.text


def test_an_existing_secret_is_taken_over(client: ApiClient) -> None:
    secret = "an-existing-secret-of-the-former-service-0123"
    assert client.register(secret=secret)["secret"] == secret


@pytest.mark.parametrize("prefix", ["whsk_", "whpk_"])
def test_a_key_that_is_no_shared_secret_is_refused_with_the_reason(client: ApiClient, prefix: str) -> None:
    request = {"name": "n", "url": "https://example.com/", "secret": prefix + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" * 2}
    answer = client.call("POST", "/webhooks", request)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "secret")
    assert "whsk_ and whpk_ begin keys of ed25519 signatures" in answer.body["errors"][0]["message"]


def test_numbers_of_metadata_come_back_as_they_were_written_or_are_refused(client: ApiClient) -> None:
    def register(number: str, key: str) -> Answered:
        body = f'{{"name": "n", "url": "https://example.com/", "metadata": {{"a": [{number}]}}, "rate_limit_rps": 1e1}}'
        return client.call("POST", "/webhooks", body, headers={"Idempotency-Key": key})

    for number in ("9007199254740993", "1.10", "1E5", "-0", "12345678901234567890.12345"):
        made = register(number, f"key-{number}")
        assert (made.status, made.body["rate_limit_rps"]) == (201, 10), made.text
        path = f"/webhooks/{made.body['id']}"
        again = client.call("PUT", path, f'{{"metadata": {{"a": [{number}, {number}]}}}}')
        assert f'"metadata":{{"a":[{number}]}}' in made.text
        assert f'"metadata":{{"a":[{number},{number}]}}' in again.text
        assert f'"metadata":{{"a":[{number},{number}]}}' in client.call("GET", path).text
        assert register(number, f"key-{number}").body["id"] == made.body["id"]
    assert register("1.1", "key-1.10").status == 409, "another request, as an event is another with it"
    for number in ("1e-400", "9" * 400):
        assert register(number, "key").status == 422, number


def test_a_webhook_with_subscriptions_hears_at_once(client: ApiClient) -> None:
    body = client.register(
        subscriptions=[{"event_type": "record.created", "filters": {"fields": {"a": 1}}}, {"event_type": "*"}]
    )
    assert body["notice"] is None
    assert [each["event_type"] for each in body["subscriptions"]] == ["record.created", "*"]
    assert {pattern for _, pattern, _ in client.store.rows} == {"record.created", "*"}
    assert client.store.versions == {("user:123", "record.created"): 1, ("user:123", "*"): 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"max_retries": 16}, "max_retries"),
        ({"max_retries": 3.0}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"rate_limit_rps": 0}, "rate_limit_rps"),
        ({"rate_limit_rps": "10"}, "rate_limit_rps"),
        ({"rate_limit_rps": Number("10.00000000000000000001")}, "rate_limit_rps"),
        ({"max_retries": Number("1e1")}, "max_retries"),
        ({"name": [Number("1.10")]}, "name"),
        ({"headers": {"A": Number("1.10")}}, "headers.A"),
        ({"headers": {"Host": "evil"}}, "headers.Host"),
        ({"headers": {"X-PyAirtable-Signature": "x"}}, "headers.X-PyAirtable-Signature"),
        ({"headers": {"A": MASK}}, "headers.A"),
        ({"headers": {"A": 1}}, "headers.A"),
        ({"metadata": {"a": "x" * 4096}}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"status": "failed"}, "status"),
        ({"secret": "short"}, "secret"),
        ({"unknown": 1}, "unknown"),
        ({"id": "wh_1"}, "id"),
        ({"subscriptions": [{"event_type": "no.such"}]}, "subscriptions[0].event_type"),
        (
            {"subscriptions": [{"event_type": "*"}, {"event_type": "*", "filters": {"x": 1}}]},
            "subscriptions[1].filters.x",
        ),
        ({"subscriptions": [{"event_type": "*", "nope": 1}]}, "subscriptions[0].nope"),
        ({"subscriptions": [{"event_type": "*"}] * (MAX_SUBSCRIPTIONS + 1)}, "subscriptions"),
    ],
)
def test_a_wrong_field_is_named(client: ApiClient, changes: dict[str, Any], field: str) -> None:
    answer = client.call("POST", "/webhooks", {"name": "n", "url": "https://example.com/", **changes})
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.body
    assert (body["type"], body["status"], body["request_id"]) == ("/problems/validation", 422, "req-1")
    assert field in [error["field"] for error in body["errors"]]
    assert not client.store.webhooks_by_id


def test_required_fields_are_all_named_at_once(client: ApiClient) -> None:
    body = client.call("POST", "/webhooks", {}).body
    assert {(each["field"], each["message"]) for each in body["errors"]} == {
        ("name", "is required"),
        ("url", "is required"),
    }


def wrong(answer: Answered) -> set[tuple[str, str]]:
    """Each wrong field with its code."""
    assert answer.status == 422, answer.text
    return {(each["field"], each["code"]) for each in answer.body["errors"]}


def test_what_is_wrong_has_a_code_for_programs(client: ApiClient) -> None:
    changes = {"name": "", "url": 1, "max_retries": 99, "status": "failed", "more": 1, "subscriptions": [{}]}
    assert wrong(client.call("POST", "/webhooks", changes)) == {
        ("name", "too_short"),
        ("url", "wrong_type"),
        ("max_retries", "too_large"),
        ("status", "not_allowed"),
        ("more", "unknown"),
        ("subscriptions[0].event_type", "required"),
    }


def test_one_wrong_content_does_not_hide_the_others(client: ApiClient) -> None:
    asked = {
        "name": "n",
        "url": "ftp://example.com/",
        "secret": "short",
        "static_egress": True,
        "headers": {"X-Own": MASK},
        "subscriptions": [{"event_type": "no.such"}, {"event_type": "*", "filters": {"x": 1}}],
    }
    assert wrong(client.call("POST", "/webhooks", asked)) == {
        ("url", "url_scheme"),
        ("secret", "invalid"),
        ("static_egress", "invalid"),
        ("headers.X-Own", "invalid"),
        ("subscriptions[0].event_type", "not_allowed"),
        ("subscriptions[1].filters.x", "unknown"),
    }
    path = f"/webhooks/{client.register()['id']}"
    change = {"workspace_id": 7, "url": "https://10.0.0.1/", "headers": {"Host": "x"}, "static_egress": True}
    assert wrong(client.call("PUT", path, change)) == {
        ("workspace_id", "not_allowed"),
        ("url", "url_ip"),
        ("headers.Host", "invalid"),
        ("static_egress", "invalid"),
    }
    assert client.call("GET", path).body["version"] == 1


def test_unknown_parameters_are_told_with_wrong_fields(client: ApiClient) -> None:
    answer = client.call("POST", "/webhooks", {"name": "n"}, query={"a": "1", "b": "2"})
    assert wrong(answer) == {("a", "unknown"), ("b", "unknown"), ("url", "required")}
    asked = {"name": "n", "url": "https://example.com/"}
    assert wrong(client.call("POST", "/webhooks", asked, query={"a": "1"})) == {("a", "unknown")}
    assert not client.store.webhooks_by_id


def test_a_workspace_must_be_the_callers(client: ApiClient) -> None:
    request = {"name": "n", "url": "https://example.com/", "workspace_id": 456}
    assert client.call("POST", "/webhooks", request).status == 403
    assert client.call("POST", "/webhooks", request, workspaces=["456"]).body["workspace_id"] == 456
    assert client.call("POST", "/webhooks", request, scopes=["admin"]).status == 201


def test_a_webhook_is_seen_by_its_owner_and_by_admins_alone(client: ApiClient) -> None:
    made = client.register()
    path = f"/webhooks/{made['id']}"
    requests = [
        ("GET", path, None),
        ("PUT", path, {"name": "stolen"}),
        ("DELETE", path, None),
        ("POST", f"{path}/regenerate-secret", {}),
        ("POST", f"{path}/test", {"test": True}),
        ("GET", f"{path}/subscriptions", None),
        ("POST", f"{path}/subscriptions", {"event_type": "*"}),
    ]
    for method, each, body in requests:
        answer = client.call(method, each, body, user_id="124")
        assert (answer.status, answer.body["type"]) == (404, "/problems/not-found"), each
    assert client.call("GET", "/webhooks", user_id="124").body["items"] == []
    assert client.call("GET", path, user_id="1", scopes=["admin"]).status == 200
    assert [each["id"] for each in client.call("GET", "/webhooks", user_id="1", scopes=["admin"]).body["items"]] == [
        made["id"]
    ]
    assert not client.sender.tried


@pytest.mark.parametrize(
    "webhook_id", ["1", "wh_", "wh_" + "0" * 26, "sub_" + "0" * 26, "webhook", "wh_%00", "x" * 500]
)
def test_an_unknown_id_is_not_found(client: ApiClient, webhook_id: str) -> None:
    assert client.call("GET", f"/webhooks/{webhook_id}").status == 404


def test_only_given_fields_change(client: ApiClient) -> None:
    made = client.register(**CLIENTS_EXAMPLE)
    path = f"/webhooks/{made['id']}"
    client.now_ms += 1000
    answer = client.call("PUT", path, {"name": "renamed", "rate_limit_rps": None})
    assert answer.status == 200
    assert answer.headers["etag"] == '"2"'
    body = answer.body
    assert (body["name"], body["rate_limit_rps"], body["version"]) == ("renamed", None, 2)
    assert body["updated_at"] > made["updated_at"]
    same = ("url", "description", "max_retries", "timeout_seconds", "headers", "metadata", "status", "created_at")
    assert all(body[name] == made[name] for name in same)
    assert client.call("GET", path).body == body


@pytest.mark.parametrize(
    "change",
    [{"name": None}, {"url": None}, {"status": None}, {"max_retries": None}, {"url": "https://10.0.0.1/"}, {"id": 1}],
)
def test_a_change_is_judged_like_a_registration(client: ApiClient, change: dict[str, Any]) -> None:
    made = client.register()
    assert client.call("PUT", f"/webhooks/{made['id']}", change).status == 422
    assert client.store.webhooks_by_id[made["id"]].version == 1


def test_the_workspace_may_be_repeated_but_not_changed(client: ApiClient) -> None:
    made = client.register(workspace_id=456, workspaces=["456"])
    path = f"/webhooks/{made['id']}"
    assert client.call("PUT", path, {"workspace_id": 456}, workspaces=["456"]).status == 200
    assert (
        client.call("PUT", path, {"workspace_id": 457}, workspaces=["456"]).body["errors"][0]["field"] == "workspace_id"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com:8443/hook",
        "https://example.com:8443/hook",
        "https://evil.example/hook",
        "https://example.co/",
    ],
)
def test_stored_header_values_do_not_move_to_another_server(url: str) -> None:
    """Whoever may edit a webhook would read them there, though the API never shows them."""
    client = ApiClient(allow_http=True)
    made = client.register(headers={"Authorization": "Bearer canary", "X-Key": "canary"})
    path = f"/webhooks/{made['id']}"
    for change, fields in (
        ({}, ["headers"]),
        ({"headers": {"Authorization": "Bearer new", "X-Key": MASK}}, ["headers.X-Key"]),
        ({"headers": {"authorization": MASK, "X-Key": MASK}}, ["headers.authorization", "headers.X-Key"]),
    ):
        answer = client.call("PUT", path, {"url": url, **change})
        assert (answer.status, [each["field"] for each in answer.body["errors"]]) == (422, fields), answer.text
    assert client.call("GET", path).body["url"] == "https://example.com/hook"
    assert client.call("PUT", path, {"url": url, "headers": {"X-Key": "new"}}).body["headers"] == {"X-Key": MASK}
    assert sealed(client, made["id"]).headers == {"X-Key": "new"}


@pytest.mark.parametrize(
    "url",
    ["https://example.com/other?q", "https://EXAMPLE.com/hook", "https://example.com:443/", "HTTPS://example.com"],
)
def test_stored_header_values_stay_with_their_server(url: str) -> None:
    client = ApiClient()
    made = client.register(headers={"Authorization": "Bearer token"})
    answer = client.call("PUT", f"/webhooks/{made['id']}", {"url": url})
    assert answer.body["headers"] == {"Authorization": MASK}, answer.text


def test_a_url_without_stored_headers_changes_freely(client: ApiClient) -> None:
    made = client.register()
    assert client.call("PUT", f"/webhooks/{made['id']}", {"url": "https://elsewhere.example/"}).status == 200


def test_nothing_that_is_a_tenants_is_kept_on_the_way(client: ApiClient) -> None:
    """RFC 9111, section 5.2.2.5. Least of all the answers that hold a new secret."""
    answer = client.call("POST", "/webhooks", {"name": "n", "url": "https://example.com/"})
    path = f"/webhooks/{answer.body['id']}"
    answers = [answer, client.call("POST", f"{path}/regenerate-secret"), client.call("GET", path)]
    answers += [client.call("GET", "/webhooks"), client.call("PUT", path, {"name": ""}), client.call("DELETE", path)]
    assert {each.headers.get("cache-control") for each in answers} == {"no-store"}


def test_a_masked_header_keeps_its_value(client: ApiClient) -> None:
    made = client.register(headers={"Authorization": "Bearer token", "X-Old": "old"})
    answer = client.call("PUT", f"/webhooks/{made['id']}", {"headers": {"authorization": MASK, "X-New": "new"}})
    assert answer.body["headers"] == {"authorization": MASK, "X-New": MASK}
    kept = sealed(client, made["id"])
    assert kept.headers == {"authorization": "Bearer token", "X-New": "new"}
    assert kept.secret == made["secret"]


def test_if_match_is_honoured(client: ApiClient) -> None:
    made = client.register()
    path = f"/webhooks/{made['id']}"
    for wrong in ('"2"', "nonsense", '"0", "7"'):
        answer = client.call("PUT", path, {"name": "late"}, headers={"If-Match": wrong})
        assert (answer.status, answer.body["type"]) == (412, "/problems/version-conflict")
    for method, each in (("DELETE", path), ("POST", f"{path}/regenerate-secret")):
        assert client.call(method, each, headers={"If-Match": '"2"'}).status == 412
    for version, right in ((1, '"1"'), (2, 'W/"2"'), (3, '"9", "3"'), (4, "*")):
        assert client.store.webhooks_by_id[made["id"]].version == version
        assert client.call("PUT", path, {"name": "n"}, headers={"If-Match": right}).status == 200


def test_a_change_is_computed_anew_when_somebody_was_faster(client: ApiClient) -> None:
    made = client.register()
    client.store.interferences = 2
    assert client.call("PUT", f"/webhooks/{made['id']}", {"name": "n"}).status == 200
    client.store.interferences = 99
    answer = client.call("PUT", f"/webhooks/{made['id']}", {"name": "n"})
    assert (answer.status, answer.body["type"]) == (409, "/problems/conflict")


@pytest.mark.parametrize("status", ["paused", "inactive"])
def test_a_status_reaches_the_routes_and_resuming_wakes_the_room(client: ApiClient, status: str) -> None:
    made = client.register(subscriptions=[{"event_type": "*"}])
    path = f"/webhooks/{made['id']}"
    assert client.call("PUT", path, {"status": status}).body["status"] == status
    assert [row.status for row in client.store.rows.values()] == [status]
    client.states.woken.clear()
    assert client.call("PUT", path, {"status": "active"}).body["status"] == "active"
    assert [row.status for row in client.store.rows.values()] == ["active"]
    assert client.states.woken == [made["id"]]
    assert client.store.versions["user:123", "*"] == 3


def test_another_change_wakes_nobody_and_leaves_the_routes_alone(client: ApiClient) -> None:
    made = client.register(subscriptions=[{"event_type": "*"}])
    client.call("PUT", f"/webhooks/{made['id']}", {"name": "n"})
    assert not client.states.woken
    assert client.store.versions == {("user:123", "*"): 1}


def test_deleting_leaves_nothing_to_see_or_to_leak(client: ApiClient) -> None:
    made = client.register(subscriptions=[{"event_type": "*"}], headers={"Authorization": "x"})
    path = f"/webhooks/{made['id']}"
    answer = client.call("DELETE", path)
    assert (answer.status, answer.text) == (204, "")
    assert client.call("GET", path).status == 404
    assert client.call("DELETE", path).status == 404
    assert client.call("GET", "/webhooks").body == {"items": [], "next_cursor": None}
    tombstone = client.store.webhooks_by_id[made["id"]]
    assert (tombstone.status, tombstone.url, tombstone.sealed, tombstone.header_names) == ("deleted", "", b"", ())
    assert not client.store.rows
    assert client.states.woken == [made["id"]]


def test_lists_are_paged_newest_first(client: ApiClient) -> None:
    made = []
    for _ in range(5):
        client.now_ms += 1
        made.append(client.register()["id"])
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        answer = client.call("GET", "/webhooks", query={"limit": "2", **({"cursor": cursor} if cursor else {})})
        seen += [each["id"] for each in answer.body["items"]]
        cursor = answer.body["next_cursor"]
    assert cursor is None
    assert seen == made[::-1]


def test_a_cursor_is_good_for_its_caller_and_list_alone(client: ApiClient) -> None:
    for _ in range(2):
        client.now_ms += 1
        client.register()
    cursor = client.call("GET", "/webhooks", query={"limit": "1"}).body["next_cursor"]
    refused = [
        client.call("GET", "/webhooks", user_id="124", query={"cursor": cursor}),
        client.call("GET", "/webhooks", query={"cursor": cursor[:-3] + "AAA"}),
        client.call("GET", "/webhooks", query={"cursor": "not base64 !"}),
        client.call("GET", "/webhooks", query={"cursor": ""}),
        client.call("GET", "/webhooks", user_id="123", scopes=["admin"], query={"cursor": cursor, "user_id": "123"}),
    ]
    assert [(answer.status, answer.body["errors"][0]["field"]) for answer in refused] == [(422, "cursor")] * 5


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"limit": "1.5"}, {"sort": "name"}]
)
def test_query_parameters_are_checked(client: ApiClient, query: dict[str, str]) -> None:
    answer = client.call("GET", "/webhooks", query=query)
    assert answer.status == 422
    assert answer.body["errors"][0]["field"] == next(iter(query))


def test_admins_may_ask_for_one_owner_and_others_may_not(client: ApiClient) -> None:
    mine, other = client.register(), client.register(user_id="u-9")
    assert client.call("GET", "/webhooks", query={"user_id": "u-9"}).status == 403
    assert client.call("GET", "/webhooks", query={"user_id": "123"}).body["items"][0]["id"] == mine["id"]
    found = client.call("GET", "/webhooks", user_id="1", scopes=["admin"], query={"user_id": "u-9"}).body["items"]
    assert [each["id"] for each in found] == [other["id"]]


def test_a_new_secret_overlaps_with_the_old_one(client: ApiClient) -> None:
    made = client.register(headers={"A": "kept"})
    path = f"/webhooks/{made['id']}"
    answer = client.call("POST", f"{path}/regenerate-secret", {"overlap_hours": 2})
    assert answer.status == 200
    body = answer.body
    assert body["secret"].startswith("whsec_")
    assert body["secret"] != made["secret"]
    assert body["previous_secret_expires_at"] == client.call("GET", path).body["previous_secret_expires_at"]
    kept = sealed(client, made["id"])
    assert (kept.secret, kept.previous, kept.previous_until_ms) == (body["secret"], made["secret"], NOW + 2 * 3_600_000)
    assert kept.headers == {"A": "kept"}
    client.now_ms += 2 * 3_600_000
    assert client.call("GET", path).body["previous_secret_expires_at"] is None


def test_a_rotation_without_overlap_forgets_the_old_secret(client: ApiClient) -> None:
    made = client.register()
    body = client.call("POST", f"/webhooks/{made['id']}/regenerate-secret", {"overlap_hours": 0}).body
    assert body["previous_secret_expires_at"] is None
    assert sealed(client, made["id"]).previous is None


def test_a_second_rotation_keeps_the_secret_that_the_receiver_has(client: ApiClient) -> None:
    made = client.register()
    path = f"/webhooks/{made['id']}/regenerate-secret"
    first = client.call("POST", path, {"overlap_hours": 2}).body["secret"]
    second = client.call("POST", path, {"overlap_hours": 5}).body
    kept = sealed(client, made["id"])
    hour = 3_600_000
    assert kept.older(NOW) == [(made["secret"], NOW + 2 * hour), (first, NOW + 5 * hour)]
    assert kept.older(NOW + 2 * hour) == [(first, NOW + 5 * hour)]
    assert (kept.secret, second["previous_secret_expires_at"]) == (second["secret"], "2025-10-09T13:53:20.000Z")

    third = client.call("POST", path, {"overlap_hours": 1})
    assert (third.status, sealed(client, made["id"])) == (409, kept)
    assert "2025-10-09T10:53:20.000Z" in third.body["detail"]

    client.now_ms += 2 * hour
    third = client.call("POST", path, {"overlap_hours": 1}).body
    assert [secret for secret, _ in sealed(client, made["id"]).older(client.now_ms)] == [first, second["secret"]]
    client.call("POST", path, {"overlap_hours": 0})
    assert sealed(client, made["id"]).older(client.now_ms) == []


def test_a_rotation_repeated_with_its_key_is_done_once(client: ApiClient) -> None:
    made = client.register()
    path, key = f"/webhooks/{made['id']}/regenerate-secret", {"Idempotency-Key": "k1", "If-Match": '"1"'}
    first, again = [client.call("POST", path, {"overlap_hours": 2}, headers=key) for _ in range(2)]
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert sealed(client, made["id"]).previous == made["secret"]
    assert client.call("POST", path, {"overlap_hours": 3}, headers=key).status == 409
    assert client.call("POST", path, {"overlap_hours": 2}, headers=key, user_id="other").status == 404
    client.now_ms += DAY_MS
    later = client.call("POST", path, {"overlap_hours": 2}, headers={"Idempotency-Key": "k1"})
    assert later.body["secret"] != first.body["secret"]


def test_a_rotation_without_a_body_overlaps_for_a_day(client: ApiClient) -> None:
    made = client.register()
    assert client.call("POST", f"/webhooks/{made['id']}/regenerate-secret").status == 200
    assert sealed(client, made["id"]).previous_until_ms == NOW + DAY_MS


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "24", None])
def test_an_overlap_has_bounds(client: ApiClient, hours: object) -> None:
    made = client.register()
    answer = client.call("POST", f"/webhooks/{made['id']}/regenerate-secret", {"overlap_hours": hours})
    assert answer.status == 422


def test_an_idempotency_key_makes_one_webhook(client: ApiClient) -> None:
    request = {"name": "n", "url": "https://example.com/", "subscriptions": [{"event_type": "*"}]}
    key = {"Idempotency-Key": "key-1"}
    first = client.call("POST", "/webhooks", request, headers=key)
    again = client.call("POST", "/webhooks", request, headers=key)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert len(client.store.webhooks_by_id) == 1
    other = client.call("POST", "/webhooks", {**request, "name": "m"}, headers=key)
    assert (other.status, other.body["type"]) == (409, "/problems/conflict")
    assert client.call("POST", "/webhooks", request, headers=key, user_id="9").body["id"] != first.body["id"]


def test_a_repeat_after_a_change_does_not_show_the_secret(client: ApiClient) -> None:
    request = {"name": "n", "url": "https://example.com/"}
    key = {"Idempotency-Key": "key-1"}
    made = client.call("POST", "/webhooks", request, headers=key).body
    client.call("POST", f"/webhooks/{made['id']}/regenerate-secret")
    again = client.call("POST", "/webhooks", request, headers=key).body
    assert (again["id"], again["secret"]) == (made["id"], None)


def test_a_key_is_free_again_after_a_day(client: ApiClient) -> None:
    request = {"name": "n", "url": "https://example.com/"}
    key = {"Idempotency-Key": "key-1"}
    first = client.call("POST", "/webhooks", request, headers=key).body
    client.now_ms += DAY_MS
    assert client.call("POST", "/webhooks", request, headers=key).body["id"] != first["id"]


@pytest.mark.parametrize("key", ["", "a|b", "with space", "é", "k" * 256])
def test_a_key_that_cannot_be_kept_is_refused(client: ApiClient, key: str) -> None:
    request = {"name": "n", "url": "https://example.com/"}
    answer = client.call("POST", "/webhooks", request, headers={"Idempotency-Key": key})
    assert answer.body["errors"][0]["field"] == "Idempotency-Key"


def test_the_clients_test_call_is_accepted_and_answers_with_the_result(client: ApiClient) -> None:
    made = client.register()
    answer = client.call("POST", f"/webhooks/{made['id']}/test", {"test": True})
    assert answer.status == 200
    body = answer.body
    assert (body["succeeded"], body["status_code"], body["duration_ms"]) == (True, 200, 12)
    webhook_id, payload = client.sender.tried[0]
    assert webhook_id == made["id"]
    assert list(payload) == ["id", "type", "resource_id", "workspace_id", "user_id", "timestamp", "data", "metadata"]
    assert (payload["type"], payload["user_id"]) == ("webhook.test", 123)
    assert json.loads(body["request"]["body"])["id"] == body["event_id"]


def test_a_test_may_name_type_and_data(client: ApiClient) -> None:
    made = client.register()
    path = f"/webhooks/{made['id']}/test"
    assert client.call("POST", path, {"event_type": "record.created", "data": {"id": "rec1"}}).status == 200
    assert client.sender.tried[0][1]["data"] == {"id": "rec1"}
    as_written = {"a": Number("1.10"), "b": [Number("12345678901234567890.12345")]}
    assert client.call("POST", path, {"data": as_written}).status == 200
    assert client.sender.tried[1][1]["data"] == as_written
    assert client.call("POST", path).status == 200
    assert client.call("POST", path, {"event_type": "no.such"}).body["errors"][0]["field"] == "event_type"
    assert client.call("POST", path, {"test": False}).status == 422

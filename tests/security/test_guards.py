"""Guards that no other test watches by itself; scripts/guard_mutants.py takes each out and expects a failure here."""

import ssl

import pytest

from tests.support.api_client import ApiClient
from webhooks.egress.transport.client import _default_tls
from webhooks.models.event import EventRecord
from webhooks.models.webhook import Webhook

SECRET = "a-signing-secret-of-the-former-service"


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def webhook(user_id: object = 1, webhook_id: str = "wh_1", sealed_version: int = 1) -> Webhook:
    nothing = dict.fromkeys(Webhook.__dataclass_fields__)
    return Webhook(**{**nothing, "user_id": user_id, "webhook_id": webhook_id, "sealed_version": sealed_version})


def test_tls_is_1_2_or_newer_and_fully_verified() -> None:
    context = _default_tls()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.keylog_filename is None


def test_a_sealed_secret_names_its_owner_webhook_and_version() -> None:
    places = (webhook(), webhook(user_id=2), webhook(webhook_id="wh_2"), webhook(sealed_version=2))
    assert len({each.sealed_context for each in places}) == len(places)


def test_a_weak_secret_is_not_imported(client: ApiClient) -> None:
    for weak in ("short", "a" * 64):
        refused = client.call("POST", "/webhooks", {"name": "n", "url": "https://example.com/", "secret": weak})
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "secret")


def test_header_values_come_back_masked(client: ApiClient) -> None:
    made = client.register(headers={"Authorization": "Bearer canary"})
    shown = client.call("GET", f"/webhooks/{made['id']}")
    assert made["headers"] == shown.body["headers"] == {"Authorization": "********"}
    assert "secret" not in shown.body


def test_a_refused_request_is_not_repeated(client: ApiClient) -> None:
    wrong = {"name": "n", "url": "https://example.com/", "secret": ["canary-1"], "headers": {"X-A": ["canary-2"]}}
    refused = client.call("POST", "/webhooks", wrong)
    assert refused.status == 422
    assert "canary" not in refused.text


def test_a_caller_without_the_scope_gets_nowhere(client: ApiClient) -> None:
    assert client.call("GET", "/webhooks", scopes=["events:write"]).status == 403
    assert client.call("POST", "/events", {"type": "record.created"}, scopes=["webhooks"]).status == 403
    assert client.call("GET", "/webhooks", user_id=None).status == 401


def test_another_tenants_webhook_does_not_exist(client: ApiClient) -> None:
    made = client.register()
    assert client.call("GET", f"/webhooks/{made['id']}", user_id="124").status == 404
    assert client.call("GET", f"/webhooks/{made['id']}", user_id="124", scopes=["admin"]).status == 200


def test_a_list_is_the_callers_own(client: ApiClient) -> None:
    client.register()
    assert client.call("GET", "/webhooks", user_id="124").body["items"] == []
    assert client.call("GET", "/webhooks", user_id="124", query={"user_id": "123"}).status == 403


def test_a_webhook_hears_no_foreign_workspace(client: ApiClient) -> None:
    wanted = {"name": "n", "url": "https://example.com/", "workspace_id": 7}
    assert client.call("POST", "/webhooks", wanted).status == 403
    assert client.call("POST", "/webhooks", wanted, workspaces=["7"]).status == 201


@pytest.mark.parametrize("foreign", [{"user_id": 124}, {"workspace_id": 7}])
def test_nobody_publishes_for_others(client: ApiClient, foreign: dict[str, int]) -> None:
    event = {"type": "record.created", "data": {}, **foreign}
    assert client.call("POST", "/events", event).status == 403
    assert client.call("POST", "/events", event, scopes=["events:write:any"]).status == 202


def test_another_tenants_event_does_not_exist(client: ApiClient) -> None:
    body = b'{"id":"e1","type":"record.created","user_id":123,"timestamp":"2024-01-01T00:00:00Z"}'
    client.events.add(EventRecord("e1", "user:123", 0, "t", "record.created", 123, None, client.now_ms, body))
    assert client.call("GET", "/events/e1").status == 200
    assert client.call("GET", "/events/e1", user_id="124").status == 404


def test_cors_names_the_configured_origins_alone() -> None:
    client = ApiClient(cors=("https://app.example.com",))
    for origin, allowed in (("https://app.example.com", True), ("https://evil.example", False)):
        answer = client.call("GET", "//health", headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        assert answer.headers.get("access-control-allow-origin") != "*"

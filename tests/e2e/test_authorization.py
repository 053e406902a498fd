"""Who may call: tokens and, on this local stack, X-User-ID; and what belongs to others is not there."""

import base64
import json
from typing import Any

import httpx
import jwt
import pytest

from tests.support.receiver import answer
from tests.support.service import Document, Service, User, assert_problem, event, eventually

SECRET = "not the secret of this service, though twice as long as one has to be"


def claims(service: Service, **changes: Any) -> Document:
    """Those of a token that the service would take."""
    outputs = service.stack.outputs
    good = {"sub": "77", "iss": outputs["JwtIssuer"], "aud": outputs["JwtAudience"], "scope": "webhooks"}
    return {name: value for name, value in (good | {"exp": 4_000_000_000} | changes).items() if value is not None}


def with_token(service: Service, token: str, **headers: str) -> httpx.Response:
    return service.http.get("/api/v1/webhooks", headers={"Authorization": f"Bearer {token}", **headers})


def genuine(service: Service, **changes: Any) -> str:
    """Signed with the service's own secret."""
    arn = service.stack.outputs["JwtSecretArn"]
    secret = service.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    return jwt.encode(claims(service, **changes), secret, algorithm="HS256")


def test_a_token_names_the_caller_and_wins_over_x_user_id(service: Service) -> None:
    owner, other = service.bearer(), service.user()
    webhook = owner.register("https://example.com/")
    both = {**owner.headers, **other.headers}

    listed = service.http.get("/api/v1/webhooks", headers=both)
    assert [each["id"] for each in listed.json()["items"]] == [webhook["id"]]
    assert listed.json()["items"][0]["user_id"] == owner.user_id
    assert other.items("/webhooks") == []


def test_the_user_of_a_token_and_of_the_header_are_the_same_person(service: Service) -> None:
    by_token = service.bearer()
    webhook = by_token.register("https://example.com/")
    by_header = service.user(by_token.user_id)
    assert by_header.read(f"/webhooks/{webhook['id']}")["id"] == webhook["id"]


def test_no_caller_is_refused(service: Service) -> None:
    assert_problem(service.http.get("/api/v1/webhooks"), 401, "unauthorized")
    assert_problem(service.http.post("/api/v1/events", json=event()), 401, "unauthorized")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iss": "somebody"},
        {"aud": "another-service"},
        {"sub": None},
        {"sub": ""},
        {"nbf": 4_000_000_000},
        {"scope": ["webhooks"]},
        {"workspace_ids": "all"},
    ],
)
def test_a_token_that_does_not_hold_is_refused_even_beside_x_user_id(service: Service, changes: Document) -> None:
    assert with_token(service, genuine(service)).status_code == 200
    refused = with_token(service, genuine(service, **changes), **{"X-User-ID": "77"})
    assert_problem(refused, 401, "unauthorized")


def test_a_forged_token_is_refused_even_beside_x_user_id(service: Service) -> None:
    header, payload, signature = genuine(service).split(".")
    admin = base64.urlsafe_b64encode(json.dumps(claims(service, scope="admin")).encode()).rstrip(b"=").decode()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    forged = [
        jwt.encode(claims(service), SECRET, algorithm="HS256"),
        jwt.encode(claims(service), SECRET, algorithm="HS512"),
        f"{header}.{admin}.{signature}",
        f"{unsigned}.{payload}.",
        f"{header}.{payload}.",
        "not a token",
        "x" * 8_000,
    ]
    for token in forged:
        assert_problem(with_token(service, token, **{"X-User-ID": "77"}), 401, "unauthorized")


def test_another_scheme_than_bearer_is_refused(service: Service) -> None:
    for scheme in ("Basic dXNlcjpwYXNz", "Bearer", "Token abc"):
        refused = service.http.get("/api/v1/webhooks", headers={"Authorization": scheme, "X-User-ID": "77"})
        assert refused.status_code == 401, scheme


def test_a_token_without_the_scope_is_known_but_may_not(service: Service) -> None:
    refused = with_token(service, genuine(service, scope="metrics:read"))
    problem = assert_problem(refused, 403, "forbidden")
    assert "webhooks" in problem["detail"]


@pytest.fixture(scope="module")
def belongings(service: Service) -> tuple[User, dict[str, str]]:
    """An owner, and the ids of one of everything that belongs to it."""
    owner, path = service.user(), service.path(answer(400))
    webhook = owner.register(service.receiver.url(path), max_retries=0)
    published = event()
    owner.post("/events", published)
    letter = eventually(lambda: owner.items(f"/webhooks/{webhook['id']}/dead-letters"))[0]
    job = owner.post(f"/webhooks/{webhook['id']}/dead-letters/bulk-replay", {"reason": "none"}).json()
    return owner, {
        "webhook": webhook["id"],
        "subscription": webhook["subscriptions"][0]["id"],
        "delivery": letter["id"],
        "event": published["id"],
        "replay": job["id"],
    }


ROUTES = [
    ("GET", "/webhooks/{webhook}", None),
    ("PUT", "/webhooks/{webhook}", {"name": "Stolen"}),
    ("DELETE", "/webhooks/{webhook}", None),
    ("POST", "/webhooks/{webhook}/regenerate-secret", None),
    ("POST", "/webhooks/{webhook}/test", None),
    ("GET", "/webhooks/{webhook}/subscriptions", None),
    ("POST", "/webhooks/{webhook}/subscriptions", {"event_type": "*"}),
    ("GET", "/webhooks/{webhook}/subscriptions/{subscription}", None),
    ("PUT", "/webhooks/{webhook}/subscriptions/{subscription}", {"is_active": False}),
    ("DELETE", "/webhooks/{webhook}/subscriptions/{subscription}", None),
    ("GET", "/webhooks/{webhook}/deliveries", None),
    ("GET", "/webhooks/{webhook}/deliveries/{delivery}", None),
    ("POST", "/webhooks/{webhook}/deliveries/{delivery}/retry", None),
    ("GET", "/webhooks/{webhook}/dead-letters", None),
    ("POST", "/webhooks/{webhook}/dead-letters/{delivery}/replay", None),
    ("POST", "/webhooks/{webhook}/dead-letters/bulk-replay", None),
    ("GET", "/events/{event}", None),
    ("GET", "/events/{event}?webhook_id={webhook}", None),
    ("GET", "/replays/{replay}", None),
]


@pytest.mark.parametrize(("method", "route", "document"), ROUTES)
def test_what_belongs_to_others_is_not_there(
    service: Service, belongings: tuple[User, dict[str, str]], method: str, route: str, document: Document | None
) -> None:
    owner, ids = belongings
    path = route.format(**ids)
    before = owner.get(f"/webhooks/{ids['webhook']}").text
    for stranger in (service.user(), service.bearer()):
        refused = stranger.request(method, path, **({} if document is None else {"json": document}))
        assert_problem(refused, 404, "not-found")
        unknown = stranger.request(method, "/events/evt_none" if "/events/" in path else "/replays/rpl_none")
        assert unknown.status_code in (404, 405)
    assert owner.get(f"/webhooks/{ids['webhook']}").text == before
    assert len(owner.items(f"/webhooks/{ids['webhook']}/subscriptions")) == 1


def test_another_tenants_webhook_does_not_lead_to_ones_own_delivery(
    service: Service, belongings: tuple[User, dict[str, str]]
) -> None:
    _, ids = belongings
    stranger = service.user()
    own = stranger.register("https://example.com/")
    for path in (f"deliveries/{ids['delivery']}", f"subscriptions/{ids['subscription']}"):
        assert_problem(stranger.get(f"/webhooks/{own['id']}/{path}"), 404, "not-found")


def test_lists_hold_ones_own_alone(service: Service, belongings: tuple[User, dict[str, str]]) -> None:
    owner, _ = belongings
    stranger = service.user()
    assert stranger.items("/webhooks") == []
    assert stranger.items("/dead-letters") == []
    refused = stranger.get("/webhooks", params={"user_id": owner.user_id})
    assert_problem(refused, 403, "forbidden")


def test_admins_manage_everybodys_webhooks(service: Service, user: User) -> None:
    webhook = user.register("https://example.com/")
    admin = service.bearer(scope="admin")
    assert [each["id"] for each in admin.items("/webhooks", user_id=user.user_id)] == [webhook["id"]]
    assert admin.change(webhook["id"], name="Renamed by an admin")["user_id"] == user.user_id
    assert user.read(f"/webhooks/{webhook['id']}")["name"] == "Renamed by an admin"

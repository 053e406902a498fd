"""Portal links: made by the platform, redeemed once, and what their sessions may do."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, Answered, ApiClient
from webhooks.access.api_keys import verify
from webhooks.errors import Unauthenticated
from webhooks.management.portal_links import PortalLinks
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import AuditEntry
from webhooks.models.caller import Origin
from webhooks.models.erasure import Erasure

PLATFORM: dict[str, Any] = {"user_id": "platform", "scopes": ("portal-links",)}
ADMIN: dict[str, Any] = {"user_id": "9", "scopes": ("admin",)}
ORIGIN = Origin("198.51.100.7", "req-1")


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def make(client: ApiClient, **body: Any) -> dict[str, Any]:
    answer = client.call("POST", "/portal-links", {"user_id": 123, **body}, **PLATFORM)
    assert answer.status == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.body


def redeem(client: ApiClient, link: str) -> Answered:
    return client.call("POST", "//portal-sessions", {"link": link}, user_id=None)


def use(client: ApiClient, session: dict[str, Any], method: str = "GET", path: str = "/webhooks") -> int:
    """The status of a request with the session's token, as the authorizer's cached answer has it."""
    caller = {"user_id": str(session["user_id"]), "scopes": session["scopes"], "workspaces": session["workspace_ids"]}
    return client.call(method, path, **caller, key_id=session["id"]).status


def actions(client: ApiClient) -> list[tuple[str, str, str]]:
    entries = client.call("GET", "/audit", **ADMIN).body["items"]
    return [(each["action"], each["user_id"], each["actor"]) for each in reversed(entries)]


def test_a_link_gives_one_session_with_the_customer_s_rights_and_no_others(client: ApiClient) -> None:
    made = make(client, workspace_ids=[77, "acme"], scopes=["webhooks:read", "events:write"], session_seconds=600)
    assert made["expires_at"] == "2025-10-09T08:58:20.000Z"
    answer = redeem(client, made["link"])
    assert answer.status == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    session = answer.body
    caller = verify(session["token"], client.api_keys, NOW).caller
    assert (caller.user_id, caller.workspace_ids) == (123, frozenset({"77", "acme"}))
    assert caller.scopes == {"webhooks:read", "events:write"}
    assert session["expires_at"] == "2025-10-09T09:03:20.000Z"
    assert use(client, session) == 200
    assert sorted(actions(client)) == [
        ("portal_link.created", "123", "platform"),
        ("portal_link.redeemed", "123", "123"),
    ]
    with pytest.raises(Unauthenticated, match="expired"):
        verify(session["token"], client.api_keys, NOW + 600_000)


def test_the_url_has_the_secret_behind_the_hash_and_says_how_the_portal_looks(client: ApiClient) -> None:
    look = {"name": "Acme & Söhne", "accent": "0b7a5c", "theme": "dark", "language": "de"}
    answer = client.call(
        "POST",
        "/portal-links",
        {"user_id": "u1", "appearance": look},
        headers={"Host": "hooks.acme.example", "X-Forwarded-Proto": "https"},
        **PLATFORM,
    )
    before, _, behind = answer.body["url"].partition("#")
    assert before == (
        "https://hooks.acme.example/dashboard?portal&name=Acme%20%26%20S%C3%B6hne&accent=0b7a5c&theme=dark&language=de"
    )
    assert behind == f"link={answer.body['link']}"
    assert re.fullmatch(r"pyal_[0-9A-Za-z]{75}", answer.body["link"])


def test_what_is_kept_of_a_link_and_of_its_session_does_not_hold_them(client: ApiClient) -> None:
    made = make(client)
    secret = made["link"][31:]
    assert secret not in repr(client.dynamodb.tables["webhooks"].get((made["id"], "key")))
    token = redeem(client, made["link"]).body["token"]
    kept = repr(client.dynamodb.tables["webhooks"].get((made["id"], "key"))) + repr(client.dynamodb.tables)
    assert token[31:] not in kept
    assert secret not in kept
    assert token[31:] != secret


def test_a_link_is_no_key_and_a_key_no_link(client: ApiClient) -> None:
    made = make(client)
    key = f"pyak_{made['link'].removeprefix('pyal_')}"
    for each in (made["link"], key):
        with pytest.raises(Unauthenticated):
            verify(each, client.api_keys, NOW)
    for each in (key, key.removeprefix("pyak_")):
        assert redeem(client, each).status == 401
    token = redeem(client, made["link"]).body["token"]
    for each in (made["link"], key):
        with pytest.raises(Unauthenticated):
            verify(each, client.api_keys, NOW)
    assert redeem(client, f"pyal_{token.removeprefix('pyak_')}").status == 401


def test_used_twice_expired_forged_and_revoked_links_get_the_same_answer(client: ApiClient) -> None:
    used, revoked, late = (make(client) for _ in range(3))
    assert redeem(client, used["link"]).status == 201
    assert client.call("DELETE", f"/portal-links/{revoked['id']}", **PLATFORM).status == 204
    other = make(client)["link"]
    forged = [late["link"][:31] + other[31:], late["link"][:-1], "pyal_", "pyal_" + "A" * 75, "x", late["link"] + "0"]
    answers = [redeem(client, each) for each in (used["link"], revoked["link"], *forged)]
    client.now_ms += 300_000
    answers.append(redeem(client, late["link"]))
    assert {each.status for each in answers} == {401}
    assert len({each.body["detail"] for each in answers}) == 1
    entries = [action for action, *_ in actions(client)]
    assert entries.count("portal_link.redeemed") == 1, "a refused one leaves no entry"


def test_of_two_that_redeem_at_once_one_wins(client: ApiClient) -> None:
    made = make(client)

    class Racing:
        """Somebody else redeems between the reading and the writing."""

        won = 0

        def redeem(self, link: ApiKey, session: ApiKey, audit: AuditEntry) -> bool:
            self.won = redeem(client, made["link"]).status
            return client.api_keys.redeem(link, session, audit)

        def __getattr__(self, name: str) -> Any:
            return getattr(client.api_keys, name)

    racing: Any = Racing()
    links = client.portal_links
    with pytest.raises(Unauthenticated, match="used before"):
        PortalLinks(racing, links.checks, links.erasures, links.limits, links.now_ms).redeem(made["link"], ORIGIN)
    assert racing.won == 201
    assert [action for action, *_ in actions(client)].count("portal_link.redeemed") == 1


def test_a_link_that_is_revoked_while_it_is_redeemed_gives_nothing(client: ApiClient) -> None:
    made = make(client)
    link = client.api_keys.links.get(made["id"])
    assert link is not None
    assert client.call("DELETE", f"/portal-links/{made['id']}", **PLATFORM).status == 204
    audit = AuditEntry("aud_1", "portal_link.redeemed", "123", made["id"], "123")
    assert client.api_keys.redeem(link, replace(link, digest=b"1" * 32), audit) is False
    assert client.api_keys.get(made["id"]) is None


def test_a_revoked_link_ends_its_session(client: ApiClient) -> None:
    made = make(client)
    session = redeem(client, made["link"]).body
    assert use(client, session) == 200
    assert client.call("DELETE", f"/portal-links/{made['id']}", **PLATFORM).status == 204
    assert use(client, session) == 401
    assert client.call("DELETE", f"/portal-links/{made['id']}", **PLATFORM).status == 404


def test_an_api_key_is_not_revoked_as_a_link(client: ApiClient) -> None:
    body = {"name": "k", "scopes": ["webhooks"]}
    key = client.call("POST", "/api-keys", body, scopes=("webhooks", "api-keys")).body
    assert client.call("DELETE", f"/portal-links/{key['id']}", **PLATFORM).status == 404
    assert client.api_keys.get(key["id"]) is not None


@pytest.mark.parametrize("tenant", ["user:123", "workspace:77"])
def test_a_link_of_a_tenant_that_was_erased_since_gives_nothing(client: ApiClient, tenant: str) -> None:
    """Even where the listing, which lags, did not name it when the tenant's keys were revoked."""
    made = make(client, workspace_ids=[77])
    scope = tenant.replace("workspace", "ws")
    client.erasures.start(None, Erasure(scope, client.now_ms, "9", client.now_ms))
    assert redeem(client, made["link"]).status == 401
    client.now_ms += 1_000
    assert redeem(client, make(client, workspace_ids=[77])["link"]).status == 201, "who comes back is let in"


def test_erasing_a_user_ends_its_links_and_sessions(client: ApiClient) -> None:
    session = redeem(client, make(client)["link"]).body
    unused = make(client)
    assert use(client, session) == 200
    assert client.call("DELETE", "/tenants/user:123", **ADMIN).status == 202
    assert use(client, session) == 401
    assert client.api_keys.get(unused["id"]) is None


def test_who_leaves_a_workspace_loses_the_sessions_that_name_it(client: ApiClient) -> None:
    session = redeem(client, make(client, workspace_ids=[77])["link"]).body
    elsewhere = redeem(client, make(client, workspace_ids=[78])["link"]).body
    removed = client.call("DELETE", "/workspaces/77/members/123", **ADMIN)
    assert removed.body["revoked_api_keys"] == [session["id"]]
    assert use(client, session) == 401
    assert use(client, elsewhere) == 200


def test_sessions_are_no_api_keys_of_their_user_s_and_manage_none(client: ApiClient) -> None:
    made = make(client)
    session = redeem(client, made["link"]).body
    listed = client.call("GET", "/api-keys", scopes=("webhooks", "api-keys"))
    assert listed.body["items"] == []
    assert client.call("GET", "/api-keys", scopes=("webhooks", "api-keys"), key_id=session["id"]).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": ["admin"]},
        {"scopes": ["api-keys"]},
        {"scopes": ["portal-links"]},
        {"scopes": ["events:write:any"]},
        {"scopes": ["metrics:read"]},
        {"scopes": []},
        {"user_id": None},
        {"user_id": "a|b"},
        {"workspace_ids": ["a|b"]},
        {"expires_in_seconds": 3_601},
        {"expires_in_seconds": 29},
        {"session_seconds": 43_201},
        {"appearance": {"accent": "red"}},
        {"appearance": {"language": "fr"}},
        {"appearance": {"name": "a\nb"}},
    ],
)
def test_a_session_never_reaches_beyond_a_customer_nor_lasts_long(client: ApiClient, body: dict[str, Any]) -> None:
    assert client.call("POST", "/portal-links", {"user_id": 1, **body}, **PLATFORM).status == 422


def test_only_the_platform_makes_and_revokes_links(client: ApiClient) -> None:
    made = make(client)
    for scopes in (("webhooks", "events:write", "api-keys", "metrics:read"), ("events:write:any",)):
        assert client.call("POST", "/portal-links", {"user_id": 123}, scopes=scopes).status == 403
        assert client.call("DELETE", f"/portal-links/{made['id']}", scopes=scopes).status == 403
    assert client.call("POST", "/portal-links", {"user_id": 123}, **ADMIN).status == 201


def test_an_address_that_guesses_is_refused_and_others_are_not() -> None:
    client = ApiClient(per_second=10)  # 100 requests in ten seconds, of which each guess takes ten
    for _ in range(10):
        assert redeem(client, "pyal_" + "A" * 75).status == 401
    refused = redeem(client, "pyal_" + "A" * 75)
    assert (refused.status, refused.headers["retry-after"]) == (429, "10")
    elsewhere = replace(ORIGIN, source_ip="203.0.113.9")
    made = make(client)
    assert client.portal_links.redeem(made["link"], elsewhere)[0].user_id == 123
    for host in range(10):  # of one network
        with pytest.raises(Unauthenticated):
            client.portal_links.redeem("pyal_", replace(ORIGIN, source_ip=f"2001:db8::{host}"))
    with pytest.raises(Exception, match="at most 100 requests"):
        client.portal_links.redeem("pyal_", replace(ORIGIN, source_ip="2001:db8:0:0:ffff::1"))

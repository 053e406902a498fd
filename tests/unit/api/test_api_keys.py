"""/api-keys: made, listed and revoked by whom they act for, and never more than they may be."""

from typing import Any

import pytest

from tests.support.api_client import DAY_MS, NOW, ApiClient
from webhooks.access.api_keys import KEPT_MS, verify
from webhooks.management.api_keys import MAX_KEYS
from webhooks.models.audit import entry
from webhooks.models.caller import Caller

MAKER = ("webhooks", "events:write", "api-keys")


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def make(client: ApiClient, *, scopes: Any = ("webhooks",), by: Any = MAKER, **more: Any) -> dict[str, Any]:
    workspaces = more.pop("workspaces", ["77"])
    user_id = more.pop("user_id", "123")
    body = {"name": "import", "scopes": list(scopes), **more}
    answer = client.call("POST", "/api-keys", body, scopes=by, workspaces=workspaces, user_id=user_id)
    assert answer.status == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.body


def use(client: ApiClient, key: dict[str, Any], method: str = "GET", path: str = "/webhooks", body: Any = None) -> int:
    """The status of a request with the key, as an authorizer's answer of any age has it."""
    caller = {"user_id": str(key["user_id"]), "scopes": key["scopes"], "workspaces": key["workspace_ids"]}
    return client.call(method, path, body, **caller, key_id=key["id"]).status


def test_a_key_is_shown_once_and_kept_as_a_hash(client: ApiClient) -> None:
    made = make(client, expires_in_days=30)
    key = made.pop("key")
    assert key.startswith(made["starts_with"])
    assert made["expires_at"] == "2025-11-08T08:53:20.000Z"
    listed = client.call("GET", "/api-keys", scopes=MAKER)
    assert listed.body == {"items": [made], "next_cursor": None}
    stored = repr(client.dynamodb.tables)
    items = [client.dynamodb.tables["webhooks"].get((made["id"], "key"))]
    assert key[31:] not in repr(items) + stored + listed.text
    assert verify(key, client.api_keys, NOW).key_id == made["id"]


def test_a_revoked_key_is_refused_though_the_authorizer_s_answer_is_cached(client: ApiClient) -> None:
    made = make(client)
    assert use(client, made) == 200
    assert client.call("DELETE", f"/api-keys/{made['id']}", scopes=MAKER).status == 204
    assert use(client, made) == 401, "by the process that revoked it, at once"
    assert client.call("DELETE", f"/api-keys/{made['id']}", scopes=MAKER).status == 404


def test_a_key_that_another_process_revoked_is_refused_after_five_seconds(client: ApiClient) -> None:
    made = make(client)
    assert use(client, made) == 200
    client.api_keys.delete(made["id"], entry(Caller(1, frozenset(), frozenset()), "n", "1", "n", NOW))
    client.now_ms += KEPT_MS
    assert use(client, made) == 401


def test_an_expired_key_is_refused(client: ApiClient) -> None:
    made = make(client, expires_in_days=1)
    client.now_ms += DAY_MS
    assert use(client, made) == 401


@pytest.mark.parametrize(
    ("by", "scopes"),
    [
        (("api-keys", "webhooks:read"), ("webhooks",)),
        (("api-keys", "webhooks"), ("webhooks", "events:write")),
        (("api-keys", "events:write"), ("events:write:any",)),
        (MAKER, ("admin",)),
        (MAKER, ("metrics:read",)),
        (("admin",), ("events:write",)),
    ],
)
def test_a_key_has_no_scope_that_its_maker_has_not(client: ApiClient, by: Any, scopes: Any) -> None:
    answer = client.call("POST", "/api-keys", {"name": "n", "scopes": list(scopes)}, scopes=by)
    assert (answer.status, answer.body["type"]) == (403, "/problems/forbidden")


@pytest.mark.parametrize("scopes", [[], ["api-keys"], ["everything"], ["webhooks admin"], "webhooks", [["webhooks"]]])
def test_scopes_that_keys_cannot_have_are_refused(client: ApiClient, scopes: Any) -> None:
    answer = client.call("POST", "/api-keys", {"name": "n", "scopes": scopes}, scopes=("admin",))
    assert answer.status == 422, answer.text


def test_a_key_names_no_workspace_that_its_maker_is_not_in(client: ApiClient) -> None:
    body = {"name": "n", "scopes": ["webhooks"], "workspace_ids": ["77", "78"]}
    assert client.call("POST", "/api-keys", body, scopes=MAKER, workspaces=["77"]).status == 403
    assert make(client, workspace_ids=[77])["workspace_ids"] == ["77"]
    assert make(client, workspace_ids=[])["workspace_ids"] == []
    assert make(client)["workspace_ids"] == ["77"]


@pytest.mark.parametrize("scopes", [("webhooks",), ("webhooks", "api-keys"), ("admin",)])
def test_a_key_manages_no_keys(client: ApiClient, scopes: Any) -> None:
    made = make(client, by=("admin",), scopes=("webhooks",))
    stolen = {**made, "scopes": scopes}
    assert use(client, stolen, "POST", "/api-keys", {"name": "n", "scopes": ["webhooks"]}) == 403
    assert use(client, stolen, "GET", "/api-keys") == 403
    assert use(client, stolen, "DELETE", f"/api-keys/{made['id']}") == 403


@pytest.mark.parametrize("scopes", [("webhooks",), ("webhooks", "events:write", "metrics:read"), ("events:write:any",)])
def test_a_short_token_does_not_become_a_long_key_without_the_scope_for_it(client: ApiClient, scopes: Any) -> None:
    body = {"name": "n", "scopes": [scopes[0]]}
    assert client.call("POST", "/api-keys", body, scopes=scopes).status == 403


def test_the_keys_of_a_former_member_that_name_the_workspace_end(client: ApiClient) -> None:
    theirs, personal = make(client), make(client, workspace_ids=[])
    other = make(client, user_id="4")
    removed = client.call("DELETE", "/workspaces/77/members/123", user_id="1", scopes=["admin"]).body
    assert removed == {"disabled": [], "revoked_api_keys": [theirs["id"]], "is_complete": True}
    assert [use(client, each) for each in (theirs, personal, other)] == [401, 200, 200]


def test_others_neither_see_nor_revoke_a_key_and_admins_do(client: ApiClient) -> None:
    made = make(client)
    stranger = {"user_id": "4", "scopes": MAKER}
    assert client.call("GET", "/api-keys", **stranger).body["items"] == []
    assert client.call("GET", "/api-keys", **stranger, query={"user_id": "123"}).status == 403
    assert client.call("DELETE", f"/api-keys/{made['id']}", **stranger).status == 404
    admin = {"user_id": "1", "scopes": ["admin"]}
    for query in ({}, {"user_id": "123"}):
        (item,) = client.call("GET", "/api-keys", **admin, query=query).body["items"]
        assert item["id"] == made["id"]
    assert client.call("GET", "/api-keys", **admin, query={"user_id": "4"}).body["items"] == []
    assert client.call("DELETE", f"/api-keys/{made['id']}", **admin).status == 204


def test_keys_are_listed_by_pages_newest_first(client: ApiClient) -> None:
    made = []
    for _ in range(5):
        made.append(make(client)["id"])
        client.now_ms += 1
    found: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = client.call("GET", "/api-keys", scopes=MAKER, query=query).body
        found += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == made[::-1]


def test_a_user_has_a_bounded_number_of_keys(client: ApiClient) -> None:
    for _ in range(MAX_KEYS):
        make(client)
    answer = client.call("POST", "/api-keys", {"name": "n", "scopes": ["webhooks"]}, scopes=MAKER)
    assert answer.status == 409
    make(client, user_id="4")


def test_a_key_to_read_with_reads_and_no_more(client: ApiClient) -> None:
    webhook = client.register()
    key = make(client, scopes=["webhooks:read"])
    path = f"/webhooks/{webhook['id']}"
    assert use(client, key, "GET", path) == 200
    assert use(client, key, "PUT", path, {"name": "other"}) == 403
    assert use(client, key, "DELETE", path) == 403
    assert use(client, key, "POST", f"{path}/regenerate-secret") == 403
    assert use(client, key, "POST", "/events", {"type": "record.created", "user_id": 123}) == 403


def test_last_use_is_shown(client: ApiClient) -> None:
    made = make(client)
    client.now_ms += 5_000
    use(client, made)
    (item,) = client.call("GET", "/api-keys", scopes=MAKER).body["items"]
    assert item["last_used_at"] == "2025-10-09T08:53:25.000Z"

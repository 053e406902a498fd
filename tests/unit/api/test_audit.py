"""GET /audit: who did what, when, and from where; equal to what happened, and without a value of anything."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Figure
from tests.fakes.api import Api
from tests.fakes.world import World
from tests.security.test_who_sees_what import CALLERS, ask, estate, routes
from tests.support.api_client import DAY_MS, NOW, Answered, ApiClient
from webhooks.access.api_keys import digest
from webhooks.errors import Unavailable
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import AuditEntry, Deed, entry
from webhooks.models.caller import Caller, Origin

ADMIN: dict[str, Any] = {"user_id": "9", "scopes": ("admin",)}
SECRETS = ("whsec_Q0FOQVJZLVNFQ1JFVC1DQU5BUlktU0VDUkVULTAxMjM=", "canary-header-value", "canary-path")
# how far a consumer has come is said again and again, and is none of the webhook's
NOTHING_CHANGED = {"POST /events", "POST /filters/test", "POST /webhooks/{webhook_id}/consumers/{consumer}/commit"}
Expected = tuple[str, str, str | None, str, str | None, tuple[str, ...]]


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def listed(client: ApiClient, caller: dict[str, Any] = ADMIN, **query: str) -> list[dict[str, Any]]:
    """All pages, oldest first."""
    found: list[dict[str, Any]] = []
    asked = {"limit": "100", **query}
    while True:
        answer = client.call("GET", "/audit", **caller, query=asked)
        assert answer.status == 200, answer.text
        found += answer.body["items"]
        if answer.body["next_cursor"] is None:
            return found[::-1]
        asked["cursor"] = answer.body["next_cursor"]


def test_every_route_that_changes_something_leaves_one_entry_with_its_caller() -> None:
    for route, asked in routes().items():
        if route.startswith("GET "):
            continue
        client = ApiClient()
        ids = estate(client)
        before = {each["id"] for each in listed(client)}
        by_admin = "/members/" in route or route.startswith(
            ("DELETE /tenants/", "DELETE /events/", "POST /signing-keys/", "POST /portal-links", "DELETE /portal-links")
        )
        caller = CALLERS["admin" if by_admin else "member"]
        ids["tenant_id"] = "user:1"
        answer = ask(client, ids, *asked, caller)
        assert answer.status < 300, (route, answer.text)
        entries = [each for each in listed(client) if each["id"] not in before]
        if route in NOTHING_CHANGED:
            assert entries == [], route
            continue
        assert entries, route
        for each in entries:
            owner = caller["user_id"] if each["action"] in ("event.erased", "signing_key.rotated") else "1"
            assert (each["actor"], each["user_id"]) == (caller["user_id"], owner), route
            assert (each["source_ip"], each["request_id"]) == ("198.51.100.7", "req-1"), route
        if "/members/" in route:
            assert {each["action"] for each in entries} == {"webhook.disabled", "api_key.revoked"}
        elif "/tenants/" in route:
            assert {each["action"] for each in entries} == {"tenant.erased", "api_key.revoked"}
        else:
            assert len(entries) == 1, (route, entries)


def test_a_refused_call_leaves_no_entry() -> None:
    for route, asked in routes().items():
        if route.startswith("GET "):
            continue
        client = ApiClient()
        ids = estate(client)
        before = listed(client)
        for caller in ("stranger", "co-member", "scrape", "nobody"):
            if ask(client, ids, *asked, CALLERS[caller]).status >= 400:
                assert listed(client) == before, (route, caller)
                continue
            before = listed(client)


class Calls:
    """Random management calls, over the real stores, with what each must have left behind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(seed)
        self.client = ApiClient.over(Api(self.world.services).use_cases)
        scopes = ("webhooks", "events:write", "api-keys")
        self.callers: list[dict[str, Any]] = [
            {"user_id": "1", "scopes": scopes, "workspaces": ["77"]},
            {"user_id": "2", "scopes": scopes, "workspaces": ["77"]},
            {"user_id": "3", "scopes": scopes},
            ADMIN,
        ]
        made = self.call("POST", "/api-keys", {"name": "k", "scopes": ["webhooks"]}, self.callers[0])
        self.ledger: list[Expected] = [("api_key.created", "1", None, made.body["id"], "1", ())]
        self.callers.append({"user_id": "1", "scopes": ("webhooks",), "workspaces": ["77"], "key_id": made.body["id"]})
        self.webhooks: dict[str, tuple[str, str]] = {}  # with their owners, and a version
        self.subscriptions: list[tuple[str, str]] = []
        self.keys: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.keyed: list[str | None] = [None]

    def call(self, method: str, path: str, body: Any, caller: dict[str, Any], **more: Any) -> Answered:
        return self.client.call(method, path, body, **caller, **more)

    def one(self) -> int:
        """One call; its status."""
        self.world.clock.sleep(0.05)
        caller = self.random.choice(self.callers)
        actor, key_id = caller["user_id"], caller.get("key_id")
        webhook_id = self.random.choice([*self.webhooks, "wh_" + "0" * 26])
        owner = self.webhooks.get(webhook_id, ("?", ""))[0]
        path = f"/webhooks/{webhook_id}"
        deed: tuple[str, str, str | None, str, tuple[str, ...]]
        kind = self.random.choice(["create", "put", "put", "status", "delete", "rotate", "sub", "sub", "sub put",
                                   "sub delete", "key", "revoke", "new key", "get", "bad"])  # fmt: skip
        if kind == "create":
            workspace = 77 if "77" in caller.get("workspaces", ()) and self.random.random() < 0.5 else None
            body = {"name": "n", "url": f"https://example.com/{SECRETS[2]}", "workspace_id": workspace,
                    "secret": SECRETS[0], "headers": {"X-Key": SECRETS[1]}}  # fmt: skip
            answer = self.call("POST", "/webhooks", body, caller)
            if answer.status == 201:
                webhook_id = answer.body["id"]
                self.webhooks[webhook_id] = actor, ""
            deed = "webhook.created", actor, webhook_id, webhook_id, ()
        elif kind in ("put", "status"):
            fields = {"status": self.random.choice(["active", "paused"])} if kind == "status" else {
                "headers": {"X-Key": SECRETS[1]}, "ed25519": self.random.random() < 0.5}  # fmt: skip
            stale = {"If-Match": '"999"'} if self.random.random() < 0.1 else {}
            answer = self.call("PUT", path, fields, caller, headers=stale)
            deed = "webhook.updated", owner, webhook_id, webhook_id, tuple(sorted(fields))
        elif kind == "delete":
            answer = self.call("DELETE", path, None, caller)
            if answer.status == 204:
                del self.webhooks[webhook_id]
                self.subscriptions = [each for each in self.subscriptions if each[0] != webhook_id]
            deed = "webhook.deleted", owner, webhook_id, webhook_id, ()
        elif kind == "rotate":
            answer = self.call("POST", f"{path}/regenerate-secret", {"overlap_hours": 0}, caller)
            deed = "webhook.secret_rotated", owner, webhook_id, webhook_id, ()
        elif kind == "sub":
            answer = self.call("POST", f"{path}/subscriptions", {"event_type": "record.*"}, caller)
            made = answer.body.get("id", "")
            if answer.status == 201:
                self.subscriptions.append((webhook_id, made))
            deed = "subscription.created", owner, webhook_id, made, ()
        elif kind in ("sub put", "sub delete") and self.subscriptions:
            webhook_id, target = self.random.choice(self.subscriptions)
            owner = self.webhooks[webhook_id][0]
            path = f"/webhooks/{webhook_id}/subscriptions/{target}"
            if kind == "sub put":
                answer = self.call("PUT", path, {"is_active": False}, caller)
                deed = "subscription.updated", owner, webhook_id, target, ("is_active",)
            else:
                answer = self.call("DELETE", path, None, caller)
                if answer.status == 204:
                    self.subscriptions.remove((webhook_id, target))
                deed = "subscription.deleted", owner, webhook_id, target, ()
        elif kind == "key":
            answer = self.call("POST", "/api-keys", {"name": "k", "scopes": ["webhooks"]}, caller)
            if answer.status == 201:
                self.keys.append((actor, answer.body["id"]))
                self.texts.append(answer.body["key"])
            deed = "api_key.created", actor, None, answer.body.get("id", ""), ()
        elif kind == "revoke" and self.keys:
            owner, target = self.random.choice(self.keys)
            answer = self.call("DELETE", f"/api-keys/{target}", None, caller)
            if answer.status == 204:
                self.keys.remove((owner, target))
            deed = "api_key.revoked", owner, None, target, ()
        elif kind == "new key":
            answer = self.call("POST", "/signing-keys/rotate", {"overlap_hours": self.random.choice([0, 24])}, caller)
            made = answer.body["public_keys"][0]["key_id"] if answer.status == 200 else ""
            deed = "signing_key.rotated", actor, None, made, ()
        elif kind == "bad":
            return self.call("POST", "/webhooks", {"name": "", "url": "ftp://x"}, caller).status
        else:
            return self.call("GET", path, None, caller).status
        if answer.status < 300:
            action, whose, of_webhook, target, changed = deed
            self.ledger.append((action, whose, of_webhook, target, actor, changed))
            self.keyed.append(key_id)
        return answer.status


def test_the_log_equals_a_ledger_of_two_thousand_random_calls_by_five_callers(figure: Figure) -> None:
    calls = Calls(7)
    statuses = [calls.one() for _ in range(2_000)]
    found = listed(calls.client)
    as_found = [
        (one["action"], one["user_id"], one["webhook_id"], one["target"], one["actor"], tuple(one["changed"]))
        for one in found
    ]
    assert as_found == calls.ledger
    assert [one["api_key_id"] for one in found] == calls.keyed
    for caller in calls.callers[:3]:
        own = listed(calls.client, caller)
        assert [each["id"] for each in own] == [each["id"] for each in found if each["user_id"] == caller["user_id"]]
    stored = json.dumps(list(_items(calls.world)), default=repr)
    known = [*SECRETS, *calls.texts]
    assert not [each for each in known if each in stored or each[5:] in stored or each in json.dumps(found)]
    refused = sum(status >= 400 for status in statuses)
    figure(
        f"audit: {len(statuses):,} random calls by {len(calls.callers)} callers, {refused} refused; the log has all "
        f"{len(found):,} that changed something and nothing else; {len(known)} secrets, 0 in it"
    )


def _items(world: World) -> Iterator[Any]:
    for owner in ("1", "2", "3", "9"):
        answer = world.dynamodb.query(
            TableName="webhooks",
            KeyConditionExpression="pk = :k",
            ExpressionAttributeValues={":k": {"S": f"audit|{owner}"}},
        )
        yield from answer["Items"]


def test_a_webhook_whose_entry_cannot_be_written_is_not_registered() -> None:
    world = World(plan=lambda call: "throttled" if "transact" in call else None)
    client = ApiClient.over(Api(world.services).use_cases)
    assert client.call("POST", "/webhooks", {"name": "n", "url": "https://example.com/"}).status == 503
    assert client.call("GET", "/webhooks").body["items"] == listed(client) == []


def test_entries_are_searched_by_webhook_action_actor_key_and_time(client: ApiClient) -> None:
    first = client.register()
    client.now_ms += 60_000
    second = client.register()
    client.now_ms += 1
    client.call("PUT", f"/webhooks/{first['id']}", {"name": "x"}, user_id="9", scopes=("admin",))
    mine: dict[str, Any] = {"user_id": "123"}
    assert [each["target"] for each in listed(client, mine, webhook_id=first["id"])] == [first["id"]] * 2
    assert [each["changed"] for each in listed(client, mine, action="webhook.updated")] == [["name"]]
    assert [each["action"] for each in listed(client, mine, actor="9")] == ["webhook.updated"]
    assert listed(client, mine, api_key_id="key_x") == []
    since = "2025-10-09T08:54:20Z"
    assert [each["target"] for each in listed(client, mine, **{"from": since})] == [second["id"], first["id"]]
    assert [each["target"] for each in listed(client, mine, to="2025-10-09T08:54:19Z")] == [first["id"]]
    assert listed(client, mine, **{"from": since, "to": "2025-10-09T08:00:00Z"}) == []
    assert listed(client, mine, **{"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}) == listed(
        client, mine
    )
    assert client.call("GET", "/audit", query={"from": "yesterday"}).status == 422


def test_from_where_others_came_is_for_admins(client: ApiClient) -> None:
    made = client.register()
    client.now_ms += 1
    client.call("PUT", f"/webhooks/{made['id']}", {"name": "x"}, user_id="9", scopes=("admin",))
    assert [each["source_ip"] for each in listed(client, {"user_id": "123"})] == ["198.51.100.7", None]
    assert [each["source_ip"] for each in listed(client)] == ["198.51.100.7"] * 2


def test_a_former_member_no_longer_sees_what_was_done_in_the_workspace(client: ApiClient) -> None:
    made = client.register(workspaces=["77"], workspace_id=77)
    assert [each["target"] for each in listed(client, {"user_id": "123", "workspaces": ["77"]})] == [made["id"]]
    assert listed(client, {"user_id": "123"}) == []


def test_only_admins_see_the_log_of_others(client: ApiClient) -> None:
    client.register()
    assert client.call("GET", "/audit", user_id="4", query={"user_id": "123"}).status == 403
    assert listed(client, {"user_id": "4"}) == []
    assert len(listed(client, ADMIN, user_id="123")) == 1


def test_an_entry_expires(client: ApiClient) -> None:
    client.register()
    client.now_ms += 365 * DAY_MS
    assert listed(client, {"user_id": "123"}) == []
    assert listed(client) == []


def test_entries_are_listed_in_order_across_shards_and_pages(client: ApiClient) -> None:
    for n in range(30):
        client.now_ms = NOW + n
        client.audit.add(entry(Caller(1, frozenset(), frozenset()), f"n{n}", "1", "t", client.now_ms))
    for caller in (ADMIN, {"user_id": "1"}):
        assert [each["action"] for each in listed(client, caller, limit="7")] == [f"n{n}" for n in range(30)]


def test_an_entry_of_a_newer_version_is_read(client: ApiClient) -> None:
    made = entry(Caller(1, frozenset(), frozenset(), "key_1", Origin("::1", "r")), "a", "1", "t", NOW)
    client.audit.add(made)
    item = client.dynamodb.tables["webhooks"].get(("audit|1", made.entry_id))
    assert item is not None
    client.dynamodb.put_item(
        TableName="webhooks", Item={**item, "entry": {"S": item["entry"]["S"][:-1] + ',"more":1}'}, "x": {"S": "y"}}
    )
    assert [each["api_key_id"] for each in listed(client)] == ["key_1"]


def test_what_is_about_to_be_set_off_is_not_done_where_its_entry_cannot_be_written(client: ApiClient) -> None:
    made = client.register()

    def fails(_: AuditEntry) -> None:
        raise Unavailable("DynamoDB: no")

    client.audit.add = fails  # type: ignore[method-assign]
    assert client.call("POST", f"/webhooks/{made['id']}/test", {}).status == 503
    assert client.sender.tried == []


def test_a_deed_names_fields_and_no_values() -> None:
    assert Deed.changing("webhook.updated", {"url", "headers"}).changed == ("headers", "url")
    key = ApiKey("key_1", 1, "n", (), (), digest("x"), 1, 2)
    assert key.caller.key_id == "key_1"

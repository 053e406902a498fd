"""Who sees what of a workspace's webhook: every route of the OpenAPI document, for every kind of caller, as one table.

A route without a row fails. Each cell is asked of an API of its own, over fakes, so that nothing that one caller did
counts for the next.
"""

import json
import re
from dataclasses import replace
from typing import Any

from tests.conftest import Figure
from tests.support.api_client import NOW, Answered, ApiClient
from tests.support.management_fakes import PlainBox
from webhooks.access.api_keys import digest
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.ids import beginning_of, delivery_id, new_id
from webhooks.management.cursors import Cursors
from webhooks.management.requests import PortalLinkRequest
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import entry
from webhooks.models.caller import Caller
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord
from webhooks.models.erasure import Erasure
from webhooks.models.event import EventRecord
from webhooks.models.pull import Consumer
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.store.delivery_items import delivery_item, delivery_key
from webhooks.store.dynamo import key_of

WORKSPACE = "77"
MEMBER = ("webhooks", "events:write", "metrics:read", "api-keys")
KEY = new_id("key", NOW)
CALLERS: dict[str, dict[str, Any]] = {
    "member": {"user_id": "1", "workspaces": [WORKSPACE], "scopes": MEMBER},  # who registered it all
    "former": {"user_id": "1", "workspaces": [], "scopes": MEMBER},  # the same user, after leaving
    "co-member": {"user_id": "2", "workspaces": [WORKSPACE], "scopes": MEMBER},
    "admin": {"user_id": "3", "workspaces": [], "scopes": ("admin",)},
    "stranger": {"user_id": "4", "workspaces": ["78", "1"], "scopes": MEMBER},
    "portal": {"user_id": "1", "workspaces": [WORKSPACE], "scopes": ("webhooks",)},
    "portal of another": {"user_id": "2", "workspaces": [WORKSPACE], "scopes": ("webhooks",)},
    "platform": {"user_id": "platform", "workspaces": [], "scopes": ("events:write:any",)},
    "scrape": {"user_id": "prometheus", "workspaces": [], "scopes": ("metrics:read",)},
    "nobody": {"user_id": None},
}
# The answer's status, in the order of CALLERS; with + something of what the member made is in it.
OWN = "{0}+ 404 404 {0}+ 404 {0}+ 404 403 403 401"
LIST = "200+ 200 200 200+ 200 200+ 200 403 403 401"
TABLE = {
    "GET /health": "200 200 200 200 200 200 200 200 200 200",
    "GET /ready": "200 200 200 200 200 200 200 200 200 200",
    "GET /.well-known/jwks.json": "200 200 200 200 200 200 200 200 200 200",
    "GET /metrics": "200 200 200 200 200 403 403 403 200 401",
    "GET /webhooks": LIST,
    "POST /webhooks": "201 403 201 201 403 201 201 403 403 401",
    "GET /webhooks/{webhook_id}": OWN.format(200),
    "PUT /webhooks/{webhook_id}": OWN.format(200),
    "DELETE /webhooks/{webhook_id}": "204 404 404 204 404 204 404 403 403 401",
    "POST /webhooks/{webhook_id}/regenerate-secret": OWN.format(200),
    "POST /webhooks/{webhook_id}/test": "200 404 404 200 404 200 404 403 403 401",
    "GET /webhooks/{webhook_id}/subscriptions": OWN.format(200),
    "POST /webhooks/{webhook_id}/subscriptions": OWN.format(201),
    "GET /webhooks/{webhook_id}/subscriptions/{subscription_id}": OWN.format(200),
    "PUT /webhooks/{webhook_id}/subscriptions/{subscription_id}": OWN.format(200),
    "DELETE /webhooks/{webhook_id}/subscriptions/{subscription_id}": "204 404 404 204 404 204 404 403 403 401",
    "GET /webhooks/{webhook_id}/deliveries": OWN.format(200),
    "GET /webhooks/{webhook_id}/deliveries/{delivery_id}": OWN.format(200),
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/retry": OWN.format(202),
    "GET /webhooks/{webhook_id}/dead-letters": OWN.format(200),
    "POST /webhooks/{webhook_id}/dead-letters/{dead_letter_id}/replay": OWN.format(202),
    "POST /webhooks/{webhook_id}/dead-letters/bulk-replay": OWN.format(202),
    "GET /webhooks/{webhook_id}/failures": OWN.format(200),
    "POST /webhooks/{webhook_id}/recover": OWN.format(202),
    "GET /webhooks/{webhook_id}/metrics": OWN.format(200),
    "GET /webhooks/{webhook_id}/health": OWN.format(200),
    "GET /webhooks/{webhook_id}/events": OWN.format(200),
    "GET /webhooks/{webhook_id}/consumers": OWN.format(200),
    "POST /webhooks/{webhook_id}/consumers/{consumer}/commit": OWN.format(200),
    "DELETE /webhooks/{webhook_id}/consumers/{consumer}": "204 404 404 204 404 204 404 403 403 401",
    "GET /deliveries": "200+ 200 200 422 200 200+ 200 403 403 401",
    "GET /dead-letters": LIST,
    "GET /dead-letters/groups": LIST,
    "POST /dead-letters/bulk-replay": "202 404 404 202 404 202 404 403 403 401",
    "GET /replays": LIST,
    "GET /replays/{replay_id}": OWN.format(200),
    "POST /replays/{replay_id}/cancel": OWN.format(200),
    # an event is its workspace's: all of its members see it, each with what became of it for their own webhooks
    "GET /events": "200+ 200 200+ 422 200 200+ 200+ 403 403 401",
    "GET /events/{event_id}": "200+ 404 200+ 200+ 404 200+ 200+ 403 403 401",
    "POST /events": "202 403 202 403 403 403 403 202 403 401",
    "GET /event-types": "200 200 200 200 200 200 200 403 403 401",
    "POST /filters/test": "200+ 404 404 200+ 404 200+ 404 403 403 401",
    "DELETE /events/{event_id}": "404 404 404 204 404 403 403 204 403 401",
    "DELETE /tenants/{tenant_id}": "403 403 403 202 403 403 403 403 403 401",
    "GET /tenants/{tenant_id}/erasure": "403 403 403 200 403 403 403 403 403 401",
    "GET /erasures": "403 403 403 200 403 403 403 403 403 401",
    "POST /signing-keys/rotate": "403 403 403 200 403 403 403 403 403 401",
    "GET /tenants": "403 403 403 200 403 403 403 403 403 401",
    "GET /egress-addresses": "200 200 200 200 200 200 200 403 403 401",
    "GET /limits": "200 200 200 200 200 200 200 403 403 401",
    # with the scope api-keys, for one's own and without a word on workspaces
    # one's own keys name no webhook of the workspace
    "GET /audit": "200+ 200+ 200 200+ 200 200+ 200 403 403 401",
    "GET /api-keys": "200+ 200+ 200 200+ 200 403 403 403 403 401",
    "POST /api-keys": "201 201 201 403 201 403 403 403 403 401",
    "DELETE /api-keys/{key_id}": "204 204 404 204 404 403 403 403 403 401",
    # the link is all that a browser has; what it gives is the member's
    "POST /portal-links": "403 403 403 201 403 403 403 403 403 401",
    "DELETE /portal-links/{link_id}": "403 403 403 204 403 403 403 403 403 401",
    "POST /portal-sessions": "201+ 201+ 201+ 201+ 201+ 201+ 201+ 201+ 201+ 201+",
    "GET /overview": "200+ 200 200 200 200 200+ 200 403 403 401",
    "DELETE /workspaces/{workspace_id}/members/{user_id}": "403 403 403 200+ 403 403 403 403 403 401",
}


# API keys: the member's, and one of the platform's backend
BY_KEY: dict[str, dict[str, Any]] = {
    "manages": {**CALLERS["portal"], "key_id": KEY},
    "reads": {**CALLERS["portal"], "scopes": ("webhooks:read",), "key_id": KEY},
    "makes links": {"user_id": "platform", "workspaces": [], "scopes": ("portal-links",), "key_id": KEY},
    "revoked": {**CALLERS["portal"], "key_id": new_id("key", NOW)},
}
READS = ("GET ", "POST /filters/test")


def test_every_route_shows_every_caller_what_the_table_says(figure: Figure) -> None:
    kinds = [*CALLERS.values(), *BY_KEY.values()]
    found = {route: " ".join(_asked(*asked, caller) for caller in kinds) for route, asked in routes().items()}
    assert found == {route: f"{row} {_by_key(route, row)}" for route, row in TABLE.items()}
    figure(
        f"tenancy: {len(found)} routes for {len(kinds)} kinds of callers, {len(BY_KEY)} of them with API keys, a table "
        "of who sees what: as it should be"
    )


def _by_key(route: str, row: str) -> str:
    """What a token of its scopes would show, only what is read, portal links alone, and nothing: the columns of
    BY_KEY."""
    by_name = dict(zip(CALLERS, row.split(), strict=True))
    by_token, by_nobody = by_name["portal"], by_name["nobody"]
    reading = by_token if route.startswith(READS) or by_nobody != "401" else "403"
    linking = by_name["admin"] if "/portal-links" in route else "403" if by_nobody == "401" else by_nobody
    return f"{by_token} {reading} {linking} 401"


def routes() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of all routes."""
    document = json.loads(ApiClient().call("GET", "//openapi.json", user_id=None).text)
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in {"get", "post", "put", "delete"}
    }


def _asked(method: str, path: str, operation: dict[str, Any], caller: dict[str, Any]) -> str:
    client = ApiClient(checks={"table": lambda: None})
    ids = estate(client)
    answer = ask(client, ids, method, path, operation, caller)
    return f"{answer.status}{'+' if _shows(answer, ids) else ''}"


def ask(
    client: ApiClient, ids: dict[str, str], method: str, path: str, operation: dict[str, Any], caller: dict[str, Any]
) -> Answered:
    """Any route, with a body that it takes."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    if "/filters/test" in path:
        body = {"filters": {}, "webhook_id": ids["webhook_id"]}
    elif path.endswith("/webhooks") and body is not None:
        body = {"name": "another", "url": "https://example.com/", "workspace_id": int(WORKSPACE)}
    elif path.endswith("/v1/events") and body is not None:
        body = {"type": "record.created", "workspace_id": int(WORKSPACE)}
    elif path.endswith("v1/dead-letters/bulk-replay"):
        body = {"targets": [{"webhook_id": ids["webhook_id"]}]}
    elif path.endswith("/portal-links"):
        body = {"user_id": 1}
    elif path == "/portal-sessions":
        body = {"link": ids["link"]}
    elif path.endswith("/commit"):
        body = {"cursor": ids["cursor"]}
    elif path.endswith("/recover"):
        body = {"from": "2025-10-01T00:00:00Z"}
    filled = re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], path).removeprefix("/api/v1")
    return client.call(method, f"/{filled}" if filled == path else filled, body, **caller)


def _shows(answer: Answered, ids: dict[str, str]) -> bool:
    """Whether anything of the workspace's is in an answer that is no refusal: those repeat what was asked for."""
    known = (*(value for value in ids.values() if len(value) > 10), "CANARY")
    return answer.status < 400 and any(each in answer.text for each in known)


def estate(client: ApiClient) -> dict[str, str]:
    """The member's webhook in the workspace, with one of everything."""
    made = client.register(
        user_id="1",
        workspaces=[WORKSPACE],
        workspace_id=int(WORKSPACE),
        name="CANARY",
        subscriptions=[{"event_type": "record.created"}],
    )
    webhook_id = made["id"]
    scope, payload = f"ws:{WORKSPACE}", {"id": "e0", "type": "record.created", "data": {"n": "CANARY"}}
    payload |= {"workspace_id": int(WORKSPACE), "user_id": None, "resource_id": None, "metadata": {}}
    body = json.dumps({**payload, "timestamp": "2025-10-09T08:53:20Z"}).encode()
    record = DeliveryRecord(
        delivery_id=delivery_id(NOW, scope, "e0", webhook_id),
        webhook_id=webhook_id,
        event_id="e0-of-the-workspace",
        event_type="record.created",
        scope=scope,
        status="delivered",
        revision=1,
        attempts=(Attempt(1, NOW, 12, "success", 200),),
        cycle_started_at_ms=NOW,
    )
    dead = replace(record, delivery_id=delivery_id(NOW + 1, scope, "e0", webhook_id), status="failed", generation=1)
    letter = DeadLetter(dead.delivery_id, webhook_id, "1", dead.event_id, dead.event_type, scope, 1,
                        "failed", "gone", 1, 410, None, NOW, body, cause="gone")  # fmt: skip
    event = EventRecord(
        record.event_id, scope, 0, "t", "record.created", None, int(WORKSPACE), NOW, body, queued=(webhook_id,)
    )
    job = ReplayJob(new_id("rpl", NOW), webhook_id, "1", ReplaySelection(), 10, NOW, NOW)
    client.history.add(record, dead, letter)
    early = replace(record, delivery_id=delivery_id(NOW - 3_600_000, scope, "e0", webhook_id))  # old enough to be read
    key = delivery_key(webhook_id, early.delivery_id)
    client.dynamodb.tables["webhooks"].write(key, key_of(key) | delivery_item(early, NOW // 1000 + 60))
    key = ApiKey(KEY, 1, "CANARY", ("webhooks",), (WORKSPACE,), digest("the key"), NOW, NOW + 86_400_000)
    client.api_keys.create(key, entry(key.caller, "api_key.created", "1", KEY, NOW))
    platform = Caller("platform", frozenset(), frozenset())
    link, secret = client.portal_links.create(platform, PortalLinkRequest(user_id=1, workspace_ids=[WORKSPACE]))
    client.events.add(event)
    client.jobs.create(job)
    erasure = Erasure("user:99", NOW, "3", NOW)
    client.erasures.start(None, erasure)
    client.statistics.in_trouble["1"] = [("circuit", webhook_id)]
    client.states.states[webhook_id] = EndpointState(Circuit("open", open_until_ms=NOW + 60_000, failing_since_ms=NOW))
    position = beginning_of(NOW)
    client.pulls.commit(webhook_id, Consumer("CANARY", position, NOW), new=True)
    return {
        "webhook_id": webhook_id,
        "consumer": "CANARY",
        "cursor": Cursors(PlainBox()).seal(position, caller="", listing=f"pull|{webhook_id}"),
        "subscription_id": made["subscriptions"][0]["id"],
        "event_id": event.event_id,
        "delivery_id": record.delivery_id,
        "dead_letter_id": letter.delivery_id,
        "replay_id": job.job_id,
        "key_id": KEY,
        "link_id": link.key_id,
        "link": secret,
        "workspace_id": WORKSPACE,
        "user_id": "1",
        "tenant_id": erasure.scope,
    }

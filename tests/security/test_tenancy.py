"""Every route of the API, on what belongs to another tenant: the OpenAPI document says which routes there are."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.conftest import Figure
from tests.security.estate import Estate, everything, make
from tests.support.service import Document, Service, User, event, eventually

# For operators, by a scope of its own: it speaks of the service and not of tenants.
OPERATORS = {"/metrics"}
# For the platform, which names users and workspaces of its own: everybody else is refused, whatever they name.
ADMINS = ("/api/v1/workspaces/", "/api/v1/tenants/", "/api/v1/portal-links/")
METHODS = ("get", "post", "put", "delete")


@pytest.fixture(scope="module")
def document(service: Service) -> Document:
    return service.http.get("/openapi.json").json()


@pytest.fixture(scope="module")
def estate(service: Service) -> Estate:
    return make(service, service.user())


def routes(document: Document) -> list[tuple[str, str, Document]]:
    return [
        (method, path, operations[method])
        for path, operations in document["paths"].items()
        for method in METHODS
        if method in operations
    ]


def on_resources(document: Document) -> list[tuple[str, str, Document]]:
    return [each for each in routes(document) if "{" in each[1] and not each[1].startswith(ADMINS)]


def body_of(operation: Document) -> Document | None:
    """A body that the route takes from the owner, so that nothing but the owner decides: the document's example."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else content.get("example")


def ask(user: User, method: str, path: str, **more: Any) -> httpx.Response:
    return user.http.request(method, path, headers=user.headers, **more)


def filled(path: str, ids: Any) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "any"), path)


def has_two_ids(path: str) -> bool:
    """A consumer's name is its webhook's owner's to choose, and no id."""
    return path.replace("{consumer}", "").count("{") > 1


def test_another_tenants_resources_do_not_exist_on_any_route(
    service: Service, document: Document, estate: Estate, figure: Figure
) -> None:
    before = everything(estate.owner, estate)
    strangers = [
        service.user(),
        service.user(workspace_id=estate.owner.user_id),
        service.bearer(scope="webhooks events:write metrics:read api-keys"),
        service.bearer(scope="webhooks events:write:any api-keys"),
    ]
    platform = strangers[-1]
    asked = 0
    for method, path, operation in on_resources(document):
        # with ids of its own webhook before another's subscription, delivery or dead letter, too
        mixed = [estate.ids]
        for stranger in strangers:
            if stranger is platform and (method, path) == ("delete", "/api/v1/events/{event_id}"):
                continue  # it published them, and may erase each
            if has_two_ids(path):
                own = stranger.register("https://example.com/", "*")
                mixed = [estate.ids, {**estate.ids, "webhook_id": own["id"]}]
            for ids in mixed:
                answer = ask(stranger, method, filled(path, ids), json=body_of(operation))
                asked += 1
                assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text}"
                assert estate.ids["webhook_id"] not in answer.text.replace(filled(path, ids), "").replace(
                    f"there is no webhook {ids['webhook_id']}", ""
                )
    assert everything(estate.owner, estate) == before, "and nothing has changed"
    figure(f"tenancy: {len(on_resources(document))} routes on another tenant's ids, {asked} requests: 0 answered")


def test_lists_and_queries_show_nothing_of_another_tenant(service: Service, document: Document, estate: Estate) -> None:
    stranger = service.user(workspace_id=estate.owner.user_id)
    for method, path, operation in routes(document):
        if method != "get" or "{" in path or operation.get("security") == [] or path in OPERATORS:
            continue
        names = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        for query in [{}, *({name: str(estate.owner.user_id)} for name in names if name == "user_id")]:
            answer = ask(stranger, method, path, params=query)
            assert answer.status_code in {200, 403}, f"{path}: {answer.text}"
            assert not [known for known in estate.ids.values() if known in answer.text], path


def test_a_portals_token_reads_nothing_of_another_tenant_on_any_route(
    service: Service, document: Document, figure: Figure
) -> None:
    """As docs/dashboard.md has it minted: `sub`, `workspace_ids`, scope `webhooks`. The other tenant is in the same
    workspace: that opens nothing of what it registered for itself."""
    workspace = 77_001
    owner = service.bearer(workspace_ids=[workspace])
    theirs = make(service, owner)
    before = everything(owner, theirs)
    portal = service.bearer(scope="webhooks", workspace_ids=[workspace])
    own = portal.register("https://example.com/", "user.joined", workspace_id=workspace)
    known = {*theirs.ids.values(), *theirs.paths}
    asked = read = 0
    for method, path, operation in routes(document):
        named = {each["name"]: each for each in operation.get("parameters", []) if each["in"] == "query"}
        queries: list[dict[str, Any]] = [{}]
        queries += [{name: str(owner.user_id)} for name in named if name == "user_id"]
        queries += [{name: str(workspace)} for name in named if name == "workspace_id"]
        queries += [{name: theirs.ids["webhook_id"]} for name in named if name == "webhook_id"]
        mixed = [theirs.ids, {**theirs.ids, "webhook_id": own["id"]}] if has_two_ids(path) else [theirs.ids]
        for ids in mixed:
            for query in queries:
                answer = ask(portal, method, filled(path, ids), params=query, json=body_of(operation))
                asked += 1
                said = answer.text
                for given in (*ids.values(), *query.values()):  # what was asked for may be repeated in a refusal
                    said = said.replace(given, "") if answer.status_code in {403, 404, 422} else said
                read += any(each in said for each in known)
                if path in OPERATORS or "{" in path:
                    assert answer.status_code in {403, 404}, f"{method} {path} {query}: {answer.status_code}"
    assert ask(portal, "get", "/metrics").status_code == 403
    assert portal.post("/events", event()).status_code == 403
    assert everything(owner, theirs) == before, "and nothing has changed"
    figure(f"portal: {len(routes(document))} routes with its token, {asked} requests: {read} cross-tenant reads")
    assert read == 0


def test_another_tenants_webhook_cannot_be_named_in_a_body_or_a_query(service: Service, estate: Estate) -> None:
    stranger, owner = service.user(), estate.owner
    mine = event(user_id=stranger.user_id)
    assert stranger.post("/events", mine).status_code == 202
    eventually(lambda: stranger.get(f"/events/{mine['id']}").status_code == 200)
    for webhook_id, status in ((estate.ids["webhook_id"], 404), (stranger.register("https://example.com/")["id"], 200)):
        assert stranger.post("/filters/test", {"filters": None, "webhook_id": webhook_id}).status_code == status
        assert stranger.get(f"/events/{mine['id']}", params={"webhook_id": webhook_id}).status_code == status
    assert owner.post("/filters/test", {"filters": None, "webhook_id": estate.ids["webhook_id"]}).status_code == 200


def test_every_route_but_the_public_ones_asks_who_calls(service: Service, document: Document) -> None:
    public = set()
    for method, path, _ in routes(document):
        answer = service.http.request(method, re.sub(r"\{\w+\}", "x", path), json={})
        if answer.status_code == 401:
            assert answer.headers["content-type"].startswith("application/problem+json")
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            public.add(path)
    assert public == {"/health", "/ready", "/.well-known/jwks.json", "/portal-sessions"}


def test_a_caller_without_the_scope_gets_nowhere(service: Service, document: Document, estate: Estate) -> None:
    nobody = service.bearer(estate.owner.user_id, scope="other")
    for method, path, operation in routes(document):
        if operation.get("security") == []:
            continue
        answer = ask(nobody, method, filled(path, estate.ids), json=body_of(operation))
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
        assert json.loads(answer.text)["type"] == "/problems/forbidden"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"user_id": 1}, 403),
        ({"workspace_id": 1}, 403),
        ({"user_id": None}, 202),
    ],
)
def test_a_tenant_publishes_as_itself_alone(service: Service, fields: Document, status: int) -> None:
    answer = service.bearer().post("/events", {"type": "record.created", "data": {}, **fields})
    assert answer.status_code == status, answer.text

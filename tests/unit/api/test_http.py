"""The API as HTTP: routes, methods, bodies, errors, CORS, and its own description."""

import base64
import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from tests.support.api_client import ApiClient
from webhooks.errors import Unavailable, WebhooksError
from webhooks.event_types import DEFAULT_EVENT_TYPES, OPERATIONAL_EVENT_TYPES, TEST_EVENT_TYPE
from webhooks.events.publishing import MAX_BODY_BYTES
from webhooks.management.readiness import KEPT_MS

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def test_an_unknown_route_is_a_problem(client: ApiClient) -> None:
    answer = client.call("GET", "/no-such")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such route.",
        "request_id": "req-1",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/webhooks", "GET, POST"),
        ("DELETE", "/webhooks", "GET, POST"),
        ("PUT", "/events", "GET, POST"),
        ("POST", "//health", "GET"),
        ("HEAD", "/webhooks", "GET, POST"),
        ("PATCH", "/webhooks/wh_1", "DELETE, GET, PUT"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(client: ApiClient, method: str, path: str, allowed: str) -> None:
    answer = client.call(method, path)
    assert (answer.status, answer.body["type"]) == (405, "/problems/method-not-allowed")
    assert answer.headers["allow"] == allowed


def test_a_wrong_method_is_a_wrong_method_whatever_else_is_sent(client: ApiClient) -> None:
    answer = client.call("PUT", "/event-types", {"no": "field"}, query={"no": "parameter"})
    assert (answer.status, answer.body["type"]) == (405, "/problems/method-not-allowed")


@pytest.mark.parametrize("path", ["/webhooks", "/events"])
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Content-Type": "application/json; charset=ISO-8859-1"}, "UTF-8"),
        ({"Content-Type": 'application/json;v=1;Charset="utf-16"'}, "UTF-8"),
        ({"Content-Encoding": "gzip"}, "compressed"),
        ({"Content-Encoding": "identity, br"}, "compressed"),
    ],
)
def test_a_body_in_another_coding_is_refused(
    client: ApiClient, path: str, headers: dict[str, str], reason: str
) -> None:
    answer = client.call("POST", path, '{"name": "n"}', headers=headers)
    assert (answer.status, answer.body["type"]) == (415, "/problems/unsupported-media-type")
    assert reason in answer.body["detail"]


@pytest.mark.parametrize("path", ["/webhooks", "/events"])
def test_what_the_gateway_made_of_bytes_that_are_not_utf_8_is_refused(client: ApiClient, path: str) -> None:
    sent = '{"name": "Müller"}'.encode("latin-1")
    answer = client.call("POST", path, sent.decode(errors="replace"), headers={"Content-Length": str(len(sent))})
    assert (answer.status, answer.body["type"]) == (400, "/problems/bad-request")
    assert "UTF-8" in answer.body["detail"]


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "M\\ufffdller", "url": "https://a.example/"}'.replace("\\\\", "\\"),
        '{"name": "M\ufffdller", "url": "https://a.example/"}',
    ],
)
def test_the_replacement_character_itself_is_taken(client: ApiClient, body: str) -> None:
    headers = {"Content-Encoding": "identity", "Content-Length": str(len(body.encode()))}
    answer = client.call("POST", "/webhooks", body, headers=headers)
    assert (answer.status, answer.body["name"]) == (201, "M\ufffdller")


@pytest.mark.parametrize("path", ["/webhooks", "/events"])
@pytest.mark.parametrize("number", ["1e999", "1e-400", "9" * 400])
def test_a_number_that_no_float_comes_near_is_refused(client: ApiClient, path: str, number: str) -> None:
    answer = client.call("POST", path, f'{{"metadata": {{"a": {number}}}}}')
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "body")
    assert number[:40] in answer.body["errors"][0]["message"]


@pytest.mark.parametrize("path", ["/webhooks", "/events"])
@pytest.mark.parametrize(
    "body",
    ["{", "{'a': 1}", '{"a": NaN}', '{"a": Infinity}', '{"a": "\\ud800"}', "[" * 40 + "]" * 40, "nul"],
)
def test_what_is_no_json_is_a_bad_request(client: ApiClient, path: str, body: str) -> None:
    answer = client.call("POST", path, body)
    assert (answer.status, answer.body["type"]) == (400, "/problems/bad-request")


@pytest.mark.parametrize("body", ["[]", '[{"name": "n", "url": "https://example.com/"}]', '"text"', "1", "null"])
def test_a_body_must_be_an_object(client: ApiClient, body: str) -> None:
    assert client.call("POST", "/webhooks", body).status == 422
    assert not client.store.webhooks_by_id


def test_a_missing_body_is_named(client: ApiClient) -> None:
    answer = client.call("POST", "/webhooks")
    assert (answer.status, answer.body["errors"]) == (
        422,
        [{"field": "body", "message": "is required", "code": "required"}],
    )


@pytest.mark.parametrize("path", ["/webhooks", "/events"])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "image/png",
    ],
)
def test_a_body_that_is_said_to_be_something_else_is_refused(client: ApiClient, path: str, content_type: str) -> None:
    answer = client.call("POST", path, '{"name": "n"}', headers={"Content-Type": content_type})
    assert (answer.status, answer.body["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"]
)
def test_json_has_many_names(client: ApiClient, content_type: str) -> None:
    body = '{"name": "n", "url": "https://example.com/"}'
    assert client.call("POST", "/webhooks", body, headers={"Content-Type": content_type}).status == 201


def test_a_body_of_a_quarter_megabyte_is_too_large(client: ApiClient) -> None:
    body = json.dumps({"name": "n", "url": "https://example.com/", "description": "x" * 256 * 1024})
    answer = client.call("POST", "/webhooks", body)
    assert (answer.status, answer.body["type"]) == (413, "/problems/too-large")


@pytest.mark.parametrize(("method", "path"), [("GET", "/webhooks"), ("POST", "/events"), ("GET", "/event-types")])
def test_without_a_caller_nothing_happens(client: ApiClient, method: str, path: str) -> None:
    answer = client.call(method, path, {} if method == "POST" else None, user_id=None)
    assert (answer.status, answer.body["type"]) == (401, "/problems/unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_cached_policy_does_not_outlive_its_token(client: ApiClient) -> None:
    assert client.call("GET", "/webhooks", expires_in=-10).status == 200
    answer = client.call("GET", "/webhooks", expires_in=-40)
    assert (answer.status, answer.body["detail"]) == (401, "the token has expired")


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/webhooks", ["events:write", "metrics:read"]),
        ("POST", "/webhooks", []),
        ("GET", "/event-types", ["metrics:read"]),
        ("POST", "/events", ["webhooks", "admin"]),
    ],
)
def test_each_route_takes_its_scope(client: ApiClient, method: str, path: str, scopes: list[str]) -> None:
    body = {"name": "n", "url": "https://example.com/"} if method == "POST" else None
    answer = client.call(method, path, body, scopes=scopes)
    assert (answer.status, answer.body["type"]) == (403, "/problems/forbidden")


def test_faults_of_ours_are_hidden(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(webhook_id: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(client.store, "webhook", broken)
    answer = client.call("GET", "/webhooks/wh_" + "0" * 26)
    assert (answer.status, answer.body["type"]) == (500, "/problems/internal-error")
    assert "secret detail" not in answer.text


def test_an_answer_that_we_got_wrong_is_our_fault(client: ApiClient) -> None:
    made = client.register()
    webhook = client.store.webhooks_by_id[made["id"]]
    client.store.webhooks_by_id[made["id"]] = replace(webhook, metadata="no object")  # type: ignore[arg-type]
    answer = client.call("GET", f"/webhooks/{made['id']}")
    assert (answer.status, answer.body["type"]) == (500, "/problems/internal-error")


def test_what_aws_does_not_do_now_may_be_repeated(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_: object, **__: Any) -> None:
        raise Unavailable("DynamoDB: ProvisionedThroughputExceededException")

    monkeypatch.setattr(client.store, "webhooks", throttled)
    answer = client.call("GET", "/webhooks")
    assert (answer.status, answer.body["type"], answer.headers["retry-after"]) == (503, "/problems/unavailable", "1")
    assert "DynamoDB" not in answer.text


def test_no_error_repeats_a_value_that_may_be_secret(client: ApiClient) -> None:
    canary = "canary-0123456789"
    for body in (
        {"secret": canary[:10]},
        {"secret": {"a": canary}},
        {"headers": {"Host": canary}},
        {"headers": [canary]},
        {"headers": {"A": f"{canary}\n"}},
    ):
        answer = client.call("POST", "/webhooks", {"name": "n", "url": "https://example.com/", **body})
        assert answer.status == 422
        assert canary[:10] not in answer.text


def test_health_asks_nobody(client: ApiClient) -> None:
    answer = client.call("GET", "//health", user_id=None)
    assert (answer.status, answer.body) == (200, {"status": "ok"})


def test_readiness_says_which_part_fails() -> None:
    def broken() -> None:
        raise Unavailable("AWS.SimpleQueueService.NonExistentQueue")

    client = ApiClient(checks={"table": lambda: None})
    assert client.call("GET", "//ready", user_id=None).body == {"status": "ok", "checks": {"table": "ok"}}
    client = ApiClient(checks={"table": lambda: None, "jobs_queue": broken})
    answer = client.call("GET", "//ready", user_id=None)
    assert answer.status == 503
    assert answer.body["checks"] == {"table": "ok", "jobs_queue": "AWS.SimpleQueueService.NonExistentQueue"}


def test_whoever_asks_for_readiness_again_costs_no_calls_for_some_seconds() -> None:
    """Anybody may ask, without a limit for each."""
    asked: list[int] = []
    client = ApiClient(checks={"table": lambda: asked.append(client.now_ms)})
    for _ in range(1_000):
        assert client.call("GET", "//ready", user_id=None).status == 200
    assert len(asked) == 1
    client.now_ms += KEPT_MS
    client.call("GET", "//ready", user_id=None)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("allowed", "origin", "granted"),
    [
        (("*",), "https://a.example", "*"),
        (("https://a.example", "https://b.example"), "https://b.example", "https://b.example"),
        (("https://a.example",), "https://evil.example", None),
        ((), "https://a.example", None),
    ],
)
def test_cors_is_as_configured(allowed: tuple[str, ...], origin: str, granted: str | None) -> None:
    client = ApiClient(cors=allowed)
    for method, path, status in (("OPTIONS", "/webhooks", 204), ("GET", "/webhooks", 200), ("GET", "/no-such", 404)):
        answer = client.call(method, path, headers={"Origin": origin})
        assert answer.status == status
        assert answer.headers.get("access-control-allow-origin") == granted
    preflight = client.call("OPTIONS", "/webhooks", headers={"Origin": origin}, user_id=None)
    if granted:
        assert {"GET", "POST", "PUT", "DELETE"} <= set(preflight.headers["access-control-allow-methods"].split(","))
        assert "X-User-ID" in preflight.headers["access-control-allow-headers"]


def test_event_types_are_listed_with_the_patterns_that_cover_them(client: ApiClient) -> None:
    items = {each["name"]: each for each in client.call("GET", "/event-types").body["items"]}
    assert items["record.created"] == {
        "name": "record.created",
        "description": "A new record was added",
        "covered_by": ["record.*", "*"],
    }
    assert items["webhook.disabled"]["covered_by"] == []
    assert set(items) == {*DEFAULT_EVENT_TYPES, *OPERATIONAL_EVENT_TYPES, TEST_EVENT_TYPE}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


def test_the_description_is_complete(client: ApiClient) -> None:
    answer = client.call("GET", "//openapi.json", user_id=None)
    assert answer.status == 200
    document = answer.body
    assert document["openapi"].startswith("3.1")
    known = {f"#/components/{kind}/{name}" for kind, all_ in document["components"].items() for name in all_}
    assert references(document) <= known
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert all(each["responses"]["default"] == {"$ref": "#/components/responses/Problem"} for each in operations)
    assert not any("500" in each["responses"] for each in operations)
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    assert document["paths"]["/health"]["get"]["security"] == []


def test_a_body_that_is_no_text_is_a_bad_request() -> None:
    from problems import BAD_REQUEST, Refused
    from reading import read_json

    body = base64.b64encode(b'{"type": "\xff"}').decode()
    with pytest.raises(Refused, match="UTF-8") as refusal:
        read_json(APIGatewayProxyEvent({"body": body, "isBase64Encoded": True}), 1_000)
    assert refusal.value.kind == BAD_REQUEST


def test_an_error_that_has_no_answer_of_its_own_is_hidden(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(webhook_id: str) -> None:
        raise WebhooksError("secret detail")

    monkeypatch.setattr(client.store, "webhook", broken)
    answer = client.call("GET", "/webhooks/wh_" + "0" * 26)
    assert (answer.status, answer.body["type"]) == (500, "/problems/internal-error")
    assert "secret detail" not in answer.text


@pytest.mark.parametrize("base", ["", "/webhooks", "/a/b"])
def test_a_custom_domain_may_map_the_api_below_a_base_path(client: ApiClient, base: str) -> None:
    """What API Gateway hands over then: the base path is in `path`, and in nothing else."""
    event = {
        "httpMethod": "GET",
        "path": f"{base}/api/v1/event-types",
        "resource": "/{proxy+}",
        "pathParameters": {"proxy": "api/v1/event-types"},
        "headers": {},
        "requestContext": {
            "requestId": "r",
            "authorizer": {"user_id": "1", "scopes": "webhooks", "workspace_ids": "[]"},
        },
    }
    assert client.api.resolve(event, cast("Any", None))["statusCode"] == 200
    health = {**event, "path": f"{base}/health", "resource": "/health", "pathParameters": None}
    assert client.api.resolve(health, cast("Any", None))["statusCode"] == 200
    page = {"path": f"{base}/problems/loop", "resource": "/problems/{name}", "pathParameters": {"name": "loop"}}
    assert client.api.resolve({**event, **page}, cast("Any", None))["statusCode"] == 200


@pytest.mark.parametrize("base", ["", "/prod", "/a/b"])
def test_a_problem_links_to_its_page_wherever_the_api_is_mounted(client: ApiClient, base: str) -> None:
    context = {"requestId": "r", "path": f"{base}/api/v1/webhooks"}
    event = {"httpMethod": "GET", "path": "/api/v1/webhooks", "resource": "/{proxy+}", "headers": {},
             "pathParameters": {"proxy": "api/v1/webhooks"}, "requestContext": context}  # fmt: skip
    answer = client.api.resolve(event, cast("Any", None))
    assert answer["multiValueHeaders"]["Link"] == [f'<{base}/problems/unauthorized>; rel="help"']


def test_every_problem_that_anything_of_ours_can_answer_has_a_page(client: ApiClient) -> None:
    problems: Any = importlib.import_module("problems")
    kinds = {value.name for value in vars(problems).values() if isinstance(value, problems.Kind)}
    kinds |= {kind.name for kind in problems.KINDS.values()}
    for path in [PROJECT / "template.yaml", *(PROJECT / "localstack").glob("*.py"), *PROJECT.glob("functions/**/*.py")]:
        kinds |= set(re.findall(r"/problems/([a-z-]+)", path.read_text("utf-8")))
        kinds |= set(re.findall(r'_problem\(\d+, "([a-z-]+)"', path.read_text("utf-8")))
    assert {"timeout", "loop", "validation"} < kinds
    for name in kinds:
        answer = client.call("GET", f"//problems/{name}", user_id=None)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), name
        assert "What to do" in answer.text
        assert f"/problems/{name}<" in answer.text
    assert client.call("GET", "//problems/none", user_id=None).status == 404


def test_as_many_events_as_lambda_takes_even_if_a_quarter_of_them_is_escaped() -> None:
    """Lambda Developer Guide, "Lambda quotas": 6 MB for a synchronous invocation's payload."""
    body = '"' * (MAX_BODY_BYTES // 4) + "x" * (MAX_BODY_BYTES - MAX_BODY_BYTES // 4)
    assert len(json.dumps(body)) < 6 * 1024 * 1024

"""The api function as it is deployed, its real parts against moto."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.support.table_definition import create_table

FUNCTION = Path(__file__).parents[2] / "functions" / "api"
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # every call is botocore's then, which moto answers
    with mock_aws():
        create_table(boto3.client("dynamodb"))
        sqs = boto3.client("sqs")
        for name in ("INGEST", "DELIVERY", "DEAD_LETTER", "JOBS"):
            monkeypatch.setenv(f"{name}_QUEUE_URL", sqs.create_queue(QueueName=name)["QueueUrl"])
        monkeypatch.setenv("DATA_KEY_ID", boto3.client("kms").create_key()["KeyMetadata"]["Arn"])
        monkeypatch.setenv("TABLE_NAME", "webhooks")
        monkeypatch.setenv("SENDER_FUNCTION_NAME", "sender")
        monkeypatch.syspath_prepend(str(FUNCTION))
        spec = importlib.util.spec_from_file_location("api_function", FUNCTION / "app.py")
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        sys.modules["api_function"] = app
        spec.loader.exec_module(app)
        yield lambda *args, **more: _call(app.handler, *args, **more)
        del sys.modules["api_function"]


def _call(
    handler: Callable[..., dict[str, Any]], method: str, path: str, body: object = None, user_id: str = "123"
) -> tuple[int, Any]:
    answer = handler(
        {
            "httpMethod": method,
            "path": path,
            "headers": {"Content-Type": "application/json"},
            "multiValueHeaders": {"Content-Type": ["application/json"]},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {
                "requestId": "r",
                "authorizer": {"user_id": user_id, "scopes": "webhooks events:write", "workspace_ids": "[]"},
            },
        },
        None,
    )
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None


def test_a_webhooks_life_from_registration_to_deletion(call: "Call") -> None:
    status, made = call(
        "POST",
        "/api/v1/webhooks",
        {
            "name": "n",
            "url": "https://example.com/",
            "headers": {"A": "b"},
            "subscriptions": [{"event_type": "record.*"}],
        },
    )
    assert status == 201
    path = f"/api/v1/webhooks/{made['id']}"
    status, found = call("GET", path)
    assert (status, found["headers"]) == (200, {"A": "********"})
    assert call("GET", "/api/v1/webhooks")[1]["items"] == [found | {"health": None}]  # which is asked for by include
    assert call("GET", path, user_id="124")[0] == 404
    status, changed = call("PUT", path, {"status": "paused", "headers": {"A": "********", "C": "d"}})
    assert (status, changed["status"], changed["version"]) == (200, "paused", 2)
    assert call("PUT", path, {"status": "active"})[0] == 200
    status, rotated = call("POST", f"{path}/regenerate-secret", {"overlap_hours": 1})
    assert status == 200
    assert rotated["secret"] != made["secret"]
    status, added = call("POST", f"{path}/subscriptions", {"event_type": "*"})
    assert status == 201
    subscriptions = call("GET", f"{path}/subscriptions")[1]["items"]
    assert {each["event_type"] for each in subscriptions} == {"record.*", "*"}
    assert call("DELETE", f"{path}/subscriptions/{added['id']}")[0] == 204
    assert call("DELETE", path) == (204, None)
    assert call("GET", path)[0] == 404
    items = boto3.client("dynamodb").scan(TableName="webhooks")["Items"]
    assert not [item for item in items if item["pk"]["S"].startswith("route|")]
    plaintext = json.dumps(items, default=str)
    assert made["secret"] not in plaintext
    assert rotated["secret"] not in plaintext


def test_accepted_events_are_in_the_ingest_queue(call: "Call") -> None:
    status, answer = call("POST", "/api/v1/events", [{"type": "record.created"}, {"type": "user.joined"}])
    assert (status, answer["accepted"]) == (202, 2)
    sqs = boto3.client("sqs")
    (message,) = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="INGEST")["QueueUrl"])["Messages"]
    body = json.loads(message["Body"])
    assert [each["id"] for each in body["events"]] == [each["id"] for each in answer["events"]]
    assert body["token"]


def test_readiness_asks_every_part(call: "Call") -> None:
    status, answer = call("GET", "/ready")
    assert (status, answer["status"]) == (200, "ok")
    assert set(answer["checks"]) == {"table", "ingest_queue", "delivery_queue", "dead_letter_queue", "jobs_queue"}


def test_a_part_that_is_gone_is_named(call: "Call") -> None:
    sqs = boto3.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="JOBS")["QueueUrl"])
    status, answer = call("GET", "/ready")
    assert status == 503
    assert answer["checks"]["jobs_queue"] != "ok"
    assert answer["checks"]["table"] == "ok"

"""The client's document runs as written: only ids and the port are put in."""

import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import document
from tests.support.receiver import ReceivedRequest, answer
from tests.support.service import PATIENCE_SECONDS, Document, Service, User, body_of, eventually, ids_at, new_id

PAYLOAD = document.block("Payload Structure", "json")
CONFIGURATION = document.block("Webhook Configuration", "json")
FILTERS = {
    "Field-based Filtering": (
        {"type": "record.updated", "data": {"fields": {"status": "completed", "priority": "high", "more": 1}}},
        {"type": "record.updated", "data": {"fields": {"status": "completed", "priority": "low"}}},
    ),
    "Conditional Filtering": (
        {"type": "record.created", "data": {"fields": {"amount": 1001, "status": "pending"}}},
        {"type": "record.created", "data": {"fields": {"amount": 1000, "status": "pending"}}},
    ),
    "User ID Filtering": (
        {"type": "table.created", "user_id": 456},
        {"type": "table.created", "user_id": 4567},
    ),
    "Time Range Filtering": (
        {"type": "record.updated", "timestamp": "2024-01-31T23:59:59Z"},
        {"type": "record.updated", "timestamp": "2024-02-01T00:00:00Z"},
    ),
}
GO_MAIN = """package main

import (
    "os"
    "strconv"
)

func main() {
    body, err := os.ReadFile(os.Args[2])
    if err != nil {
        panic(err)
    }
    timestamp, err := strconv.ParseInt(os.Args[4], 10, 64)
    if err != nil {
        panic(err)
    }
    payload := string(body)
    if !verifySignature(os.Args[1], payload, os.Args[3], timestamp) {
        panic("the delivery was refused")
    }
    if verifySignature(os.Args[1], payload+" ", os.Args[3], timestamp) {
        panic("a changed body was accepted")
    }
}
"""


@pytest.fixture
def delivery(service: Service, user: User) -> tuple[str, ReceivedRequest]:
    """A webhook's secret, and a delivery to it whose body has more than ASCII."""
    path = service.path()
    webhook = user.register(service.receiver.url(path), "record.created")
    event = json.loads(PAYLOAD) | {"id": f"evt_{new_id()}", "user_id": user.user_id}
    event["data"]["fields"]["name"] = "Jürgen Łukasz 東京 \U0001f680"
    service.put_events([event])
    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    return webhook["secret"], request


def test_every_block_of_code_in_the_document_has_its_test_here() -> None:
    of_the_former_deployment = {
        ("Environment Variables", "bash"),
        ("Docker", "bash"),
        ("Kubernetes", "yaml"),
        ("Running Locally", "bash"),
        ("Testing", "bash"),
        ("Code Structure", ""),
    }
    found = {(each.heading, each.language) for each in document.blocks()} - of_the_former_deployment
    assert found == {
        ("Webhook Management", ""),
        ("Subscription Management", ""),
        ("Dead Letter Queue", ""),
        ("System Information", ""),
        ("Headers", ""),
        ("Payload Structure", "json"),
        ("HMAC Signature Verification", "go"),
        ("HMAC Signature Verification", "python"),
        *((heading, "json") for heading in FILTERS),
        ("Webhook Configuration", "json"),
        ("Debug Endpoints", "bash"),
    }


def test_the_webhook_configuration_registers_a_webhook_that_has_all_of_it(user: User) -> None:
    created = user.post("/webhooks", content=CONFIGURATION, headers={"Content-Type": "application/json"})

    assert created.status_code == 201, created.text
    wanted = json.loads(CONFIGURATION)
    stored = user.read(f"/webhooks/{created.json()['id']}")
    hidden = dict.fromkeys(wanted.pop("headers"), "********")
    assert stored["headers"] == hidden
    assert {name: stored[name] for name in wanted} == wanted


def test_the_configured_headers_and_those_of_the_document_arrive(service: Service, user: User) -> None:
    path = service.path()
    configuration = json.loads(CONFIGURATION)
    webhook = user.register(
        service.receiver.url(path), "record.created", **{k: v for k, v in configuration.items() if k != "url"}
    )
    event = json.loads(PAYLOAD) | {"id": f"evt_{new_id()}", "user_id": user.user_id}
    service.put_events([event])
    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)

    sent = dict(request.headers)
    assert {name: sent.get(name) for name in configuration["headers"]} == configuration["headers"]
    expected = document.headers()
    assert {name for name in expected if name not in sent} == set()
    for name in ("Content-Type", "User-Agent", "X-PyAirtable-Event-Type"):
        assert sent[name] == expected[name]
    assert sent["X-PyAirtable-Event-ID"] == event["id"]
    assert sent["X-PyAirtable-Webhook-ID"] == webhook["id"]
    assert re.fullmatch(r"sha256=[0-9a-f]{64}", sent["X-PyAirtable-Signature"])
    assert abs(int(sent["X-PyAirtable-Timestamp"]) - request.arrived_at) < 30


def test_a_receiver_gets_the_payload_as_the_document_shows_it_field_by_field(service: Service) -> None:
    path = service.path()
    service.user(789).register(service.receiver.url(path), "record.created")
    shown = json.loads(PAYLOAD)
    service.put_events([shown])

    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    assert request.body == json.dumps(shown, separators=(",", ":")).encode()


def test_the_payload_published_over_http_arrives_the_same(service: Service) -> None:
    path = service.path()
    user_id, workspace_id = new_id(), new_id()
    publisher = service.bearer(user_id, workspace_ids=[workspace_id])
    publisher.register(service.receiver.url(path), "record.created")
    shown = json.loads(PAYLOAD) | {"user_id": user_id, "workspace_id": workspace_id}

    assert publisher.post("/events", shown).status_code == 202
    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    assert request.body == json.dumps(shown, separators=(",", ":")).encode()


@pytest.mark.parametrize("heading", FILTERS)
def test_a_subscription_of_the_document_lets_through_what_it_says(service: Service, heading: str) -> None:
    path = service.path()
    workspace_id = new_id()
    owner = service.user(workspace_id=workspace_id)
    webhook = owner.post(
        "/webhooks", {"name": "Filtered", "url": service.receiver.url(path), "workspace_id": workspace_id}
    ).json()
    subscribed = owner.post(
        f"/webhooks/{webhook['id']}/subscriptions",
        content=document.block(heading, "json"),
        headers={"Content-Type": "application/json"},
    )
    assert subscribed.status_code == 201, subscribed.text
    assert subscribed.json()["filters"] == json.loads(document.block(heading, "json"))["filters"]

    wanted, unwanted = (
        {"id": f"evt_{new_id()}", "workspace_id": workspace_id, "user_id": owner.user_id} | each
        for each in FILTERS[heading]
    )
    service.put_events([unwanted, wanted])
    service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    admin = service.bearer(scope="admin", workspace_ids=[workspace_id])
    assert admin.outcome(str(unwanted["id"]), webhook["id"])["reason"] == "filtered"
    assert ids_at(service.receiver, path) == [wanted["id"]]


def test_the_python_code_of_the_document_accepts_our_deliveries(delivery: tuple[str, ReceivedRequest]) -> None:
    secret, request = delivery
    code: dict[str, Any] = {}
    exec(document.block("HMAC Signature Verification", "python"), code)  # noqa: S102 - the client's own code
    verify = code["verify_signature"]
    payload, signature = request.body.decode(), request.header("X-PyAirtable-Signature")
    timestamp = request.header("X-PyAirtable-Timestamp")

    assert verify(secret, payload, signature, timestamp)
    assert verify(secret, payload, signature, int(timestamp or 0))
    assert not verify(secret, payload + " ", signature, timestamp)
    assert not verify(secret[:-1], payload, signature, timestamp)


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go toolchain here")
def test_the_go_code_of_the_document_accepts_our_deliveries(
    delivery: tuple[str, ReceivedRequest], tmp_path: Path
) -> None:
    secret, request = delivery
    (tmp_path / "go.mod").write_text("module receiver\n\ngo 1.18\n")
    (tmp_path / "verify.go").write_text("package main\n\n" + document.block("HMAC Signature Verification", "go"))
    (tmp_path / "main.go").write_text(GO_MAIN)
    (tmp_path / "body").write_bytes(request.body)
    signature, timestamp = request.header("X-PyAirtable-Signature"), request.header("X-PyAirtable-Timestamp")
    offline = {"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GOWORK": "off"}

    done = subprocess.run(
        ["go", "run", ".", secret, "body", signature or "", timestamp or ""],
        cwd=tmp_path,
        env=dict(os.environ) | offline,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def of_user_123(service: Service) -> tuple[User, Document, str]:
    """The webhook that the debug lines ask for, its path, and a delivery made to it."""
    user, path = service.user(123), service.path()
    webhook = user.register(service.receiver.url(path), "record.created")
    service.put_events([{"id": "evt_debug", "type": "record.created", "user_id": 123}])
    service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    return user, webhook, path


def run_curl(comment: str, service: Service, webhook_id: str) -> Document:
    """One debug line of the document, run by curl itself where it is installed."""
    line = [
        part.replace("http://localhost:8086", service.stack.base_url).replace("/webhooks/1", f"/webhooks/{webhook_id}")
        for part in document.curl_lines()[comment]
    ]
    if shutil.which("curl") is None:
        return as_curl_would(line)
    done = subprocess.run(
        [*line, "-sS", "-w", "\n%{http_code}"], capture_output=True, text=True, timeout=40, check=True
    )
    body, status = done.stdout.rsplit("\n", 1)
    assert status == "200", done.stdout
    return json.loads(body)


def as_curl_would(line: list[str]) -> Document:
    """The same request, for machines without curl."""
    method, headers, body = "GET", {}, None
    rest = iter(line[1:-1])
    for option in rest:
        value = next(rest)
        match option:
            case "-X":
                method = value
            case "-H":
                name, _, content = value.partition(": ")
                headers[name] = content
            case "-d":
                body = value
            case _:
                raise AssertionError(f"curl's option {option} is not known here")
    response = httpx.request(method, line[-1], headers=headers, content=body, timeout=40)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_debug_lines_are_those_that_are_tested_here() -> None:
    assert list(document.curl_lines()) == [
        "Check webhook status",
        "View delivery attempts",
        "Check metrics",
        "Test webhook",
    ]


def test_the_line_for_a_webhooks_status_shows_it(service: Service, of_user_123: tuple[User, Document, str]) -> None:
    _, webhook, _ = of_user_123
    assert run_curl("Check webhook status", service, webhook["id"])["status"] == "active"


def test_the_line_for_delivery_attempts_shows_them(service: Service, of_user_123: tuple[User, Document, str]) -> None:
    _, webhook, _ = of_user_123
    shown = eventually(
        lambda: run_curl("View delivery attempts", service, webhook["id"])["items"], lambda items: len(items) == 1
    )
    assert shown[0]["event_id"] == "evt_debug"


def test_the_line_for_metrics_shows_the_webhooks_own(service: Service, of_user_123: tuple[User, Document, str]) -> None:
    _, webhook, _ = of_user_123
    eventually(
        lambda: run_curl("Check metrics", service, webhook["id"]),
        lambda metrics: metrics["webhook_id"] == webhook["id"] and "1" in re.findall(r"\d+", json.dumps(metrics)),
    )


def test_the_line_for_a_test_delivers_one_at_once(service: Service, of_user_123: tuple[User, Document, str]) -> None:
    _, webhook, path = of_user_123
    before = len(service.receiver.requests(path))

    result = run_curl("Test webhook", service, webhook["id"])
    assert result["succeeded"]
    assert result["status_code"] == 200
    (request,) = service.receiver.requests(path)[before:]
    assert body_of(request)["type"] == "webhook.test"
    signed = (request.header("X-PyAirtable-Timestamp") or "").encode() + b"." + request.body
    expected = hmac.new(webhook["secret"].encode(), signed, hashlib.sha256).hexdigest()
    assert request.header("X-PyAirtable-Signature") == f"sha256={expected}"


def test_every_endpoint_of_the_document_answers(service: Service) -> None:
    user, path = service.user(), service.path(answer(500), answer(200))
    webhook = user.register(service.receiver.url(path), "record.created", max_retries=0)
    service.put_events([{"id": f"evt_{new_id()}", "type": "record.created", "user_id": user.user_id}])
    letter = eventually(lambda: user.items(f"/webhooks/{webhook['id']}/dead-letters"))[0]
    subscription = webhook["subscriptions"][0]
    ids = {
        "/webhooks/:webhook_id/subscriptions/:id": f"/webhooks/{webhook['id']}/subscriptions/{subscription['id']}",
        "/dead-letters/:id/": f"/dead-letters/{letter['id']}/",
        "/webhooks/:webhook_id": f"/webhooks/{webhook['id']}",
        "/webhooks/:id": f"/webhooks/{webhook['id']}",
    }
    bodies: dict[tuple[str, str], Document] = {
        ("POST", "/api/v1/webhooks"): {"name": "Another", "url": service.receiver.url("/")},
        ("PUT", "/api/v1/webhooks/:id"): {"name": "Renamed"},
        ("POST", "/api/v1/webhooks/:webhook_id/subscriptions"): {"event_type": "table.created"},
        ("PUT", "/api/v1/webhooks/:webhook_id/subscriptions/:id"): {"is_active": True},
    }
    answers: dict[tuple[str, str], int] = {}
    # what deletes comes last, what it holds before itself; one is replayed before all are
    for method, route in sorted(document.endpoints(), key=lambda each: (each[0] == "DELETE", -each[1].count(":"))):
        url = route
        for placeholder, value in ids.items():
            url = url.replace(placeholder, value)
        assert ":" not in url, f"no id for {route}"
        body = bodies.get((method, route))
        response = service.http.request(method, url, headers=user.headers, json=body) if body else None
        response = response or service.http.request(method, url, headers=user.headers)
        answers[method, route] = response.status_code
    assert {each: status for each, status in answers.items() if not 200 <= status < 300} == {}


def test_every_event_type_of_the_document_can_be_subscribed_to(service: Service, user: User) -> None:
    listed = {each["name"] for each in user.read("/event-types")["items"]}
    assert set(document.event_types()) <= listed
    webhook = user.register(service.receiver.url("/"), *document.event_types())
    assert len(webhook["subscriptions"]) == 10


def test_every_metric_of_the_document_is_exposed(service: Service) -> None:
    response = service.http.get("/metrics", headers=service.user().headers)
    assert response.status_code == 200, response.text
    assert [name for name in document.metrics() if name not in response.text] == []

"""What machines ask for: /health, /ready, /openapi.json, preflights; and routes that are none."""

import json

from localstack.emulator import PROJECT
from tests.support.service import Service, assert_problem


def test_health_and_readiness_need_no_caller(service: Service) -> None:
    assert service.http.get("/health").json() == {"status": "ok"}
    ready = service.http.get("/ready")
    assert ready.status_code == 200
    checks = ready.json()["checks"]
    queues = {"ingest_queue", "delivery_queue", "static_delivery_queue", "dead_letter_queue", "jobs_queue"}
    assert set(checks) == {"table"} | queues
    assert set(checks.values()) == {"ok"}


def test_the_description_served_is_the_one_in_the_repository(service: Service) -> None:
    served = service.http.get("/openapi.json")
    assert served.status_code == 200
    assert served.json() == json.loads((PROJECT / "docs" / "openapi.json").read_text(encoding="utf-8"))


def test_every_described_route_exists(service: Service) -> None:
    paths = service.http.get("/openapi.json").json()["paths"]
    missing: list[str] = []
    for path, operations in paths.items():
        filled = path.replace("{webhook_id}", "wh_0").replace("{", "").replace("}", "")
        for method in operations:
            response = service.http.request(method, filled, headers=service.user().headers)
            if response.status_code == 404 and response.json()["detail"] == "There is no such route.":
                missing.append(f"{method} {path}")
    assert len(paths) > 15
    assert missing == []


def test_a_preflight_is_answered_without_a_caller(service: Service) -> None:
    asked = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    answer = service.http.options("/api/v1/webhooks/wh_1", headers=asked)
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example.com")
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "if-match" in answer.headers["access-control-allow-headers"].lower()


def test_an_unknown_route_is_a_problem(service: Service) -> None:
    headers = service.user().headers
    for path in ("/api/v1/nothing", "/api/v2/webhooks", "/webhooks", "/api/v1/webhooks/a/b/c/d"):
        assert_problem(service.http.get(path, headers=headers), 404, "not-found")

"""A webhook's figures and health, and what Prometheus scrapes."""

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Figure
from tests.support.api_client import NOW, ApiClient
from tests.support.statistics_fakes import silent_queue
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.models.webhook import WebhookStatus
from webhooks.statistics.counts import HOUR_MS, Statistics, bucket_of, hour_of
from webhooks.statistics.prometheus import QueueDepth

NOW_HOUR = hour_of(NOW)


@pytest.fixture
def api() -> ApiClient:
    return ApiClient()


def _hour(successes: int = 0, duration_ms: int = 80, **failures: int) -> Statistics:
    counts = {"deliveries": successes, "successes": successes, f"time#{bucket_of(duration_ms)}": successes}
    counts |= {f"failure#{reason}": count for reason, count in failures.items()}
    return Statistics(counts, NOW - 5_000 if successes else None, NOW - 2_000 if failures else None)


def _samples(api: ApiClient) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = api.call("GET", "//metrics", scopes=["metrics:read"])
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


# ---- a webhook's figures


def test_figures_are_those_of_the_last_day_by_the_hour(api: ApiClient) -> None:
    webhook_id = api.register()["id"]
    api.statistics.by_hour[webhook_id] = {
        NOW_HOUR: _hour(8, http_503=2),
        NOW_HOUR - 3 * HOUR_MS: _hour(10, 400, timeout=1, http_503=1),
        NOW_HOUR - 40 * HOUR_MS: _hour(99),
    }
    body = api.call("GET", f"/webhooks/{webhook_id}/metrics").body
    totals = body["totals"]
    assert (totals["attempts"], totals["successes"], totals["failures"], totals["success_rate"]) == (
        22,
        18,
        4,
        0.818182,
    )
    assert totals["failure_reasons"] == {"http_503": 3, "timeout": 1}
    assert 75 <= totals["latency_ms"]["p50"] <= 400
    assert totals["latency_ms"]["p99"] > 300
    assert (body["interval"], len(body["series"])) == ("hour", 25)
    assert [each["successes"] for each in body["series"] if each["attempts"]] == [10, 8]
    assert body["series"][0]["success_rate"] is None
    assert body["from"] < body["series"][-1]["start"] < body["to"]


def test_figures_by_the_day_are_of_whole_days(api: ApiClient) -> None:
    webhook_id = api.register()["id"]
    api.statistics.by_hour[webhook_id] = {NOW_HOUR: _hour(3), NOW_HOUR - 24 * HOUR_MS: _hour(4)}
    query = {"interval": "day", "from": "2025-10-08T12:00:00Z", "to": "2025-10-09T08:00:00Z"}
    body = api.call("GET", f"/webhooks/{webhook_id}/metrics", query=query).body
    assert (body["from"], body["to"]) == ("2025-10-08T00:00:00.000Z", "2025-10-10T00:00:00.000Z")
    assert [each["successes"] for each in body["series"]] == [4, 3]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2025-10-09T08:00:00Z", "to": "2025-10-08T08:00:00Z"},
        {"from": "2025-08-01T00:00:00Z"},
        {"from": "yesterday"},
        {"interval": "minute"},
        {"span": "1h"},
    ],
)
def test_a_time_that_makes_no_sense_is_refused(api: ApiClient, query: dict[str, str]) -> None:
    webhook_id = api.register()["id"]
    answer = api.call("GET", f"/webhooks/{webhook_id}/metrics", query=query)
    assert (answer.status, answer.body["type"]) == (422, "/problems/validation")


@pytest.mark.parametrize("what", ["metrics", "health"])
def test_another_tenants_webhook_has_no_figures(api: ApiClient, what: str) -> None:
    webhook_id = api.register()["id"]
    assert api.call("GET", f"/webhooks/{webhook_id}/{what}", user_id="456").status == 404


# ---- its health


def test_a_webhook_without_a_past_is_healthy(api: ApiClient) -> None:
    webhook_id = api.register()["id"]
    body = api.call("GET", f"/webhooks/{webhook_id}/health").body
    assert (body["health"], body["reason"], body["explanation"]) == ("healthy", None, None)
    assert (body["last_success_at"], body["circuit"]) == (None, {"state": "closed", "open_until": None})


@pytest.mark.parametrize(
    ("hour", "state", "waiting", "health", "reason"),
    [
        (_hour(100, timeout=2), EndpointState(), 0, "healthy", None),
        (_hour(90, timeout=10), EndpointState(), 0, "degraded", "some_attempts_fail"),
        (_hour(4, timeout=10), EndpointState(), 0, "failing", "most_attempts_fail"),
        (_hour(0, timeout=2), EndpointState(), 0, "healthy", None),
        (_hour(9), EndpointState(), 4, "degraded", "backlog"),
        (_hour(9), EndpointState(slow_until_ms=NOW + 1), 0, "degraded", "slowed_down"),
        (_hour(9), EndpointState(Circuit("open", open_until_ms=NOW + 9)), 0, "failing", "circuit_open"),
        (_hour(9), EndpointState(Circuit("half_open")), 0, "failing", "circuit_open"),
        (_hour(9), EndpointState(Circuit("open", warned_hours=24)), 0, "failing", "failing_for_24_hours"),
        (_hour(0, dns=3), EndpointState(Circuit(failing_since_ms=NOW - 600_000)), 0, "failing", "no_success"),
        (Statistics({"dead": 1}), EndpointState(), 0, "degraded", "dead_letters"),
    ],
)
def test_health_is_the_worst_that_can_be_said(
    api: ApiClient, hour: Statistics, state: EndpointState, waiting: int, health: str, reason: str | None
) -> None:
    webhook_id = api.register()["id"]
    api.statistics.by_hour[webhook_id] = {NOW_HOUR: hour}
    api.statistics.waiting[webhook_id] = waiting
    api.states.states[webhook_id] = state
    body = api.call("GET", f"/webhooks/{webhook_id}/health").body
    assert (body["health"], body["reason"]) == (health, reason)
    assert (body["explanation"] is None) == (reason is None)
    assert body["backlog"] == {"waiting": waiting, "more": False}


@pytest.mark.parametrize(
    ("status", "status_reason", "health", "reason"),
    [
        ("failed", "gone", "disabled", "gone"),
        ("failed", "failing_for_five_days", "disabled", "failing_for_five_days"),
        ("failed", "member_removed", "disabled", "member_removed"),
        ("paused", None, "paused", "paused"),
        ("inactive", None, "inactive", "inactive"),
    ],
)
def test_a_webhook_that_is_not_active_says_so_first(
    api: ApiClient, status: WebhookStatus, status_reason: str | None, health: str, reason: str
) -> None:
    webhook_id = api.register()["id"]
    webhook = api.store.webhooks_by_id[webhook_id]
    api.store.webhooks_by_id[webhook_id] = replace(webhook, status=status, status_reason=status_reason)
    api.states.states[webhook_id] = EndpointState(Circuit("open"))
    body = api.call("GET", f"/webhooks/{webhook_id}/health").body
    assert (body["health"], body["reason"]) == (health, reason)
    assert body["explanation"]


def test_health_knows_the_last_success_and_failure_of_before(api: ApiClient) -> None:
    webhook_id = api.register()["id"]
    long_ago = NOW_HOUR - 200 * HOUR_MS
    api.statistics.by_hour[webhook_id] = {long_ago: Statistics({"successes": 1}, long_ago + 7, long_ago + 5)}
    api.statistics.waiting[webhook_id] = 5_000
    body = api.call("GET", f"/webhooks/{webhook_id}/health").body
    assert body["last_failure_at"] < body["last_success_at"]
    assert body["recent"]["attempts"] == 0
    assert body["backlog"] == {"waiting": 1_000, "more": True}


# ---- what Prometheus scrapes


def test_the_former_services_metrics_have_their_names(api: ApiClient) -> None:
    api.statistics.counters = {
        "deliveries": 9,
        "successes": 7,
        "failure#http_503": 2,
        "failure#timeout": 1,
        "unknown": 4,
        "dead": 3,
        "time": 2_500,
        f"time#{bucket_of(80)}": 9,
        f"time#{bucket_of(40_000)}": 1,
        "webhooks#active": 12,
        "webhooks#paused": 1,
    }
    api.statistics.not_closed = [("wh_a", "open"), ("wh_b", "half_open")]
    samples = _samples(api)
    assert samples["webhook_delivery_attempts_total", ()] == 10
    assert samples["webhook_delivery_successes_total", ()] == 7
    assert samples["webhook_delivery_failures_total", (("reason", "http_503"),)] == 2
    assert samples["webhook_delivery_unknown_total", ()] == 4
    assert samples["webhook_delivery_duration_seconds_bucket", (("le", "0.1"),)] == 9
    assert samples["webhook_delivery_duration_seconds_bucket", (("le", "+Inf"),)] == 10
    assert samples["webhook_delivery_duration_seconds_count", ()] == 10
    assert samples["webhook_delivery_duration_seconds_sum", ()] == 2.5
    assert samples["webhook_active_total", ()] == 12
    assert samples["webhook_registered", (("status", "paused"),)] == 1
    assert samples["webhook_dead_letters_total", ()] == 3
    assert samples["webhook_circuit_breaker_state", (("webhook_id", "wh_a"),)] == 2
    assert samples["webhook_circuit_breaker_state", (("webhook_id", "wh_b"),)] == 1
    assert samples["webhook_circuit_breakers", (("state", "open"),)] == 1


def test_events_waiting_and_queues_can_be_seen(api: ApiClient) -> None:
    api.statistics.counters = {
        "events": 5,
        "queued": 6,
        "missed#inactive": 2,
        "skipped#filtered": 8,
        "parked#paused": 3,
        "parked#retry": -1,
        "deferred#paused": 4,
        "initiation": 300,
        f"initiation#{bucket_of(30)}": 6,
    }
    api.queues["delivery"] = lambda: QueueDepth(visible=4, in_flight=2, delayed=1)
    api.queues["ingest"] = silent_queue
    api.ages = lambda: {"delivery": 12.5}
    samples = _samples(api)
    assert samples["webhook_events_total", ()] == 5
    dispositions = {
        labels: value for (name, labels), value in samples.items() if name.startswith("webhook_event_disp") and value
    }
    assert dispositions == {
        (("disposition", "queued"), ("reason", "")): 6,
        (("disposition", "missed"), ("reason", "inactive")): 2,
        (("disposition", "skipped"), ("reason", "filtered")): 8,
    }
    assert samples["webhook_parked_deliveries", (("reason", "paused"),)] == 3
    assert samples["webhook_parked_deliveries", (("reason", "retry"),)] == 0
    assert samples["webhook_delivery_deferrals_total", (("reason", "paused"),)] == 4
    assert samples["webhook_delivery_initiation_seconds_bucket", (("le", "0.05"),)] == 6
    assert samples["webhook_queue_messages", (("queue", "delivery"), ("state", "visible"))] == 4
    assert samples["webhook_queue_oldest_message_age_seconds", (("queue", "delivery"),)] == 12.5
    assert not any(("queue", "ingest") in labels for _, labels in samples)


def test_counters_by_label_are_there_before_anything_happens(api: ApiClient) -> None:
    """Prometheus sees no increase in a series that begins with 1."""
    api.statistics.counters = {}
    samples = _samples(api)
    for name, label, value in (
        ("webhook_delivery_failures_total", "reason", "http_503"),
        ("webhook_delivery_failures_total", "reason", "unreachable"),
        ("webhook_delivery_deferrals_total", "reason", "circuit_open"),
        ("webhook_parked_deliveries", "reason", "rate_limited"),
    ):
        assert samples[name, ((label, value),)] == 0
    assert samples["webhook_event_dispositions_total", (("disposition", "missed"), ("reason", "failed"))] == 0
    assert samples["webhook_deliveries_lost_total", ()] == 0


def test_how_far_stages_are_behind_and_what_the_gateway_answers_can_be_seen(api: ApiClient) -> None:
    api.lags = lambda: {"release": 12_000, "rollup": 60_000}
    api.api_figures = lambda: {"webhook_api_requests_per_minute": 70, "webhook_api_latency_p95_seconds": 45}
    samples = _samples(api)
    assert samples["webhook_stage_lag_seconds", (("stage", "release"),)] == 12
    assert samples["webhook_stage_lag_seconds", (("stage", "rollup"),)] == 60
    assert samples["webhook_api_requests_per_minute", ()] == 70
    assert samples["webhook_api_latency_p95_seconds", ()] == 0.045
    assert ("webhook_api_errors_per_minute", ()) not in samples


def test_counters_come_without_ages_where_cloudwatch_does_not_answer(api: ApiClient) -> None:
    api.statistics.counters = {"events": 5}
    api.ages = silent_queue
    samples = _samples(api)
    assert samples["webhook_events_total", ()] == 5
    assert not any(name == "webhook_queue_oldest_message_age_seconds" for name, _ in samples)


def test_duplicates_and_what_writes_cost_can_be_seen(api: ApiClient) -> None:
    api.statistics.counters = {"duplicates#event": 3, "units#event": 40, "units#delivery": 90}
    samples = _samples(api)
    assert samples["webhook_duplicates_suppressed_total", (("kind", "event"),)] == 3
    assert samples["webhook_duplicates_suppressed_total", (("kind", "delivery"),)] == 0
    costs = {labels[0][1]: value for (name, labels), value in samples.items() if name == "webhook_cost_units_total"}
    assert costs == {"event": 40, "delivery": 90, "dead_letter": 0}


def test_nothing_at_all_is_a_valid_answer_too(api: ApiClient) -> None:
    assert _samples(api)["webhook_delivery_attempts_total", ()] == 0


def test_the_counters_are_not_for_everybody(api: ApiClient) -> None:
    assert api.call("GET", "//metrics", scopes=["webhooks"]).status == 403
    assert api.call("GET", "//metrics", user_id=None).status == 401
    assert api.call("GET", "//metrics", scopes=["admin"]).status == 200


def test_a_scrape_with_ten_thousand_webhooks_costs_little(api: ApiClient, figure: Figure) -> None:
    """They are a number in a counter; what grows are reasons, and circuits that are not closed, to a bound."""
    api.statistics.counters = {"webhooks#active": 10_000, **{f"failure#http_{code}": code for code in range(400, 600)}}
    api.statistics.not_closed = [(f"wh_{number:026d}", "open") for number in range(5_000)]
    api.call("GET", "//metrics", scopes=["metrics:read"])
    before = time.process_time()
    answer = api.call("GET", "//metrics", scopes=["metrics:read"])
    milliseconds = (time.process_time() - before) * 1000
    figure(f"/metrics with 10,000 webhooks, 1,000 open circuits: {milliseconds:.0f} ms CPU, {len(answer.text)} bytes")
    assert milliseconds < 300
    assert sum(name == "webhook_circuit_breaker_state" for name, _ in _samples(api)) == 1_000

"""All of an owner's webhooks at one look, and a list of webhooks with how each does."""

import pytest

from tests.support.api_client import NOW, ApiClient
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.management.overview import LOOKED_AT, SHOWN
from webhooks.management.webhook_metrics import BACKLOG_GLANCED
from webhooks.statistics.counts import HOUR_MS, Statistics, bucket_of, hour_of

NOW_HOUR = hour_of(NOW)
OPEN = EndpointState(Circuit("open", open_until_ms=NOW + 9_000, failing_since_ms=NOW - 60_000))


@pytest.fixture
def api() -> ApiClient:
    return ApiClient()


def _hour(successes: int, **failures: int) -> Statistics:
    counts = {"deliveries": successes, "successes": successes, f"time#{bucket_of(80)}": successes}
    return Statistics(counts | {f"failure#{reason}": count for reason, count in failures.items()})


def test_nothing_yet(api: ApiClient) -> None:
    body = api.call("GET", "/overview").body
    assert (body["webhooks"], body["open_circuits"], body["waiting"], body["attention"]) == (0, 0, {}, [])
    assert (body["totals"]["attempts"], len(body["series"]), body["more_attention"]) == (0, 25, False)


def test_figures_are_the_owners_and_waiting_is_by_reason(api: ApiClient) -> None:
    api.register()
    api.register()
    api.statistics.by_owner["123"] = {NOW_HOUR: _hour(8, http_503=2), NOW_HOUR - 30 * HOUR_MS: _hour(99)}
    api.statistics.by_owner["456"] = {NOW_HOUR: _hour(1_000)}
    api.statistics.parked["123"] = {"parked#retry": 3, "parked#rate_limited": 2, "parked#paused": 0}
    body = api.call("GET", "/overview").body
    assert (body["webhooks"], body["totals"]["attempts"], body["totals"]["success_rate"]) == (2, 10, 0.8)
    assert body["totals"]["latency_ms"]["p95"] > 50
    assert body["waiting"] == {"retry": 3, "rate_limited": 2}
    week = api.call("GET", "/overview", query={"from": "2025-10-05T00:00:00Z", "interval": "day"}).body
    assert week["totals"]["successes"] == 107


def test_webhooks_that_do_badly_come_first_and_those_that_recovered_not_at_all(api: ApiClient) -> None:
    ids = {name: api.register(name=name)["id"] for name in ("fine", "recovered", "shaky", "open", "paused", "quiet")}
    api.statistics.by_hour[ids["shaky"]] = {NOW_HOUR: _hour(90, http_500=10)}
    api.statistics.by_hour[ids["recovered"]] = {NOW_HOUR - 5 * HOUR_MS: _hour(1, http_500=10), NOW_HOUR: _hour(9)}
    api.states.states[ids["open"]] = OPEN
    api.call("PUT", f"/webhooks/{ids['paused']}", {"status": "paused"})
    api.statistics.in_trouble["123"] = [("circuit", ids["open"]), ("status", ids["paused"])]
    api.statistics.failed_lately["123"] = [ids["shaky"], ids["open"], ids["recovered"]]
    body = api.call("GET", "/overview").body
    assert [(each["webhook_name"], each["health"], each["reason"]) for each in body["attention"]] == [
        ("open", "failing", "circuit_open"),
        ("shaky", "degraded", "some_attempts_fail"),
        ("paused", "paused", "paused"),
    ]
    shown = {each["webhook_name"]: each for each in body["attention"]}
    assert (shown["shaky"]["attempts"], shown["shaky"]["success_rate"]) == (100, 0.9)
    assert shown["open"]["circuit"] == {"state": "open", "open_until": "2025-10-09T08:53:29.000Z"}
    assert shown["open"]["failing_since"] == "2025-10-09T08:52:20.000Z"
    assert (body["open_circuits"], body["more_attention"]) == (1, False)


def test_no_more_than_a_few_are_looked_at_and_it_says_that_there_are_others(api: ApiClient) -> None:
    ids = [api.register()["id"] for _ in range(SHOWN + 1)]
    for webhook_id in ids:
        api.states.states[webhook_id] = OPEN
    api.statistics.failed_lately["123"] = ids
    body = api.call("GET", "/overview").body
    assert (len(body["attention"]), body["more_attention"]) == (SHOWN, True)
    api.statistics.failed_lately["123"] = ids[:1] + [f"wh_{number:026d}" for number in range(LOOKED_AT)]
    body = api.call("GET", "/overview").body
    assert (len(body["attention"]), body["more_attention"]) == (1, True)


def test_another_owners_webhook_is_not_shown_whatever_the_notes_say(api: ApiClient) -> None:
    theirs = api.register(user_id="456")["id"]
    deleted = api.register()["id"]
    assert api.call("DELETE", f"/webhooks/{deleted}").status == 204
    for webhook_id in (theirs, deleted):
        api.states.states[webhook_id] = OPEN
    api.statistics.failed_lately["123"] = [theirs, deleted]
    assert api.call("GET", "/overview").body["attention"] == []


def test_only_admins_look_at_others(api: ApiClient) -> None:
    api.register(user_id="456")
    assert api.call("GET", "/overview", query={"user_id": "456"}).status == 403
    assert api.call("GET", "/overview", query={"user_id": "123"}).status == 200
    seen = api.call("GET", "/overview", query={"user_id": "456"}, scopes=["admin"]).body
    assert seen["webhooks"] == 1


@pytest.mark.parametrize("query", [{"interval": "week"}, {"from": "2025-01-01T00:00:00Z"}, {"from": "soon"}])
def test_a_time_that_makes_no_sense_is_refused(api: ApiClient, query: dict[str, str]) -> None:
    assert api.call("GET", "/overview", query=query).status == 422


def test_a_list_has_each_webhooks_health_when_it_is_asked_for(api: ApiClient) -> None:
    fine, bad, late = (api.register(name=name)["id"] for name in ("fine", "bad", "late"))
    api.states.states[bad] = OPEN
    api.states.states[late] = EndpointState(wake_at_ms=NOW)
    api.statistics.by_hour[fine] = {NOW_HOUR: _hour(9), NOW_HOUR - HOUR_MS: _hour(1), NOW_HOUR - 2 * HOUR_MS: _hour(5)}
    api.statistics.waiting = {late: 5_000, fine: 3}  # fine's is not looked at: nothing is to wake it
    plain = api.call("GET", "/webhooks").body["items"]
    assert [each["health"] for each in plain] == [None, None, None]
    found = api.call("GET", "/webhooks", query={"include": "health"}).body["items"]
    health = {each["name"]: each["health"] for each in found}
    assert (health["fine"]["health"], health["fine"]["attempts"], health["fine"]["waiting"]) == ("healthy", 10, 0)
    assert (health["bad"]["health"], health["bad"]["reason"]) == ("failing", "circuit_open")
    assert (health["late"]["health"], health["late"]["waiting"]) == ("degraded", BACKLOG_GLANCED)
    assert api.call("GET", "/webhooks", query={"include": "secret"}).status == 422

"""Figures, health and counters over HTTP: they are those of what the receiver saw."""

from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.receiver import answer
from tests.support.service import Service, User, assert_problem, event, eventually

Labels = tuple[tuple[str, str], ...]


def _scrape(caller: User, service: Service) -> Mapping[tuple[str, Labels], float]:
    scraped = service.http.get("/metrics", headers=caller.headers)
    assert scraped.status_code == 200, scraped.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scraped.text)
        for sample in family.samples
    }


def test_a_webhooks_figures_are_what_its_receiver_saw(service: Service, user: User) -> None:
    path = service.path(answer(503), answer())
    webhook = user.register(service.receiver.url(path))
    published = [event() for _ in range(12)]
    user.post("/events", {"events": published})
    for each in published:
        user.settled(webhook["id"], each["id"], timeout=40)

    seen = len(service.receiver.requests(path))
    read = f"/webhooks/{webhook['id']}/metrics"
    totals = eventually(lambda: user.read(read), lambda found: found["totals"]["attempts"] >= seen)["totals"]
    assert (totals["deliveries"], totals["successes"], totals["attempts"]) == (12, 12, seen)
    assert totals["failure_reasons"] == {"http_503": 1}
    assert totals["success_rate"] == round(12 / seen, 6)
    assert 0 < totals["latency_ms"]["p50"] <= totals["latency_ms"]["p99"]

    health = user.read(f"/webhooks/{webhook['id']}/health")
    assert health["recent"]["attempts"] == seen
    assert health["last_failure_at"] < health["last_success_at"]
    assert health["health"] in ("healthy", "degraded")


def test_a_disabled_webhook_says_why(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path(answer(410))))
    published = event()
    user.post("/events", published)
    user.settled(webhook["id"], published["id"], "failed")
    health = eventually(lambda: user.read(f"/webhooks/{webhook['id']}/health"), lambda it: it["health"] == "disabled")
    assert health["reason"] == "gone"
    read = f"/webhooks/{webhook['id']}/metrics"
    totals = eventually(lambda: user.read(read)["totals"], lambda found: found["dead_letters"] == 1)
    assert totals["failure_reasons"] == {"http_410": 1}


def test_the_counters_grow_with_what_is_delivered(service: Service, user: User) -> None:
    prometheus = service.bearer(scope="metrics:read")
    before = _scrape(prometheus, service)
    webhook = user.register(service.receiver.url(service.path()))
    published = [event() for _ in range(7)]
    user.post("/events", {"events": published})
    for each in published:
        user.settled(webhook["id"], each["id"])
    name = ("webhook_delivery_successes_total", ())
    after = eventually(lambda: _scrape(prometheus, service), lambda found: found[name] >= before[name] + 7)
    assert after["webhook_events_total", ()] >= before["webhook_events_total", ()] + 7
    assert after["webhook_active_total", ()] >= before["webhook_active_total", ()] + 1
    assert after["webhook_queue_messages", (("queue", "delivery"), ("state", "visible"))] >= 0
    ages = {labels[0][1]: age for (name, labels), age in after.items() if name.endswith("oldest_message_age_seconds")}
    assert ages.keys() == {"ingest", "delivery", "static_delivery", "dead_letter", "jobs"}
    assert all(0 <= age < 3_600 for age in ages.values())
    count = "webhook_delivery_duration_seconds_count", ()
    assert after[count] == after["webhook_delivery_attempts_total", ()]


def test_counters_and_figures_are_kept_from_others(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path()))
    other = service.user()
    for what in ("metrics", "health"):
        assert_problem(other.get(f"/webhooks/{webhook['id']}/{what}"), 404, "not-found")
    plain = service.bearer(scope="webhooks")
    assert_problem(service.http.get("/metrics", headers=plain.headers), 403, "forbidden")
    scraper = service.bearer(scope="metrics:read")
    assert_problem(scraper.get("/webhooks"), 403, "forbidden")


def test_an_overview_is_the_sum_of_the_webhooks_and_names_those_in_trouble(service: Service, user: User) -> None:
    fine = user.register(service.receiver.url(service.path()), name="fine")
    gone = user.register(service.receiver.url(service.path(answer(410))), name="gone")
    paused = user.register(service.receiver.url(service.path()), name="paused")
    user.change(paused["id"], status="paused")
    published = [event() for _ in range(8)]
    user.post("/events", {"events": published})
    for each in published:
        user.settled(fine["id"], each["id"])
    user.settled(gone["id"], published[0]["id"], "failed", "abandoned")

    def told() -> tuple[int, int, int, dict[str, str], dict[str, int]]:
        overview = user.read("/overview")
        named = {each["webhook_name"]: each["reason"] for each in overview["attention"]}
        totals = overview["totals"]
        waiting = {reason: n for reason, n in overview["waiting"].items() if reason == "paused"}
        return totals["successes"], totals["dead_letters"] and 1, overview["webhooks"], named, waiting

    expected = (8, 1, 3, {"gone": "gone", "paused": "paused"}, {"paused": 8})
    eventually(told, lambda found: found == expected)
    names = ("deliveries", "attempts", "successes", "failures", "dead_letters")

    def both() -> tuple[list[int], list[int]]:
        """The overview's totals, and those of the webhooks; the last dead letters come in between."""
        sums = [user.read(f"/webhooks/{each['id']}/metrics")["totals"] for each in (fine, gone, paused)]
        totals = user.read("/overview")["totals"]
        return [totals[name] for name in names], [sum(each[name] for each in sums) for name in names]

    eventually(both, lambda found: found[0] == found[1])
    listed = {each["name"]: each["health"] for each in user.items("/webhooks", include="health")}
    for webhook in (fine, gone, paused):
        alone, glance = user.read(f"/webhooks/{webhook['id']}/health"), listed[webhook["name"]]
        assert (glance["health"], glance["reason"]) == (alone["health"], alone["reason"])
        assert (glance["circuit"], glance["waiting"]) == (alone["circuit"], alone["backlog"]["waiting"])


def test_an_event_that_comes_again_is_counted_as_suppressed(service: Service, user: User) -> None:
    """By a function that is held to its role's policies."""
    prometheus, again = service.bearer(scope="metrics:read"), event()
    counted = ("webhook_duplicates_suppressed_total", (("kind", "event"),))
    before = _scrape(prometheus, service)[counted]
    for _ in range(2):
        assert user.post("/events", again).status_code == 202
        eventually(lambda: user.get(f"/events/{again['id']}").status_code == 200)
    eventually(lambda: _scrape(prometheus, service)[counted], lambda found: found > before)


@pytest.mark.timeout(300)
def test_release_and_rollup_say_how_far_they_are_behind(service: Service) -> None:
    """Release runs each minute, and rollup passes on that it did."""
    prometheus = service.bearer(scope="metrics:read")
    name = "webhook_stage_lag_seconds"
    samples = eventually(
        lambda: _scrape(prometheus, service), lambda found: (name, (("stage", "rollup"),)) in found, timeout=150
    )
    assert samples[name, (("stage", "release"),)] < 120
    assert samples[name, (("stage", "rollup"),)] <= 120
    assert ("webhook_queue_messages", (("queue", "stream_failures"), ("state", "visible"))) in samples

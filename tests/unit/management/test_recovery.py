"""Recovery: what was given up and what was missed goes out once, whatever cuts the job off."""

from collections import Counter
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.event_source import Crash
from tests.fakes.owners import caller, owner_of, url_of
from tests.fakes.world import World, event, events
from tests.unit.recovery.test_replay import Plan, jobs_of
from webhooks.errors import Conflict, Invalid, NotFound
from webhooks.management.recovery import Recovery
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook

ALL = ReplaySelection(from_ms=0)


def recovery(world: World) -> Recovery:
    return Api(world.services).recovery


def recover(world: World, webhook: Webhook, selection: ReplaySelection = ALL, rate: float = 1_000) -> ReplayJob:
    started = recovery(world).start(owner_of(webhook), webhook.webhook_id, selection, rate)
    world.run()
    job = jobs_of(world).get(started.job_id)
    assert job is not None
    return job


def estimate(world: World, webhook: Webhook, selection: ReplaySelection = ALL, rate: float = 10) -> tuple[int, bool]:
    found = recovery(world).estimate(owner_of(webhook), webhook.webhook_id, selection, rate)
    return found.count, found.is_exact


def missing(*, given_up: int = 3, inactive: int = 4, plan: Plan | None = None, **fields: Any) -> tuple[World, Webhook]:
    """A webhook that is active again: it failed events e0.., and then missed m0.. while it was inactive."""
    world = World(plan=plan)
    webhook = world.owners.register("one", max_retries=0, **fields)
    world.receivers.script(url_of("one"), [410])
    if given_up:
        world.publish(*events(given_up))
        world.run()
    world.owners.change(webhook, status="inactive")
    world.clock.advance_to(world.clock.ms + 3_600_000)
    world.publish(*(event(f"m{n}") for n in range(inactive)))
    world.run()
    world.clock.advance_to(world.clock.ms + 3_600_000)
    world.receivers.script(url_of("one"), [200])
    world.receivers.log.clear()
    return world, world.owners.change(webhook, status="active")


def ids(world: World) -> Counter[str]:
    return Counter(seen.event_id for seen in world.receivers.log)


def test_what_was_given_up_and_what_was_missed_goes_out() -> None:
    world, webhook = missing()
    assert estimate(world, webhook) == (7, True)
    job = recover(world, webhook)
    assert (job.status, job.total, job.replayed, job.skipped) == ("completed", 7, 7, 0)
    assert ids(world) == Counter(["e0", "e1", "e2", "m0", "m1", "m2", "m3"])
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_a_second_recovery_sends_nothing_again() -> None:
    world, webhook = missing()
    recover(world, webhook)
    assert estimate(world, webhook) == (0, True)
    job = recover(world, webhook)
    assert (job.total, job.replayed) == (0, 0)
    assert sum(ids(world).values()) == 7


def test_a_recovery_keeps_to_its_time() -> None:
    world, webhook = missing()
    middle_ms = world.clock.ms - 2 * 3_600_000
    assert estimate(world, webhook, ReplaySelection(to_ms=middle_ms, from_ms=0)) == (3, True)
    assert estimate(world, webhook, ReplaySelection(from_ms=middle_ms)) == (4, True)
    recover(world, webhook, ReplaySelection(from_ms=middle_ms))
    assert ids(world) == Counter(["m0", "m1", "m2", "m3"])


@pytest.mark.parametrize(("reason", "expected"), [("inactive", 4), ("missed", 4), ("failed", 0), ("gone", 3)])
def test_a_recovery_keeps_to_its_reason(reason: str, expected: int) -> None:
    world, webhook = missing()
    selection = ReplaySelection(reason=reason)
    assert estimate(world, webhook, selection) == (expected, True)
    assert recover(world, webhook, selection).replayed == expected


def test_a_webhook_without_a_workspace_recovers_its_users_events_of_every_workspace() -> None:
    world, webhook = missing(given_up=0, inactive=0, workspace_id=None)
    world.owners.change(webhook, status="inactive")
    world.publish(event("own", workspace_id=None), event("one", workspace_id=1), event("two", workspace_id=2))
    world.publish(event("foreign", user_id=8))
    world.run()
    world.owners.change(webhook, status="active")
    job = recover(world, webhook)
    assert (job.total, job.replayed) == (3, 3)
    assert ids(world) == Counter(["own", "one", "two"])


def test_more_than_a_page_of_the_events_that_others_missed_does_not_hide_ones_own() -> None:
    world, webhook = missing(given_up=0, inactive=0)
    other = world.owners.register("other", event_types=("table.created",), status="inactive")
    world.publish(*(event(f"x{n}", "table.created") for n in range(450)))
    world.owners.change(webhook, status="inactive")
    world.publish(event("mine"))
    world.run()
    world.owners.change(webhook, status="active")
    assert recover(world, webhook, ReplaySelection(reason="missed")).replayed == 451  # "*" takes the tables too
    world.owners.change(other, status="active")
    assert estimate(world, other) == (450, True)


def test_a_dry_run_sends_nothing_and_says_how_long_it_takes() -> None:
    world, webhook = missing(given_up=3, inactive=4)
    found = recovery(world).estimate(caller(7), webhook.webhook_id, ALL, 2)
    assert (found.count, found.duration_seconds) == (7, 4)
    world.owners.change(webhook, rate_limit_rps=0.5)
    assert recovery(world).estimate(caller(7), webhook.webhook_id, ALL, 2).duration_seconds == 14
    world.run()
    assert not world.receivers.log


def test_a_recovery_keeps_to_its_rate() -> None:
    world, webhook = missing(given_up=0, inactive=120)
    start_ms = world.clock.ms
    recover(world, webhook, rate=2)
    assert sum(ids(world).values()) == 120
    assert world.receivers.log[-1].at_ms - start_ms >= 50_000


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer", "repeated", "partial", "throttled"])
def test_a_recovery_cut_off_anywhere_loses_nothing_and_sends_nothing_twice(fault: str) -> None:
    for nth in range(1, 60, 3):
        plan = Plan(fault, frozenset({nth}))
        world, webhook = missing(given_up=6, inactive=6, plan=plan)
        started = recovery(world).start(caller(7), webhook.webhook_id, ALL, 1_000)
        plan.armed = True
        try:
            world.poll("jobs")
        except Crash:
            world.functions.restart("replay")
        plan.armed = False
        world.run()
        job = jobs_of(world).get(started.job_id)
        assert job is not None
        assert job.status == "completed", (fault, nth)
        assert {record.status for record in world.deliveries()} == {"delivered"}, (fault, nth)
        expected = [*(f"e{n}" for n in range(6)), *(f"m{n}" for n in range(6))]
        assert ids(world) == Counter(expected), (fault, nth)


def test_nothing_is_recovered_to_a_webhook_that_takes_nothing_but_counted_it_is() -> None:
    world, webhook = missing()
    world.owners.change(webhook, status="inactive")
    assert estimate(world, webhook) == (7, True)
    with pytest.raises(Conflict):
        recover(world, webhook)


def test_a_recovery_needs_a_time_or_a_reason_and_a_webhook_of_the_callers() -> None:
    world, webhook = missing(given_up=0, inactive=0)
    with pytest.raises(Invalid):
        recover(world, webhook, ReplaySelection())
    with pytest.raises(Invalid):
        recover(world, webhook, ReplaySelection(from_ms=2, to_ms=1))
    with pytest.raises(NotFound):
        recovery(world).start(caller(8), webhook.webhook_id, ALL, 1)


def test_a_recovery_keeps_to_its_event_type() -> None:
    world, webhook = missing(given_up=2, inactive=2)
    world.owners.change(webhook, status="inactive")
    world.publish(event("t1", "table.created"))
    world.run()
    world.owners.change(webhook, status="active")
    selection = ReplaySelection(event_type="table.created", from_ms=0)
    assert estimate(world, webhook, selection) == (1, True)
    assert recover(world, webhook, selection).replayed == 1
    assert ids(world) == Counter(["t1"])


def test_an_estimate_that_would_look_at_too_much_says_that_it_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.management.recovery.EXAMINED", 1)
    world, webhook = missing(given_up=3, inactive=4)
    found, is_exact = estimate(world, webhook)
    assert found < 7
    assert not is_exact

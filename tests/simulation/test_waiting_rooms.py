"""Rooms with thousands of deliveries; `make simulate-scale` has them with hundreds of thousands."""

from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import Figure
from tests.fakes.owners import url_of
from tests.fakes.world import TABLE, World, event, events
from tests.simulation.scale.fleet import DAY, HOUR
from tests.simulation.scale.rooms import beside_a_dead_tenant, pause_and_resume


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def test_all_that_waits_for_a_paused_webhook_goes_out_when_it_is_resumed(figure: Figure) -> None:
    found = pause_and_resume(5_000, kills=0, seed=51)
    figure(f"pause and resume: {found}")
    assert (found.delivered, found.sent_twice, found.still_waiting) == (5_000, 0, 0)


def test_a_release_that_is_killed_again_and_again_goes_on_where_it_stopped(figure: Figure) -> None:
    """What it had sent and not yet marked is sent once more, and dropped: the receiver sees it once."""
    found = pause_and_resume(3_000, kills=20, seed=52)
    figure(f"pause and resume under kills: {found}")
    assert found.kills == 20
    assert (found.delivered, found.sent_twice, found.still_waiting) == (3_000, 0, 0)


@pytest.mark.timeout(600)
def test_a_dead_tenant_with_thousands_of_deliveries_and_a_slow_one_disturb_nobody(figure: Figure) -> None:
    alone, beside = beside_a_dead_tenant(3_000, minutes=10, seed=53)
    figure(f"beside nobody: {alone}; beside a dead and a slow tenant: {beside}")
    assert beside.dead_waiting == beside.dead_letters == 3_000
    assert beside.delivered == beside.published
    assert beside.slow_delivered > 300
    assert beside.p99_ms <= 1.5 * alone.p99_ms
    assert beside.most_in_flight < 12_000


def test_a_pause_of_forty_days_loses_nothing() -> None:
    """SQS keeps a message for ten days here, finished things expire after thirty, and deliveries after MaxWaitDays:
    what waits for the end of a pause does none of that."""
    world = World(54)
    webhook = world.owners.register("one", status="paused")
    for day in range(40):
        if day in (0, 20):
            world.publish(*events(50, 50 * (day // 20)))
        for _ in range(24):
            world.clock.advance_to(world.clock.ms + HOUR)
            world.release()
            world.work()
        world.dynamodb.tables[TABLE].collect_expired()
    world.publish(*events(50, 100))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    assert not world.dead_letters()
    assert sorted(each.event_id for each in world.receivers.log) == sorted(f"e{number}" for number in range(150))


@pytest.mark.parametrize("kept", [{"retention_days": 1}, {"variables": {"EVENT_DAYS": "1"}}], ids=["all", "events"])
def test_a_retention_shorter_than_the_retries_take_loses_nothing(kept: dict[str, Any]) -> None:
    """One day is kept, and the tenth attempt comes after three and a half: all that time its body is in its item."""
    world = World(55)
    world.functions.services = replace(world.services, **kept)
    world.owners.register("one", max_retries=9)
    world.receivers.script(url_of("one"), [503] * 9 + [200])
    world.publish(event("e1"))
    start_ms = world.clock.ms
    for _ in range(5):
        world.run(for_ms=DAY)
        world.dynamodb.tables[TABLE].collect_expired()
    assert len(world.receivers.log) == 10
    assert world.receivers.log[-1].succeeded
    assert world.receivers.log[-1].body == world.receivers.log[0].body
    assert world.receivers.log[-1].at_ms - start_ms > 3 * DAY

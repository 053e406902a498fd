"""Many senders at one webhook: one probe an interval when its circuit is half open, and its rate when it has one."""

from collections import Counter

import pytest

from tests.conftest import Figure
from tests.fakes.clock import START_MS
from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import event, events
from tests.simulation.scale.fleet import HOUR, MINUTE, SECOND, Fleet


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def test_a_hundred_senders_at_a_half_open_circuit_send_one_probe_an_interval(figure: Figure) -> None:
    fleet = Fleet(seed=11, sender=100, batch_size=1)
    world, url = fleet.world, url_of("one")
    webhook = world.owners.register("one", max_retries=9, timeout_seconds=15)
    world.receivers.behave(url, lambda now_ms, _count: Answer(503, latency_ms=now_ms % 900))
    intervals: list[tuple[int, int]] = []  # from a circuit's end of being open to the end of its probe's lease

    def publish() -> None:
        for second in range(HOUR // SECOND):
            state = world.state(webhook.webhook_id).circuit
            if state.state == "open" and (not intervals or intervals[-1][0] != state.open_until_ms):
                intervals.append((state.open_until_ms, 0))
            if intervals and abs(fleet.clock.ms - intervals[-1][0]) <= 2 * SECOND:
                fleet.publish(*events(100, 1_000 * second))  # a hundred senders at the moment that it may be probed
            elif second < 10:
                fleet.publish(*events(3, 1_000 * second))
            fleet.scheduler.sleep_ms(SECOND)

    fleet.run(publish, for_ms=HOUR)
    opened = [at_ms for at_ms, _ in intervals]
    seen = [each.at_ms for each in world.receivers.seen(url)]
    probes = Counter(sum(at_ms >= opening for opening in opened) for at_ms in seen if at_ms >= opened[0])
    figure(f"half-open circuit: {len(opened)} intervals, 100 senders, {sum(probes.values())} probes (seed 11)")
    assert len(opened) >= 6
    assert max(probes.values()) == 1
    assert sum(probes.values()) >= len(opened) - 1


@pytest.mark.parametrize("rate", [5, 50])
def test_fifty_senders_at_one_rate_limited_webhook_keep_its_rate(rate: int, figure: Figure) -> None:
    """More arrives than may go out, and what is over waits in the room: from a minute on, both go on at once."""
    fleet = Fleet(seed=12, sender=50, batch_size=10)
    world = fleet.world
    world.owners.register("one", rate_limit_rps=rate)

    def publish() -> None:
        for tenth in range(1_250):
            fleet.publish(*events(max(1, rate // 5), 1_000 * tenth))
            fleet.scheduler.sleep_ms(100)

    fleet.run(publish, for_ms=125 * SECOND)
    times = [each.at_ms for each in world.receivers.log]
    start_ms = times[0]
    for minute in range(2):
        sent = sum(start_ms + minute * MINUTE <= at_ms < start_ms + (minute + 1) * MINUTE for at_ms in times)
        share = sent / (60 * rate)
        figure(f"50 senders, {rate}/s: {sent} in minute {minute + 1}, {share:.1%} of the rate (seed 12)")
        assert 0.98 <= share <= 1.02
    densest = max(_within(times, SECOND))
    figure(f"50 senders, {rate}/s: at most {densest} within any second")
    assert densest <= 2 * rate  # the rate, and one burst of a second's worth


def test_a_backlog_leaves_the_waiting_room_at_the_webhook_s_rate(figure: Figure) -> None:
    fleet = Fleet(seed=13, sender=50)
    world = fleet.world
    webhook = world.owners.register("one", rate_limit_rps=50, status="paused")
    fleet.publish_many(5_000)
    fleet.run(for_ms=MINUTE)
    world.owners.change(webhook, status="active")
    fleet.run()
    times = [each.at_ms for each in world.receivers.log]
    took_seconds = (times[-1] - times[0]) / 1000
    figure(f"a room of 5,000 at 50/s: drained in {took_seconds:.0f} s (100 s at its rate)")
    assert len(times) == 5_000
    assert took_seconds == pytest.approx(100, rel=0.02)
    assert max(_within(times, SECOND)) <= 100


def test_what_waits_for_its_rate_goes_before_what_arrives_anew(figure: Figure) -> None:
    """Half as much again as may go out arrives all the time, and every batch of it wants a place in the rate too."""
    fleet = Fleet(seed=14, sender=50)
    world = fleet.world
    world.owners.register("one", rate_limit_rps=20)

    def publish() -> None:
        for number in range(3 * 60 * 30):
            fleet.publish(event(f"e{number}"))
            fleet.scheduler.sleep_until(START_MS + number * 1_000 // 30)

    fleet.run(publish, for_ms=3 * MINUTE)
    sent = {each.event_id for each in world.receivers.log}
    first = sum(f"e{number}" in sent for number in range(30 * 30))
    figure(f"30/s for 20/s: after 3 minutes {first} of the first half minute's 900 are out (seed 14)")
    assert first == 30 * 30
    assert len(sent) == pytest.approx(3 * 60 * 20, rel=0.02)


def _within(times: list[int], span_ms: int) -> list[int]:
    """How many came within the span that begins with each."""
    counts, end = [], 0
    for start, at_ms in enumerate(times):
        while end < len(times) and times[end] < at_ms + span_ms:
            end += 1
        counts.append(end - start)
    return counts

"""A day's outage of half the webhooks, beside the same day without it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.receivers import Answer, Behaviour
from tests.simulation.scale.fleet import HOUR, SECOND, Fleet
from tests.simulation.scale.tenants import Tenants, percentile

MAX_IN_FLIGHT = 12_000
DOWN = (Answer(503), Answer(502, latency_ms=900), Answer(error_code="connect_refused"), Answer(latency_ms=60_000))


@dataclass(frozen=True, slots=True)
class Day:
    """What one run came to; `healthy` are those webhooks that had no outage."""

    deliveries: int
    delivered: int
    dead: int
    spent_on_deferrals: int  # attempts that count and were never made
    most_waiting: int
    most_in_flight: int
    healthy_p50_ms: int
    healthy_p99_ms: int


def day(
    webhooks: int, gap_seconds: float, *, outage: bool, seed: int, tell: Callable[[float], None] = lambda _: None
) -> Day:
    """26 hours of events; in hours 1 to 25 half the webhooks are down, each in one of four ways."""
    fleet = Fleet(seed)
    tenants = Tenants(fleet, webhooks, seed, tell)
    start_ms = fleet.clock.ms
    healthy = range(webhooks // 2)
    behaviours = dict.fromkeys(range(webhooks), _up)
    if outage:
        behaviours |= {tenant: _down(tenant, start_ms) for tenant in range(webhooks // 2, webhooks)}
    tenants.register(behaviours)
    most_waiting = 0

    def watch() -> None:
        nonlocal most_waiting
        for hour in range(1, 26):
            fleet.scheduler.sleep_until(start_ms + hour * HOUR)
            most_waiting = max(most_waiting, fleet.waiting())

    fleet.run(lambda: tenants.publish(gap_seconds * SECOND, 26 * HOUR), watch)
    records = tenants.records()
    statuses = Counter(record.status for record in records)
    asked = fleet.world.receivers.asked
    latencies = tenants.latencies(healthy)
    return Day(
        deliveries=len(records),
        delivered=statuses["delivered"],
        dead=len(fleet.world.dead_letters()),
        spent_on_deferrals=sum(record.attempt_count - asked[record.delivery_id] for record in records),
        most_waiting=most_waiting,
        most_in_flight=fleet.world.delivery_queue.most_in_flight,
        healthy_p50_ms=percentile(latencies, 0.5),
        healthy_p99_ms=percentile(latencies, 0.99),
    )


def _up(now_ms: int, count: int) -> Answer:
    return Answer(200, latency_ms=20 + (now_ms * 7 + count * 13) % 180)


def _down(tenant: int, start_ms: int) -> Behaviour:
    answer = DOWN[tenant % len(DOWN)]
    return lambda now_ms, n: answer if HOUR <= now_ms - start_ms < 25 * HOUR else _up(now_ms, n)

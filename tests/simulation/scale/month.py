"""A month of deliveries to receivers that are down now and then, as receivers are."""

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.api import Api
from tests.fakes.owners import owner_of
from tests.fakes.receivers import Answer, Behaviour
from tests.simulation.scale.fleet import DAY, HOUR, MINUTE, Fleet
from tests.simulation.scale.tenants import Tenants, percentile
from webhooks.models.replay import ReplaySelection

# What a month brings, by receiver: (how many outages, each how long at least and at most, how it looks from here).
DEPLOY = (8, (20_000, 3 * MINUTE), Answer(502, latency_ms=50))  # two a week
CRASH = (2, (5 * MINUTE, HOUR), Answer(error_code="connect_refused"))
OVERLOAD = (1, (HOUR, 4 * HOUR), Answer(503, latency_ms=2_000))
HUNG = (1, (30 * MINUTE, 6 * HOUR), Answer(latency_ms=60_000))
WEEKEND = (1, (2 * DAY, 2 * DAY + 12 * HOUR), Answer(500))  # nobody looks until Monday: one receiver in ten
LOST = (1, (7 * DAY, 10 * DAY), Answer(error_code="connect_refused"))  # a server that was given up: one in a hundred
BUG = 0.0005  # of all requests, by any receiver: a 500 that has no cause to be seen


@dataclass(frozen=True, slots=True)
class Month:
    """What it came to. Shares are of what was published, by what the receivers took."""

    webhooks: int
    down: float  # share of the webhooks' time, those that were lost left out
    events: int
    share: float  # of receivers that came back within three days
    share_of_all: float  # those included that were lost for a week or more
    share_recovered: float  # when the owners of those have resumed them and had recovered what they missed
    dead: Counter[str]
    p50_ms: int
    p99_ms: int


def month(webhooks: int, gap_minutes: float, seed: int, tell: Callable[[float], None] = lambda _: None) -> Month:
    """30 days of events, and then until nothing is pending; then the owners of what was lost recover it."""
    fleet = Fleet(seed, sender=20)
    tenants = Tenants(fleet, webhooks, seed, tell)
    rng, start_ms = random.Random(f"outages {seed}"), fleet.clock.ms
    down = {tenant: _outages(tenant, rng, start_ms) for tenant in range(webhooks)}
    tenants.register({tenant: _behaviour(down[tenant], random.Random(rng.random())) for tenant in down})
    fleet.run(lambda: tenants.publish(gap_minutes * MINUTE, 30 * DAY))
    dead = Counter(str(record.reason) for record in tenants.records() if record.status != "delivered")
    ordinary = [tenant for tenant in down if not _is_lost(tenant)]
    latencies = tenants.latencies(ordinary)
    share, of_all = tenants.share(ordinary), tenants.share(range(webhooks))
    fleet.clock.advance_to(start_ms + 41 * DAY)
    for tenant in set(down) - set(ordinary):
        webhook = fleet.world.owners.webhook(tenants.webhooks[tenant])
        if webhook.status == "failed":
            fleet.world.owners.change(webhook, status="active")
        request = owner_of(webhook), webhook.webhook_id, ReplaySelection(from_ms=start_ms)
        Api(fleet.world.services).recovery.start(*request, rate_per_second=10)
    fleet.run()
    return Month(
        webhooks=webhooks,
        down=sum(end - begin for t in ordinary for begin, end, _ in down[t]) / (len(ordinary) * 30 * DAY),
        events=len(tenants.published),
        share=share,
        share_of_all=of_all,
        share_recovered=tenants.share(range(webhooks)),
        dead=dead,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
    )


def _is_lost(tenant: int) -> bool:
    return tenant % 100 == 5


def _outages(tenant: int, rng: random.Random, start_ms: int) -> list[tuple[int, int, Answer]]:
    kinds = [DEPLOY, CRASH, OVERLOAD, HUNG]
    kinds += [WEEKEND] if tenant % 10 == 0 else []
    kinds += [LOST] if _is_lost(tenant) else []
    found: list[tuple[int, int, Answer]] = []
    for count, (shortest_ms, longest_ms), answer in kinds:
        for _ in range(count):
            begin = start_ms + rng.randrange(29 * DAY)
            found.append((begin, begin + rng.randint(shortest_ms, longest_ms), answer))
    return sorted(found, key=lambda each: each[:2])


def _behaviour(outages: list[tuple[int, int, Answer]], rng: random.Random) -> Behaviour:
    begins = [begin for begin, _, _ in outages]

    def answer(now_ms: int, _count: int) -> Answer:
        for _, end, down in outages[: bisect_right(begins, now_ms)]:
            if now_ms < end:
                return down
        return Answer(500) if rng.random() < BUG else Answer(200, latency_ms=rng.randrange(20, 200))

    return answer

"""Waiting rooms with very many deliveries in them."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.owners import url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import MINUTE_MS, World, events
from tests.simulation.scale.brief import BriefLog
from tests.simulation.scale.fleet import MINUTE, SECOND, Fleet
from tests.simulation.scale.tenants import Tenants, percentile

DEAD, OTHERS, SLOW = 0, range(1, 5), 5  # tenants

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of a pause and a resume."""

    deliveries: int
    kills: int
    runs: int  # of release
    delivered: int
    sent_twice: int
    still_waiting: int


class Killer:
    """Ends the process of release at a random port call, now and then, once it is `armed`."""

    def __init__(self, seed: int, most: int) -> None:
        self.armed, self.kills = False, 0
        self._rng, self._most = random.Random(f"kills {seed}"), most

    def __call__(self, call: str) -> str | None:
        if not self.armed or self.kills >= self._most or self._rng.random() >= 0.02:
            return None
        self.kills += 1
        return self._rng.choice(["crash_before", "crash_after"])


def pause_and_resume(count: int, kills: int, seed: int, tell: Tell = lambda _: None) -> Resumed:
    """So many deliveries wait for a paused webhook; it is resumed, and release is killed so often on the way."""
    killer = Killer(seed, kills)
    world = World(seed, plan=killer)
    world.receivers.log = log = BriefLog()  # type: ignore[assignment]
    webhook = world.owners.register("one", status="paused")
    for first in range(0, count, 100):
        world.publish(*events(min(100, count - first), first))
        world.work("ingest", "sender")
        tell(0.7 * first / count)
    assert not log
    world.owners.change(webhook, status="active")
    runs = 0
    while len({request.event_id for request in log}) < count and runs < kills + 100:
        killer.armed = True
        before = killer.kills
        world.release()
        killer.armed = False
        runs += 1
        world.work("sender")
        world.clock.advance_to(world.clock.ms + MINUTE_MS)
        tell(0.7 + 0.3 * len(log) / count)
        assert killer.kills <= before + 1
    world.work()
    taken = Counter(request.event_id for request in log if request.succeeded)
    return Resumed(
        deliveries=count,
        kills=killer.kills,
        runs=runs,
        delivered=len(taken),
        sent_twice=sum(times - 1 for times in taken.values()),
        still_waiting=sum("waiting" in item for item in world.items("dlv#")),
    )


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How the others fare beside a tenant whose receiver is dead, and one whose receiver answers 200 after 25 s."""

    dead_waiting: int
    dead_letters: int
    slow_delivered: int
    most_in_flight: int
    p50_ms: int
    p99_ms: int
    delivered: int
    published: int


def beside_a_dead_tenant(count: int, minutes: int, seed: int, tell: Tell = lambda _: None) -> tuple[Neighbours, ...]:
    """Four tenants for so long, beside nobody, and beside two: one has so many deliveries and is dead, the other's
    receiver takes 25 s for each of many.

    The dead one is disabled in the middle, so that all of them are given up at once, each with its dead letter and its
    event.
    """
    return tuple(_beside(each, minutes, seed, tell) for each in (0, count))


def _beside(count: int, minutes: int, seed: int, tell: Tell) -> Neighbours:
    fleet = Fleet(seed)
    world = fleet.world
    tenants = Tenants(fleet, 6, seed)
    slow = Answer(200, latency_ms=25_000)
    tenants.register({DEAD: lambda _now, _count: Answer(503, latency_ms=300), SLOW: lambda _now, _count: slow})
    world.owners.change(tenants.webhooks[SLOW], timeout_seconds=30)
    world.owners.change(tenants.webhooks[DEAD], status="paused")
    for first in range(0, count, 100):
        world.publish(*events(min(100, count - first), first, workspace_id=DEAD, user_id=DEAD))
        world.work("ingest", "sender")
        tell(first / count)
    waiting = fleet.waiting()
    world.owners.change(tenants.webhooks[DEAD], status="active")

    def disable() -> None:
        fleet.scheduler.sleep_ms(minutes * MINUTE // 2)
        world.owners.change(tenants.webhooks[DEAD], status="inactive")

    def wait_for_the_slow() -> None:
        """Twice what its places let through, for a quarter of the time."""
        if count:
            fleet.publish_many(300, count, workspace_id=SLOW, user_id=SLOW)
            tenants.publish(SECOND / 2, minutes * MINUTE // 4, [SLOW])

    fleet.run(lambda: tenants.publish(2 * SECOND, minutes * MINUTE, OTHERS), disable, wait_for_the_slow)
    latencies = tenants.latencies(OTHERS)
    return Neighbours(
        dead_waiting=waiting,
        dead_letters=len(world.dead_letters()),
        slow_delivered=sum(request.url == url_of(f"t{SLOW}") and request.succeeded for request in tenants.log),
        most_in_flight=world.delivery_queue.most_in_flight,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        delivered=len(latencies),
        published=sum(not event_id.startswith(f"t{SLOW}-") for event_id in tenants.published),
    )

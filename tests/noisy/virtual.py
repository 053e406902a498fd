"""The same in virtual time, with the concurrency of template.yaml: what a neighbour costs, whatever machine this is.

Beside the quiet tenant runs one neighbour, or AWS has a bad minute. No API and no CPU take any time here but what
matching takes: the local stack has those.
"""

import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Any

from tests.fakes.api import Api
from tests.fakes.owners import caller, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import TABLE, event
from tests.infrastructure.template_document import read_template
from tests.simulation.scale.brief import BriefLog
from tests.simulation.scale.fleet import MINUTE, SECOND, Fleet
from tests.support.beside import Beside
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.host_limit import WINDOW_MS
from webhooks.egress.hosts import host_of
from webhooks.errors import WebhooksError
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.replay import ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.store.delivery_items import delivery_of
from webhooks.store.states import state_key

QUIET, NOISY, WARM = 1, 2, 3  # users, each in a workspace of its own
EVERY_MS = 500
WARM_MS = 20 * SECOND  # until all processes have started: what a cold one costs is AWS's, and the same beside nobody
MOST_TO_A_HOST = read_template().parameters["HostRequestsPerSecond"]["Default"] * WINDOW_MS // SECOND
HANG_MS = 7 * SECOND  # of a call that nobody answers: 4 s by the direct way, 10 s by botocore's


@dataclass
class Scene:
    """What a neighbour has, and for how long it goes on. `scale` is a part of what it does by default."""

    fleet: Fleet
    ends_ms: int
    scale: float = 1.0

    def __post_init__(self) -> None:
        self.world = self.fleet.world
        self._names = (f"noisy{number}" for number in itertools.count())
        self._ids = (f"n{number}" for number in itertools.count())

    def so_many(self, count: int) -> int:
        """That count at this scale."""
        return max(2, round(count * self.scale))

    def webhooks(
        self, count: int, answer: Answer | None = None, *, host: str | None = None, **fields: Any
    ) -> list[Webhook]:
        """Webhooks of the noisy tenant, whose receivers answer so, at hosts of their own unless one is given."""
        made: list[Webhook] = []
        for name in itertools.islice(self._names, count):
            if answer is not None:
                self.world.receivers.behave(url_of(name), lambda _now, _count: answer)
            made.append(self._register(name, host, **fields))
        return made

    def _register(self, name: str, host: str | None, **fields: Any) -> Webhook:
        url = host and f"https://{host}/{name}"
        return self.world.owners.register(name, url=url, user_id=NOISY, workspace_id=NOISY, **fields)

    def publish(self, count: int, **fields: Any) -> None:
        """So many events at once."""
        named = [
            event(each, user_id=NOISY, workspace_id=NOISY, **fields) for each in itertools.islice(self._ids, count)
        ]
        for start in range(0, count, 100):
            self.fleet.publish(*named[start : start + 100])

    def flow(self, per_second: float, **fields: Any) -> None:
        """Events until it is over."""
        self.again_and_again(per_second, lambda: self.publish(1, **fields))

    def again_and_again(self, per_second: float, act: Callable[[], object]) -> None:
        """At random moments, so often on average, until it is over."""
        rng, due_ms = random.Random("moments"), float(self.fleet.clock.ms)
        while (due_ms := due_ms + rng.expovariate(per_second * self.scale / 1000)) < self.ends_ms:
            self.fleet.scheduler.sleep_until(round(due_ms))
            act()

    def put(self, queue: str, body: str, meta: Mapping[str, Any] | None = None) -> None:
        """A message onto a mapping's queue, past everything that checks it."""
        source = self.world.sources[queue].queue
        self.world.send_raw(source, body, None if meta is None else json.dumps(meta))
        self.fleet.ring(source)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Begins with the quiet tenant's first counted event. `is_short`: in the tests too. `settings` are the fleet's."""

    name: str
    act: Callable[[Scene], object]
    is_short: bool = False
    settings: Mapping[str, Any] | None = None


def receives(
    answer: Answer, *, webhooks: int = 5, per_second: float = 10, at_once: int = 60
) -> Callable[[Scene], None]:
    """Webhooks whose receivers answer so, much for them at once, and more until it is over."""

    def act(scene: Scene) -> None:
        scene.webhooks(webhooks, answer, timeout_seconds=30)
        scene.publish(scene.so_many(at_once))
        scene.flow(per_second)

    return act


def odd_deliveries(scene: Scene) -> None:
    """Messages with ids that no version ever made, or without anything that says what they are."""
    meta = {"w": "wh_x", "e": "evt_1", "t": "record.created", "s": "user:1", "o": "o", "g": 1, "c": 1_760_000_000_000}

    def put() -> None:
        for delivery_id in (f"dlv_{'a' * 25}!", "dlv_" + "x" * 3_000, ""):
            scene.put("sender", "{}", {"d": delivery_id, **meta})
        scene.put("sender", "no meta")

    scene.again_and_again(5, put)


def odd_events(scene: Scene) -> None:
    """Messages on the ingest queue that no door of the service lets in."""
    good = event(user_id=NOISY, workspace_id=NOISY)

    def put() -> None:
        scene.put("ingest", json.dumps({"token": "t" * 100_000, "events": [good]}))
        scene.put("ingest", json.dumps({"time": "9999-12-31T23:59:59-2359", "detail": good}))
        scene.put("ingest", json.dumps({"continue": {"event": "nowhere"}}))
        scene.put("ingest", "no JSON")

    scene.again_and_again(5, put)


def a_state_of_the_next_version(scene: Scene) -> None:
    """As it stands after a rollback: readable, with more; and one that is not."""
    *columns, _ = astuple(Circuit())
    for number, webhook in enumerate(scene.webhooks(4)):
        pk, sk = state_key(webhook.webhook_id)
        circuit = json.dumps([*columns, "of a newer version"]) if number % 2 else "{"
        item = {"pk": {"S": pk}, "sk": {"S": sk}, "circuit": {"S": circuit}, "later": {"M": {}}}
        scene.world.dynamodb.put_item(TableName=TABLE, Item=item)
    scene.flow(10)


def recoveries(scene: Scene) -> None:
    """200 of one webhook, with all that it missed; as many as the limit lets work at once."""
    (webhook,) = scene.webhooks(1, status="inactive")
    scene.publish(scene.so_many(300))
    scene.fleet.scheduler.sleep_ms(5 * SECOND)
    scene.world.owners.change(webhook, status="active")
    api = Api(scene.world.services)
    for _ in range(scene.so_many(200)):
        with suppress(WebhooksError):
            api.recovery.start(caller(NOISY, NOISY), webhook.webhook_id, ReplaySelection(from_ms=0), 100)
            scene.fleet.ring(scene.world.jobs_queue)


def replays(scene: Scene) -> None:
    """All dead letters of a webhook at once, again and again, which are dead again at once."""
    (webhook,) = scene.webhooks(1, Answer(400), max_retries=0)
    scene.publish(scene.so_many(300))
    scene.fleet.scheduler.sleep_ms(5 * SECOND)
    api = Api(scene.world.services)

    def replay() -> None:
        with suppress(WebhooksError):
            api.dead_letters.replay_many(caller(NOISY, NOISY), webhook.webhook_id, ReplaySelection(), 100)
            scene.fleet.ring(scene.world.jobs_queue)

    scene.again_and_again(5, replay)


def test_deliveries(scene: Scene) -> None:
    """As many as all tenants together may have under way, each in a process of its own."""
    (webhook,) = scene.webhooks(1, Answer(latency_ms=6_000), timeout_seconds=30)
    tested = {"test": {"webhook_id": webhook.webhook_id, "event": event("test", user_id=NOISY, workspace_id=NOISY)}}

    def one_after_the_other() -> None:
        handler = scene.fleet.process("sender")
        while scene.fleet.clock.ms < scene.ends_ms:
            scene.fleet.invoke("sender", lambda: handler(tested))

    for number in range(scene.so_many(50)):
        scene.fleet.scheduler.spawn(f"test {number}", one_after_the_other)


def one_host_with_many_subscriptions(scene: Scene) -> None:
    """A request of 1 KB that becomes one for each webhook, all of them to where the quiet tenant's go, too."""
    scene.webhooks(scene.so_many(2_000), host=host_of(url_of("quiet")))
    scene.again_and_again(0.3, lambda: scene.publish(1))


def a_room_that_is_let_go(scene: Scene) -> None:
    """Much waits for a paused webhook, which is resumed."""
    (webhook,) = scene.webhooks(1, status="paused")
    scene.publish(scene.so_many(3_000))
    scene.fleet.scheduler.sleep_ms(10 * SECOND)
    scene.world.owners.change(webhook, status="active")


def the_same_event(scene: Scene) -> None:
    """An id is published until it is over."""
    scene.webhooks(1)
    same = event("same", user_id=NOISY, workspace_id=NOISY)
    scene.again_and_again(5, lambda: scene.fleet.publish(*[same] * 50))


def searching_filters(scene: Scene) -> None:
    """As many rules as a scope may have that read a whole event, each of which takes 2 ms."""
    rules = [{"field": f"data.{number}", "operator": "contains", "value": "x"} for number in range(10)]
    filters = {"conditions": {"operator": "and", "rules": rules}}
    scene.webhooks(scene.so_many(50), filters=filters)
    scene.flow(10, data={str(number): "x" * 100 for number in range(10)})


def read_by_pull(scene: Scene) -> None:
    """Each event has an entry in each of many lists, and all of them are written before its message is done with."""
    scene.webhooks(200, kind="pull")
    scene.flow(10)


def a_busy_partition(scene: Scene) -> None:
    """A webhook has more deliveries than DynamoDB takes writes for one key."""
    scene.webhooks(1)
    scene.again_and_again(1, lambda: scene.publish(100))


NEIGHBOURS = (
    Neighbour(
        "a receiver that answers 200 after 25 s",
        receives(Answer(latency_ms=25_000), webhooks=1, at_once=300),
        is_short=True,
    ),
    Neighbour("receivers that never answer", receives(Answer(latency_ms=60_000))),
    Neighbour("a dead tenant", receives(Answer(503, latency_ms=300), per_second=50)),
    Neighbour("nobody to connect to", receives(Answer(latency_ms=3_000, error_code="connect_timeout"))),
    Neighbour("names whose look-up hangs", receives(Answer(latency_ms=30_000, error_code="dns"))),
    Neighbour("receivers that ask to be left alone", receives(Answer(429, headers={"Retry-After": "3"}))),
    Neighbour("delivery messages that nobody can read", odd_deliveries, is_short=True),
    Neighbour("ingest messages that nobody can read", odd_events),
    Neighbour("a webhook's state that cannot be read", a_state_of_the_next_version, is_short=True),
    Neighbour("200 recoveries of one webhook", recoveries),
    Neighbour("replays without end", replays),
    Neighbour("test deliveries to a receiver that takes 6 s", test_deliveries),
    Neighbour("2,000 subscriptions on one host", one_host_with_many_subscriptions),
    Neighbour("3,000 deliveries that are let go at once", a_room_that_is_let_go),
    Neighbour("the same event again and again", the_same_event),
    Neighbour("filters that read whole events", searching_filters, settings={"look_ms": 2}),
    Neighbour("200 webhooks that are read, for every event", read_by_pull),
    Neighbour("a partition that DynamoDB throttles", a_busy_partition, settings={"partition_writes": 50}),
)


class Quiet:
    """One tenant with one webhook, whose receiver always answers 200 at once."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.published: dict[str, int] = {}
        self._webhook = fleet.world.owners.register("quiet", user_id=QUIET, workspace_id=QUIET)
        fleet.world.receivers.log = self._log = BriefLog()  # type: ignore[assignment]

    def live(self, for_ms: int) -> None:
        """Publish; a strand of the fleet's run."""
        start_ms = self._fleet.clock.ms
        for number, due_ms in enumerate(range(start_ms, start_ms + for_ms, EVERY_MS)):
            self._fleet.scheduler.sleep_until(due_ms)
            self.published[f"quiet{number}"] = due_ms
            self._fleet.publish(event(f"quiet{number}", user_id=QUIET, workspace_id=QUIET))

    def arrived(self) -> dict[str, int]:
        """When the receiver first took each event."""
        first: dict[str, int] = {}
        for request in self._log:
            if request.url == self._webhook.url and request.succeeded:
                first.setdefault(request.event_id, request.at_ms)
        return first

    def noticed(self, name: str, since_ms: int) -> Beside:
        """Of what was published since then."""
        arrived = self.arrived()
        records = self._records()
        asked = self._fleet.world.receivers.asked
        waits = [
            (arrived[each] - at_ms) / 1000
            for each, at_ms in self.published.items()
            if at_ms >= since_ms and each in arrived
        ]
        return Beside(
            name,
            waits,
            lost=len(self.published.keys() - arrived.keys()),
            failed=sum(record.status != "delivered" or bool(_failures(record)) for record in records),
            # what was sent and could not be recorded is rightly unknown
            unknown=sum(max(0, len(record.attempts) - asked[record.delivery_id]) for record in records),
            flooded=sum(count > MOST_TO_A_HOST for count in self._to_hosts().values()),
        )

    def _to_hosts(self) -> Counter[tuple[str, int]]:
        return Counter((host_of(request.url), request.at_ms // WINDOW_MS) for request in self._log)

    def _records(self) -> Sequence[DeliveryRecord]:
        all_of_them = map(delivery_of, self._fleet.world.items("dlv#"))
        return [each for each in all_of_them if each.webhook_id == self._webhook.webhook_id]


def _failures(record: DeliveryRecord) -> list[str]:
    return [each.outcome for each in record.attempts if each.outcome not in ("success", "unknown")]


def start_all_processes(fleet: Fleet) -> None:
    """So much of one tenant at once that each function has all the processes it may have."""
    fleet.world.receivers.behave(url_of("warm"), lambda _now, _count: Answer(latency_ms=900))
    fleet.world.owners.register("warm", user_id=WARM, workspace_id=WARM)
    for number in range(1_500):
        fleet.publish(event(f"warm{number}", user_id=WARM, workspace_id=WARM))


def beside(neighbour: Neighbour | None, seconds: float = 60, scale: float = 1.0) -> Beside:
    """What the quiet tenant notices of a neighbour, or of nobody."""
    fleet = Fleet(3, **(neighbour.settings or {} if neighbour else {}))
    quiet = Quiet(fleet)
    start_ms = fleet.clock.ms + WARM_MS
    for_ms = round(seconds * SECOND)

    def act() -> None:
        start_all_processes(fleet)
        fleet.scheduler.sleep_until(start_ms)
        if neighbour is not None:
            neighbour.act(Scene(fleet, start_ms + for_ms, scale))

    fleet.run(lambda: quiet.live(WARM_MS + for_ms), act, for_ms=WARM_MS + for_ms + 2 * MINUTE)
    return quiet.noticed(neighbour.name if neighbour else "nobody", start_ms)


OUTAGE_MS = MINUTE
BACK_SECONDS = 60
OUTAGES = {
    "does not answer": "no_connection",
    "refuses every call": "unavailable",
    "throttles every call": "throttled",
    "carries out, and does not say so": "lost_answer",
}


@dataclass(frozen=True, slots=True)
class Outage:
    """How the service came back. `back_seconds`: from DynamoDB's return until the last of what was late arrived."""

    quiet: Beside
    back_seconds: float
    killed: int  # invocations whose time was over

    def faults(self) -> list[str]:
        """Which promises were broken."""
        broken = self.quiet.faults(math.inf)
        if self.back_seconds > BACK_SECONDS:
            broken.append(f"{self.quiet.name}: back after {self.back_seconds:.0f} s, at most {BACK_SECONDS}")
        return broken


def a_minute_without_dynamodb(name: str, seed: int = 3, scale: float = 1.0) -> Outage:
    """The quiet tenant, and others with a hundred deliveries a second, while DynamoDB behaves so for a minute."""

    def faults(call: str) -> str | None:
        if not call.startswith("dynamodb.") or not out_ms <= fleet.clock.ms < back_ms:
            return None
        if name == "does not answer":
            fleet.pass_ms(HANG_MS)
        return OUTAGES[name]

    fleet = Fleet(seed, faults=faults)
    out_ms = fleet.clock.ms + WARM_MS + 10 * SECOND
    back_ms = out_ms + OUTAGE_MS
    ends_ms = back_ms + OUTAGE_MS
    quiet, scene = Quiet(fleet), Scene(fleet, ends_ms, scale)

    def others() -> None:
        start_all_processes(fleet)
        receives(Answer(latency_ms=100), per_second=20)(scene)

    fleet.run(lambda: quiet.live(ends_ms - fleet.clock.ms), others, for_ms=ends_ms - fleet.clock.ms + 10 * MINUTE)
    arrived = quiet.arrived()
    late = [arrived[each] - back_ms for each, at_ms in quiet.published.items() if at_ms < back_ms and each in arrived]
    return Outage(quiet.noticed(f"DynamoDB {name}", out_ms), max(late) / 1000, fleet.killed)

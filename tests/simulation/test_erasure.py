"""A tenant is erased: whatever state its deliveries were in, nothing of it is readable anywhere afterwards.

The short form; `make erasure` has the one with 100,000 deliveries.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from scripts.erase_again import erase_again
from tests.conftest import Figure
from tests.fakes.api import Api
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.functions import Functions
from tests.fakes.owners import caller, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import MINUTE_MS, TABLE, World, event
from tests.simulation.readable import texts
from webhooks.aws.sqs import Queue, SqsJobs
from webhooks.ids import new_id
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import entry
from webhooks.models.caller import Caller
from webhooks.models.erasure import Erasure
from webhooks.models.replay import Across, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.store.api_keys import ApiKeyStore
from webhooks.store.audit import AuditItems
from webhooks.store.dynamo import DynamoTable
from webhooks.store.erasing import MOST_ELSEWHERE
from webhooks.store.erasures import ErasureStore

DELIVERIES = int(os.environ.get("ERASED_DELIVERIES", "200"))
CANARIES = 50
ERASED, NEIGHBOUR = 7, 8
PLATFORM = Caller("platform", frozenset(), frozenset({"events:write:any"}))
ADMIN = Caller("platform", frozenset(), frozenset({"admin"}))
# What each webhook of a tenant is like, and what that does to its deliveries.
KINDS = ("delivered", "retrying", "paused", "dead", "deleted", "missed", "limited", "slow", "open")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@dataclass
class Planted:
    """Canaries by where they were put, in the erased tenant's life; its neighbour says other things there."""

    world: World
    lines: list[str]
    canaries: list[str] = field(default_factory=list)
    webhooks: dict[tuple[int, str], Webhook] = field(default_factory=dict)

    def new(self, user: int) -> str:
        if user != ERASED:
            return "neighbour"
        self.canaries.append(f"canary{len(self.canaries):03d}x")
        return self.canaries[-1]

    def found(self, dynamodb: FakeDynamoDB, table: str) -> dict[str, set[str]]:
        """Canaries that are readable, by where: the table, the queues, the logs."""
        places: dict[str, Iterator[str]] = {
            "table": (
                text
                for _, item in dynamodb.tables[table].all_items()
                if int(item.get("expires_at", {"N": str(2**50)})["N"]) * 1000
                > self.world.clock.ms  # TTL takes the others
                for text in texts(item)
            ),
            "queues": (
                text
                for queue in self.world.sqs.queues.values()
                for message in queue.messages.values()
                for text in (message.body, json.dumps(message.attributes))
            ),
            "logs": iter(self.lines),
        }
        found = {place: {each for text in found for each in self.canaries if each in text}
                 for place, found in places.items()}  # fmt: skip
        return {place: each for place, each in found.items() if each}


def lived(deliveries: int, *, plan: Callable[[str], str | None] | None = None) -> Planted:
    """Two tenants with deliveries in every state."""
    world = World(11, plan=plan)
    lines: list[str] = []
    world.services = replace(world.services, write=lines.append)
    world.functions = Functions(world.services)
    planted = Planted(world, lines)
    for user in (ERASED, NEIGHBOUR):
        for kind in KINDS:
            register(planted, user, kind)
    amount = -(-deliveries // (2 * (len(KINDS) - 1)))
    for user in (ERASED, NEIGHBOUR):
        publish(planted, user, amount)
    world.run(for_ms=20 * MINUTE_MS)
    for user in (ERASED, NEIGHBOUR):
        world.owners.subscribe(planted.webhooks[user, "paused"], "record.deleted", resource_id=planted.new(user))
        world.owners.subscribe(planted.webhooks[user, "missed"], "record.deleted", resource_id=planted.new(user))
        world.owners.delete(planted.webhooks[user, "deleted"])
        dead = planted.webhooks[user, "dead"]
        Api(world.services).dead_letters.replay_many(
            caller(user, None), dead.webhook_id, ReplaySelection(delivery_ids=("dlv_none",)), 1
        )
        Api(world.services).bulk_replays.start(
            caller(user, None), ReplaySelection(reason=planted.new(user), across=Across()), 1
        )
        publish(planted, user, 10)
        publish(planted, user, 20, *(["ingest"] if user == ERASED else []))  # messages of deliveries are on their way
    publish(planted, ERASED, 10, "dead_letter_writer")  # and messages of events
    for user in (ERASED, NEIGHBOUR):
        key = ApiKey(new_id("key", world.clock.ms), user, planted.new(user), (), (), b"hash", world.clock.ms, 2**43)
        table, audit = world.services.table(), AuditItems(365 * 24 * 60 * MINUTE_MS)
        ApiKeyStore(table, audit, lambda: world.clock.ms).create(
            key, entry(caller(user, None), "api_key.created", f"user:{user}", key.key_id, world.clock.ms)
        )
    unreadable = json.dumps({"w": "?", "s": f"user:{ERASED}"}, separators=(",", ":"))
    world.send_raw(world.dead_letter_queue, planted.new(ERASED), unreadable)
    world.poll("dead_letter_writer")
    return planted


def register(planted: Planted, user: int, kind: str) -> None:
    world, new = planted.world, planted.new
    name = f"{kind}-{new(user)}"
    url = url_of(name)
    webhook = world.owners.register(
        name,
        user_id=user,
        workspace_id=None,
        description=new(user),
        metadata={"note": new(user)},
        headers={"X-Key": new(user)},
        filters={"conditions": {"operator": "not", "rules": [{"field": "x", "operator": "equals", "value": new(user)}]}}
        if kind == "delivered"
        else None,
        idempotency_key=f"key-{new(user)}" if kind == "delivered" else None,
        max_retries=0 if kind == "dead" else 9,
        rate_limit_rps=1 if kind == "limited" else None,
    )
    said = new(user).encode()
    statuses = {"retrying": 500, "deleted": 500, "dead": 500, "slow": 429}
    answer = Answer(statuses.get(kind, 200), body=said, error_code="connect_refused" if kind == "open" else None)
    world.receivers.script(url, [answer])
    if kind in ("paused", "missed"):
        webhook = world.owners.change(webhook, status="paused" if kind == "paused" else "inactive")
    planted.webhooks[user, kind] = webhook


def publish(planted: Planted, user: int, amount: int, *work: str) -> None:
    world = planted.world
    for first in range(0, amount, 50):
        few = range(first, min(first + 50, amount))
        planted.world.publish(
            *(
                event(
                    f"e{user}-{world.clock.ms}-{number}",
                    workspace_id=None,
                    user_id=user,
                    data={"text": planted.canaries[number % len(planted.canaries)] if user == ERASED else "neighbour"},
                    metadata={"more": "x" * 40},
                )
                for number in few
            )
        )
        world.clock.advance_to(world.clock.ms + 1_000)
        world.work(*(work or ("ingest", "sender", "dead_letter_writer")))


def erase(planted: Planted, tenant: str = f"user:{ERASED}") -> None:
    Api(planted.world.services).use_cases.tenant_erasures.start(ADMIN, tenant)


def wait(planted: Planted) -> Erasure:
    """Until it is completed, and for as long as a message may be on its way."""
    world, use_case = planted.world, Api(planted.world.services).use_cases.tenant_erasures
    for _ in range(10_000):
        world.run(for_ms=MINUTE_MS)
        (erasure,) = use_case.page(None, 10).items
        if erasure.status == "completed":
            world.run(for_ms=20 * MINUTE_MS)
            return erasure
    raise AssertionError("it does not come to an end")


def neighbours(planted: Planted) -> Counter[str]:
    """What the neighbour has, by kind of item; time goes on for its deliveries."""
    theirs = {webhook.webhook_id for (user, _), webhook in planted.webhooks.items() if user == NEIGHBOUR}
    kinds: Counter[str] = Counter()
    for (pk, sk), item in planted.world.dynamodb.tables[TABLE].all_items():
        if pk.startswith("event|"):
            kinds["events"] += item["scope"]["S"] == f"user:{NEIGHBOUR}"
            kinds["payloads"] += item["scope"]["S"] == f"user:{NEIGHBOUR}" and "body" in item
        elif pk.partition("|")[0] in theirs:
            kinds[sk.partition("#")[0]] += 1
    return kinds


def test_nothing_of_an_erased_tenant_is_readable_and_its_neighbour_keeps_everything(figure: Figure) -> None:
    planted = lived(DELIVERIES)
    world = planted.world
    states = Counter(f"{r.status}{' waiting' if r.waiting else ''}" for r in world.deliveries())
    assert len(planted.canaries) >= CANARIES
    readable = planted.found(world.dynamodb, TABLE)
    assert len(readable["table"] | readable["queues"]) >= CANARIES - 10, "but header values, which are sealed"
    assert "logs" not in readable
    backup = {key: dict(item) for key, item in world.dynamodb.tables[TABLE].all_items()}
    before = neighbours(planted)
    sent = len(world.receivers.log)

    erase(planted)
    world.poll("jobs")  # webhooks are taken out of service while messages are on their way
    erasure = wait(planted)

    assert not planted.found(world.dynamodb, TABLE)
    after = neighbours(planted)
    assert after >= before, "the neighbour lost something"
    late = [each for each in world.receivers.log[sent:] if b"canary" in each.body]
    left = {r.delivery_id: r for r in world.deliveries() if r.scope == f"user:{ERASED}"}
    assert {(r.status, r.reason) for r in left.values()} <= {("abandoned", "erased")}
    assert not [letter for letter in world.dead_letters() if letter.scope == f"user:{ERASED}"]
    figure(
        f"erasure of {sum(states.values())} deliveries ({dict(states)}) beside a neighbour's: "
        f"{len(planted.canaries)} canaries, 0 readable in table, queues and logs; {erasure.items} items erased, "
        f"{erasure.looked_at} read; {erasure.ended} waiting ended, {len(left)} on their way ended, "
        f"{len(late)} sent while it began"
    )
    restored(planted, backup)


def restored(planted: Planted, backup: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    """A restored table has everything again, until the list of the erased is applied to it."""
    world = planted.world
    now_ms, clients = world.clock.now_ms, world.services
    copy = FakeDynamoDB(world.clock, TABLE)
    for key, item in backup.items():
        copy.tables[TABLE].write(key, dict(item))
    for source in world.sources.values():
        source.queue.messages.clear()
    assert planted.found(copy, TABLE)
    world.services = replace(clients, dynamodb=copy)
    world.functions = Functions(world.services)
    jobs = SqsJobs(Queue(world.sqs, world.jobs_queue.url))
    earlier, present = (ErasureStore(DynamoTable(each, TABLE), now_ms) for each in (clients.dynamodb, copy))
    assert erase_again(earlier, present, jobs, now_ms) == 1
    wait(planted)
    assert not planted.found(copy, TABLE)


class Killer:
    """Ends the process before, and next time after, each call that an erasure makes at each of its steps."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.armed = False
        self.kills = 0
        self._met: Counter[tuple[int, int]] = Counter()
        self._place = (-1, 0)

    def begins(self) -> None:
        self._place = (-1, 0)

    def __call__(self, call: str) -> str | None:
        if not self.armed or self.world is None:
            return None
        item = self.world.item(("erased", f"user:{ERASED}"))
        step = -1 if item is None else int(item["step"]["N"])
        self._place = (step, self._place[1] + 1 if self._place[0] == step else 0)
        self._met[self._place] += 1
        if self._met[self._place] > 2:
            return None
        self.kills += 1
        return "crash_before" if self._met[self._place] == 1 else "crash_after"


def test_a_crash_at_every_call_leaves_an_erasure_that_goes_on(figure: Figure) -> None:
    killer = Killer()
    planted = lived(400, plan=killer)
    world = killer.world = planted.world
    world.jobs_queue.max_receive_count = 10_000
    before = neighbours(planted)
    erase(planted)
    while world.jobs_queue.messages:
        killer.armed = True
        killer.begins()
        world.poll_through("jobs")
        killer.armed = False
        world.clock.advance_to(world.sqs.next_visible_ms(world.jobs_queue) or world.clock.ms)
    erasure = wait(planted)
    assert killer.kills >= 50
    assert not planted.found(world.dynamodb, TABLE)
    assert neighbours(planted) >= before
    figure(
        f"an erasure killed {killer.kills} times, before and after each call of each step: {erasure.items} items erased"
    )


def test_what_comes_after_the_request_is_kept() -> None:
    planted = lived(20)
    world = planted.world
    erase(planted)
    world.clock.advance_to(world.clock.ms + 1_000)
    again = world.owners.register("again", user_id=ERASED, workspace_id=None)  # messages of former events are there
    world.publish(event("new", workspace_id=None, user_id=ERASED, data={"text": "kept"}))
    wait(planted)
    assert [each.event_id for each in world.receivers.seen(url_of("again"))] == ["new"]
    assert world.owners.webhook(again).status == "active"
    kept = [each for each in world.event_records() if each.scope == f"user:{ERASED}"]
    assert [each.event_id for each in kept if each.event_type == "record.created"] == ["new"]


def test_what_cannot_be_read_is_counted_and_keeps_nothing_else_from_being_erased() -> None:
    planted = lived(20)
    world = planted.world
    table = world.dynamodb.tables[TABLE]
    webhook = world.owners.register("strange", user_id=ERASED, workspace_id=None)
    for key, changes in (
        ((webhook.webhook_id, "webhook"), {"version": {"S": "?"}}),
        ((new_id("job", world.clock.ms), "job"), {"job": {"S": "?"}}),
        (("event|strange", f"user:{ERASED}"), {"scope": {"S": f"user:{ERASED}"}, "accepted_at": {"S": "?"}}),
    ):
        names = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
        table.write(key, {**(table.get(key) or names), **changes})
    before = neighbours(planted)
    erase(planted)
    erasure = wait(planted)
    assert (erasure.status, erasure.unreadable) == ("completed", 3)
    assert not planted.found(world.dynamodb, TABLE)
    assert neighbours(planted) >= before


def test_an_erased_workspace_s_events_lose_their_payloads_at_webhooks_outside_of_it() -> None:
    world = World(12)
    planted = Planted(world, [], canaries=["canary"])
    inside = world.owners.register("inside", user_id=1, workspace_id=5)
    outside = world.owners.register("outside", user_id=7, workspace_id=None)
    other = world.owners.register("other", user_id=1, workspace_id=6)
    world.receivers.script(url_of("outside"), [Answer(200, body=b"canary"), Answer(500, body=b"canary"), Answer(200)])
    for number, workspace in enumerate((5, 5, 6)):
        world.publish(event(f"e{number}", workspace_id=workspace, data={"text": "canary" if workspace == 5 else "x"}))
        world.work("ingest", "sender")
    world.publish(event("waits", workspace_id=5, data={"text": "canary"}))
    world.owners.change(outside, status="paused")
    world.work("ingest", "sender")
    assert planted.found(world.dynamodb, TABLE)
    erase(planted, "workspace:5")
    wait(planted)
    assert not planted.found(world.dynamodb, TABLE)
    kept = {(r.webhook_id, r.event_id): (r.status, r.reason) for r in world.deliveries()}
    assert kept[outside.webhook_id, "e0"] == ("delivered", None)
    assert kept[outside.webhook_id, "e1"] == kept[outside.webhook_id, "waits"] == ("abandoned", "erased")
    assert world.owners.webhook(inside).status == "deleted"
    assert {world.owners.webhook(each).status for each in (outside, other)} == {"paused", "active"}


def test_what_nobody_has_begun_to_send_is_dropped_at_webhooks_outside_of_an_erased_workspace() -> None:
    world = World(13)
    planted = Planted(world, [], canaries=["canary"])
    outside = world.owners.register("outside", user_id=7, workspace_id=None)
    world.receivers.echo = True
    for number in range(2):
        world.publish(event(f"e{number}", workspace_id=5, data={"text": "canary"}))
    world.work("ingest")
    world.sources["sender"].take()  # by a process that ends: it is shown again when the table has been read
    erase(planted, "workspace:5")
    wait(planted)
    assert not world.receivers.log
    assert not planted.found(world.dynamodb, TABLE)
    assert [(r.webhook_id, r.status, r.reason) for r in world.deliveries()] == [
        (outside.webhook_id, "abandoned", "erased")
    ] * 2


def test_a_page_with_many_deliveries_elsewhere_ends_early_and_nothing_is_left_out() -> None:
    world = World(15)
    planted = Planted(world, [], canaries=["canary"])
    for number in range(12):
        world.owners.register(f"n{number}", user_id=7, workspace_id=None)
    amount = 2 * MOST_ELSEWHERE // 12
    world.publish(*(event(f"e{number}", workspace_id=5, data={"text": "canary"}) for number in range(amount)))
    world.work("ingest")
    world.delivery_queue.messages.clear()
    erase(planted, "workspace:5")
    wait(planted)
    assert not planted.found(world.dynamodb, TABLE)
    assert len(world.deliveries()) == 12 * amount


def test_a_webhook_without_a_subscription_is_erased_too() -> None:
    world = World(14)
    planted = Planted(world, [])
    webhook = world.owners.register("bare", user_id=ERASED, workspace_id=None, event_types=())
    erase(planted)
    assert wait(planted).webhooks == 1
    assert world.owners.webhook(webhook).status == "deleted"


@pytest.mark.parametrize("way", ["handed back", "moved by an operator"])
def test_a_message_from_before_the_request_that_is_sent_anew_later_brings_nothing_back(way: str) -> None:
    broken = way == "handed back"
    world = World(16, plan=lambda call: "throttled" if broken and "dynamodb" in call else None)
    planted = Planted(world, [], canaries=["canary"])
    raw = Api(replace(world.services, dynamodb=world.dynamodb))
    raw.publishing.publish(PLATFORM, event("e1", workspace_id=5, data={"text": "canary"}), None)
    if broken:
        world.publish(event("e2", workspace_id=5, data={"text": "canary"}))
        world.poll("ingest")
        assert all("handed_back" in each.attributes for each in world.messages(world.ingest_queue))
        world.clock.advance_to(world.clock.ms + 1)
        raw.use_cases.tenant_erasures.start(ADMIN, "workspace:5")
        broken = False
    else:
        (message,) = world.messages(world.ingest_queue)
        world.ingest_queue.messages.clear()
        world.clock.advance_to(world.clock.ms + 1)
        erase(planted, "workspace:5")
        wait(planted)
        world.clock.advance_to(world.clock.ms + MINUTE_MS)
        world.send_raw(world.ingest_queue, message.body)
    wait(planted)
    assert not world.event_records()
    assert not planted.found(world.dynamodb, TABLE)

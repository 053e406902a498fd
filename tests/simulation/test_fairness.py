"""Whose message it is: the group of every message that is sent, and what SQS fair queues make of it in a model."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conftest import Figure
from tests.fakes.api import Api
from tests.fakes.event_source import EventSource
from tests.fakes.owners import caller, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import World, event
from tests.simulation.scale.fair_queue_model import FairQueueModel
from tests.simulation.scale.fleet import MINUTE, SECOND, Fleet
from tests.simulation.scale.tenants import Tenants, percentile
from webhooks.messages import META_ATTRIBUTE, DeliveryMessage, group_of
from webhooks.models.replay import ReplaySelection

QUIET, NOISY = range(1, 7), 0


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


class Sends:
    """Every entry that is sent to SQS, by its queue's name."""

    def __init__(self, world: World) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []
        send = world.sqs.send_message_batch

        def noted(*, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> Any:
            self.entries += [(QueueUrl.rpartition("/")[2], entry) for entry in Entries]
            return send(QueueUrl=QueueUrl, Entries=Entries)

        world.sqs.send_message_batch = noted  # type: ignore[method-assign]


def test_every_message_has_the_group_of_the_tenant_it_is_for(figure: Figure) -> None:
    """By every way that a message is sent: publishing, fan-out beyond a page, retries soon and late, a room, the
    dead-letter queue, a retry by hand, a replay, a recovery."""
    world = World(5)
    sends, api, owners = Sends(world), Api(world.services), world.owners
    webhooks = [owners.register(f"w{n}", user_id=n % 9, max_retries=2) for n in range(520)]
    world.receivers.script(url_of("w0"), [500, Answer(503, headers={"Retry-After": "90"}), 200])
    world.receivers.script(url_of("w1"), [500])
    owners.change(webhooks[2], status="paused")
    owners.change(webhooks[3], status="inactive")
    publisher = caller(7, 1)
    api.publishing.publish(publisher, event("e1"), None)
    world.put_event(event("e2"))
    world.send_raw(world.ingest_queue, "garbage")
    world.run(for_ms=10 * MINUTE)
    for number in (2, 3):
        owners.change(webhooks[number], status="active")
    world.receivers.script(url_of("w1"), [200])
    dead = [letter for letter in world.dead_letters() if letter.webhook_id == webhooks[1].webhook_id]
    api.dead_letters.replay(caller(1), dead[0].webhook_id, dead[0].delivery_id)
    api.dead_letters.replay_many(caller(1), dead[0].webhook_id, ReplaySelection(), 10)
    api.recovery.start(caller(3), webhooks[3].webhook_id, ReplaySelection(from_ms=0), 10)
    again = next(each for each in world.deliveries() if each.webhook_id == webhooks[4].webhook_id)
    api.deliveries.retry(caller(4), again.webhook_id, again.delivery_id)
    world.run()
    owner_of = {webhook.webhook_id: webhook.owner for webhook in webhooks}
    ways: Counter[str] = Counter()
    for queue, entry in sends.entries:
        group = entry.get("MessageGroupId")
        ways[f"{queue}{'' if group else ' without'}"] += 1
        if queue in ("delivery", "dead"):
            message = DeliveryMessage.parse(
                entry["MessageBody"], entry["MessageAttributes"][META_ATTRIBUTE]["StringValue"]
            )
            assert group == message.group == group_of(owner_of[message.webhook_id])
        elif queue == "ingest" and "detail-type" not in entry["MessageBody"] and entry["MessageBody"] != "garbage":
            assert group == group_of("ws:1")
        elif queue == "jobs":
            assert group in (group_of("1"), group_of("3"))
        else:  # EventBridge gives none that depends on the event; what is refused is nobody's backlog
            assert group is None
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert ways["ingest"] >= 3  # the API's, and two pages of a fan-out that go on
    figure(f"message groups: {sum(ways.values())} messages sent, all as expected: {dict(ways)} (seed 5)")


@pytest.mark.parametrize("source", [EventSource, FairQueueModel])
def test_quiet_tenants_beside_one_at_nine_tenths_of_the_load(source: type[EventSource], figure: Figure) -> None:
    """The load is a quarter more than nine senders can do, so a backlog grows for 40 seconds. Receivers take a little
    less than what makes them slow ones, which would wait in rooms of their own."""
    fleet = Fleet(seed=41, sender=9, ingest=20)
    world = fleet.world
    tenants = Tenants(fleet, 7, seed=41)
    tenants.register({tenant: lambda _now, _count: Answer(200, latency_ms=900) for tenant in range(7)})
    old = world.sources["sender"]
    world.sources["sender"] = source(old.sqs, old.queue, old.handler, old.batch_size)

    def noisy() -> None:
        tenants.publish(1_000 / 108, 40 * SECOND, [NOISY])

    def others() -> None:
        tenants.publish(1_000 / 2, 40 * SECOND, QUIET)

    fleet.run(noisy, others)
    waits = {name: tenants.latencies(who) for name, who in (("quiet", QUIET), ("noisy", [NOISY]))}
    p99 = {name: percentile(each, 0.99) for name, each in waits.items()}
    what = "in the model of fair queues" if source is FairQueueModel else "in order of arrival"
    figure(f"one tenant at 90 % of 120/s, {what}: p99 of the quiet {p99['quiet']} ms, of the noisy {p99['noisy']} ms")
    assert len(waits["quiet"]) + len(waits["noisy"]) == len(tenants.published)
    if source is FairQueueModel:
        assert p99["quiet"] < 2_000 < p99["noisy"]
    else:
        assert p99["quiet"] > 5_000

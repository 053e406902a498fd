"""Replays and recoveries that are killed a hundred times and more, before and after calls, wherever it falls."""

import random
from collections import Counter

import pytest

from tests.conftest import Figure
from tests.fakes.api import Api
from tests.fakes.owners import owner_of, url_of
from tests.fakes.world import World, event, events
from webhooks.messages import META_ATTRIBUTE, DeliveryMessage
from webhooks.models.replay import ReplaySelection
from webhooks.models.webhook import Webhook

KILLS = 120
LETTERS, MISSED = 300, 150


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


class Killer:
    """Ends the process of a job at a random call while it is `armed`, so many times at most."""

    def __init__(self, seed: int) -> None:
        self.armed, self.kills = False, 0
        self._rng = random.Random(f"kills {seed}")

    def __call__(self, _call: str) -> str | None:
        if not self.armed or self.kills >= KILLS or self._rng.random() >= 0.25:
            return None
        self.kills += 1
        return self._rng.choice(["crash_before", "crash_after"])


def with_much_to_replay(seed: int) -> tuple[World, Webhook, Killer]:
    """Dead letters, and events that the webhook missed while it was inactive."""
    killer = Killer(seed)
    world = World(seed, plan=killer)
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [410])
    for first in range(0, LETTERS, 100):
        world.publish(*events(100, first))
    world.run()
    for first in range(0, MISSED, 50):
        world.publish(*(event(f"m{first + number}") for number in range(50)))
    world.run()
    world.clock.advance_to(world.clock.ms + 60_000)
    world.owners.change(webhook, status="active")
    world.receivers.script(url_of("one"), [200])
    world.receivers.log.clear()
    world.jobs_queue.max_receive_count = 10_000
    return world, webhook, killer


@pytest.mark.parametrize("way", ["bulk replay", "recovery"])
@pytest.mark.parametrize("seed", [61, 62])
def test_a_job_killed_a_hundred_times_loses_nothing_and_sends_nothing_twice(
    way: str, seed: int, figure: Figure
) -> None:
    world, webhook, killer = with_much_to_replay(seed)
    api, owner = Api(world.services), owner_of(webhook)
    if way == "recovery":
        job = api.recovery.start(owner, webhook.webhook_id, ReplaySelection(from_ms=0), 1_000)
    else:
        job = api.dead_letters.replay_many(owner, webhook.webhook_id, ReplaySelection(), 1_000)
    expected = {f"e{number}" for number in range(LETTERS)}
    expected |= {f"m{number}" for number in range(MISSED)} if way == "recovery" else set()
    sent: dict[str, tuple[str, int]] = {}  # by message
    while world.jobs_queue.messages:
        killer.armed = True
        world.poll_through("jobs")
        killer.armed = False
        for each in world.messages(world.delivery_queue):
            message = DeliveryMessage.parse(each.body, each.attributes[META_ATTRIBUTE]["StringValue"])
            sent[each.message_id] = message.event_id, message.generation
        if world.random.random() < 0.3:  # else the next run finds its deliveries as it left them
            world.work("sender", "dead_letter_writer", "ingest")
        at_ms = world.sqs.next_visible_ms(world.jobs_queue)
        world.clock.advance_to(at_ms or world.clock.ms)
    world.run()
    done = api.replays.get(owner, job.job_id)
    seen = Counter(each.event_id for each in world.receivers.log)
    copies = len(sent) - len(set(sent.values()))
    figure(
        f"{way} killed {killer.kills} times: {len(seen)} sent, {max(seen.values())} at most of each; "
        f"{copies} messages were repeated and dropped (seed {seed})"
    )
    assert killer.kills >= 100
    assert done.status == "completed"
    assert seen == dict.fromkeys(expected, 1)
    assert {generation for _, generation in sent.values()} == {2}, "the same job replayed something twice"
    assert all(letter.is_processed and letter.processed_by == job.job_id for letter in world.dead_letters())

"""Dead letters: kept once, sent again one by one or by a job, whatever cuts the job off."""

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.event_source import Crash
from tests.fakes.owners import url_of
from tests.fakes.world import TABLE, World, event, events
from webhooks.aws.sqs import Queue, SqsDeliveries
from webhooks.errors import Conflict
from webhooks.ids import new_id
from webhooks.management.audit import AuditLog
from webhooks.management.replays import Replays
from webhooks.models.caller import Caller
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_jobs import ReplayJobs
from webhooks.recovery.replay_source import ReplaySource
from webhooks.store.audit import AuditItems, AuditStore
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.history import HistoryStore
from webhooks.store.missed import MissedStore
from webhooks.store.pulls import PullStore
from webhooks.store.replay_jobs import ReplayJobStore

RETENTION_MS = 30 * 86_400_000
JOB_ID = new_id("rpl", 1_760_000_000_000)


class Plan:
    """A fault at each of some calls of the functions, counted from `armed` on."""

    def __init__(self, fault: str = "crash_before", at: frozenset[int] = frozenset()) -> None:
        self.fault, self.at, self.armed, self.calls = fault, at, False, 0

    def __call__(self, _call: str) -> str | None:
        self.calls += self.armed
        return self.fault if self.armed and self.calls in self.at else None


def with_dead_letters(count: int, plan: Plan | None = None) -> tuple[World, Webhook]:
    world = World(plan=plan)
    webhook = world.owners.register("one", max_retries=0, rate_limit_rps=None)
    world.receivers.script(url_of("one"), [410])
    world.publish(*events(count))
    world.run()
    assert len(world.dead_letters()) == count
    world.owners.change(webhook, status="active")
    world.receivers.script(url_of("one"), [200])
    world.receivers.log.clear()
    world.clock.advance_to(world.clock.ms + 60_000)
    return world, webhook


def jobs_of(world: World) -> ReplayJobStore:
    return ReplayJobStore(DynamoTable(world.dynamodb, TABLE), RETENTION_MS, world.clock.now_ms)


def history_of(world: World) -> HistoryStore:
    return HistoryStore(DynamoTable(world.dynamodb, TABLE), world.clock.now_ms)


def start_job(world: World, webhook: Webhook, rate: float = 1_000, **selection: Any) -> str:
    now_ms = world.clock.ms
    job = ReplayJob(JOB_ID, webhook.webhook_id, webhook.owner, ReplaySelection(**selection), rate, now_ms, now_ms)
    jobs_of(world).create(job)
    world.send_raw(world.jobs_queue, json.dumps({"job_id": JOB_ID}))
    return JOB_ID


def replayer(world: World) -> Replayer:
    table = DynamoTable(world.dynamodb, TABLE)
    store = DeliveryContextStore(table, RETENTION_MS, world.clock.now_ms)
    letters = DeadLetterStore(table, RETENTION_MS, world.clock.now_ms)
    queue = SqsDeliveries(Queue(world.sqs, world.delivery_queue.url))
    pulls = PullStore(table, RETENTION_MS, world.clock.now_ms)
    return Replayer(store, letters, queue, pulls, now_ms=world.clock.now_ms)


def test_a_replayed_dead_letter_is_delivered_with_the_same_ids_and_body() -> None:
    world, _ = with_dead_letters(1)
    (letter,) = world.dead_letters()
    assert replayer(world).replay([letter], "manual") == 1
    world.run()
    (seen,) = world.receivers.log
    assert (seen.delivery_id, seen.event_id, seen.body) == (letter.delivery_id, letter.event_id, letter.body)
    assert world.delivery().status == "delivered"
    (after,) = world.dead_letters()
    assert (after.is_processed, after.processed_by) == (True, "manual")


def test_a_replay_has_a_cycle_of_attempts_of_its_own() -> None:
    world, webhook = with_dead_letters(1)
    world.owners.change(webhook, max_retries=1)
    world.receivers.script(url_of("one"), [500, 200])
    replayer(world).replay(world.dead_letters(), "manual")
    world.run()
    assert [seen.attempt for seen in world.receivers.log] == [2, 3]
    assert world.delivery().status == "delivered"


def test_a_replay_that_fails_is_a_dead_letter_again_and_can_be_replayed_again() -> None:
    world, webhook = with_dead_letters(1)
    world.receivers.script(url_of("one"), [500])
    replayer(world).replay(world.dead_letters(), "manual")
    world.run()
    (letter,) = world.dead_letters()
    assert (letter.is_processed, letter.generation) == (False, 2)
    world.receivers.script(url_of("one"), [200])
    replayer(world).replay([letter], "manual")
    world.run()
    assert world.delivery().status == "delivered"
    assert world.owners.webhook(webhook).status == "active"


class NextTurns:
    """When jobs asked for their next turn."""

    def __init__(self) -> None:
        self.delays: list[int] = []

    def go_on(self, job: ReplayJob, delay_seconds: int) -> None:
        self.delays.append(delay_seconds)


def jobs_in_turns(world: World, turns: NextTurns, now_ms: Callable[[], int], **limits: int) -> ReplayJobs:
    table = DynamoTable(world.dynamodb, TABLE)
    letters = DeadLetterStore(table, RETENTION_MS, world.clock.now_ms)
    contexts = DeliveryContextStore(table, RETENTION_MS, world.clock.now_ms)
    source = ReplaySource(letters, MissedStore(table, world.clock.now_ms), contexts)
    return ReplayJobs(jobs_of(world), source, replayer(world), turns, now_ms=now_ms, **limits)


def test_a_job_takes_turns_with_the_others_however_long_it_is() -> None:
    world, webhook = with_dead_letters(450)
    job_id = start_job(world, webhook)
    turns, times = NextTurns(), itertools.count(world.clock.ms, 600)  # a look at the clock, so a page, takes 0.6 s
    jobs = jobs_in_turns(world, turns, lambda: next(times))
    runs = 0
    while (job := jobs.run(job_id, deadline_ms=world.clock.ms + 10**9)) is not None and job.status != "completed":
        runs += 1
        assert len(turns.delays) == runs, "every turn but the last asks for the next one"
    assert runs >= 2
    assert set(turns.delays) == {0}
    assert job is not None
    assert (job.replayed, job.total) == (450, 450)


def test_a_job_that_has_more_than_can_be_counted_in_a_turn_begins_all_the_same() -> None:
    world, webhook = with_dead_letters(450)
    jobs, job_id = jobs_in_turns(world, NextTurns(), world.clock.now_ms, counted=100), start_job(world, webhook)
    counted = jobs.run(job_id, deadline_ms=0)  # no more than a step
    assert counted is not None
    assert (counted.status, counted.replayed) == ("running", 0)
    assert 0 < (counted.total or 0) <= 100
    done = jobs.run(job_id, deadline_ms=10**15)
    assert done is not None
    assert (done.status, done.replayed, done.total) == ("completed", 450, 450)


def test_replaying_what_was_delivered_since_sends_nothing() -> None:
    world, _ = with_dead_letters(1)
    (letter,) = world.dead_letters()
    replayer(world).replay([letter], "manual")
    world.run()
    assert replayer(world).replay([letter], "manual") == 0
    world.run()
    assert len(world.receivers.log) == 1


@pytest.mark.parametrize("status", ["inactive", "deleted"])
def test_nothing_is_replayed_to_a_webhook_that_takes_nothing(status: str) -> None:
    world, webhook = with_dead_letters(1)
    if status == "deleted":
        world.owners.delete(webhook)
    else:
        world.owners.change(webhook, status=status)
    with pytest.raises(Conflict):
        replayer(world).replay(world.dead_letters(), "manual")


def test_a_delivered_delivery_can_be_sent_once_more_and_a_failure_does_not_undo_the_success() -> None:
    world = World()
    webhook = world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [200, 500])
    world.publish(event("e1"))
    world.run()
    replayer(world).send_again(world.delivery(), webhook, world.receivers.log[0].body.decode())
    world.run()
    assert len(world.receivers.log) == 2
    assert world.delivery().status == "delivered"
    assert not world.dead_letters()


def test_a_job_replays_two_hundred_and_reports_its_progress() -> None:
    world, webhook = with_dead_letters(200)
    job_id = start_job(world, webhook)
    world.poll("jobs")
    job = jobs_of(world).get(job_id)
    assert job is not None
    assert job.total == 200
    world.run()
    job = jobs_of(world).get(job_id)
    assert job is not None
    assert (job.status, job.total, job.replayed, job.skipped) == ("completed", 200, 200, 0)
    assert Counter(seen.event_id for seen in world.receivers.log) == {f"e{number}": 1 for number in range(200)}
    assert all(letter.processed_by == job_id for letter in world.dead_letters())


def test_a_job_keeps_to_its_rate() -> None:
    world, webhook = with_dead_letters(120)
    start_job(world, webhook, rate=2)
    start_ms = world.clock.ms
    world.run()
    assert len(world.receivers.log) == 120
    assert world.receivers.log[-1].at_ms - start_ms >= 50_000
    times = [seen.at_ms for seen in world.receivers.log]
    assert all(sum(start <= at < start + 10_000 for at in times) <= 30 for start in times)


def test_a_cancelled_job_sends_nothing_more() -> None:
    world, webhook = with_dead_letters(300)
    job_id = start_job(world, webhook, rate=1)
    world.poll("jobs")
    audit = AuditLog(
        AuditStore(DynamoTable(world.dynamodb, TABLE), AuditItems(RETENTION_MS), world.clock.now_ms), world.clock.now_ms
    )
    cancelled = Replays(jobs_of(world), history_of(world), audit).cancel(
        Caller(webhook.owner, frozenset({"1"}), frozenset()), job_id
    )
    assert cancelled.status == "cancelled"
    sent = cancelled.replayed
    world.run()
    assert 0 < len(world.receivers.log) == sent < 300
    assert jobs_of(world).get(job_id) == cancelled
    assert sum(letter.is_processed for letter in world.dead_letters()) == sent


def test_jobs_are_listed_newest_first_by_owner() -> None:
    world, webhook = with_dead_letters(1)
    jobs, now_ms = jobs_of(world), world.clock.ms
    ids = [new_id("rpl", now_ms + n) for n in range(30)]
    for n, job_id in enumerate(ids):
        owner = "other" if n % 3 == 0 else webhook.owner
        jobs.create(ReplayJob(job_id, webhook.webhook_id, owner, ReplaySelection(), 1, now_ms, now_ms))
    mine = [job_id for n, job_id in enumerate(ids) if n % 3][::-1]
    assert [job.job_id for job in jobs.newest(webhook.owner, None)] == mine
    assert [job.job_id for job in jobs.newest(webhook.owner, mine[4])] == mine[5:]
    assert [job.job_id for job in jobs.newest(None, None)] == ids[::-1]
    world.clock.advance_to(now_ms + RETENTION_MS + 1_000)
    assert list(jobs.newest(None, None)) == []


def test_a_job_replays_only_what_it_selects() -> None:
    world, webhook = with_dead_letters(10)
    chosen = tuple(letter.delivery_id for letter in world.dead_letters()[:3])
    job_id = start_job(world, webhook, delivery_ids=chosen)
    world.run()
    assert {seen.delivery_id for seen in world.receivers.log} == set(chosen)
    job = jobs_of(world).get(job_id)
    assert job is not None
    assert (job.total, job.replayed) == (3, 3)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer", "repeated", "partial", "throttled"])
def test_a_job_cut_off_anywhere_loses_nothing_and_replays_nothing_twice(fault: str) -> None:
    for nth in range(1, 28):
        plan = Plan(fault, frozenset({nth}))
        world, webhook = with_dead_letters(12, plan)
        job_id = start_job(world, webhook)
        plan.armed = True
        try:
            world.poll("jobs")
        except Crash:
            world.functions.restart("replay")
        plan.armed = False
        world.run()
        job = jobs_of(world).get(job_id)
        assert job is not None
        assert job.status == "completed", (fault, nth)
        assert job.replayed + job.skipped >= 12
        assert {record.status for record in world.deliveries()} == {"delivered"}, (fault, nth)
        assert Counter(seen.event_id for seen in world.receivers.log) == {f"e{n}": 1 for n in range(12)}, (fault, nth)
        assert all(letter.is_processed for letter in world.dead_letters())


def test_a_job_killed_a_hundred_times_finishes_all_the_same_and_replays_nothing_twice() -> None:
    chance = random.Random(1)
    plan = Plan("crash_after", frozenset(call for call in range(50_000) if chance.random() < 0.09))
    world, webhook = with_dead_letters(450, plan)
    job_id = start_job(world, webhook, rate=0.05)  # three a page
    plan.armed = True
    for source in world.sources.values():
        source.queue.max_receive_count = 10_000
    world.run()
    assert world.sources["jobs"].crashes >= 100
    job = jobs_of(world).get(job_id)
    assert job is not None
    assert job.status == "completed"
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert {record.generation for record in world.deliveries()} == {2}


def test_a_job_goes_on_though_the_run_that_got_further_dies() -> None:
    """Its message was handed over twice: what this run answers is all that keeps it."""

    class Other(Plan):
        def __call__(self, call: str) -> None:
            if self.armed and call == "dynamodb.update_item":
                self.armed = False
                job = jobs_of(world).get(job_id)
                assert job is not None
                assert jobs_of(world).checkpoint(job, replace(job, status="running", total=11)) is not None

    plan = Other()
    world, webhook = with_dead_letters(12, plan)
    job_id = start_job(world, webhook)
    plan.armed = True
    world.run()
    assert not plan.armed
    assert world.unfinished_replays() == []
    assert {record.status for record in world.deliveries()} == {"delivered"}


def test_expired_dead_letters_that_ttl_has_not_collected_do_not_hide_the_others_from_a_job() -> None:
    world, webhook = with_dead_letters(450)
    world.clock.advance_to(world.clock.ms + RETENTION_MS)
    world.receivers.script(url_of("one"), [410])
    world.publish(*events(8, 1_000))
    world.run()
    world.owners.change(webhook, status="active")
    world.receivers.script(url_of("one"), [200])
    world.receivers.log.clear()
    world.clock.advance_to(world.clock.ms + 1_000)
    job_id = start_job(world, webhook)
    world.run()
    job = jobs_of(world).get(job_id)
    assert job is not None
    assert (job.total, job.replayed) == (8, 8)
    assert len(world.receivers.log) == 8


@pytest.mark.parametrize(
    "fault", ["crash_before", "crash_after", "lost_answer", "repeated", "partial", "no_connection"]
)
def test_an_undertaker_cut_off_anywhere_keeps_every_dead_letter(fault: str) -> None:
    for nth in range(1, 12):
        plan = Plan(fault, frozenset({nth}))
        world = World(plan=plan)
        world.owners.register("one", max_retries=0)
        world.receivers.script(url_of("one"), [500])
        world.publish(*events(5))
        world.work("ingest", "sender")
        plan.armed = True
        world.run()
        assert len(world.dead_letters()) == 5
        assert {letter.failure_reason for letter in world.dead_letters()} == {"attempts_used_up:http_500"}
        told = [data["delivery_id"] for what, data in world.announced() if what == "delivery.dead_lettered"]
        assert set(told) == {letter.delivery_id for letter in world.dead_letters()}, (fault, nth)


def test_a_copy_on_the_dead_letter_queue_changes_nothing() -> None:
    world = World()
    world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500])
    world.publish(event("e1"))
    world.work("ingest", "sender")
    (message,) = world.messages(world.dead_letter_queue)
    meta = message.attributes["meta"]["StringValue"]
    world.send_raw(world.dead_letter_queue, message.body, meta)
    world.run()
    (letter,) = world.dead_letters()
    replayer(world).replay([letter], "manual")
    world.send_raw(world.dead_letter_queue, message.body, meta)
    world.run()
    assert world.dead_letters()[0].generation == 2
    told = [json.loads(each["Detail"]) for each in world.events.taken if each["DetailType"] == "delivery.dead_lettered"]
    assert len({detail["id"] for detail in told}) == 2  # one of each generation: what is told again has the same id


def test_a_job_message_that_nobody_can_read_ends_on_the_jobs_dead_letter_queue() -> None:
    world = World()
    for body in ("{", "[]", "{}", "5"):
        world.send_raw(world.jobs_queue, body)
    world.run()
    assert len(world.messages(world.jobs_dead_letter_queue)) == 4

"""One job for dead letters of many webhooks: chosen ones, or all with something in common."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.event_source import Crash
from tests.fakes.owners import caller, owner_of, url_of
from tests.fakes.world import TABLE, World, event
from tests.unit.recovery.test_replay import Plan, jobs_of
from webhooks.access.idempotency_keys import Once
from webhooks.errors import Conflict, Invalid, NotAllowed, NotFound, Unavailable
from webhooks.models.caller import Caller
from webhooks.models.replay import MANY, Across, ReplayJob, ReplaySelection, ReplayTarget
from webhooks.models.webhook import Webhook
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import state_key
from webhooks.store.webhook_items import webhook_key

ADMIN = Caller("platform", frozenset(), frozenset({"admin"}))
OWNER = caller(7)
THREE_A_PAGE = 0.05  # as a rate
ALL = ReplaySelection(from_ms=0, across=Across())


def with_letters(
    count: int = 6, plan: Plan | None = None, **webhooks: dict[str, Any]
) -> tuple[World, dict[str, Webhook]]:
    """Webhooks whose deliveries have all failed, and whose receivers are well again."""
    world = World(plan=plan)
    made = {name: world.owners.register(name, max_retries=0, **fields) for name, fields in webhooks.items()}
    for name in made:
        world.receivers.script(url_of(name), [500])
    for workspace in {each.workspace_id for each in made.values()} - {None} or {None}:
        world.publish(*(event(f"{workspace}-{n}", workspace_id=workspace) for n in range(count)))
    world.run()
    for name in made:
        world.receivers.script(url_of(name), [200])
    world.receivers.log.clear()
    world.clock.advance_to(world.clock.ms + 600_000)
    return world, made


def start(world: World, who: Caller = OWNER, selection: ReplaySelection = ALL, rate: float = 1_000) -> ReplayJob:
    return Api(world.services).bulk_replays.start(who, selection, rate)


def ended(world: World, job: ReplayJob) -> ReplayJob:
    world.run()
    done = jobs_of(world).get(job.job_id)
    assert done is not None
    assert done.status == "completed"
    return done


def arrived(world: World) -> Counter[str]:
    return Counter(seen.url.partition("//")[2].partition(".")[0] for seen in world.receivers.log)


def test_one_job_sends_what_many_webhooks_did_not_get() -> None:
    world, _ = with_letters(9, one={}, two={}, three={})
    done = ended(world, start(world, rate=THREE_A_PAGE))
    assert (done.total, done.replayed, done.skipped, done.left_out) == (27, 27, 0, 0)
    assert arrived(world) == {"one": 9, "two": 9, "three": 9}
    assert all(letter.processed_by == done.job_id for letter in world.dead_letters())


def test_chosen_letters_and_causes_of_many_webhooks_are_one_job() -> None:
    world, made = with_letters(9, one={}, two={}, three={}, four={})
    of_one = tuple(each.delivery_id for each in world.dead_letters() if each.webhook_id == made["one"].webhook_id)
    targets = (
        ReplayTarget(made["one"].webhook_id, of_one[:7]),
        ReplayTarget(made["two"].webhook_id, reasons=("tls", "http_500")),
        ReplayTarget(made["three"].webhook_id, reasons=("tls",)),
    )
    done = ended(world, start(world, selection=ReplaySelection(across=Across(targets=targets)), rate=THREE_A_PAGE))
    assert (done.total, done.replayed, done.left_out) == (16, 16, 0)
    assert arrived(world) == {"one": 7, "two": 9}


def test_a_webhook_that_takes_nothing_costs_the_others_nothing_and_keeps_its_letters() -> None:
    world, made = with_letters(one={}, two={}, gone={}, broken={})
    world.owners.change(made["two"], status="inactive")
    world.owners.delete(made["gone"])
    table = DynamoTable(world.dynamodb, TABLE)
    table.update(webhook_key(made["broken"].webhook_id), "SET version = :v", values={":v": {"S": "of tomorrow"}})
    counted, _ = Api(world.services).bulk_replays.estimate(OWNER, replace(ALL, across=Across()), 10)
    assert (counted.total, counted.webhooks, counted.is_exact) == (6, 1, True)
    done = ended(world, start(world, ADMIN))
    assert (done.total, done.replayed, done.left_out) == (6, 6, 18)
    assert arrived(world) == {"one": 6}
    left = [letter for letter in world.dead_letters() if not letter.is_processed]
    assert {each.webhook_id for each in left} == {made[name].webhook_id for name in ("two", "gone", "broken")}
    world.owners.change(made["two"], status="active")
    assert ended(world, start(world)).replayed == 6


def test_a_webhook_whose_state_cannot_be_read_costs_the_others_nothing() -> None:
    world, made = with_letters(one={}, broken={})
    table = DynamoTable(world.dynamodb, TABLE)
    state = state_key(made["broken"].webhook_id)
    table.put({"pk": {"S": state[0]}, "sk": {"S": state[1]}, "circuit": {"S": "of tomorrow"}})
    job = start(world)
    world.clock.advance_to(world.clock.ms + 2_000)
    while world.poll("jobs"):
        pass
    done = jobs_of(world).get(job.job_id)
    assert done is not None
    assert (done.status, done.replayed, done.left_out) == ("completed", 6, 6)


def test_a_webhook_that_stops_taking_anything_under_a_job_does_not_end_it() -> None:
    """It was looked at, and is inactive when its letters are to go out."""

    class Meanwhile(Plan):
        def __call__(self, call: str) -> None:
            self.calls += self.armed and call == "dynamodb.batch_get_item"
            if self.armed and self.calls in self.at:
                self.armed = False
                world.owners.change(made["two"], status="inactive")

    left_out = list[int]()
    for nth in range(1, 40):
        plan = Meanwhile(at=frozenset({nth}))
        world, made = with_letters(plan=plan, one={}, two={})
        job = start(world)
        plan.armed = True
        done = ended(world, job)
        assert (done.replayed + done.left_out, done.error) == (12, None)
        assert arrived(world)["one"] == 6
        left_out.append(done.left_out)
    assert (left_out[0], left_out[-1]) == (6, 0), "before the job, and after it"


def test_an_owner_s_job_stays_within_the_workspaces_that_it_is_a_member_of() -> None:
    world, made = with_letters(one={"workspace_id": 1}, own={"workspace_id": None}, two={"workspace_id": 2},
                               other={"workspace_id": 1, "user_id": 8})  # fmt: skip
    ours = {
        name: sum(each.webhook_id == webhook.webhook_id for each in world.dead_letters())
        for name, webhook in made.items()
    }
    assert (
        ended(world, start(world, selection=replace(ALL, across=Across(workspace_id="1")))).replayed == ours["one"] > 0
    )
    assert arrived(world).keys() == {"one"}
    assert ended(world, start(world)).replayed == ours["own"]
    assert arrived(world).keys() <= {"one", "own"}
    assert ended(world, start(world, ADMIN, replace(ALL, across=Across(owner="8")))).replayed == ours["other"] > 0
    assert arrived(world).keys() <= {"one", "own", "other"}


def test_what_others_have_is_refused() -> None:
    world, made = with_letters(one={}, other={"user_id": 8})
    others = ReplaySelection(across=Across(targets=(ReplayTarget(made["other"].webhook_id),)))
    for wanted, error in (
        (others, NotFound),
        (replace(ALL, across=Across(owner="8")), NotAllowed),
        (replace(ALL, across=Across(workspace_id="9")), NotAllowed),
        (ReplaySelection(across=Across()), Invalid),
        (ReplaySelection(from_ms=2, to_ms=1, across=Across()), Invalid),
    ):
        with pytest.raises(error):
            start(world, selection=wanted)
    assert not world.jobs_queue.messages
    job = start(world, caller(8))
    replays = Api(world.services).replays
    assert replays.get(caller(8), job.job_id).owner == "8"
    for stranger in (OWNER, caller(8, 2)):  # who has left the workspace does not see it any more
        with pytest.raises(NotFound):
            replays.get(stranger, job.job_id)
    assert replays.cancel(ADMIN, job.job_id).status == "cancelled"


@pytest.mark.parametrize("by", ["all", "reasons", "ids"])
@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer", "repeated", "partial", "throttled"])
def test_a_job_of_many_cut_off_anywhere_loses_nothing_and_replays_nothing_twice(fault: str, by: str) -> None:
    for nth in range(1, 34, 2 if by == "all" else 3):
        plan = Plan(fault, frozenset({nth}))
        world, made = with_letters(4, plan, one={}, two={}, three={})
        targets = tuple(
            ReplayTarget(
                webhook.webhook_id,
                tuple(x.delivery_id for x in world.dead_letters() if x.webhook_id == webhook.webhook_id)
                if by == "ids"
                else (),
            )
            for webhook in made.values()
        )
        job = start(world, selection=ALL if by == "all" else ReplaySelection(across=Across(targets=targets)))
        world.clock.advance_to(world.clock.ms + 2_000)
        plan.armed = True
        try:
            world.poll("jobs")
        except Crash:
            world.functions.restart("replay")
        plan.armed = False
        done = ended(world, job)
        assert done.replayed + done.skipped >= 12, (fault, nth)
        assert {record.status for record in world.deliveries()} == {"delivered"}, (fault, nth)
        assert arrived(world) == {"one": 4, "two": 4, "three": 4}, (fault, nth)
        assert all(letter.is_processed for letter in world.dead_letters())


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
def test_a_start_that_is_cut_off_anywhere_leaves_no_job_behind_that_nobody_works_on(fault: str) -> None:
    started = 0
    for nth in range(1, 14):
        plan = Plan(fault, frozenset({nth}))
        world, made = with_letters(2, plan, one={})
        plan.armed = True
        try:
            Api(world.services).dead_letters.replay_many(
                owner_of(made["one"]), made["one"].webhook_id, ReplaySelection(), 10
            )
        except Crash:
            started += 1
        plan.armed = False
        world.run()
        assert world.unfinished_replays() == [], (fault, nth)
        assert not world.jobs_dead_letter_queue.messages
    assert started >= 4


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lost_answer"])
def test_a_start_with_a_key_that_is_repeated_until_it_is_answered_makes_one_job(fault: str) -> None:
    for nth in range(1, 16):
        plan = Plan(fault, frozenset({nth}))
        world, _ = with_letters(2, plan, one={})
        api, once, begun = Api(world.services), Once("k", "a replay"), list[ReplayJob]()
        plan.armed = True
        while not begun:
            try:
                begun.append(api.bulk_replays.start(OWNER, ALL, 10, once))
            except (Crash, Unavailable):
                world.run(for_ms=61_000)
        plan.armed = False
        world.run()
        assert api.bulk_replays.start(OWNER, ALL, 10, once).job_id == begun[0].job_id
        with pytest.raises(Conflict):
            api.bulk_replays.start(OWNER, ALL, 10, replace(once, fingerprint="another"))
        assert [job.job_id for job in world.replay_jobs()] == [begun[0].job_id], (fault, nth)
        assert world.unfinished_replays() == [], (fault, nth)


def test_a_job_that_is_kept_late_is_done_all_the_same() -> None:
    world, made = with_letters(2, one={})
    job = start(world)
    kept = world.dynamodb.tables[TABLE]
    (item,) = [item for _, item in kept.all_items() if item["sk"]["S"] == "job"]
    DynamoTable(world.dynamodb, TABLE).remove([(job.job_id, "job")])
    world.clock.advance_to(world.clock.ms + 2_000)
    world.poll("jobs")
    assert world.jobs_queue.messages, "the message waits for its job"
    DynamoTable(world.dynamodb, TABLE).put(item)
    assert ended(world, job).replayed == 2
    assert made


def test_versions_know_what_they_may_not_read_past() -> None:
    world, made = with_letters(2, one={})
    stored = jobs_of(world)
    one = Api(world.services).dead_letters.replay_many(OWNER, made["one"].webhook_id, ReplaySelection(), 10)
    many = start(world)
    documents = {
        key[0]: json.loads(item["job"]["S"])
        for key, item in world.dynamodb.tables[TABLE].all_items()
        if item["sk"]["S"] == "job"
    }
    assert "across" not in documents[one.job_id]["selection"], "what an older version must be able to work on"
    document = documents[many.job_id]
    assert document["webhook_id"] == MANY
    document["selection"]["across"]["tomorrow"] = 1  # a part that this version does not know
    table = DynamoTable(world.dynamodb, TABLE)
    table.update((many.job_id, "job"), "SET job = :j", values={":j": {"S": json.dumps(document)}})
    read = stored.get(many.job_id)
    assert read is not None
    assert read.selection.across is None
    assert dict(read.selection.more) == {"across": document["selection"]["across"]}
    world.clock.advance_to(world.clock.ms + 2_000)
    while world.poll("jobs"):
        pass
    assert world.unfinished_replays() == [many.job_id], "it waits for the version that knows"
    assert len(world.jobs_queue.messages) == 1
    saved = stored.checkpoint(read, replace(read, status="cancelled"))
    assert saved is not None
    again = stored.get(many.job_id)
    assert again is not None
    assert again.selection.more == read.selection.more

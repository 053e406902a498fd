"""The short form of `make simulate`: a few runs with faults and one without, and what makes a run trustworthy."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.fakes.clock import Clock
from tests.fakes.faults import FAULTS, SOURCES
from tests.simulation import matrix
from tests.simulation.hazards import HAZARDS, RECEIVERS
from tests.simulation.keeping import is_whole
from tests.simulation.readable import canary
from tests.simulation.runs import Run, simulate
from tests.simulation.scenario import Plan
from tests.simulation.scheduler import Scheduler
from tests.simulation.simulation import Simulation
from webhooks.compression import pack_body
from webhooks.models.delivery import Attempt

FIRST_SEED = 1


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def check(run: Run) -> None:
    assert not run.broken, f"seed {run.seed}: repeat it with {run.command}\n" + "\n".join(run.broken[:10])


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 20))
def test_nothing_is_lost_whatever_fails(seed: int) -> None:
    run = simulate((seed, 300, True))
    check(run)
    assert not matrix.unlisted(run.figures.calls), "a port call without a row in the matrix: see matrix.CALLS"
    assert run.figures.struck.keys() <= {*matrix.cells()}


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 4))
def test_without_faults_nothing_is_sent_twice_and_no_attempt_is_unknown(seed: int) -> None:
    run = simulate((seed, 300, False))
    check(run)
    assert run.verdict.unknown == 0
    assert run.verdict.duplicates == 0
    assert run.verdict.delivered > 0


def test_a_run_is_decided_by_its_seed() -> None:
    program = (
        "from tests.simulation.runs import simulate\n"
        "run = simulate((5, 100, True))\n"
        "print(run.verdict, run.figures.calls.total(), sorted(run.figures.struck.items()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    outputs = {
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1


def test_statistics_that_were_added_to_twice_are_noticed() -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    table = simulation.world.dynamodb.tables["webhooks"]
    erased = {f"stat|{webhook_id}" for webhook_id in simulation.ledger.forgotten.webhooks}
    counted = ((key, item) for key, item in table.all_items() if "c#successes" in item and key[0] not in erased)
    key, item = next((key, item) for key, item in counted if key[0].startswith("stat|wh_"))
    table.write(key, {**item, "c#successes": {"N": str(int(item["c#successes"]["N"]) + 1)}})
    assert any("statistics" in fault or "counter" in fault for fault in simulation.ledger.check(max_unknown=0).faults)


def test_a_request_that_nothing_accounts_for_is_noticed() -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    log = simulation.world.receivers.log
    log.append(log[-1])
    assert any("attempts are recorded" in fault for fault in simulation.ledger.check(max_unknown=0).faults)


def test_an_attempt_that_nobody_was_cut_off_of_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    invented = [
        replace(record, attempts=(*record.attempts, Attempt(0, 1, 0, "unknown")))
        for record in simulation.world.deliveries()
    ]
    monkeypatch.setattr(simulation.world, "deliveries", lambda: invented)
    faults = simulation.ledger.check(max_unknown=9, cut_off_of={}).faults
    assert any("1 unknown attempts, at most 0 can have been cut off" in fault for fault in faults)


def test_there_are_more_than_twenty_kinds_of_faults_each_with_its_source() -> None:
    assert len({kind for kind, _ in matrix.cells()}) >= 50
    assert all(SOURCES[fault] for fault in FAULTS)
    assert all(hazard.source and hazard.where for hazard in HAZARDS.values())
    assert all(source for _, source in RECEIVERS.values())


def test_some_consecutive_seeds_have_every_cell_of_the_matrix_to_strike() -> None:
    for first in (1, 1000):
        given = set[matrix.Cell]().union(*(matrix.targets(seed) for seed in range(first, first + 6)))
        assert given == set(matrix.cells())


def test_the_ledger_notices_a_delivery_that_vanished() -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    table = simulation.world.dynamodb.tables["webhooks"]
    items = table.all_items()
    key = next(key for key, item in items if key[1].startswith("dlv#") and item["event_id"]["S"].startswith("e"))
    table.write(key, None)
    assert any(fault.startswith("lost") for fault in simulation.ledger.check(max_unknown=0).faults)


def test_the_ledger_notices_an_event_that_a_consumer_never_read() -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    ledger = simulation.ledger
    read = {webhook_id: each.seen & ledger.published.keys() for webhook_id, each in ledger.accounts.items()}
    kinds = {ledger.webhooks[webhook_id].webhook.kind for webhook_id, events in read.items() if events}
    assert kinds == {"push", "pull"}
    for account in ledger.accounts.values():
        account.seen.clear()
    faults = [fault for fault in ledger.check(max_unknown=0).faults if "never read" in fault]
    assert len({fault.split()[3] for fault in faults}) >= 2


def test_the_ledger_notices_a_decision_that_the_plain_matcher_does_not_share() -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    for known in simulation.ledger.webhooks.values():
        known.history[:] = [held for held in known.history if not held.interests] or known.history[:1]
    assert any("expected" in fault for fault in simulation.ledger.check(max_unknown=0).faults)


@pytest.mark.parametrize("event_id", ["e3", "e6"])
def test_the_ledger_notices_what_is_left_of_an_event_that_should_not_be_kept(event_id: str) -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    document = simulation.ledger.published[event_id][0]
    assert not is_whole(document)
    table = simulation.world.dynamodb.tables["webhooks"]
    key, item = next((key, item) for key, item in table.all_items() if key[0] == f"event|{event_id}")
    table.write(key, {**item, "body": {"B": pack_body(json.dumps(document).encode())}})
    faults = simulation.ledger.check(max_unknown=0).faults
    assert [fault for fault in faults if fault.startswith(f"kept: {event_id} is readable")]


def test_the_ledger_notices_a_redacted_payload_that_was_sent() -> None:
    simulation = Simulation(Plan(3, 60, faults=False))
    simulation.run()
    log = simulation.world.receivers.log
    position = next(
        n for n, each in enumerate(log) if "redact" in simulation.ledger.published.get(each.event_id, ({},))[0]
    )
    body = log[position].body.replace(canary(log[position].event_id).encode(), b"redacted")
    log[position] = replace(log[position], body=body)
    assert any("another body" in fault for fault in simulation.ledger.check(max_unknown=0).faults)


def test_the_ledger_notices_a_dead_letter_without_its_payload() -> None:
    simulation = Simulation(Plan(3, 100))
    simulation.run()
    table = simulation.world.dynamodb.tables["webhooks"]
    letters = [(key, item) for key, item in table.all_items() if key[1].startswith("dead#") and "payload" in item]
    for key, item in letters:
        table.write(key, {name: value for name, value in item.items() if name != "payload"})
    faults = simulation.ledger.check(max_unknown=10**9).faults
    assert letters
    assert any("has not what was to be sent" in fault for fault in faults)


def test_fibers_take_turns_by_time_and_never_at_once() -> None:
    clock, order = Clock(0), list[tuple[str, int]]()
    scheduler = Scheduler(clock)

    def work(name: str, gap_ms: int) -> None:
        for _ in range(3):
            scheduler.sleep_ms(gap_ms)
            order.append((name, clock.ms))

    scheduler.spawn("a", lambda: work("a", 10))
    scheduler.spawn("b", lambda: work("b", 15))
    scheduler.run()
    assert order == [("a", 10), ("b", 15), ("a", 20), ("b", 30), ("a", 30), ("b", 45)]


def test_what_a_fiber_raises_ends_the_run() -> None:
    scheduler = Scheduler(Clock(0))
    scheduler.spawn("other", lambda: scheduler.sleep_ms(1_000_000))

    def fail() -> None:
        scheduler.sleep_ms(random.Random(1).randrange(5, 10))
        raise ValueError("no")

    scheduler.spawn("failing", fail)
    with pytest.raises(ValueError, match="no"):
        scheduler.run()
    assert not scheduler.living

"""What docs/architecture.md draws and lists is what the code does."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from webhooks.delivery.classification import classify
from webhooks.delivery.lifecycle import AttemptPolicy, begin, released, restarted
from webhooks.delivery.receive_decision import Attempted, Decision, GiveUp, Park, advance
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import FINISHED, DeliveryRecord, Waiting
from webhooks.models.exchange import Exchange
from webhooks.store import schema

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
FUNCTIONS = {path.parent.name for path in PROJECT.glob("functions/*/app.py")}
NOW = 1_760_000_000_000
MESSAGE = DeliveryMessage("dlv_1", "wh_1", "e1", "record.created", "ws:1", "g", "body", cycle_started_at_ms=NOW)

Arrow = tuple[str, str, str]


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


# -- The life of a delivery


def decisions(max_attempts: int) -> dict[str, Decision]:
    """What a receive may come to."""

    def answered(status: int, delay_ms: int = 5_000) -> Attempted:
        exchange = Exchange(NOW, 5, status_code=status)
        return Attempted(exchange, classify(exchange), delay_ms, AttemptPolicy(max_attempts, max_age_ms=1_000_000))

    return {
        "success": answered(200),
        "failure": answered(500),
        "failure, long wait": answered(500, delay_ms=90_000),
        "410": answered(410),
        "held back": Park(Waiting("room", NOW, "paused")),
        "given up": GiveUp("expired"),
    }


def state_of(record: DeliveryRecord) -> str:
    return "waiting" if record.waiting else record.status


def received(record: DeliveryRecord, decision: Decision, *, generation: int) -> DeliveryRecord:
    message = Received(replace(MESSAGE, generation=generation), "m-0000aaaa", "h", 1, NOW)
    return advance(record.changed(seen=()), message, decision, now_ms=NOW).record or record


def is_finished(record: DeliveryRecord) -> bool:
    """Whether no message of its generation may act. A delivered one is sent once more on request."""
    return record.status in FINISHED and (record.status != "delivered" or record.attempts_in_cycle > 0)


def next_records(record: DeliveryRecord, max_attempts: int) -> Iterator[tuple[str, DeliveryRecord]]:
    """What can happen to a delivery, and what it is afterwards. Marks are written before their messages come."""
    receives = decisions(max_attempts)
    if record.waiting:
        yield "released", released(record, NOW)
    elif not is_finished(record):
        for event, decision in receives.items():
            exhausts = event.startswith("failure") and record.attempts_in_cycle + 1 == max_attempts
            yield "last failure" if exhausts else event, received(record, decision, generation=record.generation)
    if record.revision:
        yield "sent again", restarted(record, NOW)
    if record.waiting or record.status in ("failed", "abandoned"):
        earlier = record.generation - 1 if record.waiting else record.generation
        yield "late success", received(record, receives["success"], generation=earlier)


def arrows(max_attempts: int) -> frozenset[Arrow]:
    """Every change of state that some course of events leads to."""
    found: set[Arrow] = set()
    seen: set[tuple[object, ...]] = set()
    open_ends = [begin(MESSAGE)]
    while open_ends:
        record = open_ends.pop()
        kind = (state_of(record), record.status, record.attempts_in_cycle, record.revision > 0, record.attempt_count)
        if kind in seen or record.attempt_count > 2 * max_attempts:
            continue
        seen.add(kind)
        for event, after in next_records(record, max_attempts):
            if state_of(after) != state_of(record):
                found.add((state_of(record), state_of(after), event))
            open_ends.append(after)
    return frozenset(found)


def drawn() -> frozenset[Arrow]:
    text = section("The life of a delivery")
    lines = re.findall(r"^ +(\w+) --> (\w+): (.+)$", text, re.MULTILINE)
    return frozenset((before, after, event) for before, after, events in lines for event in events.split("<br>"))


def test_the_drawn_states_and_transitions_are_those_of_the_code() -> None:
    assert drawn() == arrows(max_attempts=1) | arrows(max_attempts=3)


# -- Four journeys


def steps() -> list[tuple[str, str]]:
    return re.findall(r"^\d+\. `([\w/]+\.py): ([\w.]+)`", section("Four journeys"), re.MULTILINE)


def defined(path: Path) -> set[str]:
    """Functions, at any depth, and methods as Class.method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, functions)}
    return names


def test_there_are_four_journeys() -> None:
    journeys = section("Four journeys").split("\n### ")[1:]
    assert len(journeys) == 4
    listed = sum(len(re.findall(r"^\d+\. ", journey, re.MULTILINE)) for journey in journeys)
    assert listed == len(steps()) > 20


@pytest.mark.parametrize("step", steps(), ids=": ".join)
def test_each_step_of_a_journey_is_there(step: tuple[str, str]) -> None:
    path, name = step
    assert name in defined(PROJECT / path)


# -- The table


def rows() -> list[tuple[str, str, str, str]]:
    found = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", section("The table"), re.MULTILINE)
    return found[1:]  # behind the heading


@cache
def modules_used(path: Path) -> set[Path]:
    """The modules of ours that a file imports, and those that they import."""
    found: set[Path] = set()
    open_ends = [path]
    while open_ends:
        tree = ast.parse(open_ends.pop().read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("webhooks."):
                continue
            base = PROJECT / "shared" / str(node.module).replace(".", "/")
            for module in (base.with_suffix(".py"), *(base / f"{each.name}.py" for each in node.names)):
                if module.exists() and module not in found:
                    found.add(module)
                    open_ends.append(module)
    return found


def test_the_items_are_those_of_the_schema() -> None:
    described = (schema.__doc__ or "").splitlines()
    items = [line.split("|")[1].strip() for line in described if line.startswith("| ")]
    assert [item for item, *_ in rows()] == items[1:]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_who_writes_and_reads_an_item_has_a_module_for_it(row: tuple[str, str, str, str]) -> None:
    _, stores, writers, readers = row
    files = {PROJECT / "shared/webhooks/store" / name for name in re.findall(r"`([\w.]+)`", stores)}
    assert files
    assert all(each.exists() for each in files)
    for function in {*re.findall(r"\w+", writers), *re.findall(r"\w+", readers)} - {"operators"}:
        assert function in FUNCTIONS
        assert files & modules_used(PROJECT / "functions" / function / "composition.py"), function

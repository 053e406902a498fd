"""Fault x port call: which cells there are, which of them a seed must strike, and the table at the end of a run.

Applicable is, by rule:
- every fault of tests/fakes/faults.py at every port call where its own rule (`faults.applies`) admits it: what only a
  batch can answer at batches, what only a write can suffer at writes, what only one service says at that service;
- "slow" at every port call;
- every hazard of hazards.py at the functions that it names, every receiver's answer at the sender's request.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from string import ascii_lowercase

from rich.box import SIMPLE
from rich.table import Table

from tests.fakes.faults import FAULTS, SOURCES, applies
from tests.simulation.hazards import HAZARDS, RECEIVERS

Cell = tuple[str, str]  # (fault, place)
SLOW = "slow"
_SLOW_SOURCE = (
    "AWS SDKs, read timeouts and retries: a call takes up to a minute, and the function's own timeout may come"
)
CALL_KINDS = (*FAULTS, SLOW)
CALLS: Mapping[str, tuple[str, ...]] = {
    "api": (
        "dynamodb.batch_execute_statement", "dynamodb.batch_get_item", "dynamodb.put_item", "dynamodb.query",
        "dynamodb.transact_write_items", "dynamodb.update_item", "kms.decrypt", "kms.generate_data_key",
        "sqs.send_message_batch",
    ),
    "ingest": (
        "dynamodb.batch_execute_statement", "dynamodb.batch_get_item", "dynamodb.query",
        "dynamodb.transact_write_items", "sqs.change_message_visibility_batch", "sqs.send_message_batch",
    ),
    "sender": (
        "dynamodb.batch_execute_statement", "dynamodb.batch_get_item", "dynamodb.query",
        "dynamodb.transact_write_items", "dynamodb.update_item", "kms.decrypt", "sqs.change_message_visibility_batch",
        "sqs.send_message_batch",
    ),
    "dead_letter_writer": (
        "dynamodb.batch_execute_statement", "dynamodb.batch_get_item", "dynamodb.put_item", "events.put_events",
    ),
    "jobs": (
        "dynamodb.batch_execute_statement", "dynamodb.batch_get_item", "dynamodb.put_item", "dynamodb.query",
        "dynamodb.scan", "dynamodb.transact_write_items", "dynamodb.update_item", "sqs.send_message_batch",
    ),
    "release": (
        "dynamodb.batch_execute_statement", "dynamodb.batch_get_item", "dynamodb.query", "dynamodb.update_item",
        "sqs.send_message_batch",
    ),
    "rollup": (
        "dynamodb.batch_get_item", "dynamodb.transact_write_items", "dynamodb.update_item", "events.put_events",
    ),
}  # fmt: skip
REQUEST = "sender: http.send"
# Calls that are rare, and the hazard, the receiver's answer or the fault of another call after which they are made.
MEANS: Mapping[str, Cell] = {
    "ingest: sqs.change_message_visibility_batch": ("no_connection", "ingest: dynamodb.batch_execute_statement"),
    "dead_letter_writer: dynamodb.batch_execute_statement": ("redriven", "sender"),
    "sender: dynamodb.query": ("gone", REQUEST),
    "sender: dynamodb.transact_write_items": ("gone", REQUEST),
}
PLACES = tuple(f"{function}: {call}" for function, calls in CALLS.items() for call in calls)
CELLS_A_SEED = 102


def call_cells() -> Iterator[Cell]:
    """Of the calls to AWS."""
    for place in PLACES:
        operation = place.rpartition(".")[2]
        for kind in CALL_KINDS:
            if kind == SLOW or applies(kind, operation):
                yield kind, place


def request_cells() -> Iterator[Cell]:
    """Of the requests to receivers."""
    yield from ((kind, REQUEST) for kind in ("crash_before", "crash_after", *RECEIVERS))


def hazard_cells() -> Iterator[Cell]:
    """Of what is around the functions."""
    for name, hazard in HAZARDS.items():
        yield from ((name, where) for where in hazard.where)


def cells() -> list[Cell]:
    """All that must be struck."""
    return [*call_cells(), *request_cells(), *hazard_cells()]


def targets(seed: int) -> set[Cell]:
    """The cells that this seed has to strike: consecutive seeds take their turns, so that few of them cover all."""
    order = cells()
    random.Random("the order of the cells").shuffle(order)
    start = seed * CELLS_A_SEED % len(order)
    return set((order + order)[start : start + CELLS_A_SEED])


def missing(struck: Mapping[Cell, int]) -> list[Cell]:
    """Applicable cells that were never struck."""
    return [cell for cell in cells() if not struck.get(cell)]


def minimum(struck: Mapping[Cell, int]) -> int:
    """Of the applicable cell that was struck least."""
    return min(struck.get(cell, 0) for cell in cells())


def unlisted(calls: Mapping[str, int]) -> list[str]:
    """Port calls that were made and are no rows of the matrix."""
    return sorted(calls.keys() - {*PLACES, REQUEST})


def tables(struck: Counter[Cell], calls: Counter[str]) -> Iterator[Table]:
    """How often each cell was struck; a dash where the rule above says that it cannot be."""
    known = set(cells())
    heads = dict(zip(CALL_KINDS, ascii_lowercase, strict=False))
    table = Table(title="faults at port calls", title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("port call", no_wrap=True)
    for head in ("calls", *heads.values()):
        table.add_column(head, justify="right")
    for place in PLACES:
        counted = (f"{struck[(kind, place)]:,}" if (kind, place) in known else "-" for kind in CALL_KINDS)
        table.add_row(place, f"{calls[place]:,}", *counted)
    yield table
    table = Table(box=None, pad_edge=False, show_header=False)
    for kind, head in heads.items():
        table.add_row(head, kind, _SLOW_SOURCE if kind == SLOW else SOURCES[kind])
    yield table
    table = Table(title="around the functions", title_justify="left", box=SIMPLE, pad_edge=False, show_header=False)
    for name, hazard in HAZARDS.items():
        table.add_row(name, ", ".join(f"{where} {struck[(name, where)]}" for where in hazard.where))
    requests = [f"{kind} {struck[(kind, place)]}" for kind, place in request_cells()]
    table.add_row("requests to receivers", ", ".join(requests))
    yield table

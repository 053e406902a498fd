"""`make bench-limits`: ingest with every documented limit used up at once: its peak memory, and its slowest event.

Each of three tenants has all the filters that two scopes may have, on every type: bytes, searches, lists of values.
Each event meets those of a workspace and of a user, and is as large as events may be: prose, one letter over and over,
many small texts, deep nesting. Batches are as large as Lambda hands them over.
"""

import json
import os
import random
import resource
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from aws_lambda_powertools import Logger

from functions.ingest import composition as ingest_function
from tests.benchmarks import composition
from tests.benchmarks.measuring import Stub, cpu_seconds, measure_once, running_stub
from webhooks.aws.clients import Clients
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.management.requests import MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS
from webhooks.matching.filter_budget import SUBSCRIPTION_BYTES
from webhooks.matching.filter_document import MAX_SEARCHES, filter_bytes, filter_searches
from webhooks.payload import MAX_EVENT_BYTES
from webhooks.runtime import Runtime
from webhooks.settings import ApiSettings
from webhooks.store import schema

TENANTS = 3  # each with a workspace and a user
MAX_MB, MAX_SECONDS = 400, 1.0
LAMBDA_BYTES = 6_000_000  # a synchronous request of Lambda: a batch holds no more
Document = dict[str, Any]


def main() -> None:
    """Command line."""
    with running_stub() as stub:
        found = measure_once("limits", {}, stub)
    met = found["peak_mb"] <= MAX_MB and found["slowest_seconds"] <= MAX_SECONDS
    sys.stdout.write(
        f"ingest at every limit at once: {found['scopes']:.0f} scopes of {found['filter_mb']:.1f} MB and "
        f"{found['searches']:.0f} searches, {found['events']:.0f} events of {MAX_EVENT_BYTES // 1024} KB\n"
        f"  peak memory {found['peak_mb']:.0f} MB (bar {MAX_MB}; {found['start_mb']:.0f} before the first event)\n"
        f"  slowest event {found['slowest_seconds']:.2f} s of CPU (bar {MAX_SECONDS:g}), median "
        f"{found['median_seconds']:.3f}; put aside: {found['refused']:.0f}\n"
        f"  {'met' if met else 'MISSED'}\n"
    )
    sys.exit(not met)


def limits(stub: Stub) -> dict[str, float]:
    """The workload, in a process of its own."""
    composition.configure(stub)
    settings = ApiSettings.read({**os.environ, "SENDER_FUNCTION_NAME": "s"})
    budget = settings.max_filter_kilobytes_per_scope * 1024
    scopes = [scope for n in range(TENANTS) for scope in (f"ws:{n}", f"user:{n}")]
    size = searches = 0
    for number, scope in enumerate(scopes):
        rows, size, searches = _rows(scope, random.Random(number), budget, settings.max_filter_searches_per_scope)
        versions = {"pk": {"S": schema.versions_pk(scope)}, "sk": {"S": schema.VERSIONS_SK}, "*": {"N": "1"}}
        stub.control("Seed", items=[versions], queries={schema.route_pk(scope, "*"): rows})
        del rows
    reports: list[Document] = []
    ingest = ingest_function.build(
        ingest_function.IngestSettings.read(os.environ),
        Clients(),
        Logger(service="webhooks", level="INFO"),
        Runtime(write=lambda line: reports.append(json.loads(line))),
    )
    start_mb = _peak_mb()
    seconds: list[float] = []
    for batch in _batches():
        before = cpu_seconds()
        ingest({"Records": batch}, composition.Context())
        if len(batch) == 1:
            seconds.append(cpu_seconds() - before)
    return {
        "scopes": len(scopes),
        "filter_mb": size / 1e6,
        "searches": searches,
        "events": sum(report["events"] for report in reports),
        "refused": sum(report["refused"] for report in reports),
        "start_mb": start_mb,
        "peak_mb": _peak_mb(),
        "slowest_seconds": max(seconds),
        "median_seconds": sorted(seconds)[len(seconds) // 2],
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rows(scope: str, chance: random.Random, budget: int, searches: int) -> tuple[list[composition.Item], int, int]:
    """Route rows of webhooks that use up the budget together; their bytes and searches."""
    rows: list[composition.Item] = []
    size = searched = 0
    while size < budget - 10_000:
        entries: list[Any] = []
        row = 0
        while len(entries) < MAX_SUBSCRIPTIONS and row < MAX_FILTER_BYTES - 30_000 and size < budget - 10_000:
            filters = _filters(chance, len(entries), min(MAX_SEARCHES, searches - searched))
            if size + filter_bytes(filters) > budget:
                break
            row += filter_bytes(filters)
            size += SUBSCRIPTION_BYTES + filter_bytes(filters)
            searched += filter_searches(filters)
            entries.append([f"sub_{len(entries):026d}", None, filters])
        webhook_id = f"wh_{scope.replace(':', '')}_{len(rows):020d}"
        rows.append(
            {
                "pk": {"S": schema.route_pk(scope, "*")}, "sk": {"S": webhook_id}, "owner": {"S": scope},
                "status": {"S": "active"}, "subscriptions": {"S": json.dumps(entries)},
            }
        )  # fmt: skip
    return rows, size, searched


def _filters(chance: random.Random, number: int, searches: int) -> Document:
    """What nearly holds, so that much of it is looked at."""
    if searches:
        rules = [_search(chance) for _ in range(searches)]
    elif number % 3 == 0:
        rules = [{"field": f"f{n % 50}", "operator": "not_equals", "value": chance.randrange(10**6)} for n in range(98)]
    elif number % 3 == 1:
        values = [chance.randrange(10**6) for _ in range(500)]
        rules = [{"field": f"f{n}", "operator": "not_in", "value": values} for n in range(2)]
    else:
        rules = [{"field": f"f{n}", "operator": "less_than", "value": -chance.random()} for n in range(50)]
        return {"conditions": {"operator": "or", "rules": rules}}
    return {"conditions": {"operator": "and", "rules": [{"field": "text", "operator": "exists"}, *rules]}}


def _search(chance: random.Random) -> Document:
    piece = "".join(chance.choices("etaoin shrdlu", k=chance.randrange(4, 40)))
    if chance.random() < 0.2:
        piece = "a" * chance.randrange(100, 1_000) + "b"  # which takes longest where there are only a's before the end
    field: Document = {"field": "text", "value": piece}
    return chance.choice(
        (
            {**field, "operator": "not_contains"},
            {**field, "operator": "not_contains", "ignore_case": True},
            {
                "field": "rows",
                "operator": "none",
                "where": {"field": "name", "operator": "starts_with", "value": piece},
            },
            {"operator": "not", "rules": [{"field": f"f{chance.randrange(50)}", "operator": "changed"}]},
        )
    )


def _batches() -> Iterator[Sequence[Document]]:
    """First each kind of event alone for each tenant, then batches as large as they may be."""
    texts = list(_texts(random.Random(9)))
    number = 0
    for tenant in range(TENANTS):
        for text in texts:
            number += 1
            yield [_record(number, tenant, text)]
    for start in range(0, TENANTS, 4):
        batch: list[Document] = []
        while sum(len(each["body"]) for each in batch) < LAMBDA_BYTES - 300_000:
            number += 1
            batch.append(_record(number, start + len(batch) % 4, texts[len(batch) % len(texts)]))
        yield batch


def _record(number: int, tenant: int, fields: Document) -> Document:
    event = {
        "id": f"evt_{number}", "type": DEFAULT_EVENT_TYPES[number % len(DEFAULT_EVENT_TYPES)], "workspace_id": tenant,
        "user_id": tenant, "data": {"fields": {**{f"f{n}": n for n in range(50)}, **fields}},
    }  # fmt: skip
    return composition.ingest_record(f"pub_{number:026d}-0", [event])


def _texts(chance: random.Random) -> Iterator[Document]:
    room = MAX_EVENT_BYTES - 4_000
    yield {"text": "".join(chance.choices("etaoin shrdlu", k=room))}
    yield {"text": "a" * (room - 1) + "b"}
    yield {"text": ["ab"] * (room // 5), "list": []}
    yield {"text": "\u4e2d" * (room // 3)}
    deep: Any = "x"
    for _ in range(26):
        deep = {"text": deep, "list": [1, 2, 3] * (room // 26 // 10)}
    yield {"text": "x", "nested": deep}
    yield {"text": "x", "rows": [{"name": f"name {number}"} for number in range(room // 24)]}


if __name__ == "__main__":
    main()

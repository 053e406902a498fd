"""CPU of ingest, api, rollup and release as they are deployed."""

import base64
import gc
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks import composition, corpus
from tests.benchmarks.composition import Item
from tests.benchmarks.measuring import PROJECT, Stub, cpu_us
from webhooks.delivery.lifecycle import parked
from webhooks.ids import new_id
from webhooks.models.delivery import DeliveryRecord, Waiting
from webhooks.store import schema
from webhooks.store.delivery_items import delivery_item, delivery_key

MATCHING = 10  # webhooks that every event reaches
SUBSCRIPTIONS_A_WEBHOOK = 10
ROLLUP_BATCH = 500  # the template's RollupMapping
TYPES = ("record.created", "record.updated", "record.deleted", "table.created", "table.updated")


def ingest(stub: Stub, *, subscriptions: int, batch: int, units: int, kilobytes: int = 2) -> dict[str, float]:
    """Events of one workspace; 10 of its subscriptions want them, the others are for other types or other values."""
    composition.configure(stub)
    rows = _routes(subscriptions)
    versions = {pattern: {"N": "1"} for pattern in rows}
    keys = {"pk": {"S": schema.versions_pk("ws:456")}, "sk": {"S": schema.VERSIONS_SK}}
    queries = {schema.route_pk("ws:456", pattern): items for pattern, items in rows.items()}
    stub.control("Seed", items=[keys | versions], queries=queries)
    events = [
        {**each, "type": "record.updated", "workspace_id": 456, "user_id": 789} for each in corpus.events(kilobytes)
    ]
    for each in events:
        each["data"] = {**each["data"], "fields": {**each["data"]["fields"], "Stage": "wanted"}}

    def prepare(number: int) -> list[dict[str, Any]]:
        return [
            composition.ingest_record(f"pub_{number:020d}{n:06d}-0", [events[n % len(events)]]) for n in range(batch)
        ]

    return _ingesting(stub, prepare, units)


def _routes(subscriptions: int) -> dict[str, list[Item]]:
    """Route rows by pattern: the first 10 webhooks want every event, the rest five types and other values."""
    rows: dict[str, list[Item]] = {}
    for start in range(0, subscriptions, 1 if subscriptions <= MATCHING else SUBSCRIPTIONS_A_WEBHOOK):
        webhook_id = f"wh_{start:026d}"
        numbers = range(start, min(subscriptions, start + SUBSCRIPTIONS_A_WEBHOOK))
        by_pattern: dict[str, list[list[Any]]] = {}
        if len(rows.get("record.updated", ())) < MATCHING:
            by_pattern["record.updated"] = [[f"sub_{start:026d}", None, {"fields": {"Stage": "wanted"}}]]
        else:
            for n in numbers:
                entry = [f"sub_{n:026d}", None, {"fields": {"Stage": f"stage {n}"}}]
                by_pattern.setdefault(TYPES[n % len(TYPES)], []).append(entry)
        for pattern, entries in by_pattern.items():
            rows.setdefault(pattern, []).append(_route(pattern, webhook_id, entries))
    return rows


def _route(pattern: str, webhook_id: str, entries: list[list[Any]]) -> Item:
    return {
        "pk": {"S": schema.route_pk("ws:456", pattern)}, "sk": {"S": webhook_id}, "owner": {"S": "789"},
        "status": {"S": "active"}, "subscriptions": {"S": json.dumps(entries)},
    }  # fmt: skip


def fan_out(stub: Stub, *, webhooks: int, door: str, batch: int, units: int) -> dict[str, float]:
    """Small events that so many webhooks want, none of them filtered, in messages as the door makes them: one event in
    each by "http" (and the queue) and "bus", a hundred by "http100"."""
    composition.configure(stub)
    rows = [_route("record.updated", f"wh_{n:026d}", [[f"sub_{n:026d}", None, {}]]) for n in range(webhooks)]
    versions = {"pk": {"S": schema.versions_pk("ws:456")}, "sk": {"S": schema.VERSIONS_SK}}
    queries = {schema.route_pk("ws:456", "record.updated"): rows}
    stub.control("Seed", items=[versions | {"record.updated": {"N": "1"}}], queries=queries)
    event = {**corpus.SMALL, "workspace_id": 456, "user_id": 789}
    at_once = 100 if door == "http100" else 1

    def record(number: int, n: int) -> dict[str, Any]:
        name = f"{number:020d}{n:06d}"
        if door == "bus":
            return composition.bus_record(name, event)
        return composition.ingest_record(f"pub_{name}-0", [event] * at_once)

    def prepare(number: int) -> list[dict[str, Any]]:
        return [record(number, n) for n in range(batch)]

    return _ingesting(stub, prepare, units, at_once)


def _ingesting(
    stub: Stub, prepare: Callable[[int], list[dict[str, Any]]], units: int, at_once: int = 1
) -> dict[str, float]:
    """CPU and AWS calls of an event, of which there are `at_once` in a message."""
    app = composition.load("ingest")

    def work(records: list[dict[str, Any]]) -> int:
        answer = app.handler({"Records": records}, composition.Context())
        if answer["batchItemFailures"]:
            raise RuntimeError(f"not all were taken: {answer}")
        return len(records) * at_once

    gc.freeze()
    us = cpu_us(work, prepare, warm_up=100, units=units)
    stub.calls()
    done = work(prepare(10**6))
    return {"us": us, "calls": sum(stub.calls().values()) / done}


def rollup(stub: Stub, *, webhooks: int, units: int) -> dict[str, float]:
    """The table's stream, 500 changes at once, of events that so many webhooks got at the first try; a delivery."""
    from tests.fakes.stream_source import lambda_records
    from tests.fakes.world import TABLE, World

    world = World(keeps_stream=True)
    for number in range(webhooks):
        world.owners.register(f"w{number}")
    world.dynamodb.tables[TABLE].stream.clear()
    world.publish(*[{**corpus.SMALL, "workspace_id": 1, "user_id": 7}] * -(-1_000 // webhooks))
    world.run()
    records = lambda_records(world.dynamodb.tables[TABLE])
    changes = len(records) / len(world.deliveries())  # of one delivery
    composition.configure(stub)
    app = composition.load("rollup")

    def work(number: int) -> int:
        start = number * ROLLUP_BATCH % (len(records) - ROLLUP_BATCH + 1)
        batch = records[start : start + ROLLUP_BATCH]
        if app.handler({"Records": batch}, composition.Context())["batchItemFailures"]:
            raise RuntimeError("not all were added up")
        return round(len(batch) / changes)

    gc.freeze()
    return {"us": cpu_us(work, lambda number: number, warm_up=1, units=units)}


def api(stub: Stub, *, call: str, units: int, kilobytes: int = 2, keyed: bool = True) -> dict[str, float]:
    """POST /events with one event or with 100, or POST /webhooks, as API Gateway hands it over. `keyed`: with an
    idempotency key, for which recorded events are looked at."""
    composition.configure(stub)
    composition.seed_webhooks(stub, [])
    app = composition.load("api")
    if call == "POST /webhooks":
        event = _request("api_create_webhook", "webhooks")
    else:
        count = 100 if call.endswith("100") else 1
        event = _request("api_publish_events", "events:write:any")
        found = corpus.events(kilobytes)
        events = [{**found[n % len(found)], "workspace_id": 456, "user_id": 789} for n in range(count)]
        event["body"] = json.dumps({"events": events})
        if not keyed:
            del event["headers"]["Idempotency-Key"]

    def work(_number: int) -> int:
        answer = app.handler(event, composition.Context())
        if answer["statusCode"] not in (201, 202):
            raise RuntimeError(f"{answer['statusCode']}: {answer['body']}")
        return 1

    return {"us": cpu_us(work, lambda number: number, warm_up=10, units=units)}


def _request(sample: str, scope: str) -> dict[str, Any]:
    event = json.loads((PROJECT / "events" / f"{sample}.json").read_text())
    authorizer = event["requestContext"]["authorizer"]
    authorizer["scope"] = f"{authorizer.get('scope', '')} {scope}".strip()
    authorizer["expires_at"] = str(int(time.time()) + 36_000)
    return event


def release(stub: Stub, *, waiting: int, units: int) -> dict[str, float]:
    """Runs of release with so many deliveries due. `per_second`: what a second of a whole core lets go of."""
    composition.configure(stub)
    ids = composition.seed_webhooks(stub, [stub.url(tls=False)] * 5)
    items: list[Item] = []
    queries: dict[str, list[Item]] = {}
    for number in range(waiting):
        record = _waiting(ids[number % len(ids)], number)
        key = delivery_key(record.webhook_id, record.delivery_id)
        stored = delivery_item(record, 0)
        shown = {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
        items.append({name: _plain(value) for name, value in stored.items()} | shown)
        queries.setdefault(stored[schema.WAITING_KEY]["S"], []).append(shown)
    for start in range(0, waiting, 500):
        stub.control("Seed", items=items[start : start + 500])
    stub.control("Seed", queries=queries)
    app = composition.load("release")

    def work(_number: int) -> int:
        report = app.handler({}, composition.Context())
        if report["due"] != waiting:
            raise RuntimeError(f"not all were released: {report}")
        return waiting

    us = cpu_us(work, lambda number: number, warm_up=1, units=units)
    stub.calls()
    work(0)
    return {"us": us, "calls": sum(stub.calls().values()) / waiting}


def _waiting(webhook_id: str, number: int) -> DeliveryRecord:
    made_ms = composition.now_ms()
    begun = DeliveryRecord(new_id("dlv", made_ms), webhook_id, f"evt_{number:026d}", "record.updated", "ws:456")
    body = json.dumps(corpus.events(2)[number % 20]).encode()
    return parked(begun, Waiting("due", made_ms, "http_503"), body).changed(revision=1)


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: base64.b64encode(each).decode() if kind == "B" else each for kind, each in value.items()}

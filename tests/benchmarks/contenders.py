"""The three ways to deliver a batch that the sender benchmark compares. Each answers {"us": CPU a delivery}."""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import json
import os
import ssl
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import composition, corpus
from tests.benchmarks.measuring import Stub, cpu_us
from webhooks.ids import delivery_id
from webhooks.messages import DeliveryMessage
from webhooks.payload import serialise

WEBHOOKS = 5  # that the deliveries of a batch belong to


def ours(
    stub: Stub, *, batch: int, tls: bool, latency_ms: int, units: int, kilobytes: int = 2, ed25519: bool = False
) -> dict[str, float]:
    """functions/sender as its app.py has it."""
    composition.configure(stub)
    asks = {"ed25519": {"BOOL": True}} if ed25519 else {}
    ids = composition.seed_webhooks(stub, [stub.url(tls=tls, latency_ms=latency_ms)] * WEBHOOKS, **asks)
    handler = composition.sender(stub.authority)
    made_ms = composition.now_ms()

    def prepare(number: int) -> list[dict[str, Any]]:
        return [
            composition.delivery_record(message(f"evt_{number:020d}{n:06d}", ids[n % WEBHOOKS], made_ms, n, kilobytes))
            for n in range(batch)
        ]

    def work(records: list[dict[str, Any]]) -> int:
        answer = handler({"Records": records}, composition.Context())
        if answer["batchItemFailures"]:
            raise RuntimeError(f"not all were delivered: {answer}")
        return batch

    us = cpu_us(work, prepare, warm_up=0 if latency_ms else 200, units=units)
    stub.calls()
    done = work(prepare(10**6))
    return {"us": us, "calls": sum(stub.calls().values()) / done}


def message(event_id: str, webhook_id: str, made_ms: int, number: int, kilobytes: int = 2) -> DeliveryMessage:
    """A delivery message of the corpus."""
    identifier = delivery_id(made_ms, "ws:456", event_id, webhook_id)
    bodies = _bodies(kilobytes)
    body = bodies[number % len(bodies)]
    return DeliveryMessage(
        identifier, webhook_id, event_id, "record.updated", "ws:456", "g" * 32, body, cycle_started_at_ms=made_ms
    )


@functools.cache
def _bodies(kilobytes: int) -> list[str]:
    return [serialise({"id": "evt_00000000000000000000000000", **each}).decode() for each in corpus.events(kilobytes)]


def _records(batch: int, kilobytes: int, number: int) -> list[dict[str, Any]]:
    bodies = _bodies(kilobytes)
    return [{"messageId": f"{number}-{n}", "body": bodies[n % len(bodies)]} for n in range(batch)]


def _sign(body: str) -> dict[str, str]:
    timestamp = str(int(time.time()))
    digest = hmac.new(b"secret" * 5, f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Signature": f"sha256={digest}", "X-Timestamp": timestamp}


def reference(
    stub: Stub, *, batch: int, tls: bool, latency_ms: int, units: int, kilobytes: int = 2
) -> dict[str, float]:
    """The loop that others are measured by: aiohttp, parse + sign + POST, one boto3 BatchWriteItem per 25."""
    composition.configure(stub)
    import aiohttp
    import boto3

    client: Any = boto3.client("dynamodb")
    loop = asyncio.new_event_loop()
    url = stub.url(tls=tls, latency_ms=latency_ms)
    context = ssl.create_default_context(cafile=stub.authority)

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))

    session = loop.run_until_complete(opened())

    async def post(record: dict[str, Any]) -> int:
        json.loads(record["body"])
        async with session.post(url, data=record["body"].encode(), headers=_sign(record["body"])) as answer:
            await answer.read()
            return answer.status

    async def all_of(records: list[dict[str, Any]]) -> list[int]:
        return list(await asyncio.gather(*(post(record) for record in records)))

    def work(records: list[dict[str, Any]]) -> int:
        statuses = loop.run_until_complete(all_of(records))
        for start in range(0, batch, 25):
            puts = [_put(r, s) for r, s in zip(records[start : start + 25], statuses[start : start + 25], strict=True)]
            client.batch_write_item(RequestItems={"t": puts})
        return batch

    prepare = functools.partial(_records, batch, kilobytes)
    us = cpu_us(work, prepare, warm_up=0 if latency_ms else 200, units=units)
    loop.run_until_complete(session.close())
    return {"us": us}


def _put(record: dict[str, Any], status: int) -> dict[str, Any]:
    item = {"pk": {"S": record["messageId"]}, "sk": {"S": "d"}, "status": {"N": str(status)},
            "event_id": {"S": "e"}, "at": {"N": "1"}, "webhook_id": {"S": "w"}}  # fmt: skip
    return {"PutRequest": {"Item": item}}


def naive(stub: Stub, *, batch: int, tls: bool, latency_ms: int, units: int) -> dict[str, float]:
    """As one would build it first: httpx as it comes, pynamodb item by item (one read, two writes), a log line each."""
    composition.configure(stub)
    import httpx
    from aws_lambda_powertools import Logger

    logger = Logger(service="naive", stream=Path(os.devnull).open("w"))  # noqa: SIM115
    client = httpx.AsyncClient(timeout=15, verify=ssl.create_default_context(cafile=stub.authority))
    loop = asyncio.new_event_loop()
    url = stub.url(tls=tls, latency_ms=latency_ms)
    model = _model(stub)

    async def post(record: dict[str, Any]) -> None:
        json.loads(record["body"])
        with contextlib.suppress(model.DoesNotExist):
            model.get(record["messageId"], "d")
        item = model(record["messageId"], "d")
        item.save()
        answer = await client.post(url, content=record["body"].encode(), headers=_sign(record["body"]))
        item.status = answer.status_code
        item.save()
        logger.info("delivered", extra={"message_id": record["messageId"], "status": answer.status_code})

    async def all_of(records: list[dict[str, Any]]) -> None:
        await asyncio.gather(*(post(record) for record in records))

    def work(records: list[dict[str, Any]]) -> int:
        loop.run_until_complete(all_of(records))
        return batch

    us = cpu_us(
        work, functools.partial(_records, batch, 2), warm_up=0 if latency_ms else 100, units=max(batch, units // 8)
    )
    loop.run_until_complete(client.aclose())
    return {"us": us}


def _model(stub: Stub) -> Any:
    from pynamodb.attributes import NumberAttribute, UnicodeAttribute
    from pynamodb.models import Model

    class Item(Model):
        """A delivery."""

        class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] - as pynamodb wants it
            """Where it is."""

            table_name = "t"
            host = stub.endpoint
            region = "us-east-1"

        pk = UnicodeAttribute(hash_key=True)
        sk = UnicodeAttribute(range_key=True)
        status = NumberAttribute(default=0)

    return Item

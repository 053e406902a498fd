"""The whole service over metered fakes: events go in, deliveries come out, and the meter has counted all of it."""

import asyncio
import dataclasses
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.cost.metering import Meter, MeteredDynamoDB, MeteredSQS
from tests.fakes.api import Api
from tests.fakes.dynamo_table import Item, Key
from tests.fakes.functions import Functions, Services
from tests.fakes.owners import owner_of
from tests.fakes.stream_source import lambda_records
from tests.fakes.world import BUS, TABLE, World
from webhooks.aws.sqs import Queue, SqsIngest
from webhooks.events.validation import normalise
from webhooks.ids import time_of
from webhooks.management.pulling import Start
from webhooks.models.exchange import Exchange, HttpRequest
from webhooks.models.pull import LAG_MS

FAILING = 0.05  # share of deliveries that need more than one try, where any do
MESSAGE_BYTES = 1_000_000  # SQS takes 1 MiB, and there is an envelope around the events
ROLLUP_BATCH = 500  # the template's RollupMapping
# A receiver behind a proxy, as most are: 15 headers and a body of 4 KiB.
HEADERS = {
    "Date": "Mon, 23 Nov 2026 12:00:00 GMT",
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": "4096",
    "Connection": "keep-alive",
    "Server": "nginx/1.27.2",
    "X-Powered-By": "Express",
    "ETag": 'W/"1000-9tHQvqRXcNwG4sB0YBV9GUYkYfk"',
    "Vary": "Accept-Encoding",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "CF-Cache-Status": "DYNAMIC",
    "CF-RAY": "8e6c5d3f2a1b9c0d-FRA",
    "X-Request-Id": "1f0a6c0e-6f57-4a6e-9b5c-2c1f4a9d7e30",
}


class _Receivers:
    """Every receiver: answers after 100 ms. A share of deliveries, too small to open a circuit, fails the first
    `failures` times, unless it was accepted after `failing_until_ms`. `short_errors`: what fails is answered with an
    error of a line."""

    def __init__(self, world: World, failures: int, *, short_errors: bool = True) -> None:
        self._world = world
        self._short_errors = short_errors
        self.failures = failures
        self.failing_until_ms = 0
        self.failed = 0
        log = [random.Random(number).randbytes(12).hex() for number in range(145)]
        self._body = json.dumps({"ok": True, "log": log})[:4096].encode()

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """The transport port."""
        started_ms = self._world.clock.ms
        await asyncio.sleep(0.1)
        delivery_id = request.headers["X-PyAirtable-Delivery-ID"]
        fails = sum(delivery_id.encode()) % round(1 / FAILING) == 0 and time_of(delivery_id) <= self.failing_until_ms
        status = 500 if fails and int(request.headers["X-PyAirtable-Attempt"]) <= self.failures else 200
        self.failed += status == 500
        identifiers = random.Random(started_ms)  # what differs from one answer to the next
        headers = HEADERS | {
            "CF-RAY": f"{identifiers.randbytes(8).hex()}-FRA",
            "X-Request-Id": str(uuid.UUID(bytes=identifiers.randbytes(16))),
        }
        body = self._body
        if status == 500 and self._short_errors:
            body = json.dumps({"error": "internal server error", "request_id": headers["X-Request-Id"]}).encode()
        return Exchange(started_ms, 100, status, tuple(headers.items()), body)


class _Functions(Functions):
    """Counts what invocations and Lambda's pollers add."""

    def __init__(self, services: Services, meter: Meter) -> None:
        super().__init__(services)
        self._meter = meter

    def invoke(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        self._meter.function = name
        self._meter.invocations[name] += 1
        answer = super().invoke(name, event)
        if name != "rollup" and "Records" in event:  # a stream is not billed by request
            self._meter.polled(event["Records"], len(answer["batchItemFailures"]))
        return answer


class MeteredService:
    """`batch_size` is how full the sender's batches are, and ingest's unless `ingest_batch` says otherwise; `received`
    how many messages a poller gets at once; `variables` what functions get beside their usual environment. Every
    webhook belongs to the workspace of all events."""

    def __init__(
        self,
        *,
        fan_out: int = 1,
        batch_size: int = 10,
        ingest_batch: int | None = None,
        received: Mapping[str, int] | None = None,
        variables: Mapping[str, str] | None = None,
        rate_limit_rps: float | None = None,
        failures: int = 0,
        kind: str = "push",
        short_errors: bool = True,
    ) -> None:
        # What is tried again is not the first on a queue: SQS keeps no order.
        self.world = World(seed=1, batch_size=batch_size, shuffled=failures > 0)
        self.world.dynamodb.tables[TABLE]._keeps_stream = True
        for number in range(fan_out):
            sending: dict[str, Any] = {"rate_limit_rps": rate_limit_rps} if kind == "push" else {}
            self._webhook = self.world.owners.register(f"w{number}", kind=kind, **sending)
        self.world.sources["ingest"].batch_size = ingest_batch or batch_size
        self.meter = Meter(received=received or {})
        self._dynamodb = MeteredDynamoDB(self.world.dynamodb, TABLE, self.meter)
        self._sqs = MeteredSQS(self.world.sqs, self.meter)
        self.receivers = _Receivers(self.world, 0, short_errors=short_errors)
        transport: Any = self.receivers
        services = dataclasses.replace(self.world.services, dynamodb=self._dynamodb, sqs=self._sqs, transport=transport,
            variables=variables or {},
        )  # fmt: skip
        self._services = services
        self.world.functions = _Functions(services, self.meter)
        self.warm_up()
        self.receivers.failures = failures

    def warm_up(self) -> None:
        """Caches are filled, as they are in a process that lives for an hour; nothing of it counts."""
        self.publish_over_http([{"type": "record.created", "workspace_id": 1, "user_id": 7}])
        self.run()
        self.world.dynamodb.tables[TABLE].stream.clear()
        for field in dataclasses.fields(Meter):
            if field.name not in ("function", "received"):
                getattr(self.meter, field.name).clear()

    @property
    def items(self) -> Mapping[Key, Item]:
        """The table's."""
        return self.world.dynamodb.tables[TABLE].items

    def publish_over_http(self, events: Sequence[Mapping[str, Any]]) -> None:
        """One POST /events of the platform itself, which needs no item of the table."""
        self.meter.function = "api"
        self.meter.invocations["api"] += 1
        token = f"pub_{self.world.random.getrandbits(60):026x}"
        timestamp = "2026-01-01T00:00:00Z"
        given = [
            normalise(each, default_id=f"{token[:-3]}{n:03d}".replace("pub", "evt"), default_timestamp=timestamp)
            for n, each in enumerate(map(_of_the_workspace, events))
        ]
        SqsIngest(Queue(self._sqs, self.world.ingest_queue.url)).publish(given, token)

    def publish_on_the_queue(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Messages of the platform itself, with as many of the events in each as fit."""
        self.meter.function = "platform"
        given = list(map(_of_the_workspace, events))
        largest = max(len(json.dumps(each)) for each in given)
        at_once = max(1, MESSAGE_BYTES // largest)
        for start in range(0, len(given), at_once):
            token = f"t{self.world.random.getrandbits(60):x}"
            body = json.dumps({"token": token, "events": given[start : start + at_once]})
            self._sqs.send_message_batch(
                QueueUrl=self.world.ingest_queue.url, Entries=[{"Id": "0", "MessageBody": body}]
            )

    def publish_on_the_bus(self, events: Sequence[Mapping[str, Any]]) -> None:
        """PutEvents, whose rule sends each event to the ingest queue; the rule's own sending costs nothing."""
        for each in map(_of_the_workspace, events):
            detail = json.dumps(each, separators=(",", ":"))
            entry = {"Source": "pyairtable", "DetailType": each["type"], "Detail": detail, "EventBusName": BUS}
            self.world.events.put_events(Entries=[entry])

    def run_on(self, for_ms: int) -> None:
        """A stretch of a steady stream: what is on the queues goes on in full batches, and the rest waits for more."""
        until_ms = self.world.clock.ms + for_ms
        self.world.work("ingest")
        sender = self.world.sources["sender"]
        messages = sender.queue.messages.values()
        while sum(each.visible_at_ms <= self.world.clock.ms for each in messages) >= sender.batch_size:
            self.world.poll("sender")
        self.world.clock.advance_to(max(until_ms, self.world.clock.ms))

    def run(self) -> None:
        """Everything to its end, and the stream of it added up."""
        self.world.work("ingest")  # or the sender's batches would be no fuller than ingest's
        self.world.run()
        records = lambda_records(self.world.dynamodb.tables[TABLE])
        for start in range(0, len(records), ROLLUP_BATCH):
            batch = json.loads(json.dumps(records[start : start + ROLLUP_BATCH]))
            if self.world.functions.invoke("rollup", {"Records": batch})["batchItemFailures"]:
                raise RuntimeError("rollup did not add up everything")

    def read(self, at_once: int) -> int:
        """All that the webhook has to read, as a consumer does that commits each page; how many events that was."""
        self.world.clock.sleep(LAG_MS / 1000 + 1)
        pulling = Api(dataclasses.replace(self._services, sqs=self.world.sqs)).use_cases.pulling
        who, webhook_id, read = owner_of(self._webhook), self._webhook.webhook_id, 0
        self.meter.function = "api"
        start = Start(consumer="c")
        while True:
            page = pulling.read(who, webhook_id, start, at_once, 0)
            pulling.commit(who, webhook_id, "c", page.next_cursor)
            self.meter.invocations["api"] += 2
            read += len(page.items)
            if not page.has_more:
                return read
            start = Start(after=page.next_cursor)


def idle_release() -> Meter:
    """One run of release when there is nothing to do."""
    service = MeteredService()
    service.world.functions.invoke("release", {})
    return service.meter


def _of_the_workspace(event: Mapping[str, Any]) -> dict[str, Any]:
    return {**event, "workspace_id": 1, "user_id": 7}

"""The whole service over the fakes, put together as functions/*/composition.py do.

A `World` has the AWS side and the receivers; its functions are processes, each with caches of its own, which can die
and start again. One process a function does all the work, one batch at a time, and time passes when it waits.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.fakes.api import Api
from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.event_source import Crash, EventSource
from tests.fakes.eventbridge import FakeEventBridge
from tests.fakes.faults import FaultyClient, Plan
from tests.fakes.functions import Functions, Services
from tests.fakes.kms import FakeKMS
from tests.fakes.receivers import FakeReceivers, FromStaticAddresses
from tests.fakes.sqs import FakeQueue, FakeSQS, Message
from tests.fakes.stream_source import lambda_records
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.events.validation import MAX_EVENTS
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.event import EventRecord
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.store.dead_letters import dead_letter_of
from webhooks.store.delivery_items import delivery_of
from webhooks.store.dynamo import DynamoTable, Key
from webhooks.store.events import event_of
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.states import state_key, state_of

TABLE = "webhooks"
BUS = "events"
MINUTE_MS = 60_000


class World:
    """`plan` says what goes wrong at the calls of the functions; the world's own calls never fail. `static_egress`: it
    has the sender with static addresses."""

    def __init__(
        self,
        seed: int = 0,
        *,
        plan: Plan | None = None,
        batch_size: int = 10,
        index_lag_ms: Callable[[], int] = lambda: 0,
        duplicates: float = 0.0,
        shuffled: bool = False,
        partition_writes: int | None = None,
        keeps_stream: bool = False,
        cpu_seconds: Callable[[], float] = float,
        static_egress: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.clock = Clock()
        self.dynamodb = FakeDynamoDB(
            self.clock,
            TABLE,
            index_lag_ms=index_lag_ms,
            partition_writes=partition_writes,
            keeps_stream=keeps_stream,
        )
        self.sqs = FakeSQS(self.clock, rng=self.random if shuffled or duplicates else None, duplicates=duplicates)
        self._add_queues(static_egress)
        sources = ("pyairtable", "pyairtable.webhooks")
        self.events = FakeEventBridge(self.clock, BUS, sources, self.sqs, self.ingest_queue.url)
        self.receivers = FakeReceivers(self.clock)
        self.clients = {
            name: FaultyClient(client, name, plan or _no_fault)
            for name, client in (
                ("dynamodb", self.dynamodb),
                ("sqs", self.sqs),
                ("events", self.events),
                ("kms", FakeKMS()),
            )
        }
        urls = {
            "ingest": self.ingest_queue.url,
            "ingest_dead": self.ingest_dead_letter_queue.url,
            "delivery": self.delivery_queue.url,
            "dead": self.dead_letter_queue.url,
            "jobs": self.jobs_queue.url,
        }
        if self.static_delivery_queue is not None:
            urls["static"] = self.static_delivery_queue.url
        self.services = Services(
            self.clock, self.clients["dynamodb"], self.clients["sqs"], self.clients["events"], self.receivers, urls,
            table_name=TABLE, bus_name=BUS, random=self.random.random, cpu_seconds=cpu_seconds,
            static_transport=FromStaticAddresses(self.receivers),
        )  # fmt: skip
        self.functions = Functions(self.services)
        raw = replace(self.services, dynamodb=self.dynamodb, sqs=self.sqs, events=self.events)
        self.owners = Api(raw).owners
        self._jobs = ReplayJobStore(DynamoTable(self.dynamodb, TABLE), 30 * 86_400_000, self.clock.now_ms)
        self.sources = self._mappings(batch_size)

    def _add_queues(self, static_egress: bool) -> None:
        def queue(name: str, dead: FakeQueue | None = None, count: int = 0, days: int = 10) -> FakeQueue:
            return self.sqs.add(FakeQueue(name, 370, days * 86_400, dead, count))

        self.ingest_dead_letter_queue = queue("ingest-dead", days=14)
        self.dead_letter_queue = queue("dead", days=14)
        self.jobs_dead_letter_queue = queue("jobs-dead", days=14)
        self.ingest_queue = queue("ingest", self.ingest_dead_letter_queue, 10)
        self.delivery_queue = queue("delivery", self.dead_letter_queue, 100)
        self.static_delivery_queue = queue("static", self.dead_letter_queue, 100) if static_egress else None
        self.jobs_queue = queue("jobs", self.jobs_dead_letter_queue, 10)

    def _mappings(self, batch_size: int) -> dict[str, EventSource]:
        def source(queue: FakeQueue, name: str, size: int) -> EventSource:
            return EventSource(self.sqs, queue, lambda event: self.functions.invoke(name, event), size)

        static = self.static_delivery_queue
        return {
            "ingest": source(self.ingest_queue, "ingest", batch_size),
            "sender": source(self.delivery_queue, "sender", batch_size),
            **({} if static is None else {"static_sender": source(static, "static_sender", batch_size)}),
            "dead_letter_writer": source(self.dead_letter_queue, "replay", 10),
            "jobs": source(self.jobs_queue, "replay", 1),
        }

    # ---- what users and the platform do

    def publish(self, *events: Mapping[str, Any], token: str | None = None, **more: object) -> None:
        """Events by way of the ingest queue, as the API and platforms send them, with `more` in the message."""
        for start in range(0, len(events), MAX_EVENTS):
            name = token or f"t{self.random.getrandbits(60):x}"
            document = {"token": f"{name}{start or ''}", "events": events[start : start + MAX_EVENTS], **more}
            entry = {"Id": "0", "MessageBody": json.dumps(document)}
            self.sqs.send_message_batch(QueueUrl=self.ingest_queue.url, Entries=[entry])

    def put_event(self, *events: Mapping[str, Any]) -> None:
        """Events by way of EventBridge, at most 10."""
        same = {"Source": "pyairtable", "EventBusName": BUS}
        self.events.put_events(
            Entries=[{**same, "DetailType": each["type"], "Detail": json.dumps(each)} for each in events]
        )

    def start_replay(
        self, job_id: str, webhook: Webhook, rate_per_second: float = 10, *, with_missed: bool = False
    ) -> None:
        """A replay job over all dead letters of a webhook, and maybe what it missed, as the API starts it."""
        now_ms = self.clock.ms
        job = ReplayJob(
            job_id,
            webhook.webhook_id,
            webhook.owner,
            ReplaySelection(),
            rate_per_second,
            now_ms,
            now_ms,
            with_missed=with_missed,
            scope=webhook.scope,
        )
        self._jobs.create(job)
        self.send_raw(self.jobs_queue, json.dumps({"job_id": job_id}))

    def replay_jobs(self) -> list[ReplayJob]:
        """All of them."""
        found = (self._jobs.get(item["pk"]["S"]) for item in self.items("job"))
        return [job for job in found if job is not None]

    def unfinished_replays(self) -> list[str]:
        """Jobs that are neither completed nor failed."""
        return [job.job_id for job in self.replay_jobs() if job.status not in ("completed", "failed")]

    # ---- time passes

    def poll(self, name: str) -> int:
        """One batch of one function; returns its size."""
        return self.sources[name].poll()

    def poll_through(self, name: str) -> int:
        """The same; a crash starts a new process and leaves the batch to the visibility timeout."""
        try:
            return self.poll(name)
        except Crash:
            self.functions.restart(name)
            return 1

    def work(self, *names: str) -> None:
        """All that can be done now, by these functions (default: all but release)."""
        busy = True
        while busy:
            batches = [self.poll_through(name) for name in names or self.sources]
            busy = any(batches)

    def run(self, *, until_ms: int | None = None, for_ms: int | None = None) -> None:
        """Live on: batches as they become visible, release each minute. Ends at a time, or when nothing is pending."""
        end_ms = until_ms if until_ms is not None else self.clock.ms + (for_ms or 400 * 86_400_000)
        next_release_ms = (self.clock.ms // MINUTE_MS + 1) * MINUTE_MS
        while True:
            self.work()
            if until_ms is None and for_ms is None and self.is_quiet():
                return
            moments = [m for s in self.sources.values() if (m := self.sqs.next_visible_ms(s.queue)) is not None]
            moment = min([*moments, next_release_ms])
            if moment >= end_ms:
                self.clock.advance_to(end_ms)
                return
            self.clock.advance_to(moment)
            if self.clock.ms >= next_release_ms:
                self.release()
                next_release_ms = (self.clock.ms // MINUTE_MS + 1) * MINUTE_MS

    def release(self) -> Mapping[str, Any]:
        """One run of release; a crash ends it."""
        try:
            return self.functions.invoke("release", {})
        except Crash:
            self.functions.restart("release")
            return {}

    def roll_up(self) -> None:
        """What the table's stream holds goes through rollup, which has to take it."""
        records = lambda_records(self.dynamodb.tables[TABLE])
        self.dynamodb.tables[TABLE].stream.clear()
        for start in range(0, len(records), 100):
            batch = json.loads(json.dumps(records[start : start + 100]))
            if self.functions.invoke("rollup", {"Records": batch})["batchItemFailures"]:
                raise RuntimeError("rollup did not take everything")

    def is_quiet(self) -> bool:
        """Nothing is on a queue that a function reads, nothing waits outside."""
        queued = any(source.queue.messages for source in self.sources.values())
        return not queued and not any(record.waiting for record in self.deliveries())

    # ---- what is there

    def item(self, key: Key) -> dict[str, Any] | None:
        """An item of the table."""
        return self.dynamodb.tables[TABLE].get(key)

    def items(self, prefix: str) -> list[dict[str, Any]]:
        """Items whose sort key begins so."""
        found = self.dynamodb.tables[TABLE].all_items()
        return [dict(item) for (_, sk), item in found if sk.startswith(prefix)]

    def deliveries(self) -> list[DeliveryRecord]:
        """All delivery records."""
        return sorted(map(delivery_of, self.items("dlv#")), key=lambda record: record.delivery_id)

    def delivery(self) -> DeliveryRecord:
        """The only delivery record."""
        (record,) = self.deliveries()
        return record

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters."""
        return sorted(map(dead_letter_of, self.items("dead#")), key=lambda letter: letter.delivery_id)

    def event_records(self) -> list[EventRecord]:
        """All event records."""
        found = self.dynamodb.tables[TABLE].all_items()
        return [event_of(item) for (pk, _), item in found if pk.startswith("event|")]

    def state(self, webhook_id: str) -> EndpointState:
        """A webhook's live state."""
        return state_of(self.item(state_key(webhook_id)))

    def messages(self, queue: FakeQueue) -> Sequence[Message]:
        """What is on a queue, visible or not."""
        return list(queue.messages.values())

    def send_raw(self, queue: FakeQueue, body: str, meta: str | None = None) -> None:
        """A message of any content."""
        entry: dict[str, Any] = {"Id": "0", "MessageBody": body}
        if meta is not None:
            entry["MessageAttributes"] = {"meta": {"DataType": "String", "StringValue": meta}}
        self.sqs.send_message_batch(QueueUrl=queue.url, Entries=[entry])

    def announced(self) -> list[tuple[str, Mapping[str, Any]]]:
        """(type, data) of our own operational events on the bus."""
        entries = [each for each in self.events.taken if each["Source"] == "pyairtable.webhooks"]
        return [(each["DetailType"], json.loads(each["Detail"])["data"]) for each in entries]


def _no_fault(_call: str) -> None:
    return None


def event(event_id: str | None = None, event_type: str = "record.created", **changes: Any) -> dict[str, Any]:
    """An event of workspace 1."""
    document = {
        "type": event_type,
        "resource_id": "tbl_1",
        "workspace_id": 1,
        "user_id": 7,
        "timestamp": "2025-10-09T08:00:00Z",
        "data": {"fields": {"name": "Ann", "age": 7}},
        **changes,
    }
    return {"id": event_id, **document} if event_id else document


def events(count: int, start: int = 0, **changes: Any) -> Iterable[dict[str, Any]]:
    """Many of them: e0, e1, ..."""
    return [event(f"e{start + number}", **changes) for number in range(count)]

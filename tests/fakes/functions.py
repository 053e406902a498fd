"""The Lambda functions over given clients: compositions and handlers as in functions/*/app.py."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fakes.clock import Clock
from tests.fakes.kms import FakeKMS
from tests.fakes.receivers import FakeReceivers
from tests.fakes.virtual_loop import VirtualLoop
from webhooks.aws.eventbridge import EventBridgeBus
from webhooks.aws.kms import KmsSecretBox
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsIngest, SqsJobs
from webhooks.delivery import circuit_breaker
from webhooks.delivery.admission import Admission, SenderPolicy
from webhooks.delivery.conclusion import Conclusion
from webhooks.delivery.dispatcher import Sender
from webhooks.delivery.endpoint_health import EndpointHealth
from webhooks.delivery.release import Release
from webhooks.errors import Unavailable
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.ingestion import Ingestion
from webhooks.matching.route_cache import RouteCache
from webhooks.messages import failures, received_deliveries, received_text
from webhooks.recovery.dead_letter_writer import DeadLetterWriter
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_jobs import ReplayJobs
from webhooks.recovery.replay_source import ReplaySource
from webhooks.request.signed_request import RequestSigner
from webhooks.statistics.rollup import Rollup
from webhooks.store import schema
from webhooks.store.data_key import DataKeyStore
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.disabling import WebhookDisabler
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.missed import MissedStore
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.routes import RouteStore
from webhooks.store.states import StateStore
from webhooks.store.statistics import StatisticsStore
from webhooks.store.stream import stream_records
from webhooks.store.waiting import DUE_SHARDS, WaitingStore

Handler = Callable[[Mapping[str, Any]], dict[str, Any]]
DAY_MS = 86_400_000
RELEASE_MS, REPLAY_MS = 45_000, 45_000  # the functions' timeouts less their margins


@dataclass(frozen=True, slots=True)
class Services:
    """Clients and settings that all functions share. `pass_ms` is how a waiting sender lets time pass."""

    clock: Clock
    dynamodb: Any
    sqs: Any
    events: Any
    transport: FakeReceivers
    urls: Mapping[str, str]
    table_name: str
    bus_name: str
    random: Callable[[], float]
    sleep: Callable[[float], None] | None = None
    pass_ms: Callable[[int], None] | None = None
    retry_base_seconds: float = 5
    max_wait_days: int = 14
    retention_ms: int = 30 * DAY_MS
    circuit: circuit_breaker.Policy = field(default_factory=circuit_breaker.Policy)
    kms: Any = field(default_factory=FakeKMS)

    def table(self) -> DynamoTable:
        """The table."""
        return DynamoTable(self.dynamodb, self.table_name, sleep=self.sleep or self.clock.sleep)

    def queue(self, name: str) -> Queue:
        """One of the queues."""
        return Queue(self.sqs, self.urls[name], sleep=self.sleep or self.clock.sleep)


def ingest(services: Services) -> Handler:
    """functions/ingest/app.py"""
    table = services.table()
    ingestion = Ingestion(
        RouteCache(RouteStore(table)),
        EventStore(table, services.retention_ms),
        SqsDeliveries(services.queue("delivery")),
        SqsIngest(services.queue("ingest")),
        SqsIngest(services.queue("ingest_dead")),
        event_types=DEFAULT_EVENT_TYPES,
        now_ms=services.clock.now_ms,
    )

    def handler(event: Mapping[str, Any]) -> dict[str, Any]:
        return failures(ingestion.ingest([received_text(record) for record in event["Records"]]).failed)

    return handler


def sender(services: Services) -> Handler:
    """functions/sender/app.py"""
    now_ms, table = services.clock.now_ms, services.table()
    store, states, data_key = (
        DeliveryContextStore(table, services.retention_ms, now_ms),
        StateStore(table),
        DataKeyStore(table),
    )
    box = KmsSecretBox(services.kms, data_key.load, data_key.store_if_absent, "key")
    dead_letters = SqsDeliveries(services.queue("dead"))
    policy = SenderPolicy(services.retry_base_seconds, services.max_wait_days * DAY_MS)
    conclusion = Conclusion(
        store,
        states,
        SqsDeliveries(services.queue("delivery")),
        dead_letters,
        EndpointHealth(states, WebhookDisabler(table), services.circuit),
        now_ms=now_ms,
    )
    use_case = Sender(
        store,
        Admission(states, policy, now_ms=now_ms),
        services.transport,
        RequestSigner(box, prefix="X-PyAirtable", user_agent="PyAirtable-Webhooks/1.0"),
        conclusion,
        policy,
        now_ms=now_ms,
        random=services.random,
    )
    loop = VirtualLoop(services.clock, services.pass_ms)

    def handler(event: Mapping[str, Any]) -> dict[str, Any]:
        batch, unreadable = received_deliveries(event["Records"])
        try:
            report = loop.run_until_complete(use_case.deliver(batch))
        except BaseException:
            loop.abandon()
            raise
        try:
            dead_letters.pass_on(unreadable)
        except Unavailable:
            report.again.update(each.message_id for each in unreadable)
        return failures(report.again)

    return handler


def release(services: Services) -> Handler:
    """functions/release/app.py"""
    now_ms, table = services.clock.now_ms, services.table()
    use_case = Release(
        WaitingStore(table, services.retention_ms, now_ms),
        StateStore(table),
        SqsDeliveries(services.queue("delivery")),
        shards=DUE_SHARDS,
        now_ms=now_ms,
    )
    return lambda _event: asdict(use_case.run(now_ms() + RELEASE_MS))


def replay(services: Services) -> Handler:
    """functions/replay/app.py"""
    now_ms, table = services.clock.now_ms, services.table()
    store = DeliveryContextStore(table, services.retention_ms, now_ms)
    letters = DeadLetterStore(table, services.retention_ms, now_ms)
    publisher = EventBridgeBus(lambda: services.events, services.bus_name, "pyairtable")
    dead_letter_writer = DeadLetterWriter(store, letters, publisher, now_ms=now_ms)
    jobs = ReplayJobs(
        ReplayJobStore(table, services.retention_ms, now_ms),
        ReplaySource(letters, MissedStore(table, now_ms)),
        Replayer(store, letters, SqsDeliveries(services.queue("delivery")), now_ms=now_ms),
        SqsJobs(services.queue("jobs")),
        now_ms=now_ms,
    )

    def run_jobs(records: list[dict[str, Any]]) -> list[str]:
        failed: list[str] = []
        for record in records:
            try:
                jobs.run(json.loads(record["body"])["job_id"], now_ms() + REPLAY_MS)
            except (Unavailable, ValueError, KeyError, TypeError):
                failed.append(record["messageId"])
        return failed

    def bury(records: list[dict[str, Any]]) -> list[str]:
        batch, unreadable = received_deliveries(records)
        try:
            for each in unreadable:
                letters.keep_unreadable(each.message_id, each.record["body"], each.meta, each.reason)
            dead_letter_writer.bury(batch)
        except Unavailable:
            return [record["messageId"] for record in records]
        return []

    def handler(event: Mapping[str, Any]) -> dict[str, Any]:
        records: list[dict[str, Any]] = event["Records"]
        is_job = records[0]["eventSourceARN"].rsplit(":", 1)[-1] == services.urls["jobs"].rsplit("/", 1)[-1]
        return failures(run_jobs(records) if is_job else bury(records))

    return handler


def rollup(services: Services) -> Handler:
    """functions/rollup/app.py"""
    store = StatisticsStore(
        services.table(),
        shard=int(services.random() * schema.COUNTER_SHARDS),
        retention_ms=services.retention_ms,
        now_ms=services.clock.now_ms,
    )
    use_case = Rollup(
        store,
        EventBridgeBus(lambda: services.events, services.bus_name, "pyairtable"),
        sleep=services.sleep or services.clock.sleep,
        random=services.random,
        now_ms=services.clock.now_ms,
    )

    def handler(event: Mapping[str, Any]) -> dict[str, Any]:
        records, _unreadable = stream_records(event["Records"])
        report = use_case.add_up(records)
        return failures([] if report.failed_from is None else [report.failed_from])

    return handler


COMPOSITIONS: Mapping[str, Callable[[Services], Handler]] = {
    "ingest": ingest,
    "sender": sender,
    "release": release,
    "replay": replay,
    "rollup": rollup,
}


class Functions:
    """One process a function, made when it is first needed."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._processes: dict[str, Handler] = {}

    def invoke(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Run the function's handler."""
        if name not in self._processes:
            self._processes[name] = COMPOSITIONS[name](self.services)
        return self._processes[name](event)

    def restart(self, name: str) -> None:
        """The process is gone; the next invocation has a new one. Mappings of `replay` have two names."""
        self._processes.pop({"dead_letter_writer": "replay", "jobs": "replay"}.get(name, name), None)

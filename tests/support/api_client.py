"""The API without a network: requests as API Gateway hands them over, use cases over fakes."""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aws_lambda_powertools import Logger

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.support.api_function import api, composition
from tests.support.history_fakes import (
    MemoryDeliveryQueue,
    MemoryErasures,
    MemoryEvents,
    MemoryHistory,
    MemoryJobs,
    MemoryLetters,
    MemoryMissed,
    MemoryPayloads,
    MemoryRepeats,
    MemoryRoutes,
)
from tests.support.management_fakes import (
    EchoSender,
    MemoryIngest,
    MemoryManagementStore,
    MemoryRequestCounts,
    MemorySlots,
    PlainBox,
)
from tests.support.statistics_fakes import MemoryStates, MemoryStatistics
from webhooks.payload import dumps
from webhooks.runtime import Runtime
from webhooks.settings import ApiSettings
from webhooks.statistics.prometheus import Gauges
from webhooks.store.api_keys import ApiKeyStore
from webhooks.store.audit import AuditItems, AuditStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.pulls import PullStore
from webhooks.store.signing_keys import SigningKeyStore

NOW = 1_760_000_000_000
DAY_MS = 86_400_000
USER_SCOPES = ("webhooks", "events:write", "metrics:read")


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class ApiClient:
    """An API of its own, and what stands behind it."""

    cors: Collection[str] = ("*",)
    now_ms: int = NOW
    per_second: float = 0
    max_webhooks: int = 1000
    max_tests: tuple[int, int] = (5, 50)  # of one owner, in all
    max_polls: tuple[int, int] = (5, 50)
    max_replays: int = 20
    max_filter_kilobytes: int = 1024
    max_filter_searches: int = 500
    allow_http: bool = False
    list_events: bool = True
    egress_addresses: tuple[str, ...] | None = None  # None: there is no sender with static ones
    store: MemoryManagementStore = field(default_factory=MemoryManagementStore)
    ingest: MemoryIngest = field(default_factory=MemoryIngest)
    sender: EchoSender = field(default_factory=EchoSender)
    checks: dict[str, Any] = field(default_factory=dict)
    events: MemoryEvents = field(default_factory=MemoryEvents)
    repeats: MemoryRepeats = field(default_factory=MemoryRepeats)
    slots: MemorySlots = field(default_factory=MemorySlots)
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    erasures: MemoryErasures = field(default_factory=MemoryErasures)
    statistics: MemoryStatistics = field(default_factory=MemoryStatistics)
    states: MemoryStates = field(default_factory=MemoryStates)
    queues: dict[str, Any] = field(default_factory=dict)
    ages: Callable[[], Mapping[str, float]] = dict
    lags: Callable[[], Mapping[str, int]] = dict
    api_figures: Callable[[], Mapping[str, float]] = dict
    delivery_queue: MemoryDeliveryQueue = field(default_factory=MemoryDeliveryQueue)
    dynamodb: FakeDynamoDB = field(default_factory=lambda: FakeDynamoDB(Clock(), "webhooks"))  # what has no other fake

    def __post_init__(self) -> None:
        def now_ms() -> int:
            return self.now_ms

        self.history = MemoryHistory(self.store, now_ms)
        table, items = DynamoTable(self.dynamodb, "webhooks"), AuditItems(365 * DAY_MS)
        self.api_keys = ApiKeyStore(table, items, now_ms)
        self.audit = AuditStore(table, items, now_ms)
        self.store.audit = self.audit.add
        self.pulls = PullStore(table, 30 * DAY_MS, now_ms)
        settings = ApiSettings(
            table_name="webhooks",
            ingest_queue_url="ingest",
            delivery_queue_url="delivery",
            dead_letter_queue_url="dead",
            jobs_queue_url="jobs",
            sender_function_name="sender",
            data_key_id="key",
            tenant_rate_limit=self.per_second,
            max_webhooks_per_tenant=self.max_webhooks,
            max_tests_per_tenant=self.max_tests[0],
            max_tests=self.max_tests[1],
            max_polls_per_tenant=self.max_polls[0],
            max_polls=self.max_polls[1],
            max_replays_per_tenant=self.max_replays,
            max_filter_kilobytes_per_scope=self.max_filter_kilobytes,
            max_filter_searches_per_scope=self.max_filter_searches,
            egress_allow_http=self.allow_http,
            static_delivery_queue_url=None if self.egress_addresses is None else "static",
            list_events=self.list_events,
            static_egress_addresses=self.egress_addresses or (),
        )
        ports = composition.Ports(
            webhooks=self.store,
            box=PlainBox(),
            states=self.states,
            routes=MemoryRoutes(self.store),
            events=self.events,
            event_lists=self.events,
            repeats=self.repeats,
            contexts=self.history,
            history=self.history,
            letters=MemoryLetters(self.history),
            missed=MemoryMissed(self.events),
            statistics=self.statistics,
            api_keys=self.api_keys,
            signing_keys=SigningKeyStore(table, items),
            audit=self.audit,
            request_counts=MemoryRequestCounts(),
            slots=self.slots,
            pulls=self.pulls,
            jobs=self.jobs,
            jobs_queue=self.jobs,
            erasures=self.erasures,
            payloads=MemoryPayloads(self.history),
            ingest_queue=self.ingest,
            delivery_queue=self.delivery_queue,
            sender=self.sender,
            gauges=Gauges(self.queues, lambda: self.ages(), lambda: self.lags(), lambda: self.api_figures()),
            checks=self.checks,
        )
        self._serve(composition.use_cases(settings, ports, Runtime(now_ms=now_ms)))

    def _serve(self, use_cases: api.UseCases) -> None:
        self.management = use_cases.webhooks
        self.portal_links = use_cases.portal_links
        self.api = api.create(use_cases, self.cors, Logger(service="tested", level="CRITICAL"))

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user_id: str | None = "123",
        scopes: Sequence[str] = USER_SCOPES,
        workspaces: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        expires_in: float | None = None,
        key_id: str | None = None,
    ) -> Answered:
        """A request; `body` is text as it is, or becomes JSON. Paths begin behind /api/v1 unless they begin with //."""
        text = body if isinstance(body, str) or body is None else dumps(body)
        sent = {"Content-Type": "application/json"} if text is not None else {}
        sent.update(headers or {})
        authorizer: dict[str, str] = {}
        if user_id is not None:
            authorizer = {
                "principalId": user_id,
                "user_id": user_id,
                "scopes": " ".join(scopes),
                "workspace_ids": json.dumps(list(workspaces)),
            }
        if key_id is not None:
            authorizer["key_id"] = key_id
        if expires_in is not None:
            authorizer["expires_at"] = str(int(time.time() + expires_in))
        event = {
            "httpMethod": method,
            "path": path[1:] if path.startswith("//") else f"/api/v1{path}",
            "resource": "/{proxy+}",
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": dict(query) if query else None,
            "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} if query else None,
            "body": text,
            "isBase64Encoded": False,
            "requestContext": {
                "requestId": "req-1",
                "stage": "test",
                "path": path,
                "authorizer": authorizer,
                "identity": {"sourceIp": "198.51.100.7"},
            },
        }
        answer = self.api.resolve(event, cast("Any", None))
        flat = {name.lower(): ",".join(values) for name, values in answer["multiValueHeaders"].items()}
        return Answered(answer["statusCode"], flat, answer["body"] or "")

    @classmethod
    def over(cls, use_cases: api.UseCases) -> "ApiClient":
        """An API over other use cases than those over its own fakes."""
        client = cls()
        client._serve(use_cases)
        return client

    def register(self, **changes: Any) -> dict[str, Any]:
        """A registered webhook's answer."""
        caller = {name: changes.pop(name) for name in ("user_id", "workspaces", "scopes") if name in changes}
        answer = self.call(
            "POST", "/webhooks", {"name": "mine", "url": "https://example.com/hook", **changes}, **caller
        )
        assert answer.status == 201, answer.text
        return answer.body

"""The API without a network: requests as API Gateway hands them over, use cases over fakes."""

import json
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.history_fakes import (
    MemoryDeliveryQueue,
    MemoryEvents,
    MemoryHistory,
    MemoryJobs,
    MemoryLetters,
    MemoryMissed,
    MemoryRoutes,
)
from tests.support.management_fakes import (
    EchoSender,
    MemoryIngest,
    MemoryManagementStore,
    MemoryRequestCounts,
    PlainBox,
    Wakes,
)
from tests.support.statistics_fakes import MemoryStates, MemoryStatistics
from webhooks.access.request_limits import RequestLimits
from webhooks.egress.policy import EgressPolicy
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.publishing import Publishing
from webhooks.management.cursors import Cursors
from webhooks.management.dead_letters import DeadLetterManagement
from webhooks.management.deliveries import DeliveryHistory
from webhooks.management.events import EventHistory
from webhooks.management.failure_groups import FailureGroups
from webhooks.management.filter_tests import FilterTests
from webhooks.management.overview import Overviews
from webhooks.management.recovery import Recovery
from webhooks.management.subscriptions import SubscriptionManagement
from webhooks.management.test_events import TestEvents
from webhooks.management.webhook_metrics import WebhookMetrics
from webhooks.management.webhooks import WebhookManagement
from webhooks.matching.route_cache import RouteCache
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_source import ReplaySource
from webhooks.statistics.prometheus import ServiceMetrics

sys.path.append(str(Path(__file__).parents[2] / "functions" / "api"))

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
    def body(self) -> Any:  # noqa: ANN401
        return json.loads(self.text)


@dataclass
class ApiClient:
    """An API of its own, and what stands behind it."""

    cors: Collection[str] = ("*",)
    now_ms: int = NOW
    per_second: float = 0
    max_webhooks: int = 1000
    store: MemoryManagementStore = field(default_factory=MemoryManagementStore)
    wakes: Wakes = field(default_factory=Wakes)
    ingest: MemoryIngest = field(default_factory=MemoryIngest)
    sender: EchoSender = field(default_factory=EchoSender)
    checks: dict[str, Any] = field(default_factory=dict)
    events: MemoryEvents = field(default_factory=MemoryEvents)
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    statistics: MemoryStatistics = field(default_factory=MemoryStatistics)
    states: MemoryStates = field(default_factory=MemoryStates)
    queues: dict[str, Any] = field(default_factory=dict)
    ages: Callable[[], Mapping[str, float]] = dict
    delivery_queue: MemoryDeliveryQueue = field(default_factory=MemoryDeliveryQueue)

    def __post_init__(self) -> None:
        from api import UseCases, create
        from request_limits import RequestLimiter

        box = PlainBox()
        common: dict[str, Any] = {"event_types": DEFAULT_EVENT_TYPES, "now_ms": lambda: self.now_ms}
        self.management = WebhookManagement(
            store=self.store,
            box=box,
            waker=self.wakes,
            policy=EgressPolicy.from_settings(),
            header_prefix="X-PyAirtable",
            retention_ms=30 * DAY_MS,
            max_webhooks=self.max_webhooks,
            **common,
        )

        def now_ms() -> int:
            return self.now_ms

        webhook_metrics = WebhookMetrics(
            store=self.store, statistics=self.statistics, states=self.states, now_ms=now_ms
        )
        self.history = MemoryHistory(self.store, now_ms)
        letters = MemoryLetters(self.history)
        replayer = Replayer(self.history, letters, self.delivery_queue, now_ms=now_ms)
        use_cases = UseCases(
            limiter=RequestLimiter(
                limits=RequestLimits(MemoryRequestCounts(), per_second=self.per_second, now_ms=now_ms),
                header_prefix="X-PyAirtable",
            ),
            webhooks=self.management,
            subscriptions=SubscriptionManagement(store=self.store, **common),
            publishing=Publishing(queue=self.ingest, **common),
            test_events=TestEvents(store=self.store, sender=self.sender, **common),
            events=EventHistory(
                store=self.store,
                events=self.events,
                history=self.history,
                routes=RouteCache(MemoryRoutes(self.store)),
                now_ms=now_ms,
            ),
            deliveries=DeliveryHistory(
                store=self.store,
                history=self.history,
                letters=letters,
                events=self.events,
                replayer=replayer,
                header_prefix="X-PyAirtable",
                user_agent="PyAirtable-Webhooks/1.0",
                now_ms=now_ms,
            ),
            dead_letters=DeadLetterManagement(
                store=self.store,
                history=self.history,
                letters=letters,
                replayer=replayer,
                jobs=self.jobs,
                queue=self.jobs,
                now_ms=now_ms,
            ),
            failures=FailureGroups(store=self.store, history=self.history),
            recovery=Recovery(
                store=self.store,
                outstanding=ReplaySource(letters, MemoryMissed(self.events)),
                replayer=replayer,
                jobs=self.jobs,
                queue=self.jobs,
                now_ms=now_ms,
            ),
            filters=FilterTests(store=self.store, history=self.history, events=self.events, now_ms=now_ms),
            webhook_metrics=webhook_metrics,
            overviews=Overviews(
                webhooks=self.store, statistics=self.statistics, metrics=webhook_metrics, now_ms=now_ms
            ),
            service_metrics=ServiceMetrics(self.statistics, self.queues, lambda: self.ages()),
            cursors=Cursors(box),
            checks=self.checks,
            event_types=DEFAULT_EVENT_TYPES,
        )
        self.api = create(use_cases, self.cors)

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
    ) -> Answered:
        """A request; `body` is text as it is, or becomes JSON. Paths begin behind /api/v1 unless they begin with //."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
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
            "requestContext": {"requestId": "req-1", "stage": "test", "path": path, "authorizer": authorizer},
        }
        answer = self.api.resolve(event, None)
        flat = {name.lower(): ",".join(values) for name, values in answer["multiValueHeaders"].items()}
        return Answered(answer["statusCode"], flat, answer["body"] or "")

    def register(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        """A registered webhook's answer."""
        caller = {name: changes.pop(name) for name in ("user_id", "workspaces", "scopes") if name in changes}
        answer = self.call(
            "POST", "/webhooks", {"name": "mine", "url": "https://example.com/hook", **changes}, **caller
        )
        assert answer.status == 201, answer.text
        return answer.body

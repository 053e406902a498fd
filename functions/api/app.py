"""Lambda: the REST API."""

import os
import time
from functools import partial
from typing import Any

from api import UseCases, create, logger
from probes import queue_check, queue_depth, table_check
from request_limits import RequestLimiter
from webhooks.access.request_limits import RequestLimits
from webhooks.aws.clients import client
from webhooks.aws.cloudwatch import OldestMessages
from webhooks.aws.kms import KmsSecretBox
from webhooks.aws.lambda_sender import READ_TIMEOUT_SECONDS, LambdaSender
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsIngest, SqsJobs
from webhooks.egress.policy import EgressPolicy
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
from webhooks.settings import ApiSettings
from webhooks.statistics.prometheus import ServiceMetrics
from webhooks.store.data_key import DataKeyStore
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.history import HistoryStore
from webhooks.store.management import DynamoManagementStore
from webhooks.store.missed import MissedStore
from webhooks.store.models import bind
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.request_counts import RequestCountStore
from webhooks.store.routes import RouteStore
from webhooks.store.states import StateStore
from webhooks.store.statistics import StatisticsReader


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = ApiSettings.read(os.environ)
logger.setLevel(settings.log_level)
sqs = client("sqs")
dynamodb = client("dynamodb")
table = DynamoTable(dynamodb, settings.table_name)
data_key = DataKeyStore(table)
box = KmsSecretBox(client("kms"), data_key.load, data_key.store_if_absent, settings.data_key_id)
store = DynamoManagementStore(bind(settings.table_name))
history = HistoryStore(table, now_ms)
statistics = StatisticsReader(table)
events = EventStore(table, settings.retention_ms)
letters = DeadLetterStore(table, settings.retention_ms, now_ms)
replayer = Replayer(
    DeliveryContextStore(table, settings.retention_ms, now_ms),
    letters,
    SqsDeliveries(Queue(sqs, settings.delivery_queue_url)),
    now_ms=now_ms,
)
jobs = ReplayJobStore(table, settings.retention_ms, now_ms)
jobs_queue = SqsJobs(Queue(sqs, settings.jobs_queue_url))
once = client("lambda", read_timeout=READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
webhook_metrics = WebhookMetrics(store=store, statistics=statistics, states=StateStore(table), now_ms=now_ms)
queues = {
    "ingest": settings.ingest_queue_url,
    "delivery": settings.delivery_queue_url,
    "dead_letter": settings.dead_letter_queue_url,
    "jobs": settings.jobs_queue_url,
}
api = create(
    UseCases(
        limiter=RequestLimiter(
            limits=RequestLimits(RequestCountStore(table), per_second=settings.tenant_rate_limit, now_ms=now_ms),
            header_prefix=settings.header_prefix,
        ),
        webhooks=WebhookManagement(
            store=store,
            box=box,
            waker=StateStore(table),
            policy=EgressPolicy.from_settings(
                ports=settings.egress_ports,
                allow_http=settings.egress_allow_http,
                networks=settings.egress_allowed_networks,
                own_hosts=settings.own_hosts,
                dns64_prefixes=settings.egress_dns64_prefixes,
            ),
            event_types=settings.event_types,
            header_prefix=settings.header_prefix,
            retention_ms=settings.retention_ms,
            max_webhooks=settings.max_webhooks_per_tenant,
            now_ms=now_ms,
        ),
        subscriptions=SubscriptionManagement(store=store, event_types=settings.event_types, now_ms=now_ms),
        publishing=Publishing(
            queue=SqsIngest(Queue(sqs, settings.ingest_queue_url)), event_types=settings.event_types, now_ms=now_ms
        ),
        test_events=TestEvents(
            store=store,
            sender=LambdaSender(once, settings.sender_function_name),
            event_types=settings.event_types,
            now_ms=now_ms,
        ),
        events=EventHistory(
            store=store, events=events, history=history, routes=RouteCache(RouteStore(table)), now_ms=now_ms
        ),
        deliveries=DeliveryHistory(
            store=store,
            history=history,
            letters=letters,
            events=events,
            replayer=replayer,
            header_prefix=settings.header_prefix,
            user_agent=settings.user_agent,
            now_ms=now_ms,
        ),
        dead_letters=DeadLetterManagement(
            store=store,
            history=history,
            letters=letters,
            replayer=replayer,
            jobs=jobs,
            queue=jobs_queue,
            now_ms=now_ms,
        ),
        failures=FailureGroups(store=store, history=history),
        recovery=Recovery(
            store=store,
            outstanding=ReplaySource(letters, MissedStore(table, now_ms)),
            replayer=replayer,
            jobs=jobs,
            queue=jobs_queue,
            now_ms=now_ms,
        ),
        filters=FilterTests(store=store, history=history, events=events, now_ms=now_ms),
        webhook_metrics=webhook_metrics,
        overviews=Overviews(webhooks=store, statistics=statistics, metrics=webhook_metrics, now_ms=now_ms),
        service_metrics=ServiceMetrics(
            statistics,
            {name: queue_depth(sqs, url) for name, url in queues.items()},
            # Prometheus waits for ten seconds; without CloudWatch it gets the rest soon.
            OldestMessages(
                partial(client, "cloudwatch", connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1}),
                queues,
                now_ms,
            ),
        ),
        cursors=Cursors(box),
        checks={
            "table": table_check(dynamodb, settings.table_name),
            **{f"{name}_queue": queue_check(sqs, url) for name, url in queues.items()},
        },
        event_types=settings.event_types,
    ),
    settings.cors_allowed_origins,
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
    """An API Gateway proxy request in, its response out."""
    return api.resolve(event, context)

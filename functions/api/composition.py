"""The api put together: the parts of AWS that it stands on, the use cases over them, and the routes over those."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

from aws_lambda_powertools import Logger

from api import UseCases, create
from probes import queue_check, queue_depth, table_check
from request_limits import RequestLimiter
from webhooks.access.api_keys import KeyChecks, KeyRecords
from webhooks.access.request_limits import RequestCounts, RequestLimits
from webhooks.access.slots import SlotStore as SlotHolders
from webhooks.aws.clients import Clients
from webhooks.aws.cloudwatch import Figure, Figures, answered, oldest_message
from webhooks.aws.kms import KmsSecretBox
from webhooks.aws.lambda_sender import LambdaSender
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsIngest, SqsJobs
from webhooks.batch_log import Handler
from webhooks.delivery.ports import DeliveryContexts, DeliveryQueue
from webhooks.egress.policy import EgressPolicy
from webhooks.events.publishing import IngestQueue, Publishing
from webhooks.events.repeats import Repeats as PublishedRepeats
from webhooks.management import ports as management
from webhooks.management.api_keys import ApiKeyManagement, ApiKeys
from webhooks.management.audit import AuditEntries, AuditLog
from webhooks.management.bulk_replays import BulkReplays
from webhooks.management.changes import ManagementStore
from webhooks.management.cursors import Cursors
from webhooks.management.dead_letters import DeadLetterManagement
from webhooks.management.deliveries import DeliveryHistory
from webhooks.management.delivery_search import DeliverySearch
from webhooks.management.erasures import DeliveryPayloads as ErasablePayloads
from webhooks.management.erasures import ErasureList, ErasureQueue, EventErasure, EventPayloads, TenantErasures
from webhooks.management.event_search import EventLists, EventSearch
from webhooks.management.events import EventHistory
from webhooks.management.failure_groups import FailureGroups
from webhooks.management.filter_tests import FilterTests
from webhooks.management.limits import Limits
from webhooks.management.members import Members
from webhooks.management.overview import Overviews, OverviewStatistics, OverviewWebhooks
from webhooks.management.portal_links import PortalLinkRecords, PortalLinks
from webhooks.management.pulling import Pulling
from webhooks.management.pulling import Pulls as PulledEvents
from webhooks.management.readiness import Checks, ReadinessProbe
from webhooks.management.recovery import Recovery
from webhooks.management.replays import JobStarter, Replays
from webhooks.management.signing_keys import SigningKeyManagement, SigningKeyRecords
from webhooks.management.subscriptions import SubscriptionManagement
from webhooks.management.tenants import TenantOverviews
from webhooks.management.test_events import TestEvents, UnderWay
from webhooks.management.webhook_metrics import StatisticsReader as WebhookStatistics
from webhooks.management.webhook_metrics import WebhookMetrics
from webhooks.management.webhooks import WebhookManagement
from webhooks.matching.filter_budget import FilterUse
from webhooks.matching.route_cache import RouteCache, RouteSource
from webhooks.recovery.replay import DeadLetterStore as ReplayedLetters
from webhooks.recovery.replay import PullLog, Replayer
from webhooks.recovery.replay_source import DeadLetterStore as LetterPages
from webhooks.recovery.replay_source import MissedStore as MissedPages
from webhooks.recovery.replay_source import ReplaySource
from webhooks.request.signed_request import RequestSigner
from webhooks.request.signing_keys import SigningKeys
from webhooks.runtime import MACHINE, Runtime
from webhooks.sealing import SecretBox
from webhooks.settings import ApiSettings
from webhooks.statistics.gauges import CountersStore, Gauges
from webhooks.store.api_keys import ApiKeyStore
from webhooks.store.audit import AuditItems, AuditStore
from webhooks.store.beats import Beats, lags_ms
from webhooks.store.data_key import DataKeyStore
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.erasing import DeliveryEraser
from webhooks.store.erasures import ErasureStore
from webhooks.store.event_lists import EventListStore
from webhooks.store.events import EventStore
from webhooks.store.history import HistoryStore
from webhooks.store.missed import MissedStore
from webhooks.store.pulls import PullStore
from webhooks.store.repeats import RepeatStore
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.request_counts import RequestCountStore
from webhooks.store.routes import RouteStore
from webhooks.store.signing_keys import SigningKeyStore
from webhooks.store.slots import SlotStore
from webhooks.store.states import StateStore
from webhooks.store.statistics import StatisticsReader

if TYPE_CHECKING:
    from webhooks.statistics.prometheus import ServiceMetrics
    from webhooks.store.management import DynamoManagementStore
    from webhooks.store.models import Models


class Webhooks(ManagementStore, OverviewWebhooks, Protocol):
    """Webhooks and subscriptions."""


class Letters(management.Letters, ReplayedLetters, LetterPages, Protocol):
    """Dead letters."""


class Keys(ApiKeys, KeyRecords, PortalLinkRecords, Protocol):
    """API keys, portal links and their sessions."""


class Events(management.EventRecords, EventPayloads, Protocol):
    """Events as ingest recorded them."""


class Pulls(PulledEvents, PullLog, Protocol):
    """What there is to read."""


class JobsQueue(management.JobQueue, ErasureQueue, Protocol):
    """What replay works on in the background."""


class States(management.EndpointStates, management.Waker, Protocol):
    """Circuits, rates and wake-ups of webhooks."""


class Repeats(PublishedRepeats, management.Repeats, Protocol):
    """What is noted when an event's id is given again."""


class Statistics(WebhookStatistics, OverviewStatistics, CountersStore, Protocol):
    """What rollup has counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the use cases need from outside. `gauges` and `checks` are asked when needed."""

    webhooks: Webhooks
    box: SecretBox
    states: States
    routes: RouteSource
    events: Events
    event_lists: EventLists
    repeats: Repeats
    contexts: DeliveryContexts
    history: management.History
    letters: Letters
    missed: MissedPages
    statistics: Statistics
    api_keys: Keys
    signing_keys: SigningKeyRecords
    audit: AuditEntries
    request_counts: RequestCounts
    slots: SlotHolders
    pulls: Pulls
    jobs: management.JobStore
    jobs_queue: JobsQueue
    erasures: ErasureList
    payloads: ErasablePayloads
    ingest_queue: IngestQueue
    delivery_queue: DeliveryQueue
    sender: management.TestDeliveries
    gauges: Gauges
    checks: Checks


class Later:
    """Something that is made when it is first used, so that a process without that use never imports what it needs."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._made, name)

    @cached_property
    def _made(self) -> Any:  # noqa: ANN401
        return self._make()


def adapters(
    settings: ApiSettings,
    clients: Clients,
    *,
    models: "Callable[[str], Models] | None" = None,
    runtime: Runtime = MACHINE,
) -> Ports:
    """The ports on AWS. `models` binds pynamodb's models to a table; as the store does, if none is given."""

    def management_store() -> "DynamoManagementStore":
        from webhooks.store.management import DynamoManagementStore
        from webhooks.store.models import bind

        return DynamoManagementStore((models or bind)(settings.table_name), audit, sleep=sleep)

    sqs, retention_ms, now_ms, sleep = clients.hot_sqs, settings.retention_ms, runtime.now_ms, runtime.sleep
    table = DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep)
    data_key = DataKeyStore(table)
    beats = Beats(table)
    contexts = DeliveryContextStore(table, retention_ms, now_ms)
    audit = AuditItems(settings.audit_ms)
    urls = {
        "ingest": settings.ingest_queue_url,
        "delivery": settings.delivery_queue_url,
        "dead_letter": settings.dead_letter_queue_url,
        "jobs": settings.jobs_queue_url,
    }
    if settings.static_delivery_queue_url is not None:
        urls["static_delivery"] = settings.static_delivery_queue_url

    def queue(name: str) -> Queue:
        return Queue(sqs, urls[name], sleep=sleep)

    return Ports(
        webhooks=cast("DynamoManagementStore", Later(management_store)),
        box=KmsSecretBox(clients.kms, data_key.load, data_key.store_if_absent, settings.data_key_id),
        states=StateStore(table),
        routes=RouteStore(table),
        events=EventStore(table, retention_ms),
        event_lists=EventListStore(table, now_ms),
        repeats=RepeatStore(table, retention_ms),
        contexts=contexts,
        history=HistoryStore(table, now_ms),
        letters=DeadLetterStore(table, retention_ms, now_ms),
        missed=MissedStore(table, now_ms),
        statistics=StatisticsReader(table),
        api_keys=ApiKeyStore(table, audit, now_ms),
        signing_keys=SigningKeyStore(table, audit),
        audit=AuditStore(table, audit, now_ms),
        request_counts=RequestCountStore(table),
        slots=SlotStore(table, retention_ms, now_ms),
        pulls=PullStore(table, retention_ms, now_ms),
        jobs=ReplayJobStore(table, retention_ms, now_ms),
        jobs_queue=SqsJobs(queue("jobs")),
        erasures=ErasureStore(table, now_ms),
        payloads=DeliveryEraser(table, contexts),
        ingest_queue=SqsIngest(queue("ingest")),
        delivery_queue=SqsDeliveries.of(
            sqs, settings.delivery_queue_url, settings.static_delivery_queue_url, sleep=sleep
        ),
        sender=LambdaSender(
            Later(lambda: clients.sender), settings.sender_function_name, settings.static_sender_function_name
        ),
        gauges=Gauges(
            queues={name: queue_depth(sqs, url) for name, url in {**urls, **_failure_queues(settings)}.items()},
            queue_ages=Figures(
                lambda: clients.cloudwatch, {name: oldest_message(url) for name, url in urls.items()}, now_ms
            ),
            stage_lags=lambda: {**lags_ms(beats.read(), now_ms())},
            api=Figures(lambda: clients.cloudwatch, _answers(settings), now_ms),
        ),
        checks={
            "table": table_check(clients.hot_dynamodb, settings.table_name),
            **{f"{name}_queue": queue_check(sqs, url) for name, url in urls.items()},
        },
    )


def _failure_queues(settings: ApiSettings) -> dict[str, str]:
    """The queues that should be empty."""
    urls = {
        "ingest_dead_letter": settings.ingest_dead_letter_queue_url,
        "jobs_dead_letter": settings.jobs_dead_letter_queue_url,
        "rule_target_dead_letter": settings.rule_target_dead_letter_queue_url,
        "stream_failures": settings.stream_failures_queue_url,
    }
    return {name: url for name, url in urls.items() if url is not None}


def _answers(settings: ApiSettings) -> dict[str, Figure]:
    """The gateway's own figures; none where it has no name."""
    if settings.api_name is None:
        return {}
    return {
        "webhook_api_requests_per_minute": answered("Count", "Sum", settings.api_name, settings.stage),
        "webhook_api_errors_per_minute": answered("5XXError", "Sum", settings.api_name, settings.stage),
        "webhook_api_latency_p95_seconds": answered("Latency", "p95", settings.api_name, settings.stage),
    }


def use_cases(settings: ApiSettings, ports: Ports, runtime: Runtime = MACHINE) -> UseCases:
    """Everything that the routes call."""

    def service_metrics() -> "ServiceMetrics":
        from webhooks.statistics.prometheus import ServiceMetrics

        return ServiceMetrics(ports.statistics, ports.gauges)

    now_ms = runtime.now_ms
    store, history, letters, events = ports.webhooks, ports.history, ports.letters, ports.events
    starter = JobStarter(
        ports.jobs, ports.jobs_queue, ports.slots, store, at_most=settings.max_replays_per_tenant, now_ms=now_ms
    )
    under_way = UnderWay(
        ports.slots, "tests", per_owner=settings.max_tests_per_tenant, in_all=settings.max_tests, now_ms=now_ms
    )
    polls = UnderWay(
        ports.slots, "polls", per_owner=settings.max_polls_per_tenant, in_all=settings.max_polls, now_ms=now_ms
    )
    source = ReplaySource(letters, ports.missed, ports.contexts)
    replayer = Replayer(ports.contexts, letters, ports.delivery_queue, ports.pulls, now_ms=now_ms)
    budget = FilterUse(settings.max_filter_kilobytes_per_scope * 1024, settings.max_filter_searches_per_scope)
    audit = AuditLog(ports.audit, now_ms)
    has_static_egress = settings.static_delivery_queue_url is not None
    key_checks = KeyChecks(ports.api_keys, now_ms=now_ms)
    public_keys = SigningKeys(ports.signing_keys, ports.box)
    signing_keys = SigningKeyManagement(ports.signing_keys, ports.box, public_keys, now_ms)
    cursors = Cursors(ports.box)
    api_keys = ApiKeyManagement(ports.api_keys, key_checks, ports.box, now_ms)
    limits = RequestLimits(ports.request_counts, per_second=settings.tenant_rate_limit, now_ms=now_ms)
    metrics = WebhookMetrics(store=store, statistics=ports.statistics, states=ports.states, now_ms=now_ms)
    event_history = EventHistory(
        store=store,
        events=events,
        repeats=ports.repeats,
        history=history,
        routes=RouteCache(ports.routes),
        now_ms=now_ms,
    )
    return UseCases(
        limiter=RequestLimiter(
            limits=limits,
            api_keys=key_checks,
            header_prefix=settings.header_prefix,
        ),
        webhooks=WebhookManagement(
            store=store,
            box=ports.box,
            signing_keys=signing_keys,
            waker=ports.states,
            policy=EgressPolicy.from_settings(settings),
            event_types=settings.event_types,
            header_prefix=settings.header_prefix,
            retention_ms=settings.retention_ms,
            max_webhooks=settings.max_webhooks_per_tenant,
            budget=budget,
            static_egress=has_static_egress,
            now_ms=now_ms,
        ),
        subscriptions=SubscriptionManagement(
            store=store, event_types=settings.event_types, budget=budget, now_ms=now_ms
        ),
        api_keys=api_keys,
        portal_links=PortalLinks(ports.api_keys, key_checks, ports.erasures, limits, now_ms),
        signing_keys=signing_keys,
        members=Members(store, ports.states, api_keys, now_ms),
        publishing=Publishing(
            queue=ports.ingest_queue,
            events=events,
            repeats=ports.repeats,
            box=ports.box,
            event_types=settings.event_types,
            now_ms=now_ms,
        ),
        test_events=TestEvents(
            store=store,
            sender=ports.sender,
            under_way=under_way,
            audit=audit,
            event_types=settings.event_types,
            static_egress=has_static_egress,
            now_ms=now_ms,
        ),
        events=event_history,
        event_search=EventSearch(
            lists=ports.event_lists if settings.list_events else None, events=events, history=history, now_ms=now_ms
        ),
        deliveries=DeliveryHistory(
            store=store,
            history=history,
            letters=letters,
            events=events,
            replayer=replayer,
            audit=audit,
            header_prefix=settings.header_prefix,
            user_agent=settings.user_agent,
            now_ms=now_ms,
        ),
        delivery_search=DeliverySearch(store=store, history=history, statistics=ports.statistics, now_ms=now_ms),
        pulling=Pulling(
            store=store,
            pulls=ports.pulls,
            events=events,
            signer=RequestSigner(ports.box, public_keys, prefix=settings.header_prefix, user_agent=settings.user_agent),
            cursors=cursors,
            under_way=polls,
            audit=audit,
            retention_ms=settings.retention_ms,
            now_ms=now_ms,
            sleep=runtime.sleep,
        ),
        dead_letters=DeadLetterManagement(
            store=store,
            history=history,
            letters=letters,
            replayer=replayer,
            starter=starter,
            audit=audit,
            now_ms=now_ms,
        ),
        failures=FailureGroups(store=store, history=history),
        recovery=Recovery(
            store=store,
            source=source,
            replayer=replayer,
            starter=starter,
            audit=audit,
            now_ms=now_ms,
        ),
        bulk_replays=BulkReplays(
            history=history, source=source, replayer=replayer, starter=starter, audit=audit, now_ms=now_ms
        ),
        replays=Replays(ports.jobs, history, audit),
        audit=audit,
        filters=FilterTests(store=store, history=history, events=events, now_ms=now_ms),
        webhook_metrics=metrics,
        overviews=Overviews(webhooks=store, statistics=ports.statistics, metrics=metrics, now_ms=now_ms),
        tenants=TenantOverviews(webhooks=store, statistics=ports.statistics, metrics=metrics, now_ms=now_ms),
        tenant_erasures=TenantErasures(ports.erasures, ports.jobs_queue, api_keys, audit, now_ms),
        event_erasure=EventErasure(event_history, events, ports.payloads, audit),
        limits=Limits(
            amounts=store,
            tests=under_way.own,
            polls=polls.own,
            replays=starter.slots,
            requests_per_second=settings.tenant_rate_limit,
            max_webhooks=settings.max_webhooks_per_tenant,
            budget=budget,
        ),
        service_metrics=cast("ServiceMetrics", Later(service_metrics)),
        cursors=cursors,
        readiness=ReadinessProbe(ports.checks, now_ms=now_ms),
        egress_addresses=settings.static_egress_addresses if has_static_egress else None,
        event_types=settings.event_types,
    )


def build(settings: ApiSettings, clients: Clients, logger: Logger) -> Handler:
    """The handler: an API Gateway proxy request in, its response out."""
    api = create(use_cases(settings, adapters(settings, clients)), settings.cors_allowed_origins, logger)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401
        return api.resolve(event, context)

    return handler

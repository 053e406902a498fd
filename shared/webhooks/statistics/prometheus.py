"""The service's counters in Prometheus' exposition format.

They are true counters, added up by rollup from what all senders wrote, and some seconds behind. Cardinality is bounded:
no series has a webhook's id but those of circuits that are not closed, and of these at most CIRCUITS_SHOWN.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UntypedMetricFamily,
)
from prometheus_client.registry import Collector

from webhooks.errors import Unavailable
from webhooks.statistics.counts import (
    BUCKETS_MS,
    DEAD_LETTERS,
    DEFERRED,
    DELIVERIES,
    DUPLICATES,
    DURATION,
    EVENTS,
    FAILURE,
    INITIATION,
    LOST,
    MISSED,
    PARKED,
    QUEUED,
    SKIPPED,
    SUCCESSES,
    UNKNOWN,
    WEBHOOKS,
    WRITE_UNITS,
    Counts,
    by_reason,
    histogram,
)
from webhooks.statistics.exactly_once import CircuitState
from webhooks.statistics.gauges import CountersStore, Gauges, QueueDepth

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
CIRCUITS_SHOWN = 1_000
STATUSES = ("active", "paused", "inactive", "failed")
# Counters by label are there from zero, or the first increase of each would be none to Prometheus. Reasons that come
# later are shown as they come.
FAILURES = (
    "connect_reset", "connect_timeout", "protocol", "refused_address", "response_too_large", "timeout", "tls",
    "unreachable", "http_400", "http_401", "http_403", "http_404", "http_410", "http_429", "http_500", "http_502",
    "http_503", "http_504",
)  # fmt: skip
WAITS = (
    "retry", "paused", "circuit_open", "slowed_down", "rate_limited", "slow_receivers", "busy_host", "static_egress",
)  # fmt: skip
DISPOSITIONS: Mapping[str, Sequence[str]] = {
    MISSED: ("inactive", "failed"),
    SKIPPED: ("filtered", "resource_mismatch", "not_subscribed", "invalid_filter", "speaks_of_itself"),
}
CIRCUIT_VALUES: Mapping[CircuitState, int] = {"closed": 0, "half_open": 1, "open": 2}

logger = logging.getLogger(__name__)


API_FIGURES: Mapping[str, tuple[str, float]] = {  # what each is, and how much of its unit AWS's is
    "webhook_api_requests_per_minute": ("Requests that API Gateway answered in the last minute known", 1),
    "webhook_api_errors_per_minute": ("Requests that API Gateway answered with 5xx in the last minute known", 1),
    "webhook_api_latency_p95_seconds": ("Within which it answered 95 % of them", 0.001),
}


class ServiceMetrics:
    """The use case of GET /metrics."""

    def __init__(self, store: CountersStore, gauges: Gauges) -> None:
        self._store = store
        self._gauges = gauges

    def exposition(self) -> str:
        """The text that Prometheus scrapes. Raises Unavailable when the counters cannot be read."""
        metrics = [
            *_counters(self._store.service()),
            *_circuits(self._store.circuits(CIRCUITS_SHOWN)),
            _depths(self._depths()),
            _oldest(_known("how old the queues' messages are", self._gauges.queue_ages)),
            _lags(_known("how far release and rollup are behind", self._gauges.stage_lags)),
            *_api(_known("what the API answered", self._gauges.api)),
        ]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(metrics))
        return generate_latest(registry).decode()

    def _depths(self) -> dict[str, QueueDepth]:
        depths: dict[str, QueueDepth] = {}
        for name, ask in self._gauges.queues.items():
            try:
                depths[name] = ask()
            except Unavailable as exc:
                logger.warning("the depth of %s is not known now: %s", name, exc)
        return depths


def _known(what: str, ask: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
    try:
        return ask()
    except Unavailable as exc:
        logger.warning("%s is not known now: %s", what, exc)
        return {}


class _Collected(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _counters(counts: Counts) -> Iterator[Metric]:
    failures = by_reason(counts, FAILURE)
    successes = counts.get(SUCCESSES, 0)
    yield _counter("webhook_deliveries", "Deliveries taken up", counts.get(DELIVERIES, 0))
    yield _counter(
        "webhook_delivery_attempts", "HTTP requests whose outcome is known", successes + sum(failures.values())
    )
    yield _counter("webhook_delivery_successes", "Attempts that the receiver took", successes)
    yield _by_reason("webhook_delivery_failures", "Attempts that failed", dict.fromkeys(FAILURES, 0) | failures)
    yield _counter(
        "webhook_delivery_unknown",
        "Attempts that were cut off and may have been sent",
        counts.get(UNKNOWN, 0),
    )
    yield _histogram("webhook_delivery_duration_seconds", "Duration of attempts", counts, DURATION)
    yield _histogram(
        "webhook_delivery_initiation_seconds",
        "From an event's acceptance to the first attempt of its deliveries, where nothing held them back",
        counts,
        INITIATION,
    )
    yield _counter("webhook_dead_letters", "Deliveries given up", counts.get(DEAD_LETTERS, 0))
    yield _counter(
        "webhook_deliveries_lost",
        "Dead letters that neither a receiver nor an owner is the reason for, but this service",
        counts.get(LOST, 0),
    )
    waits = dict.fromkeys(WAITS, 0)
    yield _by_reason(
        "webhook_delivery_deferrals", "Times that a delivery began to wait", waits | by_reason(counts, DEFERRED)
    )
    yield _parked(waits | by_reason(counts, PARKED))
    yield _counter("webhook_events", "Events recorded", counts.get(EVENTS, 0))
    yield _dispositions(counts)
    yield _by_reason(
        "webhook_duplicates_suppressed",
        "Events that came again (conflict: another event under an id that is taken; it is put aside), and messages of "
        "deliveries that were done or carried on by another message",
        {"event": 0, "conflict": 0, "delivery": 0} | by_reason(counts, DUPLICATES),
        "kind",
    )
    yield _by_reason(
        "webhook_cost_units",
        "DynamoDB write units that events, deliveries and dead letters took, by item; indexes and all else not counted",
        {"event": 0, "delivery": 0, "dead_letter": 0} | by_reason(counts, WRITE_UNITS),
        "item",
    )
    yield from _webhooks(by_reason(counts, WEBHOOKS))


def _webhooks(by_status: Mapping[str, int]) -> Iterator[Metric]:
    # The name is a given and a gauge may not end in _total; untyped, it passes `promtool check metrics`.
    active = UntypedMetricFamily("webhook_active_total", "Webhooks that are active")
    active.add_metric((), by_status.get("active", 0))
    yield active
    registered = GaugeMetricFamily("webhook_registered", "Webhooks by status", labels=("status",))
    for status in STATUSES:
        registered.add_metric((status,), by_status.get(status, 0))
    yield registered


def _circuits(circuits: Sequence[tuple[str, CircuitState]]) -> Iterator[Metric]:
    one = GaugeMetricFamily(
        "webhook_circuit_breaker_state",
        "1 half open, 2 open; webhooks whose circuit is closed are left out",
        labels=("webhook_id",),
    )
    for webhook_id, state in circuits:
        one.add_metric((webhook_id,), CIRCUIT_VALUES[state])
    yield one
    by_state = Counter(state for _, state in circuits)
    total = GaugeMetricFamily(
        "webhook_circuit_breakers", f"Circuits that are not closed, at most {CIRCUITS_SHOWN}", labels=("state",)
    )
    for state in ("half_open", "open"):
        total.add_metric((state,), by_state[state])
    yield total


def _parked(by_cause: Mapping[str, int]) -> Metric:
    metric = GaugeMetricFamily(
        "webhook_parked_deliveries", "Deliveries that wait outside the queues", labels=("reason",)
    )
    for reason, count in by_cause.items():
        metric.add_metric((reason,), max(0, count))
    return metric


def _dispositions(counts: Counts) -> Metric:
    metric = CounterMetricFamily(
        "webhook_event_dispositions", "What was decided for an event and a webhook", labels=("disposition", "reason")
    )
    metric.add_metric(("queued", ""), counts.get(QUEUED, 0))
    for disposition, known in DISPOSITIONS.items():
        for reason, count in (dict.fromkeys(known, 0) | by_reason(counts, disposition)).items():
            metric.add_metric((disposition, reason), count)
    return metric


def _depths(depths: Mapping[str, QueueDepth]) -> Metric:
    metric = GaugeMetricFamily(
        "webhook_queue_messages", "Messages on our queues, approximately", labels=("queue", "state")
    )
    for name, depth in depths.items():
        metric.add_metric((name, "visible"), depth.visible)
        metric.add_metric((name, "in_flight"), depth.in_flight)
        metric.add_metric((name, "delayed"), depth.delayed)
    return metric


def _oldest(ages: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(
        "webhook_queue_oldest_message_age_seconds",
        "How long the oldest message has been there",
        labels=("queue",),
    )
    for name, age in ages.items():
        metric.add_metric((name,), age)
    return metric


def _lags(lags_ms: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(
        "webhook_stage_lag_seconds", "How far a stage without a queue of its own is behind", labels=("stage",)
    )
    for stage, lag_ms in lags_ms.items():
        metric.add_metric((stage,), lag_ms / 1000)
    return metric


def _api(figures: Mapping[str, float]) -> Iterator[Metric]:
    for name, (description, unit) in API_FIGURES.items():
        metric = GaugeMetricFamily(name, description)
        if name in figures:
            metric.add_metric((), figures[name] * unit)
        yield metric


def _counter(name: str, description: str, value: int) -> Metric:
    metric = CounterMetricFamily(name, description)
    metric.add_metric((), value)
    return metric


def _by_reason(name: str, description: str, reasons: Mapping[str, int], label: str = "reason") -> Metric:
    metric = CounterMetricFamily(name, description, labels=(label,))
    for reason, count in reasons.items():
        metric.add_metric((reason,), count)
    return metric


def _histogram(name: str, description: str, counts: Counts, counted: str) -> Metric:
    ends = [*(str(end / 1000) for end in BUCKETS_MS), "+Inf"]
    cumulative = accumulate(histogram(counts, counted))
    metric = HistogramMetricFamily(name, description)
    metric.add_metric((), list(zip(ends, cumulative, strict=True)), counts.get(counted, 0) / 1000)
    return metric

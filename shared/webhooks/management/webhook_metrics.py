"""How webhooks are doing: their figures over a period, and their health in a word with the reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from webhooks.delivery.endpoint_state import EndpointState
from webhooks.errors import Invalid
from webhooks.management.changes import ManagementStore, find
from webhooks.management.ports import EndpointStates
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook
from webhooks.statistics.counts import HOUR_MS, Statistics, hour_of

Interval = Literal["hour", "day"]
HealthStatus = Literal["healthy", "degraded", "failing", "disabled", "paused", "inactive"]

DAY_MS = 24 * HOUR_MS
INTERVALS: Mapping[Interval, int] = {"hour": HOUR_MS, "day": DAY_MS}
MAX_DAYS: Mapping[Interval, int] = {"hour": 31, "day": 90}
BACKLOG_COUNTED = 1_000
BACKLOG_GLANCED = 100  # where many webhooks are looked at at once
LATEST_HOURS = 24  # in which anything happened: where the last success and failure are looked for
STREAK_MS = 5 * 60_000
FEW_ATTEMPTS = 5
FAILING_BELOW, DEGRADED_BELOW = 0.5, 0.95

EXPLANATIONS: Mapping[str, str] = {
    "gone": "The receiver answered 410 Gone, so this webhook was disabled. Set its status to active to resume.",
    "failing_for_five_days": "Every attempt of five days failed, so this webhook was disabled. Set its status to "
    "active to resume, then recover what it missed.",
    "member_removed": "Its owner has left the workspace, so this webhook was disabled. An admin can set it to active.",
    "failing_for_24_hours": "Every attempt of a day failed. After five days of that the webhook is disabled.",
    "failing_for_96_hours": "Every attempt of four days failed. Within a day the webhook is disabled.",
    "paused": "Paused: deliveries wait until it is resumed.",
    "inactive": "Inactive: events are not queued for it.",
    "circuit_open": "Most recent attempts failed. Deliveries wait, and one at a time is tried until it succeeds.",
    "no_success": "Every attempt of the last minutes failed.",
    "most_attempts_fail": "More than half of the attempts of the last two hours failed.",
    "some_attempts_fail": "More than 5 % of the attempts of the last two hours failed.",
    "slowed_down": "The receiver is overloaded or asked to wait, so deliveries go out slowly.",
    "slow_receiver": "The receiver takes more than 1 s to answer, so only some attempts are under way at once.",
    "dead_letters": "Deliveries were given up within the last two hours.",
    "backlog": "Deliveries wait for their turn.",
}
_NO_STATE, _NOTHING = EndpointState(), Statistics()


class StatisticsReader(Protocol):
    """Where statistics are read. Everything may raise Unavailable."""

    def hours(self, webhook_id: str, from_ms: int, to_ms: int) -> Mapping[int, Statistics]:
        """Statistics of the hours from `from_ms` up to, not including, `to_ms`, by start; empty hours are absent."""
        ...

    def latest(self, webhook_id: str, limit: int) -> Mapping[int, Statistics]:
        """Statistics of the last hours in which anything happened, by start."""
        ...

    def recent(self, webhook_ids: Sequence[str], hours: Sequence[int]) -> Mapping[str, Statistics]:
        """By webhook, the hours of these starts added up; webhooks without any are absent."""
        ...

    def backlog(self, webhook_id: str, limit: int) -> int:
        """Deliveries in the waiting room, counted up to `limit`."""
        ...


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """A period of whole intervals: from `from_ms` up to, not including, `to_ms`."""

    from_ms: int
    to_ms: int
    interval: Interval

    @classmethod
    def of(cls, from_ms: int | None, to_ms: int | None, interval: Interval, now_ms: int) -> Self:
        """Whole intervals (UTC) that cover the time asked for; by default the last 24 hours. Raises Invalid."""
        step_ms = INTERVALS[interval]
        last_ms = now_ms if to_ms is None else to_ms
        first_ms = last_ms - DAY_MS if from_ms is None else from_ms
        if first_ms > last_ms:
            raise Invalid.at("from", "must not be after `to`")
        if last_ms - first_ms > MAX_DAYS[interval] * DAY_MS:
            raise Invalid.at("from", f"by {interval}, at most {MAX_DAYS[interval]} days can be asked for")
        first_ms -= first_ms % step_ms
        return cls(first_ms, max(first_ms + step_ms, last_ms + -last_ms % step_ms), interval)


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in a period: in all, and by the start of each interval."""

    asked: MetricsQuery
    total: Statistics
    series: Sequence[tuple[int, Statistics]]

    @classmethod
    def of(cls, asked: MetricsQuery, hours: Mapping[int, Statistics]) -> Self:
        """The figures of `hours`, which are given by start; empty ones may be absent."""
        step_ms = INTERVALS[asked.interval]
        series = [
            (start, Statistics.total(hours[hour] for hour in range(start, start + step_ms, HOUR_MS) if hour in hours))
            for start in range(asked.from_ms, asked.to_ms, step_ms)
        ]
        return cls(asked, Statistics.total(hours.values()), series)


@dataclass(frozen=True, slots=True)
class Health:
    """A webhook's health. `reason` is stable, None when all is well; `backlog` stops at BACKLOG_COUNTED."""

    webhook: Webhook
    status: HealthStatus
    reason: str | None
    state: EndpointState
    recent: Statistics
    last_success_ms: int | None
    last_failure_ms: int | None
    backlog: int


class WebhookMetrics:
    """The use case of GET /webhooks/:id/metrics and /health, and of webhooks with their health."""

    def __init__(
        self, *, store: ManagementStore, statistics: StatisticsReader, states: EndpointStates, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._statistics = statistics
        self._states = states
        self.now_ms = now_ms

    def metrics(
        self, caller: Caller, webhook_id: str, from_ms: int | None, to_ms: int | None, interval: Interval
    ) -> Figures:
        """A webhook's figures, by default of the last 24 hours. Raises NotFound, Invalid."""
        webhook = find(self._store, caller, webhook_id)
        asked = MetricsQuery.of(from_ms, to_ms, interval, self.now_ms())
        return Figures.of(asked, self._statistics.hours(webhook.webhook_id, asked.from_ms, asked.to_ms))

    def health(self, caller: Caller, webhook_id: str) -> Health:
        """A webhook's health now; statistics are some seconds behind. Raises NotFound."""
        webhook = find(self._store, caller, webhook_id)
        now_ms = self.now_ms()
        state = self._states.get_many([webhook_id])[webhook_id]
        latest = self._statistics.latest(webhook_id, LATEST_HOURS)
        total = Statistics.total(latest.values())
        recent = Statistics.total(each for hour, each in latest.items() if hour >= hour_of(now_ms) - HOUR_MS)
        backlog = self._statistics.backlog(webhook_id, BACKLOG_COUNTED)
        status, reason = health_of(webhook, state, recent, backlog, now_ms)
        return Health(webhook, status, reason, state, recent, total.last_success_ms, total.last_failure_ms, backlog)

    def healths(self, webhooks: Sequence[Webhook]) -> list[Health]:
        """The health of many at once, with few reads, in their order.

        The last success and failure are those of the two recent hours, and `backlog` stops at BACKLOG_GLANCED.
        """
        if not webhooks:
            return []
        now_ms = self.now_ms()
        ids = [each.webhook_id for each in webhooks]
        states = self._states.get_many(ids)
        recents = self._statistics.recent(ids, [hour_of(now_ms) - HOUR_MS, hour_of(now_ms)])
        return [
            self._glance(each, states.get(each.webhook_id, _NO_STATE), recents.get(each.webhook_id, _NOTHING), now_ms)
            for each in webhooks
        ]

    def _glance(self, webhook: Webhook, state: EndpointState, recent: Statistics, now_ms: int) -> Health:
        # nothing is in the room unless release is to look at it: the wake-up is written first
        waits = state.wake_at_ms is not None
        backlog = self._statistics.backlog(webhook.webhook_id, BACKLOG_GLANCED) if waits else 0
        status, reason = health_of(webhook, state, recent, backlog, now_ms)
        return Health(webhook, status, reason, state, recent, recent.last_success_ms, recent.last_failure_ms, backlog)


def health_of(
    webhook: Webhook, state: EndpointState, recent: Statistics, backlog: int, now_ms: int
) -> tuple[HealthStatus, str | None]:
    """The worst state that applies, and the reason. `recent` is the present hour and the one before."""
    if webhook.status == "failed":
        return "disabled", webhook.status_reason or "failing_for_five_days"
    if webhook.status == "paused":
        return "paused", "paused"
    if webhook.status != "active":
        return "inactive", "inactive"
    rate = recent.success_rate if recent.attempts >= FEW_ATTEMPTS else None
    since_ms = state.circuit.failing_since_ms
    if state.circuit.warned_hours:
        return "failing", f"failing_for_{state.circuit.warned_hours}_hours"
    if state.circuit.state != "closed":
        return "failing", "circuit_open"
    if since_ms is not None and now_ms - since_ms >= STREAK_MS:
        return "failing", "no_success"
    if rate is not None and rate < FAILING_BELOW:
        return "failing", "most_attempts_fail"
    if state.slow_until_ms > now_ms:
        return "degraded", "slowed_down"
    if state.latency_ms:
        return "degraded", "slow_receiver"
    if rate is not None and rate < DEGRADED_BELOW:
        return "degraded", "some_attempts_fail"
    if recent.dead_letters:
        return "degraded", "dead_letters"
    if backlog:
        return "degraded", "backlog"
    return "healthy", None

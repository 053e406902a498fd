"""Figures and health of webhooks as the API answers them."""

from typing import Annotated, Literal, Self

from pydantic import Field

from answers.common import Answer, Time
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import disabled_at_ms
from webhooks.management.webhook_metrics import BACKLOG_COUNTED, EXPLANATIONS, Figures, Health
from webhooks.statistics.counts import Statistics
from webhooks.times import rfc3339

SuccessRate = Annotated[float | None, Field(ge=0, le=1, description="of the attempts; null without any")]
HealthWord = Literal["healthy", "degraded", "failing", "disabled", "paused", "inactive"]
Reason = Annotated[str | None, Field(description="stable; null when healthy")]
Cause = Annotated[
    str | None, Field(description="why most attempts failed, such as http_500 or tls; null without failures")
]
Milliseconds = Annotated[int | None, Field(description="from a histogram, so near; null without any attempt")]


class LatencyAnswer(Answer):
    """Durations of attempts with a known outcome."""

    p50: Milliseconds
    p95: Milliseconds
    p99: Milliseconds

    @classmethod
    def of(cls, statistics: Statistics) -> Self:
        """The answer for these statistics."""
        return cls(p50=statistics.percentile(0.5), p95=statistics.percentile(0.95), p99=statistics.percentile(0.99))


class FiguresAnswer(Answer):
    """What happened in a period. A delivery counts when its event was accepted, an attempt when it started."""

    deliveries: int
    attempts: Annotated[int, Field(description="whose outcome is known: successes and failures")]
    successes: int
    failures: int
    unknown: Annotated[int, Field(description="attempts that were cut off and may have been sent")]
    dead_letters: int
    success_rate: SuccessRate
    latency_ms: LatencyAnswer
    failure_reasons: Annotated[dict[str, int], Field(description="failed attempts by reason, the most frequent first")]

    @classmethod
    def of(cls, statistics: Statistics, **more: object) -> Self:
        """The answer for these statistics. `more` sets the fields of a subclass."""
        rate = statistics.success_rate
        return cls.model_validate(
            {
                "deliveries": statistics.deliveries,
                "attempts": statistics.attempts,
                "successes": statistics.successes,
                "failures": statistics.failures,
                "unknown": statistics.unknown,
                "dead_letters": statistics.dead_letters,
                "success_rate": None if rate is None else round(rate, 6),
                "latency_ms": LatencyAnswer.of(statistics),
                "failure_reasons": statistics.failure_reasons,
                **more,
            }
        )


class IntervalAnswer(FiguresAnswer):
    """One hour or day (UTC)."""

    start: Time


class TimedFigures(Answer):
    """Figures from `from` up to, not including, `to`. They are some seconds behind."""

    from_: Annotated[Time, Field(alias="from")]
    to: Time
    interval: Literal["hour", "day"]
    totals: FiguresAnswer
    series: list[IntervalAnswer]

    @classmethod
    def of(cls, figures: Figures, **more: object) -> Self:
        """The answer for these figures. `more` sets the fields of a subclass."""
        asked = figures.asked
        return cls.model_validate(
            {
                "from": rfc3339(asked.from_ms),
                "to": rfc3339(asked.to_ms),
                "interval": asked.interval,
                "totals": FiguresAnswer.of(figures.total),
                "series": [IntervalAnswer.of(each, start=rfc3339(start)) for start, each in figures.series],
                **more,
            }
        )


class MetricsAnswer(TimedFigures):
    """A webhook's figures from `from` up to, not including, `to`. They are some seconds behind."""

    webhook_id: str


class CircuitAnswer(Answer):
    """The circuit breaker: open, it holds deliveries back; half open, one probe is under way."""

    state: Literal["closed", "open", "half_open"]
    open_until: Time | None

    @classmethod
    def of(cls, circuit: Circuit) -> Self:
        """The answer for this circuit."""
        return cls(state=circuit.state, open_until=_time(circuit.open_until_ms if circuit.state == "open" else None))


class BacklogAnswer(Answer):
    """Deliveries in the waiting room."""

    waiting: int
    more: Annotated[bool, Field(description=f"there are more: counting stops at {BACKLOG_COUNTED}")]


class WebhookHealthAnswer(Answer):
    """How a webhook is doing, and why. Figures are of the present hour and the one before, and some seconds behind."""

    webhook_id: str
    health: HealthWord
    reason: Reason
    explanation: str | None
    cause: Cause
    last_success_at: Time | None
    last_failure_at: Time | None
    failing_since: Annotated[Time | None, Field(description="the first failure since the last success")]
    disabled_at: Annotated[
        Time | None, Field(description="when it is disabled unless an attempt succeeds; null while it does not fail")
    ]
    circuit: CircuitAnswer
    backlog: BacklogAnswer
    recent: FiguresAnswer

    @classmethod
    def of(cls, health: Health) -> Self:
        """The answer for this webhook's health."""
        circuit = health.state.circuit
        return cls(
            webhook_id=health.webhook.webhook_id,
            health=health.status,
            reason=health.reason,
            explanation=EXPLANATIONS.get(health.reason or ""),
            cause=cause_of(health),
            last_success_at=_time(health.last_success_ms),
            last_failure_at=_time(health.last_failure_ms),
            failing_since=_time(circuit.failing_since_ms),
            disabled_at=_time(disabled_at_ms(health.webhook, health.state.circuit.failing_since_ms)),
            circuit=CircuitAnswer.of(circuit),
            backlog=BacklogAnswer(waiting=health.backlog, more=health.backlog >= BACKLOG_COUNTED),
            recent=FiguresAnswer.of(health.recent),
        )


def cause_of(health: Health) -> str | None:
    """The most frequent reason of its recent failures."""
    return next(iter(health.recent.failure_reasons), None)


def _time(time_ms: int | None) -> str | None:
    return rfc3339(time_ms) if time_ms else None

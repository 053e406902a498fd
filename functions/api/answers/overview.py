"""Many webhooks at once: a page of them with their health, and the overview of all."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer, NextCursor, Time, WebhookAnswer
from answers.metrics import (
    Cause,
    CircuitAnswer,
    FiguresAnswer,
    HealthWord,
    Reason,
    SuccessRate,
    TimedFigures,
    cause_of,
)
from webhooks.management.overview import TROUBLES, Overview
from webhooks.management.webhook_metrics import BACKLOG_GLANCED, EXPLANATIONS, Health
from webhooks.times import rfc3339


class HealthGlance(Answer):
    """How a webhook is doing, and why. Figures are of the present hour and the one before, and some seconds behind."""

    health: HealthWord
    reason: Reason
    explanation: str | None
    cause: Cause
    attempts: int
    success_rate: SuccessRate
    failing_since: Annotated[Time | None, Field(description="the first failure since the last success")]
    circuit: CircuitAnswer
    waiting: Annotated[int, Field(description=f"deliveries in the waiting room, counted up to {BACKLOG_GLANCED}")]

    @classmethod
    def of(cls, health: Health, **more: object) -> Self:
        """The short form of this health. `more` sets the fields of a subclass."""
        recent = FiguresAnswer.of(health.recent)
        since_ms = health.state.circuit.failing_since_ms
        return cls.model_validate(
            {
                "health": health.status,
                "reason": health.reason,
                "explanation": EXPLANATIONS.get(health.reason or ""),
                "cause": cause_of(health),
                "attempts": recent.attempts,
                "success_rate": recent.success_rate,
                "failing_since": rfc3339(since_ms) if since_ms else None,
                "circuit": CircuitAnswer.of(health.state.circuit),
                "waiting": min(health.backlog, BACKLOG_GLANCED),
                **more,
            }
        )


class ListedWebhook(WebhookAnswer):
    """A webhook in a list."""

    health: Annotated[HealthGlance | None, Field(description="null unless it is asked for: include=health")]


class WebhookPage(Answer):
    """Webhooks, newest first."""

    items: list[ListedWebhook]
    next_cursor: NextCursor


class AttentionAnswer(HealthGlance):
    """A webhook in trouble."""

    webhook_id: str
    webhook_name: str


class OverviewAnswer(TimedFigures):
    """All of an owner's webhooks. `totals` and `series` are from `from` up to, not including, `to`; all else is as of
    now. Figures are some seconds behind."""

    webhooks: Annotated[int, Field(description="how many there are")]
    open_circuits: Annotated[int, Field(description=f"that are not closed, counted up to {TROUBLES}")]
    waiting: Annotated[
        dict[str, int], Field(description="deliveries that wait outside the queues, by what they wait for")
    ]
    attention: Annotated[list[AttentionAnswer], Field(description="webhooks that do not do well, the worst first")]
    more_attention: Annotated[bool, Field(description="there may be more of them")]

    @classmethod
    def of_overview(cls, overview: Overview) -> Self:
        """The answer for this overview."""
        return cls.of(
            overview.figures,
            webhooks=overview.webhooks,
            open_circuits=overview.open_circuits,
            waiting=dict(overview.waiting),
            attention=[
                AttentionAnswer.of(each, webhook_id=each.webhook.webhook_id, webhook_name=each.webhook.name)
                for each in overview.attention
            ],
            more_attention=overview.more,
        )

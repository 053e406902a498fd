"""Events as the API answers with them."""

from typing import Annotated, Literal, Self

from pydantic import Field

from answers.common import Answer, NextCursor, Payload, Time
from answers.deliveries import Explanation
from webhooks.management.event_search import SHOWN, FoundEvent
from webhooks.models.delivery import DeliveryStatus
from webhooks.models.event import Repeat
from webhooks.models.history import Disposition, EventResult, EventView
from webhooks.reason_texts import delivery_sentence, not_queued_sentence, waiting_sentence
from webhooks.times import rfc3339

DispositionOf = Annotated[
    Disposition,
    Field(description="queued: for one webhook at least; missed: only webhooks that were inactive or failed want it"),
]
RECORDED = "It is kept for the webhook's consumers to read."


class EventResultAnswer(Answer):
    """What happened to an event for one webhook."""

    webhook_id: str
    webhook_name: str
    status: Annotated[
        Literal["pending", "delivered", "retrying", "failed", "abandoned", "recorded", "not_queued"],
        Field(description="the delivery's; recorded: to be read by a pull webhook; not_queued: the reason says why"),
    ]
    reason: Annotated[
        str | None,
        Field(
            description="a stable code: why it was not queued, waits, or is not delivered",
            examples=["filtered", "not_subscribed", "inactive", "http_503"],
        ),
    ]
    explanation: Explanation
    evaluated_now: Annotated[
        bool,
        Field(description="the reason was not recorded with the event and is that of today's subscriptions"),
    ]
    delivery_id: str | None
    attempt_count: int
    next_attempt_at: Time | None

    @classmethod
    def of(cls, result: EventResult) -> Self:
        """The answer for one webhook."""
        record = result.record
        waiting = record.waiting if record else None
        reason = (record.reason or (waiting and waiting.reason)) if record else result.reason
        due_ms = record.next_attempt_at_ms if record else None
        if result.delivery_id is not None:
            status = record.status if record else "pending"
            explanation = waiting_sentence(waiting.reason) if waiting else delivery_sentence(reason)
        elif result.recorded:
            status, explanation = "recorded", RECORDED
        else:
            status, explanation = "not_queued", not_queued_sentence(reason or "")
        return cls(
            webhook_id=result.webhook.webhook_id,
            webhook_name=result.webhook.name,
            status=status,
            reason=reason,
            explanation=explanation,
            evaluated_now=result.evaluated_now,
            delivery_id=result.delivery_id,
            attempt_count=record.attempt_count if record else 0,
            next_attempt_at=None if due_ms is None else rfc3339(due_ms),
        )


class RepeatAnswer(Answer):
    """An event's id, or its idempotency key, was given again."""

    outcome: Annotated[
        Literal["duplicate", "refused"],
        Field(description="duplicate: with the same event, which was dropped; refused: with another one"),
    ]
    at: Annotated[Time, Field(description="when that happened first; an event that is refused again is not listed")]
    differs: Annotated[list[str], Field(description="in what a refused one differs", examples=[["data.fields.status"]])]

    @classmethod
    def of(cls, repeat: Repeat) -> Self:
        """The answer for this repeat."""
        outcome = "refused" if repeat.differs else "duplicate"
        return cls(outcome=outcome, at=rfc3339(repeat.at_ms), differs=list(repeat.differs))


class EventDeliveryAnswer(Answer):
    """A delivery of an event, in a list of events."""

    id: str
    webhook_id: str
    webhook_name: str
    status: DeliveryStatus

    @classmethod
    def of(cls, result: EventResult) -> Self:
        """The answer for one webhook that it was queued for."""
        return cls(
            id=result.delivery_id or "",
            webhook_id=result.webhook.webhook_id,
            webhook_name=result.webhook.name,
            status=result.record.status if result.record else "pending",
        )


class FoundEventAnswer(Answer):
    """An event in a list."""

    id: str
    type: str
    resource_id: Annotated[
        str | int | None,
        Field(description="null where it had none, where it is not kept, and where events are not listed"),
    ]
    user_id: str | int | None
    workspace_id: str | int | None
    accepted_at: Time
    disposition: DispositionOf
    counts: Annotated[
        dict[str, int],
        Field(description="webhooks by reason, the first 500", examples=[{"queued": 2, "filtered": 1}]),
    ]
    deliveries: Annotated[
        list[EventDeliveryAnswer], Field(description=f"up to {SHOWN} to your webhooks, newest webhook first")
    ]

    @classmethod
    def of(cls, found: FoundEvent) -> Self:
        """The answer for this event."""
        record = found.record
        return cls(
            id=record.event_id,
            type=record.event_type,
            resource_id=record.resource_id,
            user_id=record.user_id,
            workspace_id=record.workspace_id,
            accepted_at=rfc3339(record.accepted_at_ms),
            disposition=found.disposition,
            counts=dict(found.counts),
            deliveries=[EventDeliveryAnswer.of(each) for each in found.deliveries],
        )


class FoundEventPage(Answer):
    """Events, newest first."""

    items: list[FoundEventAnswer]
    next_cursor: NextCursor


class PublishedEventAnswer(Answer):
    """An event, and what happened to it for each webhook that the caller sees."""

    id: str
    type: str
    user_id: str | int | None
    workspace_id: str | int | None
    accepted_at: Time
    disposition: DispositionOf
    counts: Annotated[
        dict[str, int],
        Field(
            description="webhooks by reason, all of them: `queued`, and why not",
            examples=[{"queued": 2, "filtered": 1}],
        ),
    ]
    payload: Annotated[Payload | None, Field(description="null when it is no longer kept")]
    retention_days: Annotated[
        int | None, Field(description="as published; 0: the payload is gone once it is delivered")
    ]
    redact: Annotated[
        list[str], Field(description="fields that receivers got, and whose values are not kept", examples=[["email"]])
    ]
    repeats: Annotated[list[RepeatAnswer], Field(description="what else was published under its id, or its key")]
    webhooks: Annotated[list[EventResultAnswer], Field(description="newest webhook first")]
    next_cursor: NextCursor

    @classmethod
    def of(cls, shown: EventView, next_cursor: str | None) -> Self:
        """The answer for this event and one page of webhooks."""
        record = shown.record
        return cls.model_validate(
            {
                "id": record.event_id,
                "type": record.event_type,
                "user_id": record.user_id,
                "workspace_id": record.workspace_id,
                "accepted_at": rfc3339(record.accepted_at_ms),
                "disposition": shown.disposition,
                "counts": dict(shown.counts),
                "payload": shown.payload,
                "retention_days": record.keeping and record.keeping.days,
                "redact": list(record.keeping.redact) if record.keeping else [],
                "repeats": [RepeatAnswer.of(each) for each in shown.repeats],
                "webhooks": [EventResultAnswer.of(each) for each in shown.results],
                "next_cursor": next_cursor,
            }
        )

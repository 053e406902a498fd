"""Deliveries as the API answers with them."""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field

from answers.common import Answer, NextCursor, Payload, Time
from webhooks.ids import time_of
from webhooks.management.delivery_search import Found
from webhooks.models.delivery import Attempt, DeliveryRecord, DeliveryStatus, Waiting
from webhooks.models.history import AttemptView, DeliveryView
from webhooks.reason_texts import delivery_sentence, status_sentence, waiting_sentence
from webhooks.times import rfc3339

Reason = Annotated[str | None, Field(description="a stable code", examples=["http_503", "attempts_used_up:timeout"])]
Explanation = Annotated[str | None, Field(description="the same in a sentence")]


class WaitingAnswer(Answer):
    """Why and where a delivery waits outside the queue."""

    kind: Annotated[
        Literal["due", "room"], Field(description="due: for its next attempt; room: until its webhook can take it")
    ]
    reason: str
    explanation: str
    until: Annotated[Time, Field(description="when it is looked at next")]

    @classmethod
    def of(cls, waiting: Waiting) -> Self:
        """The answer for what the delivery waits for."""
        return cls(
            kind=waiting.kind,
            reason=waiting.reason,
            explanation=waiting_sentence(waiting.reason),
            until=rfc3339(waiting.at_ms),
        )


class DeliveryAnswer(Answer):
    """A delivery: one event for one webhook."""

    id: str
    webhook_id: str
    event_id: str
    event_type: str
    kind: Annotated[
        Literal["event", "test"],
        Field(description="test: made by `POST /webhooks/{webhook_id}/test`; kept for three days, and counted nowhere"),
    ]
    status: DeliveryStatus
    reason: Reason
    explanation: Explanation
    attempt_count: Annotated[int, Field(description="attempts made, those that were cut off left out")]
    last_attempt_at: Time | None
    last_status_code: int | None
    last_error_code: str | None
    next_attempt_at: Time | None
    waiting: WaitingAnswer | None
    created_at: Annotated[Time, Field(description="when the event was accepted")]

    @classmethod
    def of(cls, record: DeliveryRecord, **more: object) -> Self:
        """The answer for this record. `more` sets the fields of a subclass."""
        last = record.attempts[-1] if record.attempts else None
        return cls.model_validate(
            {
                "id": record.delivery_id,
                "webhook_id": record.webhook_id,
                "event_id": record.event_id,
                "event_type": record.event_type,
                "kind": "test" if record.is_test else "event",
                "status": record.status,
                "reason": record.reason,
                "explanation": delivery_sentence(record.reason),
                "attempt_count": record.attempt_count,
                "last_attempt_at": rfc3339(last.started_at_ms) if last else None,
                "last_status_code": last.status_code if last else None,
                "last_error_code": last.error_code if last else None,
                "next_attempt_at": _time(record.next_attempt_at_ms),
                "waiting": WaitingAnswer.of(record.waiting) if record.waiting else None,
                "created_at": rfc3339(time_of(record.delivery_id)),
                **more,
            }
        )


class FoundDelivery(DeliveryAnswer):
    """A delivery in a list of many webhooks'."""

    webhook_name: str
    user_id: Annotated[str, Field(description="owner of the webhook")]

    @classmethod
    def of_found(cls, found: Found) -> Self:
        """The answer for this delivery and its webhook."""
        return cls.of(found.record, webhook_name=found.webhook.name, user_id=found.webhook.owner)


class TimingsAnswer(Answer):
    """Milliseconds by phase; null where the phase did not happen, as on a connection that was kept open."""

    dns_ms: int | None = None
    connect_ms: Annotated[int | None, Field(description="with TLS where the client cannot tell the two apart")] = None
    tls_ms: int | None = None
    wait_ms: Annotated[int | None, Field(description="from the request's end to the answer's start")] = None


class AttemptRequest(Answer):
    """What was sent, reconstructed: signatures are not kept, and the owner's own headers are masked."""

    headers: dict[str, str]


class AttemptResponse(Answer):
    """What came back, as far as it is kept."""

    headers: list[tuple[str, str]]
    body: Annotated[str, Field(description="the start of it, as text")]
    body_truncated: Annotated[bool, Field(description="whether there was more of it")]


class AttemptAnswer(Answer):
    """One HTTP request of a delivery."""

    number: Annotated[int | None, Field(description="1, 2, ...; null for one that was cut off, which counts as none")]
    outcome: Annotated[
        Literal["success", "failure", "unknown"],
        Field(description="unknown: cut off on our side; it may or may not have been sent"),
    ]
    started_at: Time
    duration_ms: int
    status_code: int | None
    error_code: Annotated[str | None, Field(examples=["unreachable", "tls", "timeout"])]
    explanation: Explanation
    remark: Annotated[
        str | None,
        Field(description="what was wrong with the answer's body or framing; it changes nothing of the outcome"),
    ]
    timings: TimingsAnswer
    request: AttemptRequest | None
    response: AttemptResponse | None

    @classmethod
    def of(cls, shown: AttemptView) -> Self:
        """The answer for this attempt, with the details that are kept."""
        attempt, detail = shown.attempt, shown.detail
        phases = cast("list[int | None]", detail.get("t", []))
        names = ("dns_ms", "connect_ms", "tls_ms", "wait_ms")
        return cls(
            number=attempt.number or None,
            outcome=attempt.outcome,
            started_at=rfc3339(attempt.started_at_ms),
            duration_ms=attempt.duration_ms,
            status_code=attempt.status_code,
            error_code=attempt.error_code,
            explanation=_explanation(attempt, detail.get("m")),
            remark=detail.get("r"),
            timings=TimingsAnswer.model_validate(dict(zip(names, phases, strict=False))),
            request=None if shown.request_headers is None else AttemptRequest(headers=dict(shown.request_headers)),
            response=None if attempt.status_code is None else _response(detail),
        )


class DeliveryWithAttempts(DeliveryAnswer):
    """A delivery with everything that is kept of it."""

    attempts: Annotated[list[AttemptAnswer], Field(description="oldest first")]
    payload: Annotated[Payload | None, Field(description="null when it is no longer kept")]
    subscribed: Annotated[
        bool | None,
        Field(
            description="while it waits: whether the webhook still has an active subscription to its event type. It is "
            "sent either way, since subscriptions decide when the event comes"
        ),
    ]

    @classmethod
    def of_all(cls, shown: DeliveryView) -> Self:
        """The answer for this delivery and all its attempts."""
        return cls.of(
            shown.record,
            attempts=[AttemptAnswer.of(each) for each in shown.attempts],
            payload=shown.payload,
            subscribed=shown.is_subscribed,
        )


class DeliveryPage(Answer):
    """Deliveries, newest first. A page may hold fewer than `limit` even if there are more."""

    items: list[DeliveryAnswer]
    next_cursor: NextCursor


class FoundDeliveryPage(Answer):
    """Deliveries, newest first. A page may hold fewer than `limit` even if there are more."""

    items: list[FoundDelivery]
    next_cursor: NextCursor


def _explanation(attempt: Attempt, message: str | None) -> str | None:
    if attempt.outcome == "success":
        return None
    if attempt.outcome == "unknown":
        return "This attempt was cut off on our side: the receiver may or may not have been called."
    if attempt.status_code is not None:
        return status_sentence(attempt.status_code)
    return message or delivery_sentence(attempt.error_code)


def _response(detail: Any) -> AttemptResponse:  # noqa: ANN401 - JSON
    body = str(detail.get("b", "")).encode("latin-1")
    return AttemptResponse(
        headers=[(name, value) for name, value in detail.get("h", [])],
        body=body.decode("utf-8", "replace"),
        body_truncated=len(body) < int(detail.get("n", 0)),
    )


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else rfc3339(time_ms)

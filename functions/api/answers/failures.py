"""Failures grouped by cause, as the API answers them."""

from typing import Annotated

from pydantic import Field

from answers.common import Answer, NextCursor, Time
from answers.deliveries import Explanation


class FailureSample(Answer):
    """The newest of a group."""

    delivery_id: str
    event_id: str
    event_type: str
    status_code: int | None
    error_code: str | None


class FailureGroupAnswer(Answer):
    """Deliveries of one webhook that failed for one cause."""

    webhook_id: str
    cause: Annotated[
        str,
        Field(
            description="stable; `reason` of bulk-replay and recover takes it",
            examples=["http_503:1f0c9a2b", "tls:certificate_has_expired", "timeout:answer", "unreachable"],
        ),
    ]
    explanation: Explanation
    count: int
    dead_letters: Annotated[int, Field(description="given up")]
    retrying: Annotated[int, Field(description="still being tried")]
    first_seen: Time
    last_seen: Time
    sample: FailureSample


class FailureGroupPage(Answer):
    """Groups of the newest failures, the largest first. With a `next_cursor` there are older ones to add up."""

    items: list[FailureGroupAnswer]
    is_complete: Annotated[
        bool,
        Field(description="false: more deliveries are being retried than were looked at"),
    ]
    next_cursor: NextCursor

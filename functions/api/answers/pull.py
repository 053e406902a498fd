"""Events of a webhook as consumers read them."""

from typing import Annotated, Literal, Self

from pydantic import Field

from answers.common import Answer, Time
from webhooks.management.pulling import CommittedConsumer, PulledEvent, PulledPage
from webhooks.times import rfc3339


class PulledEventAnswer(Answer):
    """An event as it would be sent."""

    cursor: Annotated[str, Field(description="commit it, or go on `after` it, when the event is done with")]
    event_id: Annotated[str, Field(description="the same if the event is read twice")]
    event_type: str
    delivery_id: str
    accepted_at: Time
    recorded_at: Annotated[Time, Field(description="its place in the order")]
    headers: Annotated[
        dict[str, str],
        Field(description="those of a delivery, signed now: of `body` exactly as it is here, in UTF-8"),
    ]
    body: Annotated[str | None, Field(description="the event as JSON text; null where `missing` says why")]
    missing: Annotated[
        Literal["not_kept", "gone"] | None,
        Field(description="not_kept: its publisher wants less kept than all of it; gone: it was erased or has expired"),
    ]

    @classmethod
    def of(cls, event: PulledEvent) -> Self:
        """The answer for this event."""
        entry = event.entry
        return cls(
            cursor=event.cursor,
            event_id=entry.event_id,
            event_type=entry.event_type,
            delivery_id=entry.delivery_id,
            accepted_at=rfc3339(entry.accepted_at_ms),
            recorded_at=rfc3339(event.recorded_at_ms),
            headers=event.headers,
            body=event.body,
            missing=event.missing,
        )


class PulledEvents(Answer):
    """Events, oldest first."""

    items: list[PulledEventAnswer]
    next_cursor: Annotated[str, Field(description="go on `after` it; there is always one, also behind the last event")]
    has_more: Annotated[bool, Field(description="there are more already: ask again at once")]

    @classmethod
    def of(cls, page: PulledPage) -> Self:
        """The answer for this page."""
        items = [PulledEventAnswer.of(each) for each in page.items]
        return cls(items=items, next_cursor=page.next_cursor, has_more=page.has_more)


class ConsumerAnswer(Answer):
    """A named reader of a webhook's events."""

    name: str
    cursor: Annotated[str, Field(description="what it goes on after")]
    reached_at: Annotated[Time, Field(description="everything recorded before is done with")]
    committed_at: Time

    @classmethod
    def of(cls, committed: CommittedConsumer) -> Self:
        """The answer for this consumer."""
        return cls(
            name=committed.consumer.name,
            cursor=committed.cursor,
            reached_at=rfc3339(committed.reached_ms),
            committed_at=rfc3339(committed.consumer.committed_at_ms),
        )


class Consumers(Answer):
    """All consumers of a webhook, by name."""

    items: list[ConsumerAnswer]

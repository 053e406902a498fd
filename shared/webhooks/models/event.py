"""An event, and what ingestion decided about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from webhooks.models.keeping import Keeping

# Who published an event: the user that it names, or the platform (a caller who may publish for all, and the bus).
Publisher = Literal["user", "platform"]


@dataclass(frozen=True, slots=True)
class Event:
    """A published event. `payload` is the whole document that receivers get."""

    event_id: str
    event_type: str
    scope: str  # its workspace, else its user
    user_scope: str | None  # webhooks without a workspace hear their owner's events too
    payload: Mapping[str, object]
    publisher: Publisher | None = None  # None: not known, as before it was noted
    former_id: str | None = None  # the id that an older version derived for the same request
    fingerprint: str | None = None  # of what was published; None where nobody can give its id again
    trace: str = ""  # W3C traceparent of what it belongs to, where its publisher gave one
    keeping: Keeping | None = None

    def document(self) -> Mapping[str, object]:
        """The event as its publisher handed it over: how it is kept stands beside its fields."""
        return self.payload if self.keeping is None else {**self.payload, **self.keeping.document()}


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An accepted event with the decisions taken for every webhook, written once.

    `token` tells the ingest message that wrote it: the same token again is a crash to be finished, another one a
    repeat. `page` > 0 continues the fan-out of an event that reaches more webhooks than one page holds; `body` is
    then empty, and so it is once the payload was erased. `publisher` and `fingerprint` are None on such pages, and on
    records older than them. `kept` is what is stored in the place of a `body` that is not kept as it was sent, and a
    stored record has it as its body. `missed` are webhooks that would have been queued if they had been active.
    `resource_id` is stored where events are listed, and goes with the payload.
    """

    event_id: str
    scope: str
    page: int
    token: str
    event_type: str
    user_id: str | int | None
    workspace_id: str | int | None
    accepted_at_ms: int
    body: bytes
    publisher: Publisher | None = None
    fingerprint: str | None = None
    queued: tuple[str, ...] = ()  # webhook ids
    missed: tuple[tuple[str, str], ...] = ()  # (webhook id, reason)
    skipped_counts: Mapping[str, int] = field(default_factory=dict[str, int])
    skipped_first: tuple[tuple[str, str], ...] = ()  # (webhook id, reason)
    continues_after: str | None = None  # the last webhook id of this page, when there are more
    trace: str = ""
    keeping: Keeping | None = None
    kept: bytes | None = None
    resource_id: str | int | None = None
    pulled: tuple[str, ...] = ()  # webhooks that read it: recorded for them, and sent to none

    @property
    def is_whole(self) -> bool:
        """Whether the stored body is what was sent."""
        return self.keeping is None or self.keeping.is_whole

    @property
    def wanted_by(self) -> tuple[str, ...]:
        """Webhooks that it was queued for, and those that a recovery may have sent it to."""
        return (*self.queued, *(webhook_id for webhook_id, _ in self.missed))


@dataclass(frozen=True, slots=True)
class Repeat:
    """An event's id, or its idempotency key, was given again: with the same event, or with another one.

    `at_ms` is when that was noted first. `differs` are paths into the event; empty for the same event.
    """

    event_id: str
    scope: str
    fingerprint: str
    at_ms: int
    differs: tuple[str, ...] = ()

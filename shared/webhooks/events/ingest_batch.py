"""What a batch of ingest messages becomes on its way: events, what was decided of them, and the report."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from webhooks.matching.route_cache import RouteSet
from webhooks.models.event import Event, EventRecord

TIME_IS_OVER = "the invocation's time is nearly over"

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class IngestReport:
    """The result of one batch, as ids of messages: `failed` are to be received again.

    `waiting` lacked AWS, or time, and `touched` are those of which something may be recorded; `faulty` brought out a
    fault of ours.
    """

    failed: set[str] = field(default_factory=set[str])
    waiting: set[str] = field(default_factory=set[str])
    touched: set[str] = field(default_factory=set[str])
    faulty: set[str] = field(default_factory=set[str])
    events: int = 0
    duplicates: int = 0
    conflicts: int = 0  # other events under an id that is taken; each is refused
    resumed: int = 0
    refused: int = 0
    unknown_type: int = 0
    erased: int = 0
    queued: int = 0
    pulled: int = 0
    missed: int = 0
    skipped: int = 0
    steps: list[str] = field(default_factory=list[str])  # "evt_... N queued", for whoever follows an event

    def counts(self) -> dict[str, int]:
        """The numbers of it, by name."""
        numbers = {each.name: getattr(self, each.name) for each in fields(self) if each.type is int}
        return {"failed": len(self.failed), **numbers}

    def put_off(self, message_ids: Iterable[str], cause: Exception) -> None:
        """These come again, through no fault of their own."""
        for message_id in message_ids:
            logger.warning("message %s returned to the queue: %s", message_id, cause)
            self.failed.add(message_id)
            self.waiting.add(message_id)

    def note_fault(self, message_id: str) -> None:
        """This comes again, and ends in the dead-letter queue if it always does this."""
        self.failed.add(message_id)
        self.faulty.add(message_id)


@dataclass(frozen=True, slots=True)
class Pending:
    """An event, or a further page of one, as its message brought it."""

    event: Event
    body: bytes
    matched: Mapping[str, object]  # the payload with floats for all that filters compare as numbers
    token: str
    accepted_at_ms: int
    message_id: str
    published_at_ms: int
    page: int = 0
    after: str = ""
    continuation: str = ""  # the message that asks for this page

    @property
    def former_key(self) -> tuple[str, str, int] | None:
        """Under which an older version recorded it; None without an idempotency key."""
        former_id = self.event.former_id
        return None if former_id is None else (former_id, self.event.scope, 0)


@dataclass(frozen=True, slots=True)
class Decided:
    """Who gets it, and the routes that say so."""

    pending: Pending
    record: EventRecord
    routes: RouteSet
    is_resumed: bool = False  # by a later receive of its message

    @property
    def key(self) -> tuple[str, str, int]:
        """Of the event's item: (event id, scope, page)."""
        return self.record.event_id, self.record.scope, self.record.page

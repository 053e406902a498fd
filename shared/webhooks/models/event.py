"""An event, and what ingestion decided about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """A published event. `payload` is the whole document that receivers get."""

    event_id: str
    event_type: str
    scope: str  # its workspace, else its user
    user_scope: str | None  # webhooks without a workspace hear their owner's events too
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An accepted event with the decisions taken for every webhook, written once and never changed.

    `token` tells the ingest message that wrote it: the same token again is a crash to be finished, another one a
    duplicate. `page` > 0 continues the fan-out of an event that reaches more webhooks than one page holds;
    `body` is then empty. `missed` are webhooks that would have been queued if they had been active.
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
    queued: tuple[str, ...] = ()  # webhook ids
    missed: tuple[tuple[str, str], ...] = ()  # (webhook id, reason)
    skipped_counts: Mapping[str, int] = field(default_factory=dict[str, int])
    skipped_first: tuple[tuple[str, str], ...] = ()  # (webhook id, reason)
    continues_after: str | None = None  # the last webhook id of this page, when there are more

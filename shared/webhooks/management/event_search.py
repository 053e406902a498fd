"""Events across scopes, newest first, those that nobody wanted included: from the list that ingestion keeps of each
scope, where the deployment has one (ListEvents)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.errors import Invalid, NotAllowed
from webhooks.ids import EVENT_ID, delivery_id
from webhooks.management.changes import sees
from webhooks.management.events import Decisions, sees_event
from webhooks.management.paging import Page, TimeRange, page_of
from webhooks.management.ports import EventRecords, History
from webhooks.models.caller import Caller
from webhooks.models.event import EventRecord
from webhooks.models.history import Disposition, EventResult
from webhooks.models.webhook import Webhook, scope_of

MERGED = 50  # scopes whose events are merged: each is four queries
SHOWN = 5  # deliveries of an event


class EventLists(Protocol):
    """Events by scope and time."""

    def newest(self, scopes: Sequence[str], time_range: TimeRange) -> Iterator[EventRecord]:
        """First pages of events without bodies, `behind` a `position_of`, from an index that may lag. Raises
        Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class EventSelection:
    """Which events: those that every given part admits."""

    workspace_id: str | None = None
    user_id: str | None = None
    event_type: str | None = None
    resource_id: str | None = None
    disposition: Disposition | None = None

    def admits(self, record: EventRecord) -> bool:
        """Whether the event is meant."""
        return (
            self.workspace_id in (None, _text(record.workspace_id))
            and self.user_id in (None, _text(record.user_id))
            and self.event_type in (None, record.event_type)
            and self.resource_id in (None, _text(record.resource_id))
            and self.disposition in (None, Decisions([record]).disposition)
        )


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event with what became of it: by its first 500 webhooks at least, and the newest of their deliveries that
    the caller sees."""

    record: EventRecord
    disposition: Disposition
    counts: Mapping[str, int]
    deliveries: Sequence[EventResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSearch:
    """The use case of GET /events. `lists` is None where events are not listed. Raises NotAllowed, Invalid,
    Unavailable."""

    lists: EventLists | None
    events: EventRecords
    history: History
    now_ms: Callable[[], int]

    def page(self, caller: Caller, selection: EventSelection, time_range: TimeRange, limit: int) -> Page[FoundEvent]:
        """Events of one workspace or of one user outside workspaces, else of all that the caller's token names."""
        if self.lists is None:
            raise Invalid.at("id", "name an event: this deployment does not list events (ListEvents)")
        found = self.lists.newest(_scopes(caller, selection), time_range)
        page = page_of(
            found, lambda record: selection.admits(record) and sees_event(caller, record), position_of, limit=limit
        )
        return Page(self._shown(caller, page.items), page.position)

    def named(self, caller: Caller, selection: EventSelection, event_id: str) -> list[FoundEvent]:
        """The events of this id, listed or not."""
        if not EVENT_ID.fullmatch(event_id):
            return []
        records = self.events.named(event_id, self.now_ms())
        return self._shown(caller, [r for r in records if not r.page and selection.admits(r) and sees_event(caller, r)])

    def _shown(self, caller: Caller, records: Sequence[EventRecord]) -> list[FoundEvent]:
        decided = self._decided(records)
        webhooks = self.history.webhooks(list({each for decisions in decided for each in decisions.queued}))
        results = [_newest_of(caller, decisions, webhooks) for decisions in decided]
        ids = [(each.webhook.webhook_id, each.delivery_id or "") for each_of in results for each in each_of]
        found = self.history.records(ids)
        return [
            FoundEvent(
                decisions.first,
                decisions.disposition,
                decisions.counts,
                [EventResult(each.webhook, each.delivery_id, found.get(each.delivery_id or "")) for each in own],
            )
            for decisions, own in zip(decided, results, strict=True)
        ]

    def _decided(self, records: Sequence[EventRecord]) -> list[Decisions]:
        """With two pages each, since the first may be a short one."""
        seconds = [(r.event_id, r.scope, 1) for r in records if r.continues_after is not None]
        found = self.events.get(seconds, self.now_ms())
        pages = [(record, found.get((record.event_id, record.scope, 1))) for record in records]
        return [Decisions([first] if second is None else [first, second]) for first, second in pages]


def position_of(record: EventRecord) -> str:
    """Where an event stands in the list of many scopes."""
    return f"{record.accepted_at_ms}|{record.event_id}|{record.scope}"


def _scopes(caller: Caller, selection: EventSelection) -> Sequence[str]:
    if selection.workspace_id is not None:
        if not (caller.is_admin or caller.is_in_workspace(selection.workspace_id)):
            raise NotAllowed("the workspace is not among those of the token")
        return [scope_of(None, selection.workspace_id)]
    if selection.user_id is not None:
        if not (caller.is_admin or caller.owner == selection.user_id):
            raise NotAllowed("only admins see the events of others")
        return [scope_of(selection.user_id, None)]
    if caller.is_admin:
        raise Invalid.at("workspace_id", "name a workspace_id, or a user_id for events without a workspace")
    scopes = [scope_of(caller.owner, None), *(scope_of(None, each) for each in sorted(caller.workspace_ids))]
    if len(scopes) > MERGED:
        raise Invalid.at("workspace_id", f"more than {MERGED} workspaces would be searched: name one")
    return scopes


def _newest_of(caller: Caller, decisions: Decisions, webhooks: Mapping[str, Webhook]) -> list[EventResult]:
    """Deliveries to the newest webhooks that the caller sees."""
    record = decisions.first
    seen = (webhooks[each] for each in sorted(decisions.queued, reverse=True) if each in webhooks)
    own = [each for each in seen if each.status != "deleted" and sees(caller, each)][:SHOWN]
    return [
        EventResult(each, delivery_id(record.accepted_at_ms, record.scope, record.event_id, each.webhook_id))
        for each in own
    ]


def _text(foreign_id: str | int | None) -> str | None:
    return None if foreign_id is None else str(foreign_id)

"""What happened to an event, for every webhook that the caller sees, and why.

Ingestion records all that it queued or missed, counts by reason what did not fit, and names the first few of those.
For a webhook that is named nowhere the reason follows from that; only where more were counted than named are today's
subscriptions asked, and the answer says so.
"""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from operator import attrgetter
from typing import Literal

from webhooks.errors import Invalid, NotFound
from webhooks.event_types import OPERATIONAL_EVENT_TYPES
from webhooks.events.validation import normalise
from webhooks.ids import EVENT_ID, delivery_id
from webhooks.management.changes import ManagementStore, find, sees
from webhooks.management.paging import Page, page_of
from webhooks.management.ports import EventRecords, History, Repeats
from webhooks.matching.compiled_routes import NOT_SUBSCRIBED, Decision
from webhooks.matching.route_cache import RouteCache, RouteSet, scopes_of
from webhooks.models.caller import Caller
from webhooks.models.event import Event, EventRecord
from webhooks.models.history import Disposition, EventResult, EventView
from webhooks.models.webhook import Webhook, scope_of
from webhooks.payload import loads

UNKNOWN_TYPE: Literal["unknown_event_type"] = "unknown_event_type"
CHANGED_SINCE = "changed_since"
LOADED = 100  # webhooks that one read brings
_STATUSES = frozenset(("inactive", "failed"))  # with which a webhook misses what it wants


@dataclass(frozen=True)
class Decisions:
    """What was decided about one event: all its pages, the first one first."""

    pages: Sequence[EventRecord]

    @property
    def first(self) -> EventRecord:
        return self.pages[0]

    @cached_property
    def event(self) -> Event:
        """Without a payload, where that is no longer kept."""
        first = self.first
        if first.body and first.is_whole:
            return normalise(json.loads(first.body), default_id=first.event_id, default_timestamp="")
        user_scope = None if first.user_id is None else scope_of(first.user_id, None)
        return Event(first.event_id, first.event_type, first.scope, user_scope, {})

    @cached_property
    def queued(self) -> frozenset[str]:
        return frozenset(webhook_id for page in self.pages for webhook_id in page.queued)

    @cached_property
    def pulled(self) -> frozenset[str]:
        return frozenset(webhook_id for page in self.pages for webhook_id in page.pulled)

    @cached_property
    def refused(self) -> Mapping[str, str]:
        """Reasons by webhook id, as far as they are named."""
        missed = {webhook_id: reason for page in self.pages for webhook_id, reason in page.missed}
        return {**dict(self.first.skipped_first), **missed}

    @cached_property
    def counts(self) -> Mapping[str, int]:
        counts = Counter(self.first.skipped_counts)
        counts.update(reason for page in self.pages for _, reason in page.missed)
        counts["queued"] = len(self.queued)
        counts["recorded"] = len(self.pulled)
        return +counts

    @property
    def is_unknown_type(self) -> bool:
        return UNKNOWN_TYPE in self.first.skipped_counts

    @property
    def is_complete(self) -> bool:
        """Whether every webhook that was considered is named."""
        return sum(self.first.skipped_counts.values()) == len(self.first.skipped_first)

    @property
    def undecided_after(self) -> str | None:
        """The webhook behind which the event's distribution has not come yet."""
        return self.pages[-1].continues_after

    @property
    def disposition(self) -> Disposition:
        if self.is_unknown_type:
            return UNKNOWN_TYPE
        if self.queued or self.pulled:
            return "queued"
        return "missed" if any(page.missed for page in self.pages) else "no_match"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHistory:
    """The use case."""

    store: ManagementStore
    events: EventRecords
    repeats: Repeats
    history: History
    routes: RouteCache
    now_ms: Callable[[], int]

    def get(
        self,
        caller: Caller,
        event_id: str,
        *,
        user_id: str | None = None,
        workspace_id: str | None = None,
        webhook_id: str | None = None,
        behind: str | None = None,
        limit: int = LOADED,
    ) -> EventView:
        """An event of the caller's, of its workspaces, or any for admins; with its webhooks, newest first.

        `workspace_id`, or `user_id` for an event without a workspace, tell events of the same id apart. `webhook_id`
        asks for one webhook. Raises NotFound, Invalid when several events are meant, Unavailable.
        """
        decisions = Decisions(self.pages(event_id, user_id, workspace_id, lambda record: sees_event(caller, record)))
        page = self._results(caller, decisions, webhook_id, behind, limit)
        return EventView(
            record=decisions.first,
            payload=loads(decisions.first.body) if decisions.first.body else None,
            disposition=decisions.disposition,
            counts=decisions.counts,
            results=page.items,
            position=page.position,
            repeats=self.repeats.of(decisions.first.event_id, decisions.first.scope, self.now_ms()),
        )

    def pages(
        self, event_id: str, user_id: str | None, workspace_id: str | None, may: Callable[[EventRecord], bool]
    ) -> Sequence[EventRecord]:
        """All pages of the one event that is meant, the first one first, of those for which `may` holds.

        Raises NotFound, Invalid when several events are meant, Unavailable.
        """
        records = self.events.named(event_id, self.now_ms()) if EVENT_ID.fullmatch(event_id) else ()
        wanted = None if user_id is None and workspace_id is None else scope_of(user_id, workspace_id)
        ordered = sorted(records, key=attrgetter("scope", "page"))
        found = [list(pages) for _, pages in groupby(ordered, key=attrgetter("scope"))]
        found = [each for each in found if may(each[0]) and wanted in (None, each[0].scope)]
        if not found:
            raise NotFound(f"there is no event {event_id[:64]}; a published one shows up within seconds")
        if len(found) > 1:
            message = "several events have this id: name the workspace_id, or the user_id of one without a workspace"
            raise Invalid.at("workspace_id", message)
        return found[0]

    def _results(
        self, caller: Caller, decisions: Decisions, webhook_id: str | None, behind: str | None, limit: int
    ) -> Page[EventResult]:
        if webhook_id is None:
            scopes = scopes_of(decisions.event)
            page = page_of(
                self._reachable(caller, decisions, behind),
                lambda w: w.scope in scopes and sees(caller, w),
                lambda w: w.webhook_id,
                limit=limit,
            )
        else:
            page = Page([find(self.store, caller, webhook_id)], None)
        keys = {
            webhook.webhook_id: delivery_id(
                decisions.first.accepted_at_ms, decisions.first.scope, decisions.first.event_id, webhook.webhook_id
            )
            for webhook in page.items
            if webhook.webhook_id in decisions.queued
        }
        records = self.history.records(list(keys.items()))
        today = cache(lambda: self._decided_today(decisions.event) if decisions.first.body else None)
        results = [
            EventResult(webhook, key, records.get(key))
            if (key := keys.get(webhook.webhook_id)) is not None
            else EventResult(webhook, recorded=True)
            if webhook.webhook_id in decisions.pulled
            else _not_queued(webhook, decisions, today)
            for webhook in page.items
        ]
        return Page(results, page.position)

    def _reachable(self, caller: Caller, decisions: Decisions, behind: str | None) -> Iterator[Webhook]:
        """Webhooks that the event could have reached, newest first, some of which the caller may not see.

        The caller's own, and what is named, for the tombstones among it; for admins also who is subscribed today.
        """
        named = {*decisions.queued, *decisions.pulled, *decisions.refused}
        if caller.is_admin:
            named |= self._routes_of(decisions.event).groups.keys()
        below = sorted((each for each in named if behind is None or each < behind), reverse=True)
        merged = heapq.merge(self._load(below), self._own(caller, behind), key=attrgetter("webhook_id"), reverse=True)
        for _, same in groupby(merged, key=attrgetter("webhook_id")):
            yield next(same)

    def _load(self, ids: Sequence[str]) -> Iterator[Webhook]:
        for start in range(0, len(ids), LOADED):
            chunk = ids[start : start + LOADED]
            found = self.history.webhooks(chunk)
            yield from (found[each] for each in chunk if each in found)

    def _own(self, caller: Caller, behind: str | None) -> Iterator[Webhook]:
        more = True
        while more:
            webhooks, behind = self.store.webhooks(caller.owner, after=behind, limit=LOADED)
            yield from webhooks
            more = behind is not None

    def _decided_today(self, event: Event) -> Mapping[str, Decision]:
        return {each.webhook_id: each for each in self._routes_of(event).routes.decisions(event.payload)}

    def _routes_of(self, event: Event) -> RouteSet:
        return self.routes.of(event, self.routes.versions([event]))


def _not_queued(
    webhook: Webhook, decisions: Decisions, today: Callable[[], Mapping[str, Decision] | None]
) -> EventResult:
    reason = decisions.refused.get(webhook.webhook_id) or _recorded_reason(webhook, decisions)
    if reason is not None:
        return EventResult(webhook, reason=reason)
    decided = today()
    if decided is None:
        return EventResult(webhook, reason="payload_gone")
    now = decided.get(webhook.webhook_id)
    if now is None:
        return EventResult(webhook, reason=NOT_SUBSCRIBED, evaluated_now=True)
    is_wanted = now.queued or now.reason in _STATUSES
    return EventResult(webhook, reason=CHANGED_SINCE if is_wanted else now.reason, evaluated_now=True)


def _recorded_reason(webhook: Webhook, decisions: Decisions) -> str | None:
    """The reason that follows from what was recorded, for a webhook that is not named."""
    first = decisions.first
    if webhook.scope not in scopes_of(decisions.event):
        return "other_scope"
    if decisions.is_unknown_type:
        return UNKNOWN_TYPE
    if first.event_type in OPERATIONAL_EVENT_TYPES and decisions.event.payload.get("resource_id") == webhook.webhook_id:
        return "speaks_of_itself"
    if webhook.created_at_ms > first.accepted_at_ms:
        return "created_later"
    if decisions.undecided_after is not None and webhook.webhook_id > decisions.undecided_after:
        return "not_decided_yet"
    return NOT_SUBSCRIBED if decisions.is_complete else None


def sees_event(caller: Caller, record: EventRecord) -> bool:
    """Whether the event is the caller's, or of one of its workspaces; admins see all."""
    if caller.is_admin or (record.user_id is not None and str(record.user_id) == caller.owner):
        return True
    return record.workspace_id is not None and caller.is_in_workspace(record.workspace_id)

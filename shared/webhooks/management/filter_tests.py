"""Tests of filters: which events they would let through, and which rule rejects each of the others."""

import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import cast

from webhooks.errors import Invalid
from webhooks.event_types import patterns_for
from webhooks.events.validation import normalise
from webhooks.ids import new_id
from webhooks.management.changes import ManagementStore, find, sees
from webhooks.management.paging import TimeRange
from webhooks.management.ports import EventRecords, History
from webhooks.matching.filter_document import Filters, check_filters
from webhooks.matching.filters import explain
from webhooks.models.caller import Caller
from webhooks.models.event import EventRecord
from webhooks.payload import floats
from webhooks.times import rfc3339

MAX_EVENTS = 50
WEBHOOKS = 10  # of the caller, the newest, whose deliveries are looked through for events
EXAMINED = 500  # deliveries


@dataclass(frozen=True, slots=True)
class FilterTestResult:
    """One event. `rule`: what rejected it, by its place in the filters; None when the event is wanted."""

    event_id: str
    event_type: str
    accepted_at_ms: int | None
    rule: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterTests:
    """The use case."""

    store: ManagementStore
    history: History
    events: EventRecords
    now_ms: Callable[[], int]

    def on_event(self, caller: Caller, filters: Mapping[str, object], raw: Mapping[str, object]) -> FilterTestResult:
        """Against an event as publishers write it; the caller's own where it names no user. Raises Invalid."""
        parsed = check_filters(filters)
        if raw.get("user_id") is None and raw.get("workspace_id") is None:
            raw = {**raw, "user_id": caller.user_id}
        now_ms = self.now_ms()
        try:
            event = normalise(raw, default_id=new_id("evt", now_ms), default_timestamp=rfc3339(now_ms))
        except Invalid as exc:
            faults = [replace(each, field=f"event.{each.field}") for each in exc.field_errors]
            raise Invalid(f"{faults[0].field}: {faults[0].message}", faults) from exc
        payload = cast("Mapping[str, object]", floats(event.payload))
        return FilterTestResult(event.event_id, event.event_type, None, explain(parsed, payload))

    def on_last(
        self, caller: Caller, filters: Mapping[str, object], last: int, webhook_id: str | None, event_type: str | None
    ) -> list[FilterTestResult]:
        """Against the last events that went to this webhook, or to any of the caller's, newest first.

        `event_type`: a type, or a pattern as subscriptions name it. Raises Invalid for the filters, NotFound for the
        webhook, and Unavailable.
        """
        parsed = check_filters(filters)
        if webhook_id is None:
            webhooks, _ = self.store.webhooks(caller.owner, after=None, limit=WEBHOOKS)
            ids = [each.webhook_id for each in webhooks if each.status != "deleted" and sees(caller, each)]
        else:
            ids = [find(self.store, caller, webhook_id).webhook_id]
        keys = list(islice(self._recent(ids, event_type), last))
        found = self.events.get(keys, self.now_ms())
        return [_tried(parsed, found[key]) for key in keys if key in found and found[key].body]

    def _recent(self, webhook_ids: Sequence[str], event_type: str | None) -> Iterator[tuple[str, str, int]]:
        lists = [self.history.deliveries(each, TimeRange()) for each in webhook_ids]
        newest = heapq.merge(*lists, key=attrgetter("delivery_id"), reverse=True)
        seen: set[tuple[str, str, int]] = set()
        for record in islice(newest, EXAMINED):
            key = (record.event_id, record.scope, 0)
            if key not in seen and (event_type is None or event_type in patterns_for(record.event_type)):
                seen.add(key)
                yield key


def _tried(filters: Filters, record: EventRecord) -> FilterTestResult:
    payload = cast("Mapping[str, object]", json.loads(record.body))
    return FilterTestResult(record.event_id, record.event_type, record.accepted_at_ms, explain(filters, payload))

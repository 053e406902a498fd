"""Publishing events over HTTP: all of a request's events are accepted, or none."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol, cast

from webhooks.access.idempotency_keys import check_key
from webhooks.errors import Conflict, FieldError, Invalid, NotAllowed, Unavailable
from webhooks.events.repeats import Repeats, differences, fingerprint_of, is_others, is_same, own_id
from webhooks.events.trace_context import trace_of
from webhooks.events.validation import MAX_EVENTS, check_id, normalise
from webhooks.ids import derived_id, keyed_id, new_id
from webhooks.models.caller import Caller
from webhooks.models.event import Event, EventRecord, Repeat
from webhooks.payload import MAX_EVENT_BYTES, serialise
from webhooks.sealing import SecretBox
from webhooks.times import rfc3339

# Lambda takes 6 MiB of JSON, in which the body is a string: a quarter of it may be quotes and line ends (Lambda
# Developer Guide, "Lambda quotas").
MAX_BODY_BYTES = 4_718_592  # 4.5 MiB
MAX_ERRORS = 50  # of one answer

logger = logging.getLogger(__name__)


class IngestQueue(Protocol):
    """Hands events to ingestion."""

    def publish(self, events: Sequence[Event], token: str) -> None:
        """When this returns, all events are stored durably. Raises Unavailable; repeating is harmless."""
        ...


class EventRecords(Protocol):
    """Events that ingestion has recorded."""

    def get(self, keys: Sequence[tuple[str, str, int]], now_ms: int) -> Mapping[tuple[str, str, int], EventRecord]:
        """Consistent reads by (event id, scope, page). Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that ingestion will get. `is_duplicate`: it was recorded before, and this one changes nothing."""

    event_id: str
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """The use case. `event_types` are those that this deployment knows."""

    queue: IngestQueue
    events: EventRecords
    repeats: Repeats
    box: SecretBox
    event_types: Collection[str]
    now_ms: Callable[[], int]

    def publish(
        self, caller: Caller, document: object, idempotency_key: str | None, traceparent: str | None = None
    ) -> list[Accepted]:
        """Accept an event, a list of events, or an object with a list of `events`; the answer keeps their order.

        With an idempotency key, an event without an id gets the same id each time, by which ingestion knows a repeat.
        It is derived with a key of ours: who guesses the idempotency key cannot publish under the id beforehand.
        `traceparent` is the request's, for events that have none of their own.
        Raises Conflict for an id or a key that was given to another event or request, as far as ingestion has recorded
        that; Invalid with paths like `events.3.type`, NotAllowed, Unavailable.
        """
        key = check_key(idempotency_key)
        caller.require("events:write")
        given, is_list = _events_of(document)
        of_request = trace_of(traceparent)
        now_ms = self.now_ms()
        events: list[Event] = []
        faults: list[FieldError] = []
        for position, each in enumerate(given):
            at = f"events.{position}" if is_list else ""
            parts = None if key is None else (caller.owner, key, str(position))
            default_id = new_id("evt", now_ms) if parts is None else keyed_id("evt", self._id_key(), *parts)
            try:
                accepted = self._accept(caller, each, default_id, rfc3339(now_ms))
                if of_request and not accepted.trace:
                    accepted = replace(accepted, trace=of_request)
                is_timed = _names(each, "timestamp")
                if accepted.event_id != default_id:
                    accepted = replace(accepted, fingerprint=fingerprint_of(accepted.payload, is_timed=is_timed))
                elif parts is not None:
                    fingerprint = fingerprint_of(accepted.payload, is_timed=is_timed, amount=len(given))
                    accepted = replace(accepted, former_id=derived_id("evt", 0, *parts), fingerprint=fingerprint)
                events.append(accepted)
            except Invalid as exc:
                faults += [replace(fault, field=_join(at, fault.field)) for fault in exc.field_errors]
        faults += _repeated_ids(events)
        if faults:
            raise Invalid(f"{faults[0].field}: {faults[0].message}", faults[:MAX_ERRORS])
        known = self._known(events, now_ms)
        others = {at: each for at, each in known.items() if not is_same(each, events[at].fingerprint)}
        if others:
            self._refuse(others, events, given, is_list=is_list)
        self.queue.publish(events, new_id("pub", now_ms))  # repeats too: ingestion decides, and counts them
        return [Accepted(each.event_id, position in known) for position, each in enumerate(events)]

    def _known(self, events: Sequence[Event], now_ms: int) -> Mapping[int, EventRecord]:
        """What is recorded under the events' ids by their own publishers, by position. One read, where an id or a key
        is given; two, where another publisher has an id. When the table does not answer, ingestion alone decides."""
        keys = {at: (each.event_id, each.scope, 0) for at, each in enumerate(events) if each.fingerprint}
        known: dict[int, EventRecord] = {}
        try:
            while keys:
                found = self.events.get(list(keys.values()), now_ms)
                taken: dict[int, tuple[str, str, int]] = {}
                for at, (event_id, scope, page) in keys.items():
                    record = found.get((event_id, scope, page))
                    publisher, user_id = events[at].publisher, events[at].payload["user_id"]
                    if record is not None and is_others(record, publisher, user_id):
                        taken[at] = own_id(event_id, publisher, user_id), scope, page
                    elif record is not None:
                        known[at] = record
                keys = taken
        except Unavailable as exc:
            logger.warning("repeats are not told by the answer: %s", exc)
        return known

    def _refuse(
        self, others: Mapping[int, EventRecord], events: Sequence[Event], given: Sequence[object], *, is_list: bool
    ) -> NoReturn:
        """Raises Conflict: under these events' ids others are recorded."""
        faults: list[FieldError] = []
        repeats: list[Repeat] = []
        for position, stored in sorted(others.items()):
            event = events[position]
            named = differences(stored, event.payload, is_timed=_names(given[position], "timestamp"))
            message = f"{event.event_id} was published before, and differs in {', '.join(named)}"
            faults.append(FieldError(f"events.{position}" if is_list else "", message, "repeated"))
            repeats.append(Repeat(stored.event_id, stored.scope, event.fingerprint or "", self.now_ms(), named))
        self.repeats.note(repeats)
        first = faults[0]
        raise Conflict(f"{first.field}: {first.message}" if is_list else first.message, faults[:MAX_ERRORS])

    def _id_key(self) -> bytes:
        return self.box.key_for("event ids")

    def _accept(self, caller: Caller, raw: object, default_id: str, default_timestamp: str) -> Event:
        own = not caller.may("events:write:any")
        if own:
            raw = _with_user(raw, caller.user_id)
        event = normalise(raw, default_id=default_id, default_timestamp=default_timestamp)
        check_id(event)
        if event.event_type not in self.event_types:
            known = ", ".join(sorted(self.event_types))
            raise Invalid.at("type", f"is not an event type; known are {known}", "not_allowed")
        try:
            size = len(serialise(event.payload))
        except Invalid as exc:
            raise Invalid.at("", str(exc)) from exc
        if size > MAX_EVENT_BYTES:
            raise Invalid.at("", f"an event has at most {MAX_EVENT_BYTES // 1024} KB", "too_large")
        if own:
            _check_own(caller, event.payload)
        return replace(event, publisher="user" if own else "platform")


def events_in(document: object) -> Sequence[object]:
    """The events of a request's body, none of them looked at. Raises Invalid for a body that cannot hold any."""
    return _events_of(document)[0]


def _events_of(document: object) -> tuple[list[object], bool]:
    if isinstance(document, Mapping) and "events" in document:
        envelope = cast("Mapping[str, object]", document)
        if unknown := [
            FieldError(name, "unknown field beside events", "unknown") for name in envelope if name != "events"
        ]:
            raise Invalid(f"{unknown[0].field}: {unknown[0].message}", unknown)
        document = envelope["events"]
        if not isinstance(document, list):
            raise Invalid.at("events", "must be a list of events", "wrong_type")
    if not isinstance(document, list):
        return [document], False
    events = cast("list[object]", document)
    if not 0 < len(events) <= MAX_EVENTS:
        raise Invalid.at("events", f"must be 1 to {MAX_EVENTS} events", "too_long" if events else "too_short")
    return events, True


def _names(raw: object, field: str) -> bool:
    return isinstance(raw, Mapping) and cast("Mapping[str, object]", raw).get(field) is not None


def _with_user(raw: object, user_id: str | int) -> object:
    if not isinstance(raw, Mapping):
        return raw
    given = cast("Mapping[str, object]", raw)
    return {**given, "user_id": user_id} if given.get("user_id") is None else given


def _check_own(caller: Caller, payload: Mapping[str, object]) -> None:
    if str(payload["user_id"]) != caller.owner:
        raise NotAllowed("user_id: only events:write:any may publish for other users")
    workspace_id = payload["workspace_id"]
    if workspace_id is not None and not caller.is_in_workspace(cast("str | int", workspace_id)):
        raise NotAllowed("workspace_id: is not one of the caller's workspaces")


def _repeated_ids(events: Sequence[Event]) -> Iterator[FieldError]:
    """Within one scope an id names one event: the second would be dropped as a duplicate."""
    seen: set[tuple[str, str]] = set()
    for position, event in enumerate(events):
        if (event.scope, event.event_id) in seen:
            yield FieldError(f"events.{position}.id", "is that of another event of this request", "repeated")
        seen.add((event.scope, event.event_id))


def _join(at: str, field: str) -> str:
    return f"{at}.{field}" if at and field else at or field

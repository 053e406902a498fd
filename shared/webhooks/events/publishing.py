"""Publishing events over HTTP: all of a request's events are accepted, or none."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from webhooks.access.idempotency_keys import check_key
from webhooks.errors import FieldError, Invalid, NotAllowed
from webhooks.events.validation import MAX_EVENTS, check_id, normalise
from webhooks.ids import derived_id, keyed_id, new_id
from webhooks.models.caller import Caller
from webhooks.models.event import Event
from webhooks.payload import MAX_EVENT_BYTES, serialise
from webhooks.sealing import SecretBox
from webhooks.times import rfc3339

# Lambda takes 6 MiB of JSON, in which the body is a string: a quarter of it may be quotes and line ends (Lambda
# Developer Guide, "Lambda quotas").
MAX_BODY_BYTES = 4_718_592  # 4.5 MiB
MAX_ERRORS = 50  # of one answer


class IngestQueue(Protocol):
    """Hands events to ingestion."""

    def publish(self, events: Sequence[Event], token: str) -> None:
        """When this returns, all events are stored durably. Raises Unavailable; repeating is harmless."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """The use case. `event_types` are those that this deployment knows."""

    queue: IngestQueue
    box: SecretBox
    event_types: Collection[str]
    now_ms: Callable[[], int]

    def publish(self, caller: Caller, document: object, idempotency_key: str | None) -> list[Event]:
        """Accept an event, a list of events, or an object with a list of `events`; the answer keeps their order.

        With an idempotency key, an event without an id gets the same id each time, by which ingestion knows a repeat.
        It is derived with a key of ours: who guesses the idempotency key cannot publish under the id beforehand.
        Raises Invalid with paths like `events.3.type`, NotAllowed, Unavailable.
        """
        key = check_key(idempotency_key)
        caller.require("events:write")
        given, is_list = _events_of(document)
        now_ms = self.now_ms()
        events: list[Event] = []
        faults: list[FieldError] = []
        for position, each in enumerate(given):
            at = f"events.{position}" if is_list else ""
            parts = None if key is None else (caller.owner, key, str(position))
            default_id = new_id("evt", now_ms) if parts is None else keyed_id("evt", self._id_key(), *parts)
            try:
                accepted = self._accept(caller, each, default_id, rfc3339(now_ms))
                if parts is not None and accepted.event_id == default_id:
                    accepted = replace(accepted, former_id=derived_id("evt", 0, *parts))
                events.append(accepted)
            except Invalid as exc:
                faults += [FieldError(_join(at, fault.field), fault.message) for fault in exc.field_errors]
        faults += _repeated_ids(events)
        if faults:
            raise Invalid(f"{faults[0].field}: {faults[0].message}", faults[:MAX_ERRORS])
        self.queue.publish(events, new_id("pub", now_ms))
        return events

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
            raise Invalid.at("type", f"is not an event type; known are {known}")
        try:
            size = len(serialise(event.payload))
        except Invalid as exc:
            raise Invalid.at("", str(exc)) from exc
        if size > MAX_EVENT_BYTES:
            raise Invalid.at("", f"an event has at most {MAX_EVENT_BYTES // 1024} KB")
        if own:
            _check_own(caller, event.payload)
        return replace(event, publisher="user" if own else "platform")


def events_in(document: object) -> Sequence[object]:
    """The events of a request's body, none of them looked at. Raises Invalid for a body that cannot hold any."""
    return _events_of(document)[0]


def _events_of(document: object) -> tuple[list[object], bool]:
    if isinstance(document, Mapping) and "events" in document:
        envelope = cast("Mapping[str, object]", document)
        if unknown := [FieldError(name, "unknown field beside events") for name in envelope if name != "events"]:
            raise Invalid(f"{unknown[0].field}: {unknown[0].message}", unknown)
        document = envelope["events"]
        if not isinstance(document, list):
            raise Invalid.at("events", "must be a list of events")
    if not isinstance(document, list):
        return [document], False
    events = cast("list[object]", document)
    if not 0 < len(events) <= MAX_EVENTS:
        raise Invalid.at("events", f"must be 1 to {MAX_EVENTS} events")
    return events, True


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
            yield FieldError(f"events.{position}.id", "is that of another event of this request")
        seen.add((event.scope, event.event_id))


def _join(at: str, field: str) -> str:
    return f"{at}.{field}" if at and field else at or field

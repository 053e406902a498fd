"""What counts as an event: the one check that all doors (HTTP, EventBridge and the ingest queue) use."""

from collections.abc import Mapping
from typing import cast

from webhooks.errors import FieldError, Invalid
from webhooks.events.keeping import REDACT, RETENTION_DAYS, faults_of
from webhooks.events.trace_context import TRACEPARENT, trace_of
from webhooks.ids import EVENT_ID, TAKEN
from webhooks.models.event import Event
from webhooks.models.keeping import Keeping
from webhooks.models.webhook import scope_of
from webhooks.times import parse_rfc3339

FIELDS = ("id", "type", "resource_id", "workspace_id", "user_id", "timestamp", "data", "metadata")
BESIDE = frozenset((TRACEPARENT, RETENTION_DAYS, REDACT))  # receivers get none of them in the payload
MAX_EVENTS = 100  # of one request, and of one message
MAX_ID_CHARACTERS = 128  # of user, workspace and resource ids


def normalise(raw: object, *, default_id: str, default_timestamp: str) -> Event:
    """The event in the shape that receivers get, its fields in the documented order.

    `type` and at least one of `workspace_id` and `user_id` are required; a missing id or timestamp becomes the default,
    missing data and metadata become empty objects. User, workspace and resource ids are kept as given.
    Raises Invalid with a field error for everything that is wrong, not only the first.
    """
    if not isinstance(raw, Mapping):
        raise Invalid.at("", "an event is a JSON object", "wrong_type")
    given = cast("Mapping[str, object]", raw)
    wrong = [
        FieldError(str(name), f"unknown field; an event has {', '.join(FIELDS)}", "unknown")
        for name in given
        if name not in FIELDS and name not in BESIDE
    ]
    payload: dict[str, object] = {
        "id": default_id if given.get("id") is None else given["id"],
        "type": given.get("type"),
        "resource_id": given.get("resource_id"),
        "workspace_id": given.get("workspace_id"),
        "user_id": given.get("user_id"),
        "timestamp": default_timestamp if given.get("timestamp") is None else given["timestamp"],
        "data": {} if given.get("data") is None else given["data"],
        "metadata": {} if given.get("metadata") is None else given["metadata"],
    }
    wrong += [
        FieldError(name, message, "required" if payload[name] is None else "wrong_form")
        for name, message in _faults(payload)
    ]
    wrong += [FieldError(name, message, "wrong_form") for name, message in faults_of(given)]
    if wrong:
        raise Invalid(f"{wrong[0].field}: {wrong[0].message}", wrong)
    user_id, workspace_id = (cast("str | int | None", payload[name]) for name in ("user_id", "workspace_id"))
    return Event(
        event_id=str(payload["id"]),
        event_type=str(payload["type"]),
        scope=scope_of(user_id, workspace_id),
        user_scope=None if user_id is None else scope_of(user_id, None),
        payload=payload,
        trace=trace_of(given.get(TRACEPARENT)),
        keeping=Keeping.of(given),
    )


def check_id(event: Event) -> None:
    """Raises Invalid for an id that no publisher may give: one with our own prefix for ids that were taken."""
    if event.event_id.startswith(f"{TAKEN}_"):
        raise Invalid.at("id", f"must not begin with {TAKEN}_", "not_allowed")


def _faults(payload: Mapping[str, object]) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if not (isinstance(payload["id"], str) and EVENT_ID.fullmatch(payload["id"])):
        faults.append(("id", "must be 1 to 64 of A-Z a-z 0-9 _ -"))
    if not (isinstance(payload["type"], str) and 0 < len(payload["type"]) <= MAX_ID_CHARACTERS):
        faults.append(("type", "must be an event type such as record.created"))
    faults += [
        (name, f"must be a string of 1 to {MAX_ID_CHARACTERS} printable characters, or an integer")
        for name in ("resource_id", "workspace_id", "user_id")
        if not _is_foreign_id(payload[name])
    ]
    if payload["workspace_id"] is None and payload["user_id"] is None:
        faults.append(("workspace_id", "give workspace_id, user_id, or both: they decide which webhooks get it"))
    if parse_rfc3339(payload["timestamp"]) is None:
        faults.append(("timestamp", "must be an RFC 3339 time with a zone, such as 2024-01-01T12:00:00Z"))
    faults += [
        (name, "must be a JSON object") for name in ("data", "metadata") if not isinstance(payload[name], Mapping)
    ]
    return faults


def _is_foreign_id(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_ID_CHARACTERS and value.isprintable() and "|" not in value
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63)

"""Whether an event whose id is taken is a repeat, another event, or another publisher's.

What was published is told by its fingerprint, which is stored with the event. It leaves out what the service filled in,
so that a request without a timestamp can be repeated.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol, cast

from webhooks.ids import TAKEN, derived_id
from webhooks.models.event import EventRecord, Publisher, Repeat
from webhooks.payload import digest, dumps, loads

MAX_DIFFERENCES = 5  # that one answer names
MAX_PATH = 100  # characters of each
OTHER_REQUEST = "the number of events in the request, or a timestamp that one of them leaves out"


class Repeats(Protocol):
    """Where it is noted that an event's id was given again."""

    def note(self, repeats: Sequence[Repeat]) -> None:
        """Keep them, where none of their kind is kept. Fails at nothing."""
        ...


def fingerprint_of(payload: Mapping[str, object], *, is_timed: bool, amount: int | None = None) -> str:
    """Of an event as it was published. Without `is_timed` its timestamp is ours.

    `amount`: how many events its request had, where the id comes of an idempotency key: the key is the request's.
    """
    published = payload if is_timed else {**payload, "timestamp": None}
    return digest(published if amount is None else [published, amount])


def is_same(stored: EventRecord, fingerprint: str | None) -> bool:
    """Records of older versions have no fingerprint, nor have their messages: the same id is the same event then."""
    return stored.fingerprint is None or fingerprint is None or stored.fingerprint == fingerprint


def differences(stored: EventRecord, payload: Mapping[str, object], *, is_timed: bool) -> tuple[str, ...]:
    """In what an event differs from the stored one of another fingerprint: the first paths, or what else it can be."""
    if not stored.body:  # it was erased
        return (OTHER_REQUEST,)
    before = {**loads(stored.body), "id": payload["id"]}
    if not is_timed:
        before["timestamp"] = payload["timestamp"]
    found = tuple(path[:MAX_PATH] for path in islice(_differing(before, payload), MAX_DIFFERENCES))
    return found or (OTHER_REQUEST,)


def is_others(stored: EventRecord, publisher: Publisher | None, user_id: object) -> bool:
    """Whether another publisher has the id."""
    if stored.publisher is None or publisher is None:
        return False
    return _identity(stored.publisher, stored.user_id) != _identity(publisher, user_id)


def own_id(event_id: str, publisher: Publisher | None, user_id: object) -> str:
    """The id in place of one that another publisher has. No publisher can give it, and it is the same each time."""
    return derived_id(TAKEN, 0, event_id, _identity(publisher, user_id))


def _identity(publisher: Publisher | None, user_id: object) -> str:
    return f"user:{user_id}" if publisher == "user" else "platform"


def _differing(one: object, other: object, path: str = "") -> Iterator[str]:
    left, right = _fields(one), _fields(other)
    if left is not None and right is not None:
        for name in {**left, **right}:
            at = f"{path}.{name}" if path else name
            if name in left and name in right:
                yield from _differing(left[name], right[name], at)
            else:
                yield at
    elif dumps(one) != dumps(other):
        yield path


def _fields(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None

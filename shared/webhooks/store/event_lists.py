"""The events of scopes, newest first, where the deployment lists them: an index of keys has them by scope and time."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from webhooks.ids import HISTORY_SHARDS
from webhooks.management.paging import TimeRange
from webhooks.models.event import EventRecord
from webhooks.store import schema
from webhooks.store.attributes import text
from webhooks.store.dynamo import DynamoTable, Key, read_all, unexpired
from webhooks.store.events import event_of

FIRST_READ, LARGEST_READ = 25, 400  # keys of one shard a query: few at first, more where filters leave most out
# no bodies, of up to 256 KB each
_LISTED = (
    "pk", "sk", "scope", "token", "event_type", "accepted_at", "user_id", "workspace_id", "resource_id", "queued",
    "missed", "skipped", "continues_after", "keeping", "expires_at",
)  # fmt: skip
_Place = tuple[str, str, Key]  # time and event id, scope, and the item's key


class EventListStore:
    """Reads what EventStore lists. May lag behind writes by a moment."""

    def __init__(self, table: DynamoTable, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    def newest(self, scopes: Sequence[str], time_range: TimeRange) -> Iterator[EventRecord]:
        """Events of all these scopes without their bodies, by time. `behind` is a `position_of`. Raises Unavailable."""
        shards = [self._descending(scope, shard, time_range) for scope in scopes for shard in range(HISTORY_SHARDS)]
        places = heapq.merge(*shards, reverse=True)
        while some := [key for *_, key in islice(places, FIRST_READ)]:
            found = self._table.get_many(some, _LISTED)
            kept = unexpired((found[key] for key in some if key in found), self._now_ms())
            yield from read_all(kept, event_of)

    def _descending(self, scope: str, shard: int, time_range: TimeRange) -> Iterator[_Place]:
        """One shard from its end, in reads that grow."""
        low, high = _bounds(scope, time_range)
        size = FIRST_READ
        while low <= high:
            items = list(
                self._table.query(
                    limit=size,
                    forward=False,
                    IndexName=schema.WAITING_INDEX,
                    KeyConditionExpression=f"{schema.WAITING_KEY} = :k AND {schema.WAITING_AT} BETWEEN :l AND :h",
                    ExpressionAttributeValues={
                        ":k": text(schema.events_key(scope, shard)),
                        ":l": text(low),
                        ":h": text(high),
                    },
                )
            )
            for item in items:
                yield item[schema.WAITING_AT]["S"], scope, (item[schema.PK]["S"], item[schema.SK]["S"])
            if len(items) < size:
                return
            high = _just_before(items[-1][schema.WAITING_AT]["S"])
            size = min(size * 2, LARGEST_READ)


def _bounds(scope: str, time_range: TimeRange) -> tuple[str, str]:
    """The lowest and the highest place in a scope's shards."""
    low = schema.due_at(time_range.from_ms or 0)
    ends = ["~"] if time_range.to_ms is None else [schema.due_at(time_range.to_ms + 1)]
    if time_range.behind is not None:
        # Namesakes that other scopes accepted in the same millisecond stand on both sides of it.
        accepted_at, event_id, last_scope = time_range.behind.split("|", 2)
        at = schema.due_at(int(accepted_at), event_id)
        ends.append(at if scope < last_scope else _just_before(at))
    return low, min(ends)


def _just_before(at: str) -> str:
    """A place behind which there is only this one: no event's id has a `~`."""
    return f"{at[:-1]}{chr(ord(at[-1]) - 1)}~"

"""Events that some webhook missed because of its status, by scope and time."""

from collections.abc import Callable

from webhooks.recovery.replay_source import MissedEvent
from webhooks.store import schema
from webhooks.store.attributes import read_int, text
from webhooks.store.dynamo import DynamoTable, Key, read_all, unexpired
from webhooks.store.events import event_of

_DECISIONS = ("pk", "sk", "scope", "token", "event_type", "accepted_at", "page", "missed", "keeping", "expires_at")


class MissedStore:
    """Reads the sparse lists that ingestion keeps of such events."""

    def __init__(self, table: DynamoTable, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    def page(
        self,
        scope: str,
        shard: int,
        after: str | None,
        limit: int,
        *,
        from_ms: int,
        to_ms: int,
        elsewhere: bool,
        with_body: bool = True,
    ) -> list[MissedEvent]:
        """Events of one shard accepted within that time, after a position, in order. Raises Unavailable."""
        index, key, at = (
            (schema.OVERVIEW_INDEX, schema.OVERVIEW_KEY, schema.OVERVIEW_AT)
            if elsewhere
            else (schema.LISTING_INDEX, schema.LISTING_KEY, schema.LISTING_AT)
        )
        start = f"{after}!" if after else schema.due_at(from_ms)
        end = schema.due_at(to_ms + 1)
        if start > end:
            return []
        found = self._table.query(
            limit=limit,
            IndexName=index,
            KeyConditionExpression=f"{key} = :k AND {at} BETWEEN :a AND :z",
            ExpressionAttributeValues={
                ":k": text(schema.missed_listing(scope, shard)),
                ":a": text(start),
                ":z": text(end),
            },
        )
        places = [((item[schema.PK]["S"], item[schema.SK]["S"]), item[at]["S"]) for item in found]
        return self._events(places, with_body)

    def _events(self, places: list[tuple[Key, str]], with_body: bool) -> list[MissedEvent]:
        found = self._table.get_many([key for key, _ in places], () if with_body else _DECISIONS)
        fresh = unexpired(found.values(), self._now_ms())
        kept = {(item[schema.PK]["S"], item[schema.SK]["S"]): item for item in fresh}
        first = {key: _first_page(key) for key, item in kept.items() if with_body and read_int(item, "page")}
        bodies = self._table.get_many(list(first.values())) if first else {}
        events: list[MissedEvent] = []
        for key, position in places:
            if key not in kept or (key in first and first[key] not in bodies):
                events.append(MissedEvent(position, None))
                continue
            items = (kept[key], bodies[first[key]]) if key in first else (kept[key],)
            records = list(read_all(items, event_of))
            if len(records) == len(items):
                events.append(MissedEvent(position, records[0], records[-1].body))
            else:
                events.append(MissedEvent(position, None))
        return events


def _first_page(key: Key) -> Key:
    return key[0], key[1].rpartition("|")[0]

"""The audit log: an item for each management call, by whose thing it was about."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from heapq import merge
from itertools import islice
from typing import Any

from webhooks.ids import TIME_CHARACTERS, first_of
from webhooks.management.paging import EXAMINED, TimeRange
from webhooks.models.audit import AuditEntry
from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import DynamoTable, Item, Key, read_all, unexpired

A_READ = 100  # items
LAST_MS = 62**TIME_CHARACTERS - 1
_FIELDS = {each.name for each in fields(AuditEntry)}


class AuditItems:
    """Entries as items, which TTL removes after `kept_ms`."""

    def __init__(self, kept_ms: int) -> None:
        self._kept_ms = kept_ms

    def attributes(self, entry: AuditEntry) -> dict[str, Any]:
        """What an item holds, its key included, in Python's types."""
        document = {name: value for name, value in asdict(entry).items() if value not in (None, ())}
        return {
            schema.PK: schema.audit_pk(entry.owner),
            schema.SK: entry.entry_id,
            schema.EXPIRES_AT: (entry.at_ms + self._kept_ms) // 1000,
            schema.OVERVIEW_KEY: schema.audit_overview(schema.audit_shard(entry.entry_id)),
            schema.OVERVIEW_AT: entry.entry_id,
            "entry": json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        }

    def put(self, entry: AuditEntry) -> dict[str, Any]:
        """The part of a transaction that writes it."""
        return {"Put": {"Item": self.item(entry)}}

    def item(self, entry: AuditEntry) -> Item:
        """The item in DynamoDB's JSON."""
        return {name: text(v) if isinstance(v, str) else number(v) for name, v in self.attributes(entry).items()}


class AuditStore:
    """Entries, newest first. Raises Unavailable."""

    def __init__(self, table: DynamoTable, items: AuditItems, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._items = items
        self._now_ms = now_ms

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry. Repeating it is harmless."""
        self._table.put(self._items.item(entry))

    def entries(self, owner: str | None, time_range: TimeRange) -> Iterator[AuditEntry]:
        """One owner's, consistently; or everybody's (None), by an index that may lag."""
        found = self._everybodys(time_range) if owner is None else self._owners(owner, time_range)
        yield from read_all(unexpired(found, self._now_ms()), _entry_of)

    def _owners(self, owner: str, time_range: TimeRange) -> Iterator[Item]:
        return self._query(schema.PK, schema.SK, schema.audit_pk(owner), time_range, ConsistentRead=True)

    def _everybodys(self, time_range: TimeRange) -> Iterator[Item]:
        shards = (
            self._query(
                schema.OVERVIEW_KEY, schema.OVERVIEW_AT, schema.audit_overview(shard), time_range,
                IndexName=schema.OVERVIEW_INDEX,
            )
            for shard in range(schema.AUDIT_SHARDS)
        )  # fmt: skip
        keys = merge(*shards, key=lambda item: item[schema.SK]["S"], reverse=True)
        while chunk := [_place(item) for item in islice(keys, A_READ)]:
            found = self._table.get_many(chunk)
            yield from (found[each] for each in chunk if each in found)

    def _query(self, key: str, at: str, value: str, time_range: TimeRange, **more: Any) -> Iterator[Item]:  # noqa: ANN401
        first = first_of("aud", _bound(time_range.from_ms or 0))
        last = time_range.behind or (
            "aud_~" if time_range.to_ms is None else first_of("aud", _bound(time_range.to_ms + 1))
        )
        if first > last:
            return  # DynamoDB refuses such a range
        found = self._table.query(
            limit=EXAMINED + 1,
            forward=False,
            KeyConditionExpression=f"{key} = :k AND {at} BETWEEN :first AND :last",
            ExpressionAttributeValues={":k": text(value), ":first": text(first), ":last": text(last)},
            **more,
        )
        yield from (item for item in found if item[schema.SK]["S"] != time_range.behind)


def _bound(time_ms: int) -> int:
    """A time that an id can hold."""
    return max(0, min(time_ms, LAST_MS))


def _place(item: Item) -> Key:
    return item[schema.PK]["S"], item[schema.SK]["S"]


def _entry_of(item: Item) -> AuditEntry:
    stored: dict[str, Any] = json.loads(item["entry"]["S"])
    known: dict[str, Any] = {name: value for name, value in stored.items() if name in _FIELDS}
    known["changed"] = tuple(known.get("changed", ()))
    return AuditEntry(**known)

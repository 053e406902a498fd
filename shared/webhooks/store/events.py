"""Event items: one conditional insert an event; afterwards its payload may be erased, and nothing else changes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from webhooks.compression import pack_body, unpack
from webhooks.ids import HISTORY_SHARDS
from webhooks.models.event import EventRecord, Publisher
from webhooks.models.keeping import Keeping
from webhooks.models.webhook import scope_of
from webhooks.store import schema
from webhooks.store.attributes import (
    binary,
    foreign_id,
    number,
    read_bytes,
    read_foreign_id,
    read_int,
    read_text,
    text,
)
from webhooks.store.dynamo import DynamoTable, Item, Key, Statement, StatementResult, read_all, unexpired

_PUBLISHERS: dict[str, Publisher] = {
    each[0]: each for each in get_args(Publisher)
}  # one letter: items are billed by size
Inserted = Literal["inserted", "exists", "undone", "refused"]
_INSERTED: Mapping[StatementResult, Inserted] = {
    "done": "inserted", "exists": "exists", "conflict": "exists", "undone": "undone", "refused": "refused",
}  # fmt: skip
DAY_MS = 86_400_000
_ID_CHARACTERS = 26  # of a webhook id without its prefix: the queued ids are stored as one string


class EventStore:
    """Events and the decisions taken for them, kept for `usual_ms` where they do not say for how long."""

    def __init__(
        self, table: DynamoTable, retention_ms: int, usual_ms: int | None = None, *, listed: bool = False
    ) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._usual_ms = retention_ms if usual_ms is None else usual_ms
        self._listed = listed  # whether what is inserted can be found by its scope

    def insert(self, records: Sequence[EventRecord]) -> list[Inserted]:
        """Insert all; "exists" where the event (of this page) was there before. "undone": AWS failed at it, and may
        have done it; "refused": no repeat will be taken either. Raises Unavailable where it fails at all."""
        results = self._table.execute([self._insertion(record) for record in records])
        return [_INSERTED[result] for result in results]

    def get(self, keys: Sequence[tuple[str, str, int]], now_ms: int) -> dict[tuple[str, str, int], EventRecord]:
        """Events by (event id, scope, page); those that have expired or cannot be read are absent.

        Raises Unavailable.
        """
        found = self._table.get_many([_key(*key) for key in keys]).values()
        records = read_all(unexpired(found, now_ms), event_of)
        return {(each.event_id, each.scope, each.page): each for each in records}

    def named(self, event_id: str, now_ms: int) -> list[EventRecord]:
        """Every page of every event of this id, in whatever scope; the caller filters by what it may see."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": text(schema.event_pk(event_id))}
        )
        return list(read_all(unexpired(items, now_ms), event_of))

    def erase_payload(self, event_id: str, scope: str) -> None:
        """Remove an event's body and what could tell it, and keep its record. Raises Unavailable."""
        repeats = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :scope)",
            ExpressionAttributeValues={":pk": text(schema.repeat_pk(event_id)), ":scope": text(f"{scope}|")},
        )
        self._table.remove([(item[schema.PK]["S"], item[schema.SK]["S"]) for item in repeats])
        self._table.update(
            _key(event_id, scope, 0), "REMOVE body, fp, keeping, resource_id", condition="attribute_exists(pk)"
        )

    def remove_expired(self, records: Sequence[EventRecord], now_ms: int) -> None:
        """Remove namesakes whose retention is over and that TTL has not collected yet."""
        self._table.execute(
            [
                Statement(
                    f'DELETE FROM "{self._table.name}" WHERE pk=? AND sk=? AND expires_at<=?',  # noqa: S608 - our own names
                    (text(key[0]), text(key[1]), number(now_ms // 1000)),
                    key,
                )
                for key in (_key(record.event_id, record.scope, record.page) for record in records)
            ]
        )

    def _insertion(self, record: EventRecord) -> Statement:
        item = _item(record, (record.accepted_at_ms + self._kept_ms(record)) // 1000)
        if self._listed and not record.page:
            item |= _listing(record)
        fields = ", ".join(f"'{name}': ?" for name in item)
        return Statement(
            f'INSERT INTO "{self._table.name}" VALUE {{{fields}}}',
            tuple(item.values()),
            (item[schema.PK]["S"], item[schema.SK]["S"]),
        )

    def _kept_ms(self, record: EventRecord) -> int:
        days = None if record.keeping is None else record.keeping.days
        return kept_ms(days, self._retention_ms) if days else self._usual_ms


def kept_ms(days: int | None, retention_ms: int) -> int:
    """For how long an event is kept from its acceptance, by its publisher's days."""
    return min(retention_ms, days * DAY_MS) if days else retention_ms


def _key(event_id: str, scope: str, page: int) -> Key:
    return schema.event_pk(event_id), schema.event_sk(scope, page)


def _item(record: EventRecord, expires_at: int) -> Item:
    item: Item = {
        schema.PK: text(schema.event_pk(record.event_id)),
        schema.SK: text(schema.event_sk(record.scope, record.page)),
        "scope": text(record.scope),
        "token": text(record.token),
        "event_type": text(record.event_type),
        "accepted_at": number(record.accepted_at_ms),
        schema.EXPIRES_AT: number(expires_at),
    }
    if record.page:
        item["page"] = number(record.page)
    if body := record.body if record.kept is None else record.kept:
        item["body"] = binary(pack_body(body))
    if record.keeping is not None:
        item["keeping"] = text(_json(record.keeping.document()))
    if record.user_id is not None:
        item["user_id"] = foreign_id(record.user_id)
    if record.workspace_id is not None:
        item["workspace_id"] = foreign_id(record.workspace_id)
    if record.publisher is not None:
        item["by"] = text(record.publisher[0])
    if record.fingerprint is not None and record.is_whole:  # it could tell what is not kept
        item["fp"] = text(record.fingerprint)
    if record.trace:
        item["trace"] = text(record.trace)
    if record.queued:
        item["queued"] = text(_joined(record.queued))
    if record.pulled:
        item["pulled"] = text(_joined(record.pulled))
    if record.skipped_counts:
        item["skipped"] = text(_json([dict(record.skipped_counts), record.skipped_first]))
    if record.continues_after is not None:
        item["continues_after"] = text(record.continues_after)
    if record.missed:
        item["missed"] = text(_json(record.missed))
        shard = _shard(record)
        item[schema.LISTING_KEY] = text(schema.missed_listing(record.scope, shard))
        item[schema.LISTING_AT] = text(schema.due_at(record.accepted_at_ms, f"{record.event_id}|{record.page}"))
        if record.user_id is not None and record.workspace_id is not None:
            # The user's webhooks without a workspace look there: they may miss events of any workspace.
            item[schema.OVERVIEW_KEY] = text(schema.missed_listing(scope_of(record.user_id, None), shard))
            item[schema.OVERVIEW_AT] = item[schema.LISTING_AT]
    return item


def _listing(record: EventRecord) -> Item:
    """The place in a scope's list of events, and what is searched for there and otherwise in the body alone."""
    listing = {
        schema.WAITING_KEY: text(schema.events_key(record.scope, _shard(record))),
        schema.WAITING_AT: text(schema.due_at(record.accepted_at_ms, record.event_id)),
    }
    if record.resource_id is not None and record.kept != b"":
        listing["resource_id"] = foreign_id(record.resource_id)
    return listing


def _shard(record: EventRecord) -> int:
    return sum(record.event_id.encode()) % HISTORY_SHARDS


def event_of(item: Item) -> EventRecord:
    """The record that an event item holds."""
    skipped: Sequence[Any] = _loaded(item, "skipped") or ({}, ())
    return EventRecord(
        event_id=item[schema.PK]["S"].partition("|")[2],
        scope=item["scope"]["S"],
        page=read_int(item, "page"),
        token=item["token"]["S"],
        event_type=item["event_type"]["S"],
        user_id=read_foreign_id(item, "user_id"),
        workspace_id=read_foreign_id(item, "workspace_id"),
        accepted_at_ms=read_int(item, "accepted_at"),
        body=unpack(read_bytes(item, "body") or b""),
        publisher=_PUBLISHERS.get(read_text(item, "by") or ""),
        fingerprint=read_text(item, "fp"),
        queued=_parted(read_text(item, "queued")),
        pulled=_parted(read_text(item, "pulled")),
        missed=_pairs(_loaded(item, "missed") or ()),
        skipped_counts=skipped[0],
        skipped_first=_pairs(skipped[1]),
        continues_after=read_text(item, "continues_after"),
        trace=read_text(item, "trace") or "",
        keeping=Keeping.of(_loaded(item, "keeping") or dict[str, Any]()),
        resource_id=read_foreign_id(item, "resource_id"),
    )


def _loaded(item: Item, name: str) -> Any:  # noqa: ANN401
    stored = read_text(item, name)
    return json.loads(stored) if stored else None


def _joined(webhook_ids: Sequence[str]) -> str:
    return "".join(webhook_id.partition("_")[2] for webhook_id in webhook_ids)


def _parted(ids: str | None) -> tuple[str, ...]:
    ids = ids or ""
    return tuple(f"wh_{ids[i : i + _ID_CHARACTERS]}" for i in range(0, len(ids), _ID_CHARACTERS))


def _pairs(values: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((webhook_id, reason) for webhook_id, reason, *_ in values)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))

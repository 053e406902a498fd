"""Dead letters: what was given up, with its body, until it is replayed or its retention ends."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from webhooks.compression import pack, unpack
from webhooks.ids import history_shard
from webhooks.models.delivery import DeadLetter
from webhooks.models.keeping import days_of
from webhooks.recovery.failure_causes import USED_UP
from webhooks.store import schema
from webhooks.store.attributes import binary, number, read_bytes, read_int, read_text, text
from webhooks.store.dynamo import DynamoTable, Item, Key, read_all, unexpired

# All but the payload, of which there may be 256 KB.
BODILESS_ATTRIBUTES = (
    "pk", "sk", "owner", "event_id", "event_type", "scope", "generation", "status", "failure_reason", "attempt_count",
    "last_status_code", "last_error_code", "dead_at", "is_processed", "processed_at", "processed_by", "cause",
    "expires_at", "keeping",
)  # fmt: skip
BODILESS: dict[str, Any] = {
    "ProjectionExpression": ", ".join(f"#{name}" for name in BODILESS_ATTRIBUTES),
    "ExpressionAttributeNames": {f"#{name}": name for name in BODILESS_ATTRIBUTES},
}


def dead_key(webhook_id: str, delivery_id: str) -> Key:
    """Primary key of a dead letter; it has its delivery's id."""
    return schema.history_pk(webhook_id, delivery_id), schema.dead_sk(delivery_id)


DAY_MS = 86_400_000
MOST_KEPT_BYTES = 300_000
MOST_REASON = 4_000
MOST_META = 20_000


class DeadLetterStore:
    """Dead letters by delivery."""

    def __init__(self, table: DynamoTable, retention_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._now_ms = now_ms

    def bury(self, letter: DeadLetter) -> bool:
        """Keep a dead letter; False when this generation of it, or a later one, is here already. Raises Unavailable."""
        return self._table.put(
            self._item(letter),
            condition="attribute_not_exists(pk) OR generation < :g",
            values={":g": number(letter.generation)},
        )

    def get(self, ids: Sequence[tuple[str, str]], *, with_body: bool = True) -> dict[str, DeadLetter]:
        """Consistent reads by (webhook id, delivery id), keyed by delivery id; expired ones are absent."""
        found = self._table.get_many([dead_key(*each) for each in ids], () if with_body else BODILESS_ATTRIBUTES)
        letters = read_all(unexpired(found.values(), self._now_ms()), dead_letter_of)
        return {letter.delivery_id: letter for letter in letters}

    def page(
        self, webhook_id: str, shard: int, after: str | None, limit: int, *, with_body: bool = True
    ) -> list[DeadLetter]:
        """A webhook's dead letters of one shard in order of time, those after delivery id `after`.

        Only the end has fewer than `limit`: expired ones that TTL has not collected are passed over.
        """
        listed: dict[str, Any] = {} if with_body else BODILESS
        start = schema.dead_sk(after) + "!" if after else schema.DEAD_PREFIX
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :a AND :z",
            ExpressionAttributeValues={
                ":pk": text(schema.history_pks(webhook_id)[shard]),
                ":a": text(start),
                ":z": text(schema.DEAD_PREFIX + "~"),
            },
            ConsistentRead=True,
            **listed,
        )
        return list(islice(read_all(unexpired(items, self._now_ms()), dead_letter_of), limit))

    def listed(
        self, owner: str | None, shard: int, after: str | None, limit: int
    ) -> tuple[list[DeadLetter], str | None]:
        """Dead letters of an owner's webhooks, or of everybody's (None), of one shard behind a delivery id, in order.

        Without bodies, with the id to go on behind, None at the end. A new one may be missing for a moment.
        """
        index, key, at, value = (
            (schema.OVERVIEW_INDEX, schema.OVERVIEW_KEY, schema.OVERVIEW_AT, schema.dead_overview(shard))
            if owner is None
            else (schema.LISTING_INDEX, schema.LISTING_KEY, schema.LISTING_AT, schema.dead_listing(owner, shard))
        )
        keys = [
            (item[schema.PK]["S"], item[schema.SK]["S"])
            for item in self._table.query(
                limit=limit,
                IndexName=index,
                KeyConditionExpression=f"{key} = :k AND {at} > :a",
                ExpressionAttributeValues={":k": text(value), ":a": text(after or " ")},
            )
        ]
        found = self._table.get_many(keys, BODILESS_ATTRIBUTES)
        letters = read_all(unexpired((found[each] for each in keys if each in found), self._now_ms()), dead_letter_of)
        return list(letters), keys[-1][1].removeprefix(schema.DEAD_PREFIX) if len(keys) == limit else None

    def mark_processed(self, letter: DeadLetter, by: str) -> bool:
        """Note that it was sent again; False when it has died once more since."""
        key = dead_key(letter.webhook_id, letter.delivery_id)
        return self._table.update(
            key,
            "SET is_processed = :t, processed_at = :n, processed_by = :b",
            values={
                ":t": {"BOOL": True},
                ":n": number(self._now_ms()),
                ":b": text(by),
                ":g": number(letter.generation),
            },
            condition="generation = :g",
        )

    def keep_unreadable(self, message_id: str, body: str, meta: str | None, reason: str) -> None:
        """Keep a message that nobody can read where an operator finds it: partition `unreadable` of the table."""
        now_ms, raw = self._now_ms(), body.encode()
        packed = pack(raw)
        if len(packed) > MOST_KEPT_BYTES:  # an item has at most 400 KB: its beginning tells an operator what it was
            packed = pack(raw[:MOST_KEPT_BYTES])
            reason = f"{reason} (cut: of {len(raw)} bytes the first {MOST_KEPT_BYTES} are kept)"
        item: Item = {
            schema.PK: text(schema.UNREADABLE_PK),
            schema.SK: text(schema.due_at(now_ms, message_id)),
            "body": binary(packed),
            "reason": text(reason[:MOST_REASON]),
            schema.EXPIRES_AT: number((now_ms + self._retention_ms) // 1000),
        }
        if meta is not None:
            item["meta"] = text(meta[:MOST_META])
        self._table.put(item)

    def _item(self, letter: DeadLetter) -> Item:
        pk, sk = dead_key(letter.webhook_id, letter.delivery_id)
        shard = history_shard(letter.delivery_id)
        item: Item = {
            schema.PK: text(pk),
            schema.SK: text(sk),
            schema.LISTING_KEY: text(schema.dead_listing(letter.owner, shard)),
            schema.LISTING_AT: text(letter.delivery_id),
            schema.OVERVIEW_KEY: text(schema.dead_overview(shard)),
            schema.OVERVIEW_AT: text(letter.delivery_id),
            schema.EXPIRES_AT: number(self._expiry(letter)),
            "owner": text(letter.owner),
            "event_id": text(letter.event_id),
            "event_type": text(letter.event_type),
            "scope": text(letter.scope),
            "generation": number(letter.generation),
            "status": text(letter.status),
            "failure_reason": text(letter.failure_reason),
            "attempt_count": number(letter.attempt_count),
            "dead_at": number(letter.dead_at_ms),
            "payload": binary(pack(letter.body)),
            "is_processed": {"BOOL": False},
        }
        if letter.last_status_code is not None:
            item["last_status_code"] = number(letter.last_status_code)
        if letter.last_error_code is not None:
            item["last_error_code"] = text(letter.last_error_code)
        if letter.cause:
            item["cause"] = text(letter.cause)
        if letter.keeping:
            item["keeping"] = text(letter.keeping)
        return item

    def _expiry(self, letter: DeadLetter) -> int:
        days = days_of(letter.keeping)
        kept_ms = self._retention_ms if days is None else min(self._retention_ms, days * DAY_MS)
        return (letter.dead_at_ms + kept_ms) // 1000


def dead_letter_of(item: Item) -> DeadLetter:
    """The dead letter that an item holds."""
    processed: Any = item["is_processed"]
    reason = item["failure_reason"]["S"]
    return DeadLetter(
        delivery_id=item[schema.SK]["S"].removeprefix(schema.DEAD_PREFIX),
        webhook_id=item[schema.PK]["S"].partition("|")[0],
        owner=item["owner"]["S"],
        event_id=item["event_id"]["S"],
        event_type=item["event_type"]["S"],
        scope=item["scope"]["S"],
        generation=read_int(item, "generation"),
        status=item["status"]["S"],
        failure_reason=reason,
        attempt_count=read_int(item, "attempt_count"),
        last_status_code=read_int(item, "last_status_code") if "last_status_code" in item else None,
        last_error_code=read_text(item, "last_error_code"),
        dead_at_ms=read_int(item, "dead_at"),
        body=unpack(read_bytes(item, "payload") or b""),
        is_processed=bool(processed["BOOL"]),
        processed_at_ms=read_int(item, "processed_at") if "processed_at" in item else None,
        processed_by=read_text(item, "processed_by"),
        cause=read_text(item, "cause") or reason.removeprefix(USED_UP),
        keeping=read_text(item, "keeping") or "",
    )

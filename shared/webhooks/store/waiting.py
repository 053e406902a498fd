"""What waits outside SQS: due deliveries and webhooks to wake by time, and each webhook's waiting room."""

import heapq
from collections.abc import Iterator

from webhooks.ids import HISTORY_SHARDS
from webhooks.store import schema
from webhooks.store.attributes import text
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import Item

DUE_SHARDS = schema.DUE_SHARDS
WaitingId = tuple[str, str | None]  # (webhook id, delivery id), or (webhook id, None) for a webhook to wake


class WaitingStore(DeliveryContextStore):
    """The waiting index, whose answers may be a moment old: everything is read again before it is acted on."""

    def due(self, shard: int, until_ms: int) -> Iterator[WaitingId]:
        """What falls due before `until_ms` in one shard, earliest first."""
        items = self._table.query(
            IndexName=schema.WAITING_INDEX,
            KeyConditionExpression=f"{schema.WAITING_KEY} = :k AND {schema.WAITING_AT} < :u",
            ExpressionAttributeValues={":k": text(schema.due_key(shard)), ":u": text(schema.due_at(until_ms))},
        )
        return map(_waiting_id, items)

    def in_room(self, webhook_id: str, limit: int) -> list[WaitingId]:
        """The oldest deliveries of a webhook's waiting room."""
        shards = [
            self._table.query(
                limit=limit,
                IndexName=schema.WAITING_INDEX,
                KeyConditionExpression=f"{schema.WAITING_KEY} = :k",
                ExpressionAttributeValues={":k": text(schema.room_key(webhook_id, shard))},
            )
            for shard in range(HISTORY_SHARDS)
        ]
        ids = [list(map(_waiting_id, items)) for items in shards]
        return list(heapq.merge(*ids, key=lambda each: each[1] or ""))[:limit]


def _waiting_id(item: Item) -> WaitingId:
    pk, sk = item[schema.PK]["S"], item[schema.SK]["S"]
    if sk == schema.STATE_SK:
        return pk, None
    return pk.partition("|")[0], sk.removeprefix(schema.DELIVERY_PREFIX)

"""What idempotency keys were used for, beside what is made with them. The management store writes the same."""

from webhooks.access.idempotency_keys import REMEMBERED_MS, IdempotencyRecord
from webhooks.store import schema
from webhooks.store.attributes import number, read_int, text
from webhooks.store.dynamo import DynamoTable, Item


def idempotency_record(table: DynamoTable, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
    """What the caller's idempotency key was used for, unless that has expired. Consistent. Raises Unavailable."""
    place = schema.idempotency_pk(caller, key), schema.IDEMPOTENCY_SK
    item = table.get_many([place]).get(place)
    if item is None or read_int(item, "expires_at_ms") <= now_ms:
        return None
    made, fingerprint = item["webhook_id"]["S"], item["fingerprint"]["S"]
    return IdempotencyRecord(caller, key, fingerprint, made, read_int(item, "expires_at_ms"))


def remembering(record: IdempotencyRecord | None) -> list[Item]:
    """What a transaction that makes something has beside it: it fails when the key has been used. None: nothing."""
    if record is None:
        return []
    item = {
        schema.PK: text(schema.idempotency_pk(record.caller, record.key)),
        schema.SK: text(schema.IDEMPOTENCY_SK),
        schema.EXPIRES_AT: number(record.expires_at_ms // 1000),
        "fingerprint": text(record.fingerprint),
        "webhook_id": text(record.webhook_id),
        "expires_at_ms": number(record.expires_at_ms),
    }
    unused = {
        "ConditionExpression": f"attribute_not_exists({schema.PK}) OR expires_at_ms <= :now",
        "ExpressionAttributeValues": {":now": number(record.expires_at_ms - REMEMBERED_MS)},
    }
    return [{"Put": {"Item": item, **unused}}]

"""The deployment's ed25519 keys: one item, sealed."""

from webhooks.access.idempotency_keys import IdempotencyRecord
from webhooks.models.audit import AuditEntry
from webhooks.models.signing_key import SealedKeys
from webhooks.store import schema
from webhooks.store.attributes import binary, number, read_bytes, read_int, text
from webhooks.store.audit import AuditItems
from webhooks.store.dynamo import DynamoTable
from webhooks.store.idempotency import idempotency_record, remembering

_KEY = (schema.SIGNING_KEYS_PK, schema.SIGNING_KEYS_SK)


class SigningKeyReader:
    """Loads them."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def load(self) -> SealedKeys | None:
        """All of them; None before the first was made. Consistent. Raises Unavailable."""
        item = self._table.get_many([_KEY]).get(_KEY)
        return None if item is None else SealedKeys(read_bytes(item, "sealed") or b"", read_int(item, "version"))


class SigningKeyStore(SigningKeyReader):
    """The same, and what makes and rotates them."""

    def __init__(self, table: DynamoTable, audit: AuditItems) -> None:
        super().__init__(table)
        self._audit = audit

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the caller's idempotency key was used for, unless that has expired. Consistent."""
        return idempotency_record(self._table, caller, key, now_ms)

    def store(
        self, keys: SealedKeys, audit: AuditEntry | None = None, remember: IdempotencyRecord | None = None
    ) -> bool:
        """Put these in the place of the version before them, and what is kept of it. False when another is there, or
        the idempotency key has been used."""
        before = {"ConditionExpression": "attribute_not_exists(pk)"}
        if keys.version > 1:
            before = {
                "ConditionExpression": "version = :before",
                "ExpressionAttributeValues": {":before": number(keys.version - 1)},
            }
        item = {
            schema.PK: text(_KEY[0]),
            schema.SK: text(_KEY[1]),
            "sealed": binary(keys.sealed),
            "version": number(keys.version),
        }
        told = [] if audit is None else [self._audit.put(audit)]
        return self._table.transact([{"Put": {"Item": item, **before}}, *told, *remembering(remember)])

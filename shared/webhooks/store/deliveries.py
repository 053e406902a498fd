"""Deliveries in the table: every write is a batched statement that holds only for the revision it was made from."""

import functools
from collections.abc import Callable, Mapping, Sequence

from webhooks.delivery.attempt_detail import AttemptDetail
from webhooks.models.delivery import DeliveryRecord
from webhooks.store import schema
from webhooks.store.attributes import binary, number, text
from webhooks.store.delivery_items import delivery_item, delivery_key, delivery_of
from webhooks.store.dynamo import DynamoTable, Item, Key, Statement, StatementResult, read_all

_WRITTEN: Mapping[StatementResult, bool | None] = {
    "done": True, "exists": False, "conflict": False, "undone": None, "refused": None,
}  # fmt: skip
TESTS_MS = 3 * 86_400_000  # how long test deliveries are kept
Change = tuple[DeliveryRecord | None, DeliveryRecord]  # (as read or None, as it shall be)


class DeliveryStore:
    """Delivery records by revision."""

    def __init__(self, table: DynamoTable, retention_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._now_ms = now_ms

    def get(self, ids: Sequence[tuple[str, str]]) -> dict[str, DeliveryRecord]:
        """Consistent reads by (webhook id, delivery id); keyed by delivery id. Raises Unavailable."""
        found = self._table.get_many([delivery_key(*each) for each in ids])
        return {record.delivery_id: record for record in read_all(found.values(), delivery_of)}

    def save(self, changes: Sequence[Change], details: Sequence[AttemptDetail] = ()) -> list[bool | None]:
        """Write all; False where the stored revision is another than the one the change was made from.

        That may also be this very change, written before an answer got lost: re-read and compare. None where AWS did
        not take this one. Raises Unavailable where it takes none.
        """
        statements = [self._statement(before, after) for before, after in changes]
        statements += [self._detail(detail) for detail in details]
        results = self._table.execute(statements)
        return [_WRITTEN[result] for result in results[: len(changes)]]

    def drop_letter_payload(self, webhook_id: str, delivery_id: str) -> None:
        """Take the payload out of a dead letter that was delivered since, if there is one. Raises Unavailable."""
        key = schema.history_pk(webhook_id, delivery_id), schema.dead_sk(delivery_id)
        self._table.update(key, "REMOVE payload", condition="attribute_exists(pk)")

    def _statement(self, before: DeliveryRecord | None, after: DeliveryRecord) -> Statement:
        key = delivery_key(after.webhook_id, after.delivery_id)
        kept_ms = min(TESTS_MS, self._retention_ms) if after.is_test else self._retention_ms
        item = delivery_item(after, self._expiry(kept_ms))
        if before is None or before.revision == 0:
            return self._insert(key, item)
        removed = delivery_item(before, 0).keys() - item.keys()
        clauses = [f'SET "{name}"=?' for name in item] + [f'REMOVE "{name}"' for name in sorted(removed)]
        return Statement(
            f'UPDATE "{self._table.name}" {" ".join(clauses)} WHERE pk=? AND sk=? AND "revision"=?',
            (*item.values(), text(key[0]), text(key[1]), number(before.revision)),
            key,
        )

    def _detail(self, detail: AttemptDetail) -> Statement:
        key = (
            schema.history_pk(detail.webhook_id, detail.delivery_id),
            schema.attempt_sk(detail.delivery_id, detail.started_at_ms),
        )
        return self._insert(
            key, {"detail": binary(detail.packed), schema.EXPIRES_AT: number(self._expiry(self._retention_ms))}
        )

    def _insert(self, key: Key, item: Mapping[str, Item]) -> Statement:
        full: Item = {schema.PK: text(key[0]), schema.SK: text(key[1]), **item}
        return Statement(_insertion(self._table.name, tuple(full)), tuple(full.values()), key)

    def _expiry(self, kept_ms: int) -> int:
        return (self._now_ms() + kept_ms) // 1000


@functools.lru_cache(maxsize=256)  # records come in a few shapes
def _insertion(table_name: str, names: tuple[str, ...]) -> str:
    fields = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table_name}" VALUE {{{fields}}}'

"""Slots of an owner, or of everybody: an item for each kind, with an attribute for each slot that is taken."""

from collections.abc import Callable, Mapping

from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import DynamoTable, Key


class SlotStore:
    """An item that TTL removes `kept_ms` after the last slot was taken."""

    def __init__(self, table: DynamoTable, kept_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._kept_ms = kept_ms
        self._now_ms = now_ms

    def holders(self, kind: str, owner: str | None) -> Mapping[int, str]:
        """The holder of each slot that is taken. Consistent."""
        key = _key(kind, owner)
        item = self._table.get_many([key]).get(key, {})
        return {
            int(name.removeprefix(schema.SLOT_PREFIX)): value["S"]
            for name, value in item.items()
            if name.startswith(schema.SLOT_PREFIX)
        }

    def take(self, kind: str, owner: str | None, slot: int, before: str | None, holder: str) -> bool:
        """Take a slot from the holder `before`, or a free one; False when somebody else has it by now."""
        values = {":holder": text(holder), ":ttl": number((self._now_ms() + self._kept_ms) // 1000)}
        return self._table.update(
            _key(kind, owner),
            "SET #slot = :holder, #ttl = :ttl",
            names={"#slot": _attribute(slot), "#ttl": schema.EXPIRES_AT},
            values=values if before is None else {**values, ":before": text(before)},
            condition="attribute_not_exists(#slot)" if before is None else "#slot = :before",
        )

    def free(self, kind: str, owner: str | None, slot: int, holder: str) -> None:
        """Give a slot back, if that holder still has it."""
        self._table.update(
            _key(kind, owner),
            "REMOVE #slot",
            names={"#slot": _attribute(slot)},
            values={":holder": text(holder)},
            condition="#slot = :holder",
        )


def _key(kind: str, owner: str | None) -> Key:
    return schema.slots_pk(owner), kind


def _attribute(slot: int) -> str:
    return f"{schema.SLOT_PREFIX}{slot}"

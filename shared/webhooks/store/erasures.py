"""The list of the erased: one item a tenant, which never expires."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from typing import Any, cast

from webhooks.matching.route_cache import ERASED_UNTIL
from webhooks.models.erasure import Erasure
from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import DynamoTable, Item, Key, read_all


def _key(scope: str) -> Key:
    return schema.ERASED_PK, scope


class ErasureStore:
    """Erasures by tenant."""

    def __init__(self, table: DynamoTable, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    def get(self, scope: str) -> Erasure | None:
        """Consistent read."""
        item = self._table.get_many([_key(scope)]).get(_key(scope))
        return None if item is None else erasure_of(item)

    def all(self, behind: str | None = None) -> Iterator[Erasure]:
        """In the order of their scopes, those behind one. Consistent."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND sk > :b",
            ExpressionAttributeValues={":pk": text(schema.ERASED_PK), ":b": text(behind or " ")},
            ConsistentRead=True,
        )
        return read_all(items, erasure_of)

    def start(self, before: Erasure | None, erasure: Erasure) -> bool:
        """Note that the tenant is to be erased; False when somebody else has changed the entry meanwhile."""
        erasure = replace(erasure, step=0 if before is None else before.step + 1)
        condition = "attribute_not_exists(pk)" if before is None else "#step = :before"
        saved = self._table.put(
            _item(erasure),
            condition=condition,
            names=None if before is None else {"#step": "step"},
            values=None if before is None else {":before": number(before.step)},
        )
        return saved or self.get(erasure.scope) == erasure

    def refuse_events(self, erasure: Erasure) -> None:
        """Have ingest drop what was published in the tenant's scope up to the request. Raises Unavailable."""
        self._table.update(
            (schema.versions_pk(erasure.scope), schema.VERSIONS_SK),
            "SET #until = :until",
            names={"#until": ERASED_UNTIL},
            values={":until": number(erasure.requested_at_ms)},
        )

    def checkpoint(self, before: Erasure, after: Erasure) -> Erasure | None:
        """Write the next step; None when another run has got there first.

        A refused write may be this very one, whose first answer was lost on the way: the stored entry tells.
        """
        after = replace(after, step=before.step + 1, updated_at_ms=self._now_ms())
        saved = self._table.put(
            _item(after), condition="#step = :before", names={"#step": "step"}, values={":before": number(before.step)}
        )
        return after if saved or self.get(after.scope) == after else None


def _item(erasure: Erasure) -> Item:
    document = asdict(erasure)
    pk, sk = _key(erasure.scope)
    return {
        schema.PK: text(pk),
        schema.SK: text(sk),
        "step": number(erasure.step),
        "erasure": text(json.dumps({**document.pop("more"), **document})),
    }


def erasure_of(item: Item) -> Erasure:
    """The erasure that an item holds."""
    stored = cast("dict[str, Any]", json.loads(item["erasure"]["S"]))
    known = {each.name for each in fields(Erasure)} - {"more"}
    more = {name: value for name, value in stored.items() if name not in known}
    return Erasure(**{name: value for name, value in stored.items() if name in known}, more=more)

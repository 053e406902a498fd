"""20 failed deliveries among 1,000,000: one page, and no more read units than a look at those 20 (measured: 22).

The table is generated: ids are kept, items are made when they are read. Read units as AWS counts them (DynamoDB
Developer Guide, "Read operations"): 4 KB each, half of that for reads that need not be consistent; a query by the sum
of what it goes through, a batch item by item.
"""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil
from typing import Any, Literal, cast

import pytest

from tests.fakes.dynamo_table import item_bytes
from webhooks.ids import ALPHABET, HISTORY_SHARDS, derived_id, history_shard
from webhooks.management.deliveries import DeliveryHistory, Selection
from webhooks.management.paging import TimeRange
from webhooks.models.caller import Caller
from webhooks.models.delivery import Attempt, DeliveryRecord
from webhooks.models.webhook import Webhook
from webhooks.store import schema
from webhooks.store.delivery_items import delivery_item, delivery_key
from webhooks.store.dynamo import DynamoTable, Item
from webhooks.store.history import HistoryStore

NOW, DAY_MS, DELIVERIES, FAILED = 1_760_000_000_000, 86_400_000, 1_000_000, 20
WEBHOOK_ID = derived_id("wh", NOW, "mine")
WEBHOOK = Webhook(
    WEBHOOK_ID, 7, 1, "n", "https://x.example/", "", {}, (), b"", 1, 9, 15, None, "active", None, 1, 0, 0
)  # fmt: skip


@cache
def _ids() -> tuple[str, ...]:
    """A delivery each 100 ms, about a day of them; in order."""
    made: list[str] = []
    for n in range(DELIVERIES):
        time, characters = NOW + n * 100, ""
        for _ in range(8):
            time, digit = divmod(time, 62)
            characters = ALPHABET[digit] + characters
        made.append(f"dlv_{characters}{hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest()[:18]}")
    return tuple(made)


class GeneratedTable:
    """A boto3 client that only reads, and counts read units."""

    def __init__(self) -> None:
        self.units = 0.0
        self.shards: list[list[str]] = [[] for _ in range(HISTORY_SHARDS)]
        for each in _ids():
            self.shards[history_shard(each)].append(each)
        self.failed = set(_ids()[:: DELIVERIES // FAILED])

    def query(self, *, KeyConditionExpression: str, ExpressionAttributeValues: Mapping[str, Any], Limit: int = 1_000,
              IndexName: str | None = None, ConsistentRead: bool = False, ScanIndexForward: bool = True,
              ExclusiveStartKey: Item | None = None, **_: Any) -> dict[str, Any]:  # fmt: skip
        assert re.fullmatch(r"\w+ = :k AND \w+ BETWEEN :l AND :h", KeyConditionExpression)
        assert not ScanIndexForward
        assert ExclusiveStartKey is None
        key, low, high = (ExpressionAttributeValues[name]["S"] for name in (":k", ":l", ":h"))
        ids = self._partition(key, IndexName)
        first, last = (each.removeprefix(schema.DELIVERY_PREFIX) for each in (low, high))
        found = ids[bisect_left(ids, first) : bisect_right(ids, last)][::-1][:Limit]
        items = [self._keys(each) if IndexName else self._item(each) for each in found]
        size = sum(item_bytes(item) for item in items)
        self.units += max(1, ceil(size / 4096)) * (1 if ConsistentRead else 0.5)
        return {"Items": items, "ScannedCount": len(items)}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        ((name, asked),) = RequestItems.items()
        ids = [key["sk"]["S"].removeprefix(schema.DELIVERY_PREFIX) for key in asked["Keys"]]
        items = [self._item(each) for each in ids]
        self.units += sum(ceil(item_bytes(item) / 4096) * (1 if asked.get("ConsistentRead") else 0.5) for item in items)
        return {"Responses": {name: items}}

    def _partition(self, key: str, index: str | None) -> Sequence[str]:
        shard = int(key.rpartition("|")[2])
        if index is None:
            return self.shards[shard]
        status = key.split("|")[1]
        return sorted(each for each in self.failed if history_shard(each) == shard) if status == "failed" else []

    def _keys(self, delivery_id: str) -> Item:
        pk, sk = delivery_key(WEBHOOK_ID, delivery_id)
        return {"pk": {"S": pk}, "sk": {"S": sk}}

    def _item(self, delivery_id: str) -> Item:
        is_failed = delivery_id in self.failed
        outcomes: list[Literal["success", "failure"]] = ["failure"] * 10 if is_failed else ["success"]
        attempts = tuple(
            Attempt(n + 1, NOW, 120, outcome, 503 if is_failed else 200) for n, outcome in enumerate(outcomes)
        )
        record = DeliveryRecord(
            delivery_id, WEBHOOK_ID, "evt_1", "record.created", "ws:1", "failed" if is_failed else "delivered", 1, 1,
            attempts, reason="attempts_used_up:http_503" if is_failed else None,
        )  # fmt: skip
        return {**self._keys(delivery_id), **delivery_item(record, NOW // 1000 + 1_000_000)}


class Store:
    def webhook(self, webhook_id: str) -> Webhook | None:
        return WEBHOOK if webhook_id == WEBHOOK_ID else None


def history(client: GeneratedTable) -> DeliveryHistory:
    now_ms = lambda: NOW + DAY_MS  # noqa: E731
    return DeliveryHistory(
        store=cast("Any", Store()), history=HistoryStore(DynamoTable(client, "t"), now_ms), letters=cast("Any", None),
        events=cast("Any", None), replayer=cast("Any", None), audit=cast("Any", None),
        header_prefix="X", user_agent="x", now_ms=now_ms,
    )  # fmt: skip


@pytest.mark.slow
def test_twenty_failures_among_a_million_come_in_one_page_for_at_most_fifty_read_units() -> None:
    client = GeneratedTable()
    caller = Caller(7, frozenset({"1"}), frozenset({"webhooks"}))
    page = history(client).page(caller, WEBHOOK_ID, Selection(status="failed"), TimeRange(), 100)
    assert len(page.items) == FAILED
    assert page.position is None
    assert [each.delivery_id for each in page.items] == sorted(client.failed, reverse=True)
    assert client.units <= 50, client.units
    client.units = 0.0

    newest = history(client).page(caller, WEBHOOK_ID, Selection(), TimeRange(), 20)
    assert len(newest.items) == 20
    assert client.units <= 50, client.units

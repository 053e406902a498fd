"""Clients in front of the fakes that count what AWS would bill."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.cost import item_sizes
from tests.fakes import partiql
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.dynamo_table import Item, Key
from tests.fakes.sqs import FakeSQS

CHUNK_BYTES = 64 * 1024  # "Every 64 KB chunk of a payload is billed as one request" (Amazon SQS pricing)
POLLED = 10  # messages that Lambda's pollers receive and delete at once


@dataclass(slots=True)
class Meter:
    """Counts by function; `calls` are those that we make, `sqs` those that are billed, whoever makes them."""

    calls: Counter[str] = field(default_factory=Counter[str])
    operations: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    write_units: Counter[str] = field(default_factory=Counter[str])
    read_units: Counter[str] = field(default_factory=Counter[str])
    written: Counter[str] = field(default_factory=Counter[str])  # write units by kind of item
    sqs: Counter[str] = field(default_factory=Counter[str])
    invocations: Counter[str] = field(default_factory=Counter[str])
    received: Mapping[str, int] = field(default_factory=dict[str, int])  # messages that a poller gets at once
    function: str = ""

    def call(self, operation: str) -> None:
        """One call of ours."""
        self.calls[self.function] += 1
        self.operations[(self.function, operation)] += 1

    def polled(self, records: Sequence[Mapping[str, Any]], kept: int) -> None:
        """What Lambda's pollers ask of SQS for one batch."""
        received = self.received.get(self.function, POLLED)
        for start in range(0, len(records), received):
            self.sqs[self.function] += chunks(sum(map(_record_bytes, records[start : start + received])))
        self.sqs[self.function] += math.ceil((len(records) - kept) / POLLED)


class MeteredDynamoDB:
    """FakeDynamoDB's client, metered."""

    def __init__(self, fake: FakeDynamoDB, table_name: str, meter: Meter) -> None:
        self._fake = fake
        self._items = fake.tables[table_name].items
        self._meter = meter

    def get_item(self, **request: Any) -> Item:
        """The api's probe of the table, which is not metered."""
        return self._fake.get_item(**request)

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Item:
        """Each key counts for itself."""
        self._meter.call("BatchGetItem")
        for asked in RequestItems.values():
            for key in map(_key, asked["Keys"]):
                units = item_sizes.read_units(self._items.get(key), consistent=asked.get("ConsistentRead", False))
                self._meter.read_units[self._meter.function] += units  # pyright: ignore[reportArgumentType]
        return self._fake.batch_get_item(RequestItems=RequestItems)

    def query(self, **request: Any) -> Item:
        """The items of a page count together."""
        self._meter.call("Query")
        answer = self._fake.query(**request)
        size = sum(map(item_sizes.item_bytes, answer["Items"]))
        units = item_sizes.query_units(size, consistent=request.get("ConsistentRead", False))
        self._meter.read_units[self._meter.function] += units  # pyright: ignore[reportArgumentType]
        return answer

    def put_item(self, **request: Any) -> Item:
        """A write."""
        return self._write("PutItem", [_key(request["Item"])], lambda: self._fake.put_item(**request))

    def update_item(self, **request: Any) -> Item:
        """A write."""
        return self._write("UpdateItem", [_key(request["Key"])], lambda: self._fake.update_item(**request))

    def transact_write_items(self, **request: Any) -> Item:
        """Each write counts twice."""
        bodies = [next(iter(action.values())) for action in request["TransactItems"]]
        keys = [_key(body.get("Key") or body["Item"]) for body in bodies]
        call = lambda: self._fake.transact_write_items(**request)  # noqa: E731
        return self._write("TransactWriteItems", keys, call, transactional=True)

    def batch_execute_statement(self, *, Statements: Sequence[Mapping[str, Any]]) -> Item:
        """Each statement is a write."""
        keys = [partiql.parse(each["Statement"]).key(tuple(each["Parameters"])) for each in Statements]
        call = lambda: self._fake.batch_execute_statement(Statements=Statements)  # noqa: E731
        return self._write("BatchExecuteStatement", keys, call)

    def _write(self, operation: str, keys: Sequence[Key], call: Any, *, transactional: bool = False) -> Item:
        self._meter.call(operation)
        before = [self._items.get(key) for key in keys]
        try:
            return call()
        finally:
            for key, old in zip(keys, before, strict=True):
                new = self._items.get(key)
                units = item_sizes.write_units(old, new, transactional=transactional)
                units += item_sizes.index_write_units(old, new)
                self._meter.write_units[self._meter.function] += units
                self._meter.written[_kind(key)] += units


class MeteredSQS:
    """FakeSQS's client, metered."""

    def __init__(self, fake: FakeSQS, meter: Meter) -> None:
        self._fake = fake
        self._meter = meter

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> Item:
        """Billed by its bytes."""
        self._meter.call("SendMessageBatch")
        self._meter.sqs[self._meter.function] += chunks(sum(map(_entry_bytes, Entries)))
        return self._fake.send_message_batch(QueueUrl=QueueUrl, Entries=Entries)

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> Item:
        """One request."""
        self._meter.call("ChangeMessageVisibilityBatch")
        self._meter.sqs[self._meter.function] += 1
        return self._fake.change_message_visibility_batch(QueueUrl=QueueUrl, Entries=Entries)


def chunks(size: int) -> int:
    """Billed requests of a payload."""
    return max(1, math.ceil(size / CHUNK_BYTES))


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _kind(key: Key) -> str:
    pk, sk = key
    if pk.startswith(("event|", "stat|", "count#", "counted#", "requests|", "host|")):
        return pk.partition("|")[0].partition("#")[0]
    return sk.partition("#")[0]


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    return len(entry["MessageBody"].encode()) + len(json.dumps(entry.get("MessageAttributes", {})))


def _record_bytes(record: Mapping[str, Any]) -> int:
    return len(record["body"].encode()) + len(json.dumps(record.get("messageAttributes", {})))

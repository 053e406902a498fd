"""DynamoDB at boto3's client interface, in memory and virtual time.

Only what our stores and pynamodb ask for; anything else is refused, and so is what AWS refuses (DynamoDB API Reference;
Developer Guide, "Service, account, and table quotas").
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from tests.fakes import expressions, partiql
from tests.fakes.aws_errors import client_error, validation
from tests.fakes.clock import Clock
from tests.fakes.dynamo_table import INDEXES, MAX_ITEM_BYTES, FakeTable, Item, Key, item_bytes
from tests.fakes.expressions import NotUnderstood
from tests.fakes.key_conditions import key_range

MAX_PAGE_BYTES = 1024 * 1024
MAX_BATCH_GET_BYTES = 16 * 1024 * 1024
_KINDS = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS")


class FakeDynamoDB:
    """A boto3 client. `index_lag_ms` is asked at each write; `partition_writes` limits writes per key and second."""

    def __init__(
        self,
        clock: Clock,
        *table_names: str,
        index_lag_ms: Callable[[], int] = lambda: 0,
        keeps_stream: bool = False,
        partition_writes: int | None = None,
    ) -> None:
        self._clock = clock
        self.tables = {name: FakeTable(clock, index_lag_ms, keeps_stream) for name in table_names}
        self._partition_writes = partition_writes
        self._written: Counter[tuple[str, int]] = Counter()

    # ---- reads

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Item:
        """At most 100 keys and 16 MB."""
        operation = "BatchGetItem"
        responses: dict[str, list[Item]] = {}
        unprocessed: Item = {}
        if sum(len(asked["Keys"]) for asked in RequestItems.values()) > 100:
            raise validation(operation, "Too many items requested for the BatchGetItem call")
        size = 0
        for name, asked in RequestItems.items():
            _only(operation, asked, "Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames")
            shown = _shown(asked.get("ProjectionExpression"), asked.get("ExpressionAttributeNames"))
            keys = [_key(operation, key) for key in asked["Keys"]]
            if not keys:
                raise validation(operation, "The list of keys is empty")
            if len(set(keys)) != len(keys):
                raise validation(operation, "Provided list of item keys contains duplicates")
            found, table = responses.setdefault(name, []), self._table(operation, name)
            for key in keys:
                item = table.get(key)
                size += table.size(key) if item else 0
                if size > MAX_BATCH_GET_BYTES:
                    unprocessed.setdefault(name, {**asked, "Keys": []})["Keys"].append(_key_item(key))
                elif item is not None:
                    found.append(shown(item))
        return {"Responses": responses, "UnprocessedKeys": unprocessed}

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> Item:
        """One item."""
        item = self._table("GetItem", TableName).get(_key("GetItem", Key))
        return {} if item is None else {"Item": item}

    def query(self, *, TableName: str, KeyConditionExpression: str, ExpressionAttributeValues: Mapping[str, Any],
              ExpressionAttributeNames: Mapping[str, str] | None = None, IndexName: str | None = None,
              ConsistentRead: bool = False, ScanIndexForward: bool = True, Limit: int | None = None,
              ExclusiveStartKey: Item | None = None,
              ProjectionExpression: str | None = None) -> Item:  # fmt: skip
        """A page of a partition, or of an index key."""
        operation = "Query"
        table = self._table(operation, TableName)
        if IndexName is not None and (IndexName not in INDEXES or ConsistentRead):
            raise validation(operation, "Consistent reads are not supported on global secondary indexes")
        if Limit is not None and Limit < 1:
            raise validation(operation, "Limit must be greater than or equal to 1")
        hash_name, range_name = ("pk", "sk") if IndexName is None else (f"{IndexName}_key", f"{IndexName}_at")
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues
        shown = _shown(ProjectionExpression, names)
        names = {each: name for each, name in names.items() if each not in _parts(ProjectionExpression)}
        try:
            wanted = key_range(KeyConditionExpression, hash_name, range_name, names, values)
        except NotUnderstood as exc:
            raise validation(operation, str(exc)) from exc
        start = None
        if ExclusiveStartKey is not None:
            start = ExclusiveStartKey[range_name]["S"], ExclusiveStartKey["pk"]["S"], ExclusiveStartKey["sk"]["S"]
        items: list[Item] = []
        size, last = 0, None
        for at, pk, sk in table.rows(IndexName, wanted, start, forward=ScanIndexForward):
            if IndexName is None:
                items.append(table.get((pk, sk)) or {})
                size += table.size((pk, sk))
            else:
                items.append(table.index_projection(IndexName, wanted.hash_value, at, (pk, sk)))
                size += len(wanted.hash_value) + len(at) + len(pk) + len(sk) + 40  # and the attributes' names
            if len(items) == Limit or size > MAX_PAGE_BYTES:
                last = {**_key_item((pk, sk)), hash_name: {"S": wanted.hash_value}, range_name: {"S": at}}
                break
        return {
            "Items": [shown(item) for item in items],
            "Count": len(items),
            "ScannedCount": len(items),
            **({"LastEvaluatedKey": last} if last else {}),
        }

    def scan(self, *, TableName: str, Limit: int, ExclusiveStartKey: Item | None = None,
             ProjectionExpression: str | None = None,
             ExpressionAttributeNames: Mapping[str, str] | None = None) -> Item:  # fmt: skip
        """A page of the table, in an order that says nothing; what is written meanwhile may be in it."""
        operation = "Scan"
        table = self._table(operation, TableName)
        if Limit < 1:
            raise validation(operation, "Limit must be greater than or equal to 1")
        shown = _shown(ProjectionExpression, ExpressionAttributeNames)
        start = None if ExclusiveStartKey is None else _key(operation, ExclusiveStartKey)
        items: list[Item] = []
        size, last = 0, None
        for key in table.keys_behind(start):
            item = table.get(key)
            if item is None:
                continue
            items.append(shown(item))
            size += table.size(key)
            if len(items) == Limit or size > MAX_PAGE_BYTES:
                last = _key_item(key)
                break
        return {"Items": items, "Count": len(items), **({"LastEvaluatedKey": last} if last else {})}

    # ---- writes

    def put_item(self, *, TableName: str, Item: Item, ConditionExpression: str | None = None,
                 ExpressionAttributeNames: Mapping[str, str] | None = None,
                 ExpressionAttributeValues: Mapping[str, Any] | None = None) -> Item:  # fmt: skip
        """Replace an item, if the condition holds of the old one."""
        return self._one("PutItem", "Put", TableName=TableName, Item=Item, ConditionExpression=ConditionExpression,
                         ExpressionAttributeNames=ExpressionAttributeNames,
                         ExpressionAttributeValues=ExpressionAttributeValues)  # fmt: skip

    def update_item(self, *, TableName: str, Key: Item, UpdateExpression: str,
                    ConditionExpression: str | None = None,
                    ExpressionAttributeNames: Mapping[str, str] | None = None,
                    ExpressionAttributeValues: Mapping[str, Any] | None = None) -> Item:  # fmt: skip
        """Change or make an item, if the condition holds."""
        return self._one("UpdateItem", "Update", TableName=TableName, Key=Key, UpdateExpression=UpdateExpression,
                         ConditionExpression=ConditionExpression, ExpressionAttributeNames=ExpressionAttributeNames,
                         ExpressionAttributeValues=ExpressionAttributeValues)  # fmt: skip

    def delete_item(self, *, TableName: str, Key: Item, ConditionExpression: str | None = None,
                    ExpressionAttributeNames: Mapping[str, str] | None = None,
                    ExpressionAttributeValues: Mapping[str, Any] | None = None) -> Item:  # fmt: skip
        """Remove an item, if the condition holds."""
        return self._one("DeleteItem", "Delete", TableName=TableName, Key=Key,
                         ConditionExpression=ConditionExpression, ExpressionAttributeNames=ExpressionAttributeNames,
                         ExpressionAttributeValues=ExpressionAttributeValues)  # fmt: skip

    def transact_write_items(
        self,
        *,
        TransactItems: Sequence[Mapping[str, Any]],
        ClientRequestToken: str | None = None,
    ) -> Item:
        """All or nothing; 100 actions, each on another item."""
        operation = "TransactWriteItems"
        if not 1 <= len(TransactItems) <= 100:
            raise validation(operation, "Member must have length less than or equal to 100")
        plans: list[tuple[FakeTable, Key, bool, Item | None]] = []
        for action in TransactItems:
            (kind, request), *others = action.items()
            if others:
                raise validation(operation, "TransactItems can only contain one of Check, Put, Update or Delete")
            plans.append(self._plan(operation, kind, request))
        if len({(id(table), key) for table, key, _, _ in plans}) != len(plans):
            raise validation(operation, "Transaction request cannot include multiple operations on one item")
        if not all(holds for _, _, holds, _ in plans):
            reasons = [{"Code": "None"} if holds else _FAILED for _, _, holds, _ in plans]
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
            raise client_error(operation, "TransactionCanceledException", message, CancellationReasons=reasons)
        for table, key, _, new in plans:
            table.write(key, new)
        return {}

    def batch_execute_statement(self, *, Statements: Sequence[Mapping[str, Any]]) -> Item:
        """At most 25 writes, each of another item; each has its own answer."""
        operation = "BatchExecuteStatement"
        if not 1 <= len(Statements) <= 25:
            raise validation(operation, "Member must have length less than or equal to 25")
        try:
            prepared = [self._prepared(operation, each) for each in Statements]
        except NotUnderstood as exc:
            raise validation(operation, str(exc)) from exc
        keys = [(parsed.table, key) for parsed, _, key in prepared]
        if len(set(keys)) != len(keys):
            raise validation(operation, "Provided list of item keys contains duplicates")
        return {"Responses": [self._answer(*each) for each in prepared]}

    def _prepared(self, operation: str, each: Mapping[str, Any]) -> tuple[partiql.Parsed, tuple[Any, ...], Key]:
        _only(operation, each, "Statement", "Parameters")
        parsed, parameters = partiql.parse(each["Statement"]), tuple(each.get("Parameters", ()))
        self._table(operation, parsed.table)
        if parsed.parameters != len(parameters):
            raise NotUnderstood("Number of parameters in request and statement don't match.")
        _check_values(operation, parameters)
        return parsed, parameters, parsed.key(parameters)

    def _answer(self, parsed: partiql.Parsed, parameters: tuple[Any, ...], key: Key) -> Item:
        table = self.tables[parsed.table]
        if self._is_hot(key):
            return _statement_error(parsed, "ThrottlingError", "Throughput exceeds the limit of the partition")
        item = table.get(key)
        new: Item | None
        if parsed.kind == "insert":
            if item is not None:
                return _statement_error(parsed, "DuplicateItem", "Duplicate primary key exists in table")
            new = dict(zip(parsed.fields, parameters, strict=True))
        else:
            if item is None and parsed.kind == "delete" and len(parsed.where) == 2:
                return {"TableName": parsed.table}
            if item is None or not parsed.holds(item, parameters):
                return _statement_error(parsed, "ConditionalCheckFailed", "The conditional request failed")
            new = None
            if parsed.kind == "update":
                new = {name: value for name, value in item.items() if name not in parsed.removes}
                new.update(zip(parsed.sets, parameters, strict=False))
        size = 0 if new is None else item_bytes(new)
        if size > MAX_ITEM_BYTES:
            return _statement_error(parsed, "ValidationError", "Item size has exceeded the maximum allowed size")
        table.write(key, new)
        if new is not None:
            table.sizes[key] = size
        return {"TableName": parsed.table}

    # ---- all writes

    def _one(self, operation: str, kind: str, **request: Any) -> Item:
        given = {name: value for name, value in request.items() if value is not None}
        table, key, holds, new = self._plan(operation, kind, given)
        if self._is_hot(key):
            raise client_error(operation, "ProvisionedThroughputExceededException", "a hot partition")
        if not holds:
            raise client_error(operation, "ConditionalCheckFailedException", "The conditional request failed")
        table.write(key, new)
        return {}

    def _plan(self, operation: str, kind: str, request: Mapping[str, Any]) -> tuple[FakeTable, Key, bool, Item | None]:
        _only(operation, request, *_MEMBERS[kind])
        table = self._table(operation, request["TableName"])
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        _check_values(operation, values.values())
        key = _key(operation, request["Key"] if kind != "Put" else request["Item"], whole=kind != "Put")
        old = table.get(key)
        used: Set[str] = frozenset()
        holds, new = True, old
        try:
            if "ConditionExpression" in request:
                check, used = expressions.condition(request["ConditionExpression"], names, values)
                holds = check(old)
            if kind == "Put":
                new = dict(request["Item"])
                _check_values(operation, new.values())
            elif kind == "Delete":
                new = None
            elif kind == "Update":
                change, paths, more = expressions.update(request["UpdateExpression"], names, values)
                used = used | more
                if paths & {"pk", "sk"}:
                    raise NotUnderstood("Cannot update attribute pk or sk. This attribute is part of the key")
                new = dict(old) if old is not None else _key_item(key)
                if holds:
                    change(new)
            expressions.check_used(used, names, values)
        except NotUnderstood as exc:
            raise validation(operation, str(exc)) from exc
        if new is not None and item_bytes(new) > MAX_ITEM_BYTES:
            raise validation(operation, "Item size has exceeded the maximum allowed size")
        return table, key, holds, new

    def _is_hot(self, key: Key) -> bool:
        if self._partition_writes is None:
            return False
        place = key[0], self._clock.ms // 1000
        self._written[place] += 1
        return self._written[place] > self._partition_writes

    def _table(self, operation: str, name: str) -> FakeTable:
        if name not in self.tables:
            raise client_error(operation, "ResourceNotFoundException", f"there is no table {name}")
        return self.tables[name]


_EXPRESSIONS = ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")
_MEMBERS = {
    "Put": ("TableName", "Item", *_EXPRESSIONS),
    "Update": ("TableName", "Key", "UpdateExpression", *_EXPRESSIONS),
    "Delete": ("TableName", "Key", *_EXPRESSIONS),
    "ConditionCheck": ("TableName", "Key", *_EXPRESSIONS),
}
_FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}


def _statement_error(parsed: partiql.Parsed, code: str, message: str) -> Item:
    return {"TableName": parsed.table, "Error": {"Code": code, "Message": message}}


def _shown(projection: str | None, names: Mapping[str, str] | None) -> Callable[[Item], Item]:
    """Of an item what a projection asks for; what is read is the whole item all the same."""
    if projection is None:
        return lambda item: item
    wanted = {(names or {}).get(part, part) for part in _parts(projection)}
    return lambda item: {name: value for name, value in item.items() if name in wanted}


def _parts(projection: str | None) -> set[str]:
    return {part.strip() for part in (projection or "").split(",")}


def _only(operation: str, given: Mapping[str, Any], *known: str) -> None:
    if unknown := sorted(given.keys() - set(known)):
        raise validation(operation, f"this fake does not know {unknown}")


def _key(operation: str, given: Item, *, whole: bool = True) -> Key:
    if whole and given.keys() != {"pk", "sk"}:
        raise validation(operation, "The provided key element does not match the schema")
    key = given["pk"]["S"], given["sk"]["S"]
    if not key[0] or not key[1] or len(key[0].encode()) > 2048 or len(key[1].encode()) > 1024:
        raise validation(operation, "A key is empty, or longer than 2048 (partition) or 1024 (sort) bytes")
    return key


def _key_item(key: Key) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _check_values(operation: str, values: Iterable[Mapping[str, Any]]) -> None:
    for value in values:
        kind, *others = value
        if others or kind not in _KINDS:
            raise validation(operation, f"{value!r} is no value")
        if (kind in ("S", "N") and type(value[kind]) is not str) or (kind == "B" and type(value[kind]) is not bytes):
            raise validation(operation, f"{value!r} is not of its type")

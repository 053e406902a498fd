"""DynamoDB as the hot path uses it: batched, with every part of a batch that AWS left undone tried again.

boto3's client without parameter validation; pynamodb would cost three times the CPU per item. Items are in DynamoDB's
own JSON; `schema` names their attributes.
"""

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable
from webhooks.store.schema import EXPIRES_AT, PK, SK

T = TypeVar("T")
Item = dict[str, Any]
Key = tuple[str, str]
StatementResult = Literal["done", "exists", "conflict", "undone", "refused"]

BATCH_GET_KEYS = 100  # AWS limits: DynamoDB API Reference, BatchGetItem and BatchExecuteStatement
BATCH_STATEMENTS = 25
ROUNDS = 5
MOST_UNANSWERED = 2  # one answer may get lost; a table that is silent is not waited for at each batch of statements
# BatchStatementError.Code (DynamoDB API Reference): ours to retry, the statement was not carried out
RETRYABLE = frozenset(
    {
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
    }
)
REFUSED = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})
# Of a call as a whole (DynamoDB Developer Guide, "Error handling with DynamoDB"): nothing of it was carried out
THROTTLED = frozenset({"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Statement:
    """A PartiQL write of one item. `key` is the item's, so that one batch never names an item twice."""

    text: str
    parameters: tuple[Mapping[str, Any], ...]
    key: Key


class DynamoTable:
    """One table through a boto3 client. Raises Unavailable when AWS fails, or still throttles after a few rounds."""

    def __init__(self, client: Any, name: str, *, sleep: Callable[[float], None] = time.sleep) -> None:  # noqa: ANN401
        self._client = client
        self.name = name
        self._sleep = sleep

    def get_many(
        self, keys: Sequence[Key], attributes: Sequence[str] = (), *, unread: set[Key] | None = None
    ) -> dict[Key, Item]:
        """Consistent reads; missing items are absent from the answer. With `attributes` (the key among them), these
        alone. Keys that stay throttled, as those of a busy partition may, are added to `unread`, if it is given."""
        asked: dict[str, Any] = {"ConsistentRead": True}
        if attributes:
            asked["ProjectionExpression"] = ", ".join(f"#{name}" for name in attributes)
            asked["ExpressionAttributeNames"] = {f"#{name}": name for name in attributes}
        found: dict[Key, Item] = {}
        for chunk in chunks(list(dict.fromkeys(keys)), BATCH_GET_KEYS):
            pending: list[Item] = [key_of(key) for key in chunk]
            for _ in self._rounds():
                try:
                    answer = self._call(
                        self._client.batch_get_item, RequestItems={self.name: {"Keys": pending, **asked}}
                    )
                except _Throttled:
                    continue
                for item in answer["Responses"].get(self.name, ()):
                    found[(item[PK]["S"], item[SK]["S"])] = item
                pending = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if not pending:
                    break
            else:
                if unread is None:
                    raise Unavailable(f"DynamoDB left {len(pending)} keys of a BatchGetItem unread {ROUNDS} times")
                unread.update((key[PK]["S"], key[SK]["S"]) for key in pending)
        return found

    def execute(self, statements: Sequence[Statement]) -> list[StatementResult]:
        """Carry out writes that do not depend on each other; the answers stand in the same order.

        "exists": an INSERT found its key taken. "conflict": the condition of an UPDATE or DELETE did not hold, which
        may be because this very write was done before and its answer was lost: re-read and compare. "refused": no
        repeat will be taken either. "undone": AWS failed at it, and may have done it. Raises Unavailable where that is
        so of all.
        """
        results: list[StatementResult] = ["undone"] * len(statements)
        cause = Unavailable(f"DynamoDB left parts of a BatchExecuteStatement undone {ROUNDS} times")
        pending = list(range(len(statements)))
        unanswered = 0
        for _ in self._rounds():
            left: list[int] = []
            for chunk in _distinct_chunks(pending, statements):
                request = [{"Statement": statements[i].text, "Parameters": statements[i].parameters} for i in chunk]
                try:
                    answer = self._call(self._client.batch_execute_statement, Statements=request)
                except _Throttled:
                    left += chunk
                    continue
                except Unavailable as exc:
                    cause = exc
                    unanswered += isinstance(exc, _Unanswered)
                    if unanswered == MOST_UNANSWERED:
                        return _unless_all_undone(results, cause)
                    continue
                for index, response in zip(chunk, answer["Responses"], strict=True):
                    result = _result(response.get("Error"))
                    if result is None:
                        left.append(index)
                    else:
                        results[index] = result
            pending = left
            if not pending:
                break
        return _unless_all_undone(results, cause)

    def query(self, *, limit: int | None = None, forward: bool = True, **request: Any) -> Iterator[Item]:  # noqa: ANN401
        """All items of a query, page by page as they are consumed; at most `limit`."""
        start: Item | None = None
        taken = 0
        while True:
            page = {"Limit": min(limit - taken, 1000)} if limit is not None else {}
            following = {"ExclusiveStartKey": start} if start else {}
            answer = self._call(
                self._client.query, TableName=self.name, ScanIndexForward=forward, **request, **page, **following
            )
            yield from answer["Items"]
            taken += len(answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if not start or (limit is not None and taken >= limit):
                return

    def scan(self, start: Key | None, limit: int, **request: Any) -> tuple[list[Item], Key | None]:  # noqa: ANN401
        """A page of the whole table, in no order, and where the next one begins: None at the end. Lags by a moment."""
        following = {"ExclusiveStartKey": key_of(start)} if start else {}
        answer = self._call(self._client.scan, TableName=self.name, Limit=limit, **request, **following)
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], None if last is None else (last[PK]["S"], last[SK]["S"])

    def remove(self, keys: Iterable[Key]) -> None:
        """Remove items, whatever they hold and whether they are there. Raises Unavailable unless all are gone."""
        statements = [
            Statement(f'DELETE FROM "{self.name}" WHERE pk=? AND sk=?', ({"S": key[0]}, {"S": key[1]}), key)  # noqa: S608 - our own names
            for key in keys
        ]
        results = self.execute(statements)
        if undone := sum(result not in ("done", "conflict") for result in results):
            raise Unavailable(f"DynamoDB did not remove {undone} items")

    def put(self, item: Item, *, condition: str | None = None, names: Mapping[str, str] | None = None,
            values: Mapping[str, Any] | None = None) -> bool:  # fmt: skip
        """Put one item; False when the condition did not hold."""
        request: dict[str, Any] = {"TableName": self.name, "Item": item}
        return self._conditional(self._client.put_item, request, condition, names, values)

    def update(self, key: Key, expression: str, *, values: Mapping[str, Any] | None = None,
               names: Mapping[str, str] | None = None, condition: str | None = None) -> bool:  # fmt: skip
        """Update (or make) one item; False when the condition did not hold."""
        request: dict[str, Any] = {"TableName": self.name, "Key": key_of(key), "UpdateExpression": expression}
        return self._conditional(self._client.update_item, request, condition, names, values)

    def add(self, key: Key, attribute: str, amount: int, *, expires_at: int) -> int:
        """Add to a number of an item that TTL removes at `expires_at` (Unix seconds); the number afterwards."""
        answer = self._call(
            self._client.update_item,
            TableName=self.name,
            Key=key_of(key),
            UpdateExpression="ADD #number :amount SET #ttl = :ttl",
            ExpressionAttributeNames={"#number": attribute, "#ttl": EXPIRES_AT},
            ExpressionAttributeValues={":amount": {"N": str(amount)}, ":ttl": {"N": str(expires_at)}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"][attribute]["N"])

    def transact(self, actions: Sequence[Mapping[str, Any]]) -> bool:
        """All or nothing; False when a condition did not hold. Each action lacks only its TableName."""
        named = [{kind: {"TableName": self.name, **body} for kind, body in action.items()} for action in actions]
        try:
            self._call(self._client.transact_write_items, TransactItems=named)
        except _Cancelled:
            return False
        return True

    def _conditional(
        self,
        call: Callable[..., Any],
        request: dict[str, Any],
        condition: str | None,
        names: Mapping[str, str] | None,
        values: Mapping[str, Any] | None,
    ) -> bool:
        if condition is not None:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = names
        if values:
            request["ExpressionAttributeValues"] = values
        try:
            self._call(call, **request)
        except _ConditionFailed:
            return False
        return True

    def _call(self, call: Callable[..., Any], **request: Any) -> Any:  # noqa: ANN401
        try:
            return call(**request)
        except ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "")
            if code == "ConditionalCheckFailedException":
                raise _ConditionFailed from exc
            if code == "TransactionCanceledException" and _only_conditions(exc):
                raise _Cancelled from exc
            raise (_Throttled if code in THROTTLED else Unavailable)(f"DynamoDB: {code}") from exc
        except BotoCoreError as exc:
            raise _Unanswered(f"DynamoDB: {type(exc).__name__}") from exc

    def _rounds(self) -> Iterator[int]:
        for turn in range(ROUNDS):
            if turn:
                self._sleep(random.uniform(0.5, 1) * 0.05 * 2**turn)  # noqa: S311 - spreads load, guards nothing
            yield turn


class _Throttled(Unavailable):
    pass


class _Unanswered(Unavailable):
    pass


class _ConditionFailed(Exception):
    pass


class _Cancelled(Exception):
    pass


def read_all(items: Iterable[Item], decode: Callable[[Item], T]) -> Iterator[T]:
    """What items hold. One that this version cannot read is left out and told: it is no other's concern."""
    for item in items:
        try:
            yield decode(item)
        except Exception:
            logger.exception("item %s cannot be read", (item[PK], item[SK]))


def unexpired(items: Iterable[Item], now_ms: int) -> Iterator[Item]:
    """Those whose time is not over, whether TTL has collected the others or not; without those whose time cannot be
    read."""
    return (item for item, ends_at in read_all(items, _with_end) if ends_at is None or ends_at * 1000 > now_ms)


def _with_end(item: Item) -> tuple[Item, int | None]:
    return item, int(item[EXPIRES_AT]["N"]) if EXPIRES_AT in item else None


def key_of(key: Key) -> Item:
    """A primary key in DynamoDB's JSON."""
    return {PK: {"S": key[0]}, SK: {"S": key[1]}}


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _distinct_chunks(pending: Sequence[int], statements: Sequence[Statement]) -> Iterator[list[int]]:
    chunk: list[int] = []
    keys: set[Key] = set()
    for index in pending:
        if len(chunk) == BATCH_STATEMENTS or statements[index].key in keys:
            yield chunk
            chunk, keys = [], set()
        chunk.append(index)
        keys.add(statements[index].key)
    if chunk:
        yield chunk


def _unless_all_undone(results: list[StatementResult], cause: Unavailable) -> list[StatementResult]:
    if results and set(results) == {"undone"}:
        raise cause
    return results


def _result(error: Mapping[str, str] | None) -> StatementResult | None:
    if error is None:
        return "done"
    code = error.get("Code", "")
    if code == "DuplicateItem":
        return "exists"
    if code in ("ConditionalCheckFailed", "ConditionalCheckFailedException"):
        return "conflict"
    if code in RETRYABLE:
        return None
    logger.error("DynamoDB refused a statement: %s %s", code, error.get("Message", ""))
    return "refused" if code in REFUSED else "undone"


def _only_conditions(exc: ClientError) -> bool:
    reasons = exc.response.get("CancellationReasons", [])  # type: ignore[typeddict-item]
    codes = {reason.get("Code") for reason in reasons} - {None, "None"}
    return codes == {"ConditionalCheckFailed"}

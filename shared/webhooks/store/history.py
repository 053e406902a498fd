"""Reads of what has happened: deliveries, their attempts and dead letters, newest first over all partitions.

A webhook's history is spread over a few partitions; ids sort by time, so merging the partitions by id gives one list,
and one id says where to go on in all of them. Lists may lag behind writes by a moment; single reads do not.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from webhooks.ids import ALPHABET, HISTORY_SHARDS, TIME_CHARACTERS, first_of
from webhooks.management.paging import TimeRange
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.webhook import Webhook
from webhooks.store import schema
from webhooks.store.attributes import read_bytes, text
from webhooks.store.dead_letters import BODILESS, BODILESS_ATTRIBUTES, dead_letter_of
from webhooks.store.delivery_items import delivery_key, delivery_of
from webhooks.store.details import attempt_details
from webhooks.store.dynamo import DynamoTable, Item, read_all, unexpired
from webhooks.store.webhook_items import webhook_key, webhook_of

FIRST_READ, LARGEST_READ = 25, 400  # items of one partition a query: few at first, more where filters leave most out
# A list of deliveries shows no bodies, and those that wait have one of up to 256 KB each.
_LISTED = (
    "pk, sk, event_id, event_type, #scope, #status, generation, revision, attempts, #cycle, next_attempt_at, reason, "
    "waiting, expires_at, #kind"
)
_LISTED_NAMES = {"#scope": "scope", "#status": "status", "#cycle": "cycle", "#kind": "kind"}
LAST_MS = len(ALPHABET) ** TIME_CHARACTERS - 1  # the latest time that an id holds
_FIRST, _LAST = "dlv_", "dlv_~"  # around all delivery ids


@dataclass(frozen=True, slots=True)
class _Partition:
    """Where to read, and what stands before a delivery's id in the sort key. `index` is None for the table itself."""

    key: str
    index: str | None = None
    prefix: str = ""


class HistoryStore:
    """Every method may raise Unavailable. What has expired is absent, whether TTL has collected it or not; and so is
    what this version cannot read, with a line in the log."""

    def __init__(self, table: DynamoTable, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms

    def records(self, ids: Sequence[tuple[str, str]]) -> dict[str, DeliveryRecord]:
        """Deliveries by (webhook id, delivery id), keyed by delivery id. Consistent."""
        found = self._table.get_many([delivery_key(*each) for each in ids]).values()
        records = read_all(unexpired(found, self._now_ms()), delivery_of)
        return {record.delivery_id: record for record in records}

    def details(self, webhook_id: str, delivery_id: str) -> dict[int, bytes]:
        """Packed details of a delivery's attempts by their start. Consistent."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :s)",
            ExpressionAttributeValues={
                ":pk": text(schema.history_pk(webhook_id, delivery_id)),
                ":s": text(f"{schema.ATTEMPT_PREFIX}{delivery_id}#"),
            },
            ConsistentRead=True,
        )
        return {int(item[schema.SK]["S"].rpartition("#")[2]): read_bytes(item, "detail") or b"" for item in items}

    def last_details(self, attempts: Sequence[tuple[str, str, int]]) -> dict[str, bytes]:
        """Packed details of attempts (webhook id, delivery id, start), keyed by delivery id."""
        return attempt_details(self._table, attempts)

    def webhooks(self, ids: Sequence[str]) -> dict[str, Webhook]:
        """Webhooks, tombstones included. Consistent."""
        found = self._table.get_many([webhook_key(each) for each in ids])
        return {webhook.webhook_id: webhook for webhook in read_all(found.values(), webhook_of)}

    def deliveries(self, webhook_id: str, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        """All deliveries of a webhook that have a record, newest first, without bodies."""
        partitions = [_Partition(pk, prefix=schema.DELIVERY_PREFIX) for pk in schema.history_pks(webhook_id)]
        listed = {"ProjectionExpression": _LISTED, "ExpressionAttributeNames": _LISTED_NAMES}
        return read_all(unexpired(self._newest(partitions, time_range, **listed), self._now_ms()), delivery_of)

    def deliveries_of_status(self, webhook_id: str, status: str, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        """Deliveries of one status other than delivered, newest first: as many reads as there are of them."""
        partitions = [
            _Partition(schema.status_listing(webhook_id, status, shard), schema.LISTING_INDEX)
            for shard in range(HISTORY_SHARDS)
        ]
        items = self._behind_index(self._newest(partitions, time_range))
        return (record for record in read_all(items, delivery_of) if record.status == status)

    def dead_letters(self, webhook_id: str, time_range: TimeRange, *, with_body: bool = True) -> Iterator[DeadLetter]:
        """A webhook's dead letters, newest first."""
        partitions = [_Partition(pk, prefix=schema.DEAD_PREFIX) for pk in schema.history_pks(webhook_id)]
        listed: dict[str, Any] = {} if with_body else BODILESS
        return read_all(unexpired(self._newest(partitions, time_range, **listed), self._now_ms()), dead_letter_of)

    def dead_letters_of(
        self, owner: str | None, time_range: TimeRange, *, with_body: bool = True
    ) -> Iterator[DeadLetter]:
        """Dead letters of all of an owner's webhooks, or of everybody's (None), newest first."""
        partitions = [
            _Partition(schema.dead_overview(shard), schema.OVERVIEW_INDEX)
            if owner is None
            else _Partition(schema.dead_listing(owner, shard), schema.LISTING_INDEX)
            for shard in range(HISTORY_SHARDS)
        ]
        attributes = () if with_body else BODILESS_ATTRIBUTES
        return read_all(self._behind_index(self._newest(partitions, time_range), attributes), dead_letter_of)

    def _newest(self, partitions: Iterable[_Partition], time_range: TimeRange, **request: Any) -> Iterator[Item]:  # noqa: ANN401
        shards = [self._descending(partition, time_range, request) for partition in partitions]
        return heapq.merge(*shards, key=_delivery_id, reverse=True)

    def _descending(self, partition: _Partition, time_range: TimeRange, request: dict[str, Any]) -> Iterator[Item]:
        """One partition from its end, in reads that grow: a page of 20 asks for no thousand items."""
        low, high = _bounds(time_range)
        key, at = _key_names(partition.index)
        index = {} if partition.index is None else {"IndexName": partition.index}
        size = FIRST_READ
        while low <= high:
            values = {
                ":k": text(partition.key),
                ":l": text(partition.prefix + low),
                ":h": text(partition.prefix + high),
            }
            items = list(
                self._table.query(
                    limit=size,
                    forward=False,
                    KeyConditionExpression=f"{key} = :k AND {at} BETWEEN :l AND :h",
                    ExpressionAttributeValues=values,
                    **index,
                    **request,
                )
            )
            yield from items
            if len(items) < size:
                return
            high = _just_before(_delivery_id(items[-1]))
            size = min(size * 2, LARGEST_READ)

    def _behind_index(self, keys: Iterator[Item], attributes: Sequence[str] = ()) -> Iterator[Item]:
        """The items that an index of keys names, a few at a time; what has gone since is left out."""
        while chunk := [(key[schema.PK]["S"], key[schema.SK]["S"]) for key in islice(keys, FIRST_READ)]:
            found = self._table.get_many(chunk, attributes)
            yield from unexpired((found[key] for key in chunk if key in found), self._now_ms())


def _key_names(index: str | None) -> tuple[str, str]:
    if index is None:
        return schema.PK, schema.SK
    if index == schema.LISTING_INDEX:
        return schema.LISTING_KEY, schema.LISTING_AT
    return schema.OVERVIEW_KEY, schema.OVERVIEW_AT


def _bounds(time_range: TimeRange) -> tuple[str, str]:
    """The lowest and the highest delivery id of a span."""
    low = _FIRST if time_range.from_ms is None else first_of("dlv", min(time_range.from_ms, LAST_MS))
    ends = (
        [_LAST] if time_range.to_ms is None or time_range.to_ms >= LAST_MS else [first_of("dlv", time_range.to_ms + 1)]
    )
    if time_range.behind is not None:
        ends.append(_just_before(time_range.behind))
    return low, min(ends)


def _delivery_id(item: Item) -> str:
    """Of a delivery or of its dead letter: both end in it."""
    return item[schema.SK]["S"].rpartition("#")[2]


def _just_before(delivery_id: str) -> str:
    """A string between the id and the next lower one: BETWEEN includes its ends, and ids all have one length."""
    digit = ALPHABET.index(delivery_id[-1])
    return delivery_id[:-1] if digit == 0 else delivery_id[:-1] + ALPHABET[digit - 1]

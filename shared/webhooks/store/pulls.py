"""What pull webhooks have to read, spread over partitions and merged by position; and where their consumers are.

Entries are read consistently from the table itself. An index would lag behind by a time that nobody promises.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence

from webhooks.errors import Unavailable
from webhooks.ids import ALPHABET, HISTORY_SHARDS, TAIL_CHARACTERS, TIME_CHARACTERS, beginning_of, derived_id, time_of
from webhooks.ids import delivery_id as id_of_delivery
from webhooks.models.pull import WRITE_MS, Consumer, PullEntry
from webhooks.store import schema
from webhooks.store.attributes import number, read_int, text
from webhooks.store.delivery_items import is_test
from webhooks.store.dynamo import BATCH_STATEMENTS, DynamoTable, Item, Key, Statement, chunks, read_all, unexpired
from webhooks.store.events import kept_ms

ROUNDS = 3
FIRST_READ, LARGEST_READ = 25, 400  # entries of one partition a query
_LISTED = "pk, sk, event_id, event_type, #scope, accepted_at, expires_at, #kind"
_NAMES = {"#scope": "scope", "#kind": "kind"}


class PullStore:
    """Every method may raise Unavailable, `append` excepted."""

    def __init__(self, table: DynamoTable, kept_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._kept_ms = kept_ms
        self._now_ms = now_ms

    def append(self, entries: Sequence[PullEntry], until_ms: int) -> list[bool]:
        """Record each behind all that can have been read; whether it is. Nothing is begun after `until_ms`.

        What is not recorded may be all the same, and readers may then see it twice.
        """
        recorded = [False] * len(entries)
        for chunk in chunks(range(len(entries)), BATCH_STATEMENTS):
            left = list(chunk)
            for _ in range(ROUNDS):
                stamp_ms = self._now_ms()
                if not left or stamp_ms > until_ms:
                    break
                try:
                    results = self._table.execute([self._insertion(entries[i], stamp_ms) for i in left])
                except Unavailable:
                    continue
                # else a reader may have been past it before it was there
                if 0 <= self._now_ms() - stamp_ms <= WRITE_MS:
                    for i, result in zip(left, results, strict=True):
                        recorded[i] = result in ("done", "exists")
                left = [i for i in left if not recorded[i]]
        return recorded

    def erased(self, webhook_ids: Iterable[str]) -> set[str]:
        """Those of an erased tenant. Consistent."""
        marks = self._table.get_many([(schema.pull_pk(each), schema.ERASED_SK) for each in webhook_ids])
        return {pk.removeprefix(schema.pull_pk("")) for pk, _ in marks}

    def entries(self, webhook_id: str, after: str, until_ms: int) -> Iterator[PullEntry]:
        """A pull webhook's entries with a stamp up to that time, behind a position, in order. Consistent."""
        partitions = (schema.pull_pk(webhook_id, shard) for shard in range(HISTORY_SHARDS))
        return read_all(self._ascending(partitions, schema.PULL_PREFIX, after, until_ms), _entry)

    def deliveries(self, webhook_id: str, after: str, until_ms: int) -> Iterator[PullEntry]:
        """The same of a webhook's deliveries that have a record, tests left out, by the time of acceptance."""
        partitions = schema.history_pks(webhook_id)
        items = self._ascending(partitions, schema.DELIVERY_PREFIX, after, until_ms)
        return read_all((each for each in items if not is_test(each)), _delivered)

    def consumers(self, webhook_id: str) -> list[Consumer]:
        """All of a webhook's consumers that have not expired, by name."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :s)",
            ExpressionAttributeValues={
                ":pk": text(schema.pull_pk(webhook_id)),
                ":s": text(schema.CONSUMER_PREFIX),
            },
            ConsistentRead=True,
        )
        return list(read_all(unexpired(items, self._now_ms()), _consumer))

    def consumer(self, webhook_id: str, name: str) -> Consumer | None:
        """One of them. Consistent."""
        key = _consumer_key(webhook_id, name)
        found = self._table.get_many([key]).values()
        return next(read_all(unexpired(found, self._now_ms()), _consumer), None)

    def commit(self, webhook_id: str, consumer: Consumer, *, new: bool) -> bool:
        """Put a consumer forward, or make a `new` one. False where there is none, or one that is as far."""
        condition = "reached <= :position"
        if new:
            condition = f"attribute_not_exists(pk) OR expires_at <= :now OR {condition}"
        values = {
            ":position": text(consumer.position),
            ":at": number(consumer.committed_at_ms),
            ":ttl": number((consumer.committed_at_ms + self._kept_ms) // 1000),
        }
        if new:
            values[":now"] = number(consumer.committed_at_ms // 1000)
        return self._table.update(
            _consumer_key(webhook_id, consumer.name),
            "SET reached = :position, committed_at = :at, expires_at = :ttl",
            values=values,
            condition=condition,
        )

    def forget(self, webhook_id: str, name: str) -> None:
        """Remove a consumer."""
        self._table.remove([_consumer_key(webhook_id, name)])

    def _insertion(self, entry: PullEntry, stamp_ms: int) -> Statement:
        position = derived_id("got", stamp_ms, entry.delivery_id).partition("_")[2]
        shard = ALPHABET.index(position[-1]) % HISTORY_SHARDS
        key = schema.pull_pk(entry.webhook_id, shard), f"{schema.PULL_PREFIX}{position}"
        item: Item = {
            schema.PK: text(key[0]),
            schema.SK: text(key[1]),
            "event_id": text(entry.event_id),
            "event_type": text(entry.event_type),
            "scope": text(entry.scope),
            "accepted_at": number(entry.accepted_at_ms),
            schema.EXPIRES_AT: number((entry.accepted_at_ms + kept_ms(entry.days, self._kept_ms)) // 1000),
        }
        fields = ", ".join(f"'{name}': ?" for name in item)
        return Statement(f'INSERT INTO "{self._table.name}" VALUE {{{fields}}}', tuple(item.values()), key)

    def _ascending(self, partitions: Iterable[str], prefix: str, after: str, until_ms: int) -> Iterator[Item]:
        shards = [self._of_partition(pk, prefix, after, until_ms) for pk in partitions]
        return unexpired(heapq.merge(*shards, key=_position), self._now_ms())

    def _of_partition(self, pk: str, prefix: str, after: str, until_ms: int) -> Iterator[Item]:
        high = beginning_of(until_ms + 1)  # before all of that time: they are longer
        size = FIRST_READ
        while (low := f"{after}!") < high:  # behind the position itself: ids have no character before 0
            values = {":k": text(pk), ":l": text(_sk(prefix, low)), ":h": text(_sk(prefix, high))}
            items = list(
                self._table.query(
                    limit=size,
                    KeyConditionExpression="pk = :k AND sk BETWEEN :l AND :h",
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                    ProjectionExpression=_LISTED,
                    ExpressionAttributeNames=_NAMES,
                )
            )
            yield from items
            if len(items) < size:
                return
            after = _position(items[-1])
            size = min(size * 2, LARGEST_READ)


def _sk(prefix: str, position: str) -> str:
    return f"{prefix}dlv_{position}" if prefix == schema.DELIVERY_PREFIX else f"{prefix}{position}"


def _position(item: Item) -> str:
    return item[schema.SK]["S"][-(TIME_CHARACTERS + TAIL_CHARACTERS) :]


def _entry(item: Item) -> PullEntry:
    webhook_id = item[schema.PK]["S"].split("|")[1]
    event_id, scope, accepted_at_ms = item["event_id"]["S"], item["scope"]["S"], read_int(item, "accepted_at")
    return PullEntry(
        webhook_id=webhook_id,
        delivery_id=id_of_delivery(accepted_at_ms, scope, event_id, webhook_id),
        event_id=event_id,
        event_type=item["event_type"]["S"],
        scope=scope,
        accepted_at_ms=accepted_at_ms,
        position=_position(item),
    )


def _delivered(item: Item) -> PullEntry:
    delivery_id = item[schema.SK]["S"].removeprefix(schema.DELIVERY_PREFIX)
    return PullEntry(
        webhook_id=item[schema.PK]["S"].partition("|")[0],
        delivery_id=delivery_id,
        event_id=item["event_id"]["S"],
        event_type=item["event_type"]["S"],
        scope=item["scope"]["S"],
        accepted_at_ms=time_of(delivery_id),
        position=_position(item),
    )


def _consumer(item: Item) -> Consumer:
    name = item[schema.SK]["S"].removeprefix(schema.CONSUMER_PREFIX)
    return Consumer(name, item["reached"]["S"], read_int(item, "committed_at"))


def _consumer_key(webhook_id: str, name: str) -> Key:
    return schema.pull_pk(webhook_id), f"{schema.CONSUMER_PREFIX}{name}"

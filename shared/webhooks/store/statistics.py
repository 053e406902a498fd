"""Hourly statistics of webhooks, the service's counters, and what tells which stream records they hold already."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from webhooks.ids import HISTORY_SHARDS
from webhooks.models.webhook import Webhook
from webhooks.statistics.counts import Counts, Statistics
from webhooks.statistics.exactly_once import (
    TOKEN_BYTES,
    WINDOW_SECONDS,
    CircuitChange,
    CircuitState,
    HourKey,
    HourUpdate,
    Marks,
    StatusChange,
    WindowUpdate,
    owner_counts,
    parked_counts,
    total_counts,
)
from webhooks.store import schema
from webhooks.store.attributes import binary, number, read_bytes, read_foreign_id, read_int, text
from webhooks.store.dynamo import DynamoTable, Item, Key, key_of, read_all
from webhooks.store.webhook_items import webhook_key, webhook_of

OWNER_SHARDS = 4  # as many processes add to an owner's hour without waiting for each other; readers read them all
STATISTICS_DAYS = 90
CIRCUIT_SECONDS = 30 * 86_400  # the net for a webhook that was deleted while its circuit changed
_MARK, _LAST_SUCCESS, _LAST_FAILURE = "mark#", "success#", "failure#"


class StatisticsStore:
    """What rollup writes. `shard` is this process's own share of the counters: nobody waits for another's."""

    def __init__(self, table: DynamoTable, *, shard: int, retention_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._counter = (schema.COUNTERS_PK, schema.counter_sk(shard % schema.COUNTER_SHARDS))
        self._owner_shard = shard % OWNER_SHARDS
        self._kept_ms = max(retention_ms, STATISTICS_DAYS * 86_400_000)
        self._now_ms = now_ms

    def marks(self, keys: Sequence[HourKey]) -> Mapping[HourKey, Marks]:
        """The marks of these hours; hours without statistics are absent. Consistent."""
        found = self._table.get_many([_hour_key(key) for key in keys])
        return {key: _marks(item) for key in keys if (item := found.get(_hour_key(key)))}

    def windows(self, windows: Sequence[int]) -> Mapping[int, frozenset[bytes]]:
        """The tokens that are counted, by window. Consistent."""
        found = self._table.get_many([_window_key(window) for window in windows])
        return {window: _tokens(item) for window in windows if (item := found.get(_window_key(window)))}

    def owners(self, webhook_ids: Collection[str]) -> Mapping[str, str]:
        """The owners of webhooks; those that are gone are absent."""
        found = self._table.get_many([webhook_key(each) for each in webhook_ids], (schema.PK, schema.SK, "user_id"))
        return dict(read_all(found.values(), _owner))

    def webhooks(self, webhook_ids: Collection[str]) -> Mapping[str, Webhook]:
        """Webhooks as they are now; those that are gone are absent."""
        found = self._table.get_many([webhook_key(each) for each in webhook_ids])
        return {webhook.webhook_id: webhook for webhook in read_all(found.values(), webhook_of)}

    def commit(self, hours: Sequence[HourUpdate], windows: Sequence[WindowUpdate], service: Counts) -> bool:
        """Write all of it, and the sums of the owners, or nothing; False when somebody changed an hour meanwhile."""
        actions = [self._hour(update) for update in hours] + [_window(update) for update in windows]
        for (owner, hour), counts in owner_counts(hours).items():
            if any(counts.values()):
                key = schema.owner_pk(owner), schema.owner_statistics_sk(hour, self._owner_shard)
                actions.append(_added(key, counts, expires_at=(hour + self._kept_ms) // 1000))
        for owner, counts in parked_counts(hours).items():
            actions.append(_added((schema.owner_pk(owner), schema.counter_sk(self._owner_shard)), counts))
        if any(service.values()):
            actions.append(_added(self._counter, service))
        return self._table.transact(actions)

    def note_circuit(self, change: CircuitChange, owner: str | None) -> None:
        """Keep the lists of circuits that are not closed. An older change has no effect.

        A record that comes again may list a circuit that is closed by now. The one that closed it comes again, too.
        """
        keys = [(schema.CIRCUITS_PK, change.webhook_id)]
        if owner is not None:
            keys.append((schema.owner_pk(owner), schema.trouble_sk("circuit", change.webhook_id)))
        kept = {"circuit": text(change.state), schema.EXPIRES_AT: number(self._now_ms() // 1000 + CIRCUIT_SECONDS)}
        for key in keys:
            self._note(key, None if change.state == "closed" else kept, change.revision)

    def note_status(self, change: StatusChange) -> None:
        """Keep the owner's list of webhooks that are not active. An older change has no effect."""
        key = schema.owner_pk(change.owner), schema.trouble_sk("status", change.webhook_id)
        over = change.status in ("active", "deleted")
        self._note(key, None if over else {"status": text(change.status)}, change.version)

    def _note(self, key: Key, kept: Item | None, revision: int) -> None:
        """Keep something under `key`, or nothing, unless a later revision of it is there."""
        condition = {
            "ConditionExpression": "attribute_not_exists(revision) OR revision < :r",
            "ExpressionAttributeValues": {":r": number(revision)},
        }
        if kept is None:
            self._table.transact([{"Delete": {"Key": key_of(key), **condition}}])
        else:
            item = {**key_of(key), **kept, "revision": number(revision)}
            self._table.transact([{"Put": {"Item": item, **condition}}])

    def _hour(self, update: HourUpdate) -> Item:
        expression = Expression()
        expression.add(update.added.counts, prefix=schema.COUNT_PREFIX)
        # what was erased expires sooner, and so it stays
        expression.set_once(schema.EXPIRES_AT, number((update.key[1] + self._kept_ms) // 1000))
        for shard, mark in update.marks.items():
            before = update.before.get(shard)
            expression.expect(f"{_MARK}{shard}", None if before is None else text(str(before)))
            expression.set(f"{_MARK}{shard}", text(str(mark)))
        for name, last in ((_LAST_SUCCESS, update.last_success_ms), (_LAST_FAILURE, update.last_failure_ms)):
            for shard, at_ms in last.items():
                expression.set(f"{name}{shard}", number(at_ms))
        if update.owner is not None and update.is_troubled:
            expression.set(schema.LISTING_KEY, text(schema.troubled_listing(update.owner)))
            expression.set(schema.LISTING_AT, text(schema.troubled_at(update.key[1], update.key[0])))
        return {"Update": {"Key": key_of(_hour_key(update.key)), **expression.request()}}


class StatisticsReader:
    """What metrics and health are made of."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def hours(self, webhook_id: str, from_ms: int, to_ms: int) -> dict[int, Statistics]:
        """A webhook's statistics of the hours that start from `from_ms` up to, not including, `to_ms`, by start."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :a AND :z",
            ExpressionAttributeValues={
                ":pk": text(schema.statistics_pk(webhook_id)),
                ":a": text(schema.statistics_sk(from_ms)),
                ":z": text(schema.statistics_sk(to_ms - 1)),
            },
        )
        return dict(read_all(items, _hour))

    def latest(self, webhook_id: str, limit: int) -> dict[int, Statistics]:
        """A webhook's last hours in which anything happened, the latest first."""
        items = self._table.query(
            limit=limit,
            forward=False,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(schema.statistics_pk(webhook_id))},
        )
        return dict(read_all(items, _hour))

    def recent(self, webhook_ids: Sequence[str], hours: Sequence[int]) -> dict[str, Statistics]:
        """By webhook, these hours added up; webhooks without statistics are absent."""
        found = self._table.get_many([_hour_key((each, hour)) for each in webhook_ids for hour in hours])
        parts: dict[str, list[Statistics]] = {}
        for pk, statistics in read_all(found.values(), lambda item: (item[schema.PK]["S"], _statistics(item))):
            parts.setdefault(pk.removeprefix(schema.statistics_pk("")), []).append(statistics)
        return {webhook_id: Statistics.total(each) for webhook_id, each in parts.items()}

    def owner_hours(self, owner: str, from_ms: int, to_ms: int) -> dict[int, Statistics]:
        """Like `hours`, for all of an owner's webhooks together."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :a AND :z",
            ExpressionAttributeValues={
                ":pk": text(schema.owner_pk(owner)),
                ":a": text(schema.statistics_sk(from_ms)),
                ":z": text(schema.statistics_sk(to_ms)),  # sorts before the shards of that hour
            },
        )
        parts: dict[int, list[Statistics]] = {}
        for hour, statistics in read_all(items, _hour):
            parts.setdefault(hour, []).append(statistics)
        return {hour: Statistics.total(each) for hour, each in parts.items()}

    def owner_parked(self, owner: str) -> Counts:
        """How many deliveries wait for an owner's webhooks outside the queues, by reason."""
        return self._sum(schema.owner_pk(owner), schema.COUNTER_PREFIX)

    def troubles(self, owner: str, limit: int) -> list[tuple[str, str]]:
        """An owner's webhooks that are not active ("status") or whose circuit is not closed ("circuit"), as (kind,
        webhook id); at most `limit`."""
        items = self._table.query(
            limit=limit,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :t)",
            ExpressionAttributeValues={":pk": text(schema.owner_pk(owner)), ":t": text(schema.TROUBLE_PREFIX)},
        )
        found = (item[schema.SK]["S"].removeprefix(schema.TROUBLE_PREFIX).partition("#") for item in items)
        return [(kind, webhook_id) for kind, _, webhook_id in found]

    def troubled(self, owner: str, since_ms: int, limit: int) -> list[str]:
        """An owner's webhooks of which something failed or had to wait in an hour that began then or later, the last
        ones first; of at most `limit` hours."""
        items = self._table.query(
            limit=limit,
            forward=False,
            IndexName=schema.LISTING_INDEX,
            KeyConditionExpression=f"{schema.LISTING_KEY} = :k AND {schema.LISTING_AT} > :a",
            ExpressionAttributeValues={
                ":k": text(schema.troubled_listing(owner)),
                ":a": text(schema.troubled_at(since_ms)),
            },
        )
        return list(dict.fromkeys(item[schema.LISTING_AT]["S"].partition("|")[2] for item in items))

    def service(self) -> Counts:
        """The whole service's counters since it began."""
        return self._sum(schema.COUNTERS_PK, schema.COUNTER_PREFIX)

    def _sum(self, pk: str, prefix: str) -> Counts:
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :s)",
            ExpressionAttributeValues={":pk": text(pk), ":s": text(prefix)},
        )
        return total_counts(read_all(items, _counts))

    def circuits(self, limit: int) -> list[tuple[str, CircuitState]]:
        """Webhooks whose circuit is not closed, with its state; at most `limit`."""
        items = self._table.query(
            limit=limit,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(schema.CIRCUITS_PK)},
        )
        return list(read_all(items, _circuit))

    def backlog(self, webhook_id: str, limit: int) -> int:
        """How many deliveries stand in a webhook's waiting room; it stops counting soon after `limit`."""
        counted = 0
        for shard in range(HISTORY_SHARDS):
            keys = self._table.query(
                limit=limit - counted,
                IndexName=schema.WAITING_INDEX,
                KeyConditionExpression=f"{schema.WAITING_KEY} = :k",
                ExpressionAttributeValues={":k": text(schema.room_key(webhook_id, shard))},
            )
            counted += sum(1 for _ in keys)
            if counted >= limit:
                break
        return counted


class Expression:
    """An UpdateItem's expressions with placeholders for every name and value."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Item] = {}
        self._adds: list[str] = []
        self._sets: list[str] = []
        self._conditions: list[str] = []

    def add(self, counts: Counts, prefix: str = schema.COUNT_PREFIX) -> None:
        """Add to numbers; those that are absent start at zero."""
        self._adds += [f"{self._name(prefix + name)} {self._value(number(n))}" for name, n in counts.items() if n]

    def set(self, name: str, value: Item) -> None:
        """Replace an attribute."""
        self._sets.append(f"{self._name(name)} = {self._value(value)}")

    def set_once(self, name: str, value: Item) -> None:
        """Give an item an attribute that it does not have yet."""
        own = self._name(name)
        self._sets.append(f"{own} = if_not_exists({own}, {self._value(value)})")

    def expect(self, name: str, value: Item | None) -> None:
        """Go on only if the attribute is this (None: absent)."""
        own = self._name(name)
        self._conditions.append(f"attribute_not_exists({own})" if value is None else f"{own} = {self._value(value)}")

    def request(self) -> dict[str, Any]:
        """The parameters of an update."""
        clauses = [f"{verb} {', '.join(of)}" for verb, of in (("SET", self._sets), ("ADD", self._adds)) if of]
        request: dict[str, Any] = {
            "UpdateExpression": " ".join(clauses),
            "ExpressionAttributeNames": {own: name for name, own in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        if self._conditions:
            request["ConditionExpression"] = " AND ".join(self._conditions)
        return request

    def _name(self, name: str) -> str:
        return self._names.setdefault(name, f"#n{len(self._names)}")

    def _value(self, value: Item) -> str:
        own = f":v{len(self._values)}"
        self._values[own] = value
        return own


def _added(key: Key, counts: Counts, expires_at: int | None = None) -> Item:
    expression = Expression()
    expression.add(counts)
    if expires_at is not None:
        expression.set(schema.EXPIRES_AT, number(expires_at))
    return {"Update": {"Key": key_of(key), **expression.request()}}


def _window(update: WindowUpdate) -> Item:
    """The tokens as one string of bytes; their number tells whether somebody else has added to them."""
    expression = Expression()
    expression.expect("tokens", number(len(update.before)) if update.before else None)
    expression.set("tokens", number(len(update.tokens)))
    expression.set("counted", binary(b"".join(sorted(update.tokens))))
    expression.set(schema.EXPIRES_AT, number(update.window * WINDOW_SECONDS + schema.COUNTED_SECONDS))
    return {"Update": {"Key": key_of(_window_key(update.window)), **expression.request()}}


def _hour_key(key: HourKey) -> Key:
    return schema.statistics_pk(key[0]), schema.statistics_sk(key[1])


def _window_key(window: int) -> Key:
    return schema.counted_pk(window), schema.COUNTED_SK


def _owner(item: Item) -> tuple[str, str]:
    return item[schema.PK]["S"], str(read_foreign_id(item, "user_id"))


def _circuit(item: Item) -> tuple[str, CircuitState]:
    return item[schema.SK]["S"], cast("CircuitState", item["circuit"]["S"])


def _hour(item: Item) -> tuple[int, Statistics]:
    return int(item[schema.SK]["S"].split("#")[1]), _statistics(item)


def _statistics(item: Item) -> Statistics:
    return Statistics(
        _counts(item),
        max(_by_shard(item, _LAST_SUCCESS), default=None),
        max(_by_shard(item, _LAST_FAILURE), default=None),
    )


def _counts(item: Item) -> Counts:
    return {
        name[len(schema.COUNT_PREFIX) :]: int(value["N"])
        for name, value in item.items()
        if name.startswith(schema.COUNT_PREFIX)
    }


def _marks(item: Item) -> Marks:
    return {shard: int(item[f"{_MARK}{shard}"]["S"]) for shard in range(HISTORY_SHARDS) if f"{_MARK}{shard}" in item}


def _by_shard(item: Item, name: str) -> Iterator[int]:
    return (read_int(item, f"{name}{s}") for s in range(HISTORY_SHARDS) if f"{name}{s}" in item)


def _tokens(item: Item) -> frozenset[bytes]:
    counted = read_bytes(item, "counted") or b""
    return frozenset(counted[i : i + TOKEN_BYTES] for i in range(0, len(counted), TOKEN_BYTES))

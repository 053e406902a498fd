"""Erasing: what is kept of deliveries beyond their records, and everything of a tenant."""

import json
import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from webhooks.delivery.lifecycle import erased, unsent
from webhooks.errors import Unavailable
from webhooks.ids import is_id, time_of
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.erasure import ERASED, Erasure
from webhooks.models.event import EventRecord
from webhooks.models.webhook import Webhook, scope_of
from webhooks.recovery.erasure_jobs import Progress
from webhooks.store import schema
from webhooks.store.attributes import number, read_foreign_id, read_int, read_text, text
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.dynamo import DynamoTable, Item, Key, Statement, key_of
from webhooks.store.events import event_of
from webhooks.store.webhook_items import webhook_key, webhook_of

A_READ = 100  # webhooks
A_PAGE = 1000  # items of the table, or 1 MB
MOST_ELSEWHERE = 1000  # deliveries of a page's events to webhooks of others; an event has 500 at most
RACES = 5
REMEMBERED_MS = 86_400_000  # a request's idempotency key
QUEUED_MS = 15 * 86_400_000  # SQS keeps a message for at most 14 days: it has to find the tombstone
# All that says whose an item is.
_LOOKED_AT = (
    "pk", "sk", "scope", "user_id", "workspace_id", "created_at_ms", "accepted_at", "at", "expires_at_ms", "waiting",
    "job", "meta", "event_type", "missed", "page", "queued", "token", "trace",
)  # fmt: skip
_LISTED: dict[str, Any] = {
    "ProjectionExpression": ", ".join(f"#{name}" for name in _LOOKED_AT),
    "ExpressionAttributeNames": {f"#{name}": name for name in _LOOKED_AT},
}
# What a tombstone keeps: whose it was, and what tells its versions apart.
_KEPT = (
    "pk", "sk", "user_id", "workspace_id", "sealed_version", "max_retries", "timeout_seconds", "created_at_ms",
)  # fmt: skip

logger = logging.getLogger(__name__)


class _Unreadable:
    """Counts items that this version cannot read: one of somebody's must not keep the others from being erased."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def left_out(self, item: Item) -> Generator[None]:
        """For what is done about one item. Raises Unavailable, as it comes."""
        try:
            yield
        except Unavailable:
            raise
        except Exception:
            self.count += 1
            logger.exception("item %s cannot be judged", (item.get(schema.PK), item.get(schema.SK)))


class DeliveryEraser:
    """Takes payloads and answers out of deliveries, and ends those that are not finished."""

    def __init__(self, table: DynamoTable, deliveries: DeliveryStore) -> None:
        self._table = table
        self._deliveries = deliveries

    def erase(self, ids: Sequence[tuple[str, str]], absent: Mapping[str, DeliveryRecord] | None = None) -> int:
        """Deliveries by (webhook id, delivery id); how many were ended. Dead letters go, records stay.

        `absent`: what a delivery's record would be that is not written yet, by its id: it is ended, too, before its
        message comes. Raises Unavailable: repeat it.
        """
        ended, left = 0, list(ids)
        for _ in range(RACES):
            found = self._deliveries.get(left)
            changes: list[tuple[DeliveryRecord | None, DeliveryRecord]] = []
            for delivery_id in [each for _, each in left]:
                stored = found.get(delivery_id)
                before = stored or (absent or {}).get(delivery_id)
                after = None if before is None else erased(before)
                if after is not None and after != stored:
                    changes.append((stored, after.changed(revision=after.revision + 1)))
            saved = self._deliveries.save(changes) if changes else ()
            self._table.remove(key for record in found.values() for key in _beside(record))
            ended += sum(
                bool(is_saved) and after.reason == ERASED for (_, after), is_saved in zip(changes, saved, strict=True)
            )
            left = [
                (after.webhook_id, after.delivery_id)
                for (_, after), is_saved in zip(changes, saved, strict=True)
                if not is_saved
            ]
            if not left:
                return ended
        raise Unavailable(f"the records of {len(left)} deliveries kept changing")


def _beside(record: DeliveryRecord) -> Iterable[Key]:
    """What is kept of a delivery in items of their own."""
    pk = schema.history_pk(record.webhook_id, record.delivery_id)
    yield pk, schema.dead_sk(record.delivery_id)
    for started_at_ms in {attempt.started_at_ms for attempt in record.attempts}:
        yield pk, schema.attempt_sk(record.delivery_id, started_at_ms)


class TenantStore:
    """A tenant's data, wherever in the table it is."""

    def __init__(
        self, table: DynamoTable, deliveries: DeliveryStore, retention_ms: int, now_ms: Callable[[], int]
    ) -> None:
        self._table = table
        self._eraser = DeliveryEraser(table, deliveries)
        self._kept_ms = max(retention_ms, QUEUED_MS)
        self._now_ms = now_ms

    def retire(self, erasure: Erasure, after: str | None) -> Progress:
        """Leave tombstones of some of its webhooks, without anything that describes them. Raises Unavailable.

        An index lists them: one that it does not have yet is found in the table.
        """
        kind, _, tenant = erasure.scope.partition(":")
        index, key, at, listing = (
            (schema.LISTING_INDEX, schema.LISTING_KEY, schema.LISTING_AT, schema.webhooks_listing(tenant))
            if kind == "user"
            else (schema.OVERVIEW_INDEX, schema.OVERVIEW_KEY, schema.OVERVIEW_AT, schema.WEBHOOKS_OVERVIEW)
        )
        listed = list(
            self._table.query(
                limit=A_READ,
                IndexName=index,
                KeyConditionExpression=f"{key} = :k AND {at} > :b",
                ExpressionAttributeValues={":k": text(listing), ":b": text(after or " ")},
            )
        )
        found = self._table.get_many([webhook_key(item[schema.PK]["S"]) for item in listed])
        retired, unreadable = 0, _Unreadable()
        for item in found.values():
            with unreadable.left_out(item):
                retired += _is_mine(item, erasure) and self._retire(item)
        return Progress(
            listed[-1][schema.PK]["S"] if listed else None,
            looked_at=len(listed),
            changed=retired,
            webhooks=retired,
        )

    def erase(self, erasure: Erasure, after: str | None) -> Progress:
        """Read a page of the table and erase what is the tenant's. Raises Unavailable.

        Its webhooks' tombstones stay until no message can ask for them. Deliveries of its events to webhooks of others
        lose their payloads, and stay as records of those; those that nobody has begun yet get one, which ends them.
        """
        start = None if after is None else cast("Key", tuple(json.loads(after)))
        items, last = self._table.scan(start, A_PAGE, **_LISTED)
        oldest_ms = self._now_ms() - QUEUED_MS
        unreadable = _Unreadable()
        judged: list[tuple[Item, str | None]] = []
        for item in items:
            with unreadable.left_out(item):
                judged.append((item, _webhook_of(item)))
        mine = self._mine({webhook_id for _, webhook_id in judged if webhook_id is not None}, erasure)
        waiting: list[tuple[str, str]] = []
        stripped: list[tuple[str, str]] = []
        removed: list[Key] = []
        counted: list[Key] = []
        events: list[EventRecord] = []
        retired = 0
        for item, webhook_id in judged:
            with unreadable.left_out(item):
                key = item[schema.PK]["S"], item[schema.SK]["S"]
                if key[1] == schema.ERASED_SK:  # stays as long as the tombstone
                    continue
                if key[1] == schema.WEBHOOK_SK:
                    if _is_mine(item, erasure) and webhook_id in mine:
                        retired += self._retire(mine[webhook_id])
                elif webhook_id in mine:
                    if key[1].startswith(schema.DELIVERY_PREFIX) and "waiting" in item:
                        waiting.append((webhook_id, key[1].removeprefix(schema.DELIVERY_PREFIX)))
                    (counted if key[1].startswith(schema.STATISTICS_PREFIX) else removed).append(key)
                elif webhook_id is not None and key[1].startswith(schema.DELIVERY_PREFIX):
                    delivery_id = key[1].removeprefix(schema.DELIVERY_PREFIX)
                    if read_text(item, "scope") == erasure.scope and time_of(delivery_id) <= erasure.requested_at_ms:
                        stripped.append((webhook_id, delivery_id))
                elif webhook_id is not None and key[1].startswith(schema.PULL_PREFIX):
                    if (
                        read_text(item, "scope") == erasure.scope
                        and read_int(item, "accepted_at") <= erasure.requested_at_ms
                    ):
                        removed.append(key)
                elif _is_its_own(item, key, erasure):
                    if key[0].startswith(schema.event_pk("")) and read_int(item, "accepted_at") > oldest_ms:
                        events.append(event_of(item))
                    removed.append(key)
                    if sum(len(each.wanted_by) for each in events) >= MOST_ELSEWHERE:
                        last = key  # the next page begins behind it
                        break
        ended = self._eraser.erase(waiting + stripped)  # what waits is counted, so it ends before it goes
        elsewhere = self._elsewhere(events, erasure)
        ended += self._eraser.erase([(each.webhook_id, each.delivery_id) for each in elsewhere.values()], elsewhere)
        self._table.remove(removed)
        self._let_expire(counted)
        return Progress(
            None if last is None else json.dumps(last),
            looked_at=len(items),
            changed=len(removed) + len(counted) + len(stripped) + retired,
            webhooks=retired,
            ended=ended,
            unreadable=unreadable.count,
        )

    def _let_expire(self, keys: Sequence[Key]) -> None:
        """Have TTL remove hours' sums. Their marks say what was counted of what the stream may still repeat."""
        soon = number(self._now_ms() // 1000 + schema.COUNTED_SECONDS)
        statement = f'UPDATE "{self._table.name}" SET expires_at=? WHERE pk=? AND sk=? AND expires_at>?'  # noqa: S608 - our own names
        results = self._table.execute(
            [Statement(statement, (soon, text(key[0]), text(key[1]), soon), key) for key in keys]
        )
        if undone := sum(result not in ("done", "conflict") for result in results):
            raise Unavailable(f"DynamoDB did not change {undone} items")

    def erase_sums(self, erasure: Erasure) -> Progress:
        """Remove the sums of a user's hours. Raises Unavailable."""
        kind, _, owner = erasure.scope.partition(":")
        if kind != "user":
            return Progress(None)
        found = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :a AND :z",
            ExpressionAttributeValues={
                ":pk": text(schema.owner_pk(owner)),
                ":a": text(schema.STATISTICS_PREFIX),
                ":z": text(schema.statistics_sk(erasure.requested_at_ms)),
            },
            ProjectionExpression="pk, sk",
        )
        keys = [(item[schema.PK]["S"], item[schema.SK]["S"]) for item in found]
        self._table.remove(keys)
        return Progress(None, changed=len(keys))

    def _elsewhere(self, events: Sequence[EventRecord], erasure: Erasure) -> dict[str, DeliveryRecord]:
        """Deliveries of events to webhooks of others, by id, as they are before anybody has begun with them."""
        wanted = {webhook_id for event in events for webhook_id in event.wanted_by}
        others = wanted - self._mine(wanted, erasure).keys()
        unbegun = [
            unsent(event, webhook_id) for event in events for webhook_id in event.wanted_by if webhook_id in others
        ]
        return {each.delivery_id: each for each in unbegun}

    def _mine(self, webhook_ids: Iterable[str], erasure: Erasure) -> dict[str, Item]:
        """The items of those webhooks that are the tenant's, tombstones included."""
        found = self._table.get_many([webhook_key(each) for each in webhook_ids])
        mine: dict[str, Item] = {}
        for key, item in found.items():
            with _Unreadable().left_out(item):  # counted where it is read itself
                if _is_mine(item, erasure):
                    mine[key[0]] = item
        return mine

    def _retire(self, item: Item) -> bool:
        """Put a tombstone in a webhook's place, and take its routes away; False when that is done already."""
        key = item[schema.PK]["S"], item[schema.SK]["S"]
        for _ in range(RACES):
            if read_text(item, "status_reason") == ERASED and item["status"]["S"] == "deleted":
                return False
            if self._table.transact(self._retiring(item)):
                return True
            found = self._table.get_many([key])
            if key not in found:
                return False
            item = found[key]
        raise Unavailable(f"webhook {key[0]} kept changing")

    def _retiring(self, item: Item) -> list[Mapping[str, Any]]:
        webhook = webhook_of(item)
        actions: list[Mapping[str, Any]] = [{"Put": self._tombstone(item, webhook)}]
        if webhook.kind == "pull":  # ingest sees no webhook, and may still have something to record for this one
            actions.append({"Put": {"Item": self._mark(webhook.webhook_id)}})
        if webhook.status == "deleted":
            return actions
        subscriptions = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :s)",
            ExpressionAttributeValues={":pk": text(webhook.webhook_id), ":s": text(schema.SUBSCRIPTION_PREFIX)},
            ConsistentRead=True,
            ProjectionExpression="pk, sk, event_type, is_active",
        )
        patterns = sorted({each["event_type"]["S"] for each in subscriptions if each["is_active"]["BOOL"]})
        actions += [
            {"Delete": {"Key": key_of((schema.route_pk(webhook.scope, pattern), webhook.webhook_id))}}
            for pattern in patterns
        ]
        filters = {schema.FILTER_BYTES: -webhook.filter_bytes, schema.FILTER_SEARCHES: -webhook.filter_searches}
        added = {**dict.fromkeys(patterns, 1), **{name: amount for name, amount in filters.items() if amount}}
        if added:  # it may have no subscription
            actions.append(_adding((schema.versions_pk(webhook.scope), schema.VERSIONS_SK), added))
        actions.append(_adding((schema.tenant_pk(webhook.owner), schema.AMOUNT_SK), {"webhooks": -1}))
        return actions

    def _mark(self, webhook_id: str) -> Item:
        return {
            **key_of((schema.pull_pk(webhook_id), schema.ERASED_SK)),
            schema.EXPIRES_AT: number((self._now_ms() + self._kept_ms) // 1000),
        }

    def _tombstone(self, item: Item, webhook: Webhook) -> Mapping[str, Any]:
        """Only what is known to be needed: a newer version may have added something that describes it."""
        now_ms = self._now_ms()
        blank = {name: text("") for name in ("name", "url", "description")}
        left: Item = {
            **{name: item[name] for name in _KEPT if name in item},
            **blank,
            "metadata": text("{}"),
            "header_names": text("[]"),
            "sealed": {"B": b""},
            "status": text("deleted"),
            "status_reason": text(ERASED),
            "version": number(webhook.version + 1),
            "routes_version": number(webhook.routes_version + 1),
            "updated_at_ms": number(now_ms),
            schema.EXPIRES_AT: number((now_ms + self._kept_ms) // 1000),
        }
        same_routes = "routes_version = :rv"
        if webhook.routes_version == 0:
            same_routes = f"({same_routes} OR attribute_not_exists(routes_version))"
        return {
            "Item": left,
            "ConditionExpression": f"version = :v AND {same_routes}",
            "ExpressionAttributeValues": {":v": number(webhook.version), ":rv": number(webhook.routes_version)},
        }


def _adding(key: Key, amounts: Mapping[str, int]) -> Mapping[str, Any]:
    """The update that adds to numbers of an item; a pattern has dots, which a plain name may not."""
    added = list(amounts.items())
    return {
        "Update": {
            "Key": key_of(key),
            "UpdateExpression": "ADD " + ", ".join(f"#n{i} :n{i}" for i in range(len(added))),
            "ExpressionAttributeNames": {f"#n{i}": name for i, (name, _) in enumerate(added)},
            "ExpressionAttributeValues": {f":n{i}": number(amount) for i, (_, amount) in enumerate(added)},
        }
    }


def _webhook_of(item: Item) -> str | None:
    """The webhook that an item belongs to, as its key or the job in it has it."""
    pk, sk = item[schema.PK]["S"], item[schema.SK]["S"]
    if sk == schema.JOB_SK:
        webhook_id = str(json.loads(read_text(item, "job") or "{}").get("webhook_id"))
    elif pk == schema.CIRCUITS_PK or pk.startswith(schema.route_pk("", "")[:-1]):
        webhook_id = sk
    else:
        webhook_id = pk.removeprefix(schema.statistics_pk("")).removeprefix(schema.pull_pk("")).partition("|")[0]
    return webhook_id if is_id("wh", webhook_id) else None


def _is_mine(item: Item, erasure: Erasure) -> bool:
    """Whether a webhook was the tenant's at the request."""
    user, workspace = read_foreign_id(item, "user_id"), read_foreign_id(item, "workspace_id")
    scopes = {scope_of(user, None), scope_of(user, workspace)} if workspace is not None else {scope_of(user, None)}
    return erasure.scope in scopes and read_int(item, "created_at_ms") <= erasure.requested_at_ms


def _is_its_own(item: Item, key: Key, erasure: Erasure) -> bool:
    """Whether an item that belongs to no webhook is the tenant's: an event, its repeats, an API key, a request's key,
    or an unreadable message."""
    pk, sk = key
    if pk.startswith(schema.event_pk("")):
        return read_text(item, "scope") == erasure.scope and read_int(item, "accepted_at") <= erasure.requested_at_ms
    if pk.startswith(schema.repeat_pk("")):
        return read_text(item, "scope") == erasure.scope and read_int(item, "at") <= erasure.requested_at_ms
    if sk == schema.JOB_SK and time_of(pk) <= erasure.requested_at_ms:  # of many webhooks
        job = cast("dict[str, Any]", json.loads(read_text(item, "job") or "{}"))
        across = cast("dict[str, Any]", job["selection"].get("across") or {})
        return erasure.scope in {scope_of(job["owner"], None), f"ws:{across.get('workspace_id')}"}
    if sk == schema.KEY_SK:
        owner = read_foreign_id(item, "user_id")
        return scope_of(owner, None) == erasure.scope and time_of(pk) <= erasure.requested_at_ms
    if sk == schema.IDEMPOTENCY_SK and erasure.scope.startswith("user:"):
        used_ms = read_int(item, "expires_at_ms") - REMEMBERED_MS
        owner = erasure.scope.partition(":")[2]
        return pk.startswith(schema.idempotency_pk(owner, "")) and used_ms <= erasure.requested_at_ms
    if pk == schema.UNREADABLE_PK:
        kept_ms = int(sk.partition("|")[0])
        return kept_ms <= erasure.requested_at_ms and _says(read_text(item, "meta"), erasure.scope)
    return False


def _says(meta: str | None, scope: str) -> bool:
    """Whether what is readable of a message's attribute names the scope."""
    return meta is not None and f'"s":{json.dumps(scope)}' in meta

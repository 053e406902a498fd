"""Webhooks and subscriptions in DynamoDB, through pynamodb."""

import logging
import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.transactions import TransactWrite

from webhooks.access.idempotency_keys import IdempotencyRecord
from webhooks.errors import Conflict, Unavailable
from webhooks.management.changes import Change
from webhooks.matching.filter_budget import FilterUse
from webhooks.matching.route_rows import RouteRow
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook
from webhooks.store import schema
from webhooks.store.audit import AuditItems
from webhooks.store.models import (
    AmountItem,
    Bound,
    IdempotencyItem,
    ListingIndex,
    Models,
    OverviewIndex,
    RouteItem,
    SubscriptionItem,
    VersionsItem,
    WebhookItem,
)
from webhooks.store.webhook_items import webhook_of

if TYPE_CHECKING:
    from pynamodb.expressions.update import Action


ROUNDS = 5
T = TypeVar("T")
_WEBHOOK_FIELDS = tuple(field.name for field in fields(Webhook) if field.name != "webhook_id")
_SUBSCRIPTION_FIELDS = tuple(
    field.name for field in fields(Subscription) if field.name not in ("subscription_id", "webhook_id")
)


logger = logging.getLogger(__name__)


class DynamoManagementStore:
    """The management use cases' store. Raises Unavailable for whatever AWS does not do."""

    def __init__(self, models: Models, audit: AuditItems, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._audit = audit
        self._models = models
        self._connection = models.webhook.connection()
        self._sleep = sleep

    def webhook(self, webhook_id: str) -> Webhook | None:
        """The webhook, a tombstone included. Consistent."""
        with _translated():
            found = list(self._models.webhook.batch_get([(webhook_id, schema.WEBHOOK_SK)], consistent_read=True))
        return _read(found[0], _webhook) if found else None

    def some(self, webhook_ids: Sequence[str]) -> dict[str, Webhook]:
        """Those of these webhooks that exist, tombstones included, by id. Consistent."""
        with _translated():
            wanted = [(each, schema.WEBHOOK_SK) for each in webhook_ids]
            found = self._models.webhook.batch_get(wanted, consistent_read=True)
            return {webhook.webhook_id: webhook for webhook in _read_all(found, _webhook)}

    def webhooks(self, owner: str | None, *, after: str | None, limit: int) -> tuple[Sequence[Webhook], str | None]:
        """One owner's webhooks, or all (None), newest first, and the id to go on after. A new one may lag."""
        with _translated():
            order = self._newest(owner, after, limit + 1)
            wanted = [(webhook_id, schema.WEBHOOK_SK) for webhook_id in order[:limit]]
            items = self._models.webhook.batch_get(wanted, consistent_read=True)
            found = {webhook.webhook_id: webhook for webhook in _read_all(items, _webhook)}
        read = (found[webhook_id] for webhook_id in order[:limit] if webhook_id in found)
        # the index lags: what was deleted a moment ago may still stand in it
        present = [webhook for webhook in read if webhook.status != "deleted"]
        return present, order[limit - 1] if len(order) > limit else None

    def _newest(self, owner: str | None, after: str | None, limit: int) -> list[str]:
        model = self._models.webhook
        if owner is None:
            older = None if after is None else OverviewIndex.overview_at < after
            keys = model.overview.query(
                schema.WEBHOOKS_OVERVIEW, range_key_condition=older, scan_index_forward=False, limit=limit
            )
        else:
            older = None if after is None else ListingIndex.listing_at < after
            keys = model.listing.query(
                schema.webhooks_listing(owner), range_key_condition=older, scan_index_forward=False, limit=limit
            )
        return [key.pk for key in keys]

    def amount(self, owner: str) -> int:
        """How many webhooks the owner has. Consistent."""
        place = (schema.tenant_pk(owner), schema.AMOUNT_SK)
        with _translated():
            found = list(self._models.amount.batch_get([place], consistent_read=True))
        return _read(found[0], lambda item: int(item.webhooks)) if found else 0

    def filter_use(self, scope: str) -> FilterUse:
        """What the filters of a scope's webhooks take together. Consistent."""
        place = (schema.versions_pk(scope), schema.VERSIONS_SK)
        with _translated():
            found = list(self._models.versions.batch_get([place], consistent_read=True))
        return _read(found[0], _filter_use) if found else FilterUse()

    def subscriptions(self, webhook_id: str, *, whole: bool = False) -> Sequence[Subscription]:
        """All subscriptions of a webhook, oldest first, without what this version cannot read. Consistent.

        `whole`: raises Conflict rather than leave one out.
        """
        model = self._models.subscription
        with _translated():
            items = model.query(webhook_id, model.sk.startswith(schema.SUBSCRIPTION_PREFIX), consistent_read=True)
            return [_read(each, _subscription) for each in items] if whole else list(_read_all(items, _subscription))

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the key was used for, unless that has expired. Consistent."""
        place = (schema.idempotency_pk(caller, key), schema.IDEMPOTENCY_SK)
        with _translated():
            found = list(self._models.idempotency.batch_get([place], consistent_read=True))
        if not found:
            return None
        record = _read(found[0], lambda item: _idempotency_record(caller, key, item))
        return record if record.expires_at_ms > now_ms else None

    def remember(self, record: IdempotencyRecord, before: str | None, now_ms: int) -> bool:
        """Note what a key is used for, where it was used for nothing, or for `before`; False otherwise."""
        model = self._models.idempotency
        free = model.pk.does_not_exist() | (model.expires_at_ms <= now_ms)
        if before is not None:
            free |= model.webhook_id == before
        return self._all_or_nothing(
            lambda transaction: transaction.save(_idempotency_item(model, record), condition=free)
        )

    def commit(self, change: Change, now_ms: int) -> bool:
        """Write all of it or nothing; False when somebody else changed the webhook or used the idempotency key.

        One TransactWriteItems, which the SDK may repeat: its token makes that harmless.
        """
        return self._all_or_nothing(lambda transaction: self._write(transaction, change, now_ms))

    def _all_or_nothing(self, write: Callable[[TransactWrite], object]) -> bool:
        for turn in range(ROUNDS):
            if turn:
                self._sleep(random.uniform(0.5, 1) * 0.05 * 2**turn)  # noqa: S311 - spreads load, guards nothing
            try:
                with _translated(), TransactWrite(connection=self._connection) as transaction:
                    write(transaction)
                return True
            except _Cancelled as cancelled:
                if cancelled.condition_failed:
                    return False
        raise Unavailable(f"DynamoDB: other transactions got in the way {ROUNDS} times")

    def _write(self, transaction: TransactWrite, change: Change, now_ms: int) -> None:
        webhook = change.webhook
        item, condition = _webhook_item(self._models.webhook, change), _unchanged(self._models, change.before)
        if change.before is None or webhook.status == "deleted":
            transaction.save(item, condition=condition)
        else:
            transaction.update(item, actions=item.changes(), condition=condition)
        if change.before is None or webhook.status == "deleted":
            self._count(transaction, change)
        for subscription in change.put:
            changed = _subscription_item(self._models.subscription, subscription)
            transaction.update(changed, actions=changed.changes())
        for subscription_id in change.delete:
            place = webhook.webhook_id, schema.SUBSCRIPTION_PREFIX + subscription_id
            transaction.delete(self._models.subscription(*place))
        for row in change.routes.put:
            route = _route_item(self._models.route, row)
            transaction.update(route, actions=route.changes())
        for row in change.routes.delete:
            transaction.delete(self._models.route(schema.route_pk(row.scope, row.pattern), row.webhook_id))
        if change.routes.patterns:
            self._change_routes(transaction, change)
        if change.remember is not None:
            model = self._models.idempotency
            unused = model.pk.does_not_exist() | (model.expires_at_ms <= now_ms)
            transaction.save(_idempotency_item(model, change.remember), condition=unused)
        if change.audit is not None:
            transaction.save(self._models.audit(**self._audit.attributes(change.audit)))

    def _change_routes(self, transaction: TransactWrite, change: Change) -> None:
        model = self._models.versions
        versions: VersionsItem = model(schema.versions_pk(change.webhook.scope), schema.VERSIONS_SK)
        more = change.more_filters
        counts = (
            (model.filter_bytes, more.bytes, change.budget and change.budget.bytes),
            (model.filter_searches, more.searches, change.budget and change.budget.searches),
        )
        room = None
        for count, added, limit in counts:
            if limit is not None and added > 0:
                fits = count.does_not_exist() | (count <= limit - added)
                room = fits if room is None else room & fits
        # a list is one name with dots in it, a string would be a path
        actions: list[Action] = [Path([pattern]).add(1) for pattern in change.routes.patterns]
        actions += [count.add(added) for count, added, _ in counts if added]
        transaction.update(versions, actions=actions, condition=room)

    def _count(self, transaction: TransactWrite, change: Change) -> None:
        model = self._models.amount
        counted: AmountItem = model(schema.tenant_pk(change.webhook.owner), schema.AMOUNT_SK)
        if change.before is None:
            room = None
            if change.at_most is not None:
                room = model.webhooks.does_not_exist() | (model.webhooks < change.at_most)
            transaction.update(counted, actions=[model.webhooks.add(1)], condition=room)
        else:
            transaction.update(counted, actions=[model.webhooks.add(-1)])


class _Cancelled(Exception):
    def __init__(self, condition_failed: bool) -> None:
        super().__init__()
        self.condition_failed = condition_failed


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except TransactWriteError as exc:
        if (code := _cause(exc)) != "TransactionCanceledException":
            raise Unavailable(f"DynamoDB: {code}") from exc
        codes = {reason.code for reason in exc.cancellation_reasons if reason is not None}
        if "ConditionalCheckFailed" in codes:
            raise _Cancelled(condition_failed=True) from exc
        if codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
            raise _Cancelled(condition_failed=False) from exc
        raise Unavailable(f"DynamoDB: {', '.join(sorted(codes))}") from exc
    except PynamoDBException as exc:
        raise Unavailable(f"DynamoDB: {_cause(exc)}") from exc
    except BotoCoreError as exc:
        raise Unavailable(f"DynamoDB: {type(exc).__name__}") from exc


def _read(item: Bound, decode: Callable[[Bound], T]) -> T:
    """What an item holds. Raises Conflict where this version cannot read it."""
    try:
        if item.fault is not None:
            raise item.fault
        return decode(item)
    except Exception as exc:
        logger.exception("item %s cannot be read", (item.pk, item.sk))
        raise Conflict(
            "this version of the service cannot read what is stored here: nothing of it is lost, and whoever runs the "
            "service finds the cause in its log"
        ) from exc


def _read_all(items: Iterable[Bound], decode: Callable[[Bound], T]) -> Iterator[T]:
    """What items hold. One that this version cannot read is left out and told: it is no other's concern."""
    for item in items:
        with suppress(Conflict):
            yield _read(item, decode)


def _cause(exc: PynamoDBException) -> str:
    """AWS's code, if AWS answered at all. Pynamodb's own property fails for what botocore raises without an answer."""
    if isinstance(exc.cause, ClientError):
        return str(exc.cause.response.get("Error", {}).get("Code"))
    return type(exc.cause or exc).__name__


def _unchanged(models: Models, before: Webhook | None) -> Condition:
    model = models.webhook
    if before is None:
        return model.pk.does_not_exist()
    same_routes = model.routes_version == before.routes_version
    if before.routes_version == 0:
        same_routes |= model.routes_version.does_not_exist()
    return (model.version == before.version) & same_routes


def _webhook_item(model: type[WebhookItem], change: Change) -> WebhookItem:
    webhook = change.webhook
    values: dict[str, Any] = {name: getattr(webhook, name) for name in _WEBHOOK_FIELDS}
    values["metadata"] = dict(webhook.metadata)
    values["header_names"] = list(webhook.header_names)
    values["ed25519"] = webhook.ed25519 or None
    values["static_egress"] = webhook.static_egress or None
    values["kind"] = None if webhook.kind == "push" else webhook.kind
    if webhook.status == "deleted":
        values["expires_at"] = None if change.expires_at_ms is None else change.expires_at_ms // 1000
    else:
        values["listing_key"] = schema.webhooks_listing(webhook.owner)
        values["overview_key"] = schema.WEBHOOKS_OVERVIEW
        values["listing_at"] = values["overview_at"] = webhook.webhook_id
    return model(webhook.webhook_id, schema.WEBHOOK_SK, **values)


def _webhook(item: WebhookItem) -> Webhook:
    return webhook_of(
        {**item.to_dynamodb_dict(), "sealed": {"B": item.sealed}}
    )  # bytes, which the dictionary has as text


def _filter_use(item: VersionsItem) -> FilterUse:
    return FilterUse(int(item.filter_bytes), int(item.filter_searches))


def _idempotency_record(caller: str, key: str, item: IdempotencyItem) -> IdempotencyRecord:
    return IdempotencyRecord(caller, key, item.fingerprint, item.webhook_id, int(item.expires_at_ms))


def _subscription_item(model: type[SubscriptionItem], subscription: Subscription) -> SubscriptionItem:
    values: dict[str, Any] = {name: getattr(subscription, name) for name in _SUBSCRIPTION_FIELDS}
    return model(subscription.webhook_id, schema.SUBSCRIPTION_PREFIX + subscription.subscription_id, **values)


def _subscription(item: SubscriptionItem) -> Subscription:
    values: dict[str, Any] = {name: getattr(item, name) for name in _SUBSCRIPTION_FIELDS}
    identifier = item.sk.removeprefix(schema.SUBSCRIPTION_PREFIX)
    return Subscription(subscription_id=identifier, webhook_id=item.pk, **values)


def _route_item(model: type[RouteItem], row: RouteRow) -> RouteItem:
    place = schema.route_pk(row.scope, row.pattern), row.webhook_id
    return model(
        *place,
        owner=row.owner,
        status=row.status,
        subscriptions=row.subscriptions,
        static_egress=row.static_egress or None,
    )


def _idempotency_item(model: type[IdempotencyItem], remember: IdempotencyRecord) -> IdempotencyItem:
    return model(
        schema.idempotency_pk(remember.caller, remember.key),
        schema.IDEMPOTENCY_SK,
        fingerprint=remember.fingerprint,
        webhook_id=remember.webhook_id,
        expires_at_ms=remember.expires_at_ms,
        expires_at=remember.expires_at_ms // 1000,
    )

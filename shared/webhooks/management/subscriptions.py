"""Subscriptions: which events a webhook gets."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from webhooks.access.idempotency_keys import Once
from webhooks.errors import Conflict, FieldError, Invalid, NotFound
from webhooks.event_types import pattern_error
from webhooks.ids import new_id
from webhooks.management.changes import (
    Change,
    ManagementStore,
    Versions,
    change,
    find,
    remembered,
    with_subscriptions,
)
from webhooks.management.requests import MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS, SubscriptionChange, SubscriptionRequest
from webhooks.matching.filter_budget import FilterUse
from webhooks.matching.filter_document import check_filters
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook
from webhooks.payload import dumps


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionManagement:
    """The use cases. Each raises NotFound for a webhook that the caller does not see, and Unavailable."""

    store: ManagementStore
    event_types: Collection[str]
    budget: FilterUse
    now_ms: Callable[[], int]

    def create(
        self, caller: Caller, webhook_id: str, request: SubscriptionRequest, once: Once | None = None
    ) -> Subscription:
        """Subscribe a webhook. A repeat with the same key within a day gets the subscription that the first one made.

        Raises Invalid, InvalidFilter, and Conflict when it has as many as it may have, and for a key used for something
        else.
        """
        if (made := self._made(caller, webhook_id, once)) is not None:
            return made
        now_ms = self.now_ms()
        new = new_subscription(webhook_id, request, self.event_types, now_ms)

        def decide(webhook: Webhook, present: Sequence[Subscription]) -> Change:
            after = [*present, new]
            check_amount(after)
            replaced = with_subscriptions(webhook, present, after, self.budget)
            return replace(replaced, remember=remembered(caller, once, new.subscription_id, now_ms))

        try:
            change(self.store, caller, webhook_id, decide, now_ms, Deed("subscription.created", new.subscription_id))
        except Conflict:
            if (made := self._made(caller, webhook_id, once)) is not None:  # the same request was faster
                return made
            raise
        return new

    def _made(self, caller: Caller, webhook_id: str, once: Once | None) -> Subscription | None:
        """What an earlier request with the same key made."""
        if once is None:
            return None
        earlier = self.store.idempotency_record(caller.owner, once.key, self.now_ms())
        if earlier is None:
            return None
        once.check(earlier.fingerprint)
        return self.get(caller, webhook_id, earlier.webhook_id)

    def get(self, caller: Caller, webhook_id: str, subscription_id: str) -> Subscription:
        """One subscription."""
        find(self.store, caller, webhook_id)
        return _pick(self.store.subscriptions(webhook_id), subscription_id)

    def page(
        self, caller: Caller, webhook_id: str, *, after: str | None, limit: int
    ) -> tuple[list[Subscription], str | None]:
        """Subscriptions, oldest first, after the id `after`; and the last id when there are more."""
        find(self.store, caller, webhook_id)
        found = [each for each in self.store.subscriptions(webhook_id) if after is None or each.subscription_id > after]
        return found[:limit], found[limit - 1].subscription_id if len(found) > limit else None

    def change(
        self,
        caller: Caller,
        webhook_id: str,
        subscription_id: str,
        wanted: SubscriptionChange,
        if_match: Versions | None,
    ) -> Subscription:
        """Change the fields that are there. Raises Invalid, InvalidFilter, VersionConflict."""
        now_ms = self.now_ms()

        def decide(webhook: Webhook, present: Sequence[Subscription]) -> Change:
            old = _pick(present, subscription_id)
            _check(if_match, old)
            new = changed(old, wanted, self.event_types, now_ms)
            after = [new if each is old else each for each in present]
            check_amount(after)
            return with_subscriptions(webhook, present, after, self.budget)

        deed = Deed.changing("subscription.updated", wanted.model_fields_set, subscription_id)
        return _pick(change(self.store, caller, webhook_id, decide, now_ms, deed).put, subscription_id)

    def delete(self, caller: Caller, webhook_id: str, subscription_id: str, if_match: Versions | None) -> None:
        """Delete a subscription. Raises VersionConflict."""

        def decide(webhook: Webhook, present: Sequence[Subscription]) -> Change:
            old = _pick(present, subscription_id)
            _check(if_match, old)
            after = [each for each in present if each is not old]
            return with_subscriptions(webhook, present, after, self.budget)

        change(self.store, caller, webhook_id, decide, self.now_ms(), Deed("subscription.deleted", subscription_id))


def new_subscription(
    webhook_id: str, request: SubscriptionRequest, known: Collection[str], now_ms: int, *, at: str = ""
) -> Subscription:
    """A subscription as asked for. Raises Invalid and InvalidFilter with paths below `at`."""
    _check_pattern(request.event_type, known, at)
    if request.filters is not None:
        check_filters(request.filters, at=f"{at}filters")
    return Subscription(
        subscription_id=new_id("sub", now_ms),
        webhook_id=webhook_id,
        event_type=request.event_type,
        resource_id=None if request.resource_id is None else str(request.resource_id),
        is_active=request.is_active,
        filters=request.filters,
        version=1,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
    )


def changed(old: Subscription, wanted: SubscriptionChange, known: Collection[str], now_ms: int) -> Subscription:
    """The subscription with the fields that are there in `wanted`. Raises Invalid and InvalidFilter."""
    fields = wanted.model_dump(exclude_unset=True)
    if "event_type" in fields:
        _check_pattern(wanted.event_type, known, "")
    if fields.get("filters") is not None:
        check_filters(wanted.filters)
    if fields.get("resource_id") is not None:
        fields["resource_id"] = str(fields["resource_id"])
    return replace(old, **fields, version=old.version + 1, updated_at_ms=now_ms)


def check_amount(subscriptions: Sequence[Subscription]) -> None:
    """Raises Conflict for more subscriptions, or larger filters, than a webhook may have."""
    if len(subscriptions) > MAX_SUBSCRIPTIONS:
        raise Conflict(f"a webhook has at most {MAX_SUBSCRIPTIONS} subscriptions")
    if sum(len(dumps(each.filters)) for each in subscriptions if each.filters) > MAX_FILTER_BYTES:
        raise Conflict(f"the filters of a webhook's subscriptions have at most {MAX_FILTER_BYTES // 1024} KB together")


def _check_pattern(pattern: str, known: Collection[str], at: str) -> None:
    message = pattern_error(pattern, known)
    if message is not None:
        raise Invalid(f"{at}event_type: {message}", [FieldError(f"{at}event_type", message, "not_allowed")])


def _pick(subscriptions: Sequence[Subscription], subscription_id: str) -> Subscription:
    for each in subscriptions:
        if each.subscription_id == subscription_id:
            return each
    raise NotFound(f"there is no subscription {subscription_id[:64]}")


def _check(if_match: Versions | None, subscription: Subscription) -> None:
    if if_match is not None:
        if_match.check(subscription.version)

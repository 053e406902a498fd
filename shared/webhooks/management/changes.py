"""What managing webhooks and managing their subscriptions share: who sees what, and changing it all at once.

A change is computed from what was read and written under the condition that it is still so. When somebody else was
faster it is computed anew, unless the caller asked for one certain version (If-Match).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol, TypeVar

from webhooks.access.idempotency_keys import REMEMBERED_MS, IdempotencyRecord, Once
from webhooks.errors import Conflict, NotFound, VersionConflict
from webhooks.ids import is_id
from webhooks.matching.filter_budget import FilterUse, check_room, filter_use
from webhooks.matching.route_rows import RouteChanges, route_changes, route_rows
from webhooks.models.audit import AuditEntry, Deed
from webhooks.models.caller import Caller
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook

ATTEMPTS = 4
A_READ = 25  # of a list, whose webhooks are read together


def remembered(caller: Caller, once: Once | None, made: str, now_ms: int) -> IdempotencyRecord | None:
    """What is kept of a request with a key that makes this; None without a key."""
    if once is None:
        return None
    return IdempotencyRecord(caller.owner, once.key, once.fingerprint, made, now_ms + REMEMBERED_MS)


@dataclass(frozen=True, slots=True)
class Change:
    """A webhook as it becomes, with what changes around it, to be written in one transaction.

    `before` is the webhook as it was read, None when it is new; the write takes place only if neither it nor its
    subscriptions have changed since. A new one takes place only if its owner has `at_most` webhooks then; one with
    more or larger filters only if all that its scope's filters take is within `budget` then. `expires_at_ms` is set
    on the tombstone of a deleted webhook. `audit` is what is kept of the call.
    """

    webhook: Webhook
    before: Webhook | None
    routes: RouteChanges = field(default_factory=RouteChanges)
    put: tuple[Subscription, ...] = ()
    delete: tuple[str, ...] = ()
    remember: IdempotencyRecord | None = None
    expires_at_ms: int | None = None
    at_most: int | None = None
    budget: FilterUse | None = None
    audit: AuditEntry | None = None

    @property
    def more_filters(self) -> FilterUse:
        """What is added to the filters that count in the webhook's scope."""
        before = FilterUse() if self.before is None else _counted(self.before)
        return _counted(self.webhook) - before


class ManagementStore(Protocol):
    """Where webhooks and subscriptions are kept. Every method may raise Unavailable, and those for one thing Conflict
    when this version cannot read it; lists go without it."""

    def webhook(self, webhook_id: str) -> Webhook | None:
        """The webhook, a tombstone included. Consistent."""
        ...

    def webhooks(self, owner: str | None, *, after: str | None, limit: int) -> tuple[Sequence[Webhook], str | None]:
        """Webhooks of one owner, or of all (None), newest first, after the id `after`; a new one may lag.

        The second value is the id to go on after when there are more. Pages may hold fewer than `limit`.
        """
        ...

    def amount(self, owner: str) -> int:
        """How many webhooks the owner has. Consistent."""
        ...

    def filter_use(self, scope: str) -> FilterUse:
        """What the filters of a scope's webhooks take together. Consistent."""
        ...

    def subscriptions(self, webhook_id: str, *, whole: bool = False) -> Sequence[Subscription]:
        """All subscriptions of a webhook, oldest first, without what this version cannot read. Consistent.

        `whole`: raises Conflict rather than leave one out.
        """
        ...

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the caller's idempotency key was used for, unless that has expired. Consistent."""
        ...

    def remember(self, record: IdempotencyRecord, before: str | None, now_ms: int) -> bool:
        """Note what a key is used for, where it was used for nothing, or for `before`; False otherwise."""
        ...

    def commit(self, change: Change, now_ms: int) -> bool:
        """Write all of it or nothing: False when somebody else changed the webhook or used the idempotency key."""
        ...


def sees(caller: Caller, webhook: Webhook) -> bool:
    """Whether the caller may read and manage it: an admin, or its owner, of a workspace's while a member of that.

    Membership is asked each time, as the caller's token has it, since whoever registered a webhook may leave.
    """
    if caller.is_admin:
        return True
    is_member = webhook.workspace_id is None or caller.is_in_workspace(webhook.workspace_id)
    return webhook.owner == caller.owner and is_member


class _OfWebhook(Protocol):
    @property
    def webhook_id(self) -> str: ...


T = TypeVar("T", bound=_OfWebhook)


def of_seen(
    caller: Caller,
    found: Iterable[T],
    webhooks: Callable[[Sequence[str]], Mapping[str, Webhook]],
    is_its_own: Callable[[T], bool] = lambda _: False,
) -> Iterator[T]:
    """Of what an owner's list names, all whose webhooks the caller sees, and what is the caller's own without one.
    `webhooks` reads them by id."""
    left = iter(found)
    while not caller.is_admin and (some := list(islice(left, A_READ))):
        own = [is_its_own(each) for each in some]
        read = webhooks(list({each.webhook_id for each, is_own in zip(some, own, strict=True) if not is_own}))
        for each, is_own in zip(some, own, strict=True):
            if is_own or (each.webhook_id in read and sees(caller, read[each.webhook_id])):
                yield each
    yield from left


def find(store: ManagementStore, caller: Caller, webhook_id: str) -> Webhook:
    """A webhook that the caller sees. Raises NotFound for everything else."""
    webhook = store.webhook(webhook_id) if is_id("wh", webhook_id) else None
    if webhook is None or webhook.status == "deleted" or not sees(caller, webhook):
        raise NotFound(f"there is no webhook {webhook_id[:64]}")
    return webhook


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that an If-Match header names; `any` stands for `*`."""

    named: frozenset[int] = frozenset()
    any: bool = False

    def check(self, version: int) -> None:
        """Raises VersionConflict when the present version is not among them."""
        if not self.any and version not in self.named:
            raise VersionConflict(f"the present version is {version}")


def change(
    store: ManagementStore,
    caller: Caller,
    webhook_id: str,
    decide: Callable[[Webhook, Sequence[Subscription]], Change],
    now_ms: int,
    deed: Deed,
) -> Change:
    """Read, decide and write until nobody interferes. Raises NotFound, Conflict, and whatever `decide` raises."""
    for _ in range(ATTEMPTS):
        webhook = find(store, caller, webhook_id)
        written = store.subscriptions(webhook_id, whole=True)
        decided = replace(decide(webhook, written), audit=deed.by(caller, webhook, now_ms))
        check_budget(store, decided)
        if store.commit(decided, now_ms):
            return decided
    raise Conflict("others keep changing this webhook at the same time: repeat the request")


def check_budget(store: ManagementStore, decided: Change) -> None:
    """Raises Invalid where the scope's budget has no room for the filters that are added."""
    if decided.budget is not None:
        check_room(store.filter_use(decided.webhook.scope), decided.more_filters, decided.budget)


def counting(webhook: Webhook, subscriptions: Iterable[Subscription]) -> Webhook:
    """The webhook with what these subscriptions take of its scope's budget."""
    use = filter_use(subscriptions)
    return replace(webhook, filter_bytes=use.bytes, filter_searches=use.searches)


def _counted(webhook: Webhook) -> FilterUse:
    return FilterUse(webhook.filter_bytes, webhook.filter_searches)


def with_subscriptions(
    webhook: Webhook, before: Sequence[Subscription], after: Sequence[Subscription], budget: FilterUse
) -> Change:
    """The change that replaces a webhook's subscriptions by others."""
    was, is_now = filter_use(before), filter_use(after)
    grows = is_now.bytes > was.bytes or is_now.searches > was.searches
    old = {each.subscription_id: each for each in before}
    kept = {each.subscription_id for each in after}
    return Change(
        webhook=replace(counting(webhook, after), routes_version=webhook.routes_version + 1),
        before=webhook,
        routes=route_changes(route_rows(webhook, before), route_rows(webhook, after)),
        put=tuple(each for each in after if old.get(each.subscription_id) != each),
        delete=tuple(identifier for identifier in old if identifier not in kept),
        budget=budget if grows else None,  # what becomes less is never refused
    )

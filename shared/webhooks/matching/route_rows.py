"""Route rows: what ingestion reads to find the webhooks that an event reaches.

One row per webhook and pattern of event types, kept in step with the subscriptions that it repeats.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from webhooks.matching.compiled_routes import PULL, TAKES_EVENTS
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook
from webhooks.payload import dumps, floats


@dataclass(frozen=True, slots=True)
class RouteRow:
    """All active subscriptions of one webhook to one pattern.

    `subscriptions` is a JSON list of [subscription id, resource id or null, filters or null], whose numbers are floats:
    by them filters compare.
    """

    scope: str
    pattern: str
    webhook_id: str
    owner: str
    status: str
    subscriptions: str
    static_egress: bool = False


@dataclass(frozen=True, slots=True)
class RouteChanges:
    """What turns one set of rows into another. `patterns` are those whose readers must reload."""

    put: tuple[RouteRow, ...] = ()
    delete: tuple[RouteRow, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """Each pattern touched, once."""
        return tuple(sorted({row.pattern for row in (*self.put, *self.delete)}))


def route_rows(webhook: Webhook, subscriptions: Iterable[Subscription]) -> list[RouteRow]:
    """The rows that a webhook with these subscriptions has: none when it is deleted, or for inactive subscriptions."""
    if webhook.status == "deleted":
        return []
    by_pattern: dict[str, list[Subscription]] = {}
    for subscription in sorted(subscriptions, key=lambda each: each.subscription_id):
        if subscription.is_active:
            by_pattern.setdefault(subscription.event_type, []).append(subscription)
    return [_row(webhook, pattern, chosen) for pattern, chosen in sorted(by_pattern.items())]


def route_changes(before: Iterable[RouteRow], after: Iterable[RouteRow]) -> RouteChanges:
    """The fewest writes that lead from `before` to `after`; both are rows of one webhook."""
    old = {row.pattern: row for row in before}
    new = {row.pattern: row for row in after}
    return RouteChanges(
        put=tuple(row for pattern, row in new.items() if old.get(pattern) != row),
        delete=tuple(row for pattern, row in old.items() if pattern not in new),
    )


def _row(webhook: Webhook, pattern: str, subscriptions: Iterable[Subscription]) -> RouteRow:
    entries = [
        [each.subscription_id, each.resource_id, None if each.filters is None else dict(each.filters)]
        for each in subscriptions
    ]
    return RouteRow(
        scope=webhook.scope,
        pattern=pattern,
        webhook_id=webhook.webhook_id,
        owner=webhook.owner,
        status=PULL if webhook.kind == "pull" and webhook.status in TAKES_EVENTS else webhook.status,
        subscriptions=dumps(floats(entries)),
        static_egress=webhook.static_egress,
    )

"""Route rows: which webhooks of a scope listen to a pattern of event types."""

import json
import logging
from collections.abc import Iterator, Sequence

from webhooks.matching.compiled_routes import Route, RouteSubscription
from webhooks.matching.route_cache import ERASED_UNTIL
from webhooks.store import schema
from webhooks.store.attributes import read_flag, text
from webhooks.store.dynamo import DynamoTable, Item

UNREADABLE = "unreadable"  # as a status, and so why an event was missed

logger = logging.getLogger(__name__)


class RouteStore:
    """Routes as ingest reads them."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def versions(self, scopes: Sequence[str]) -> dict[str, dict[str, int]]:
        """How often each pattern's routes have changed, by scope. Consistent: a change answered before is counted.

        Of a scope that was erased, ERASED_UNTIL is there, too.
        """
        items = self._table.get_many([(schema.versions_pk(scope), schema.VERSIONS_SK) for scope in scopes])
        return {
            scope: {
                name: int(value["N"])
                for name, value in item.items()
                if "N" in value and (name[0] != "#" or name == ERASED_UNTIL)
            }
            for scope in scopes
            if (item := items.get((schema.versions_pk(scope), schema.VERSIONS_SK)))
        }

    def load(self, scope: str, pattern: str) -> Iterator[tuple[Route, str]]:
        """All routes of a scope for one pattern, each with its webhook's owner; consistent."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": text(schema.route_pk(scope, pattern))},
            ConsistentRead=True,
        )
        return (_route(item, pattern) for item in items)  # one by one: they grow when read


def _route(item: Item, pattern: str) -> tuple[Route, str]:
    """A row with the webhook's owner. The webhook of one that this version cannot read misses what may be for it, and
    can recover it."""
    webhook_id = item[schema.SK]["S"]
    try:
        subscriptions = tuple(
            RouteSubscription(subscription_id, pattern, resource_id, filters)
            for subscription_id, resource_id, filters, *_ in json.loads(item["subscriptions"]["S"])
        )
        is_static = read_flag(item, "static_egress")
        return Route(webhook_id, item["status"]["S"], subscriptions, is_static), item["owner"]["S"]
    except (KeyError, ValueError, TypeError):
        logger.exception("the routes of %s for %s cannot be read", webhook_id, pattern)
        return Route(webhook_id, UNREADABLE, (RouteSubscription("", pattern),)), webhook_id

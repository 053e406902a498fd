"""Disabling a webhook: its item and its routes in one transaction, so that ingestion never sees half of it."""

from webhooks.models.webhook import Webhook
from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import DynamoTable, Item, key_of
from webhooks.store.webhook_items import webhook_key, webhook_of

RACES = 5


class WebhookDisabler:
    """The sender's one way to change a webhook."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def disable(self, webhook: Webhook, reason: str, now_ms: int) -> bool:
        """Status failed with the reason; False when it is not active any more. Raises Unavailable."""
        for _ in range(RACES):
            if webhook.status != "active":
                return False
            if self._table.transact(self._actions(webhook, reason, now_ms)):
                return True
            item = self._table.get_many([webhook_key(webhook.webhook_id)]).get(webhook_key(webhook.webhook_id))
            if item is None:
                return False
            webhook = webhook_of(item)
        return False

    def _actions(self, webhook: Webhook, reason: str, now_ms: int) -> list[dict[str, Item]]:
        subscriptions = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :s)",
            ExpressionAttributeValues={":pk": text(webhook.webhook_id), ":s": text(schema.SUBSCRIPTION_PREFIX)},
            ConsistentRead=True,
        )
        patterns = sorted({each["event_type"]["S"] for each in subscriptions if each["is_active"]["BOOL"]})
        actions = [self._webhook(webhook, reason, now_ms)]
        actions += [_route(webhook, pattern) for pattern in patterns]
        if patterns:
            names = {f"#p{i}": pattern for i, pattern in enumerate(patterns)}
            actions.append(
                {
                    "Update": {
                        "Key": key_of((schema.versions_pk(webhook.scope), schema.VERSIONS_SK)),
                        "UpdateExpression": "ADD " + ", ".join(f"{name} :one" for name in names),
                        "ExpressionAttributeNames": names,
                        "ExpressionAttributeValues": {":one": number(1)},
                    }
                }
            )
        return actions

    def _webhook(self, webhook: Webhook, reason: str, now_ms: int) -> dict[str, Item]:
        same_routes = "routes_version = :rv"
        if webhook.routes_version == 0:
            same_routes = f"({same_routes} OR attribute_not_exists(routes_version))"
        return {
            "Update": {
                "Key": key_of(webhook_key(webhook.webhook_id)),
                "UpdateExpression": "SET #s = :failed, status_reason = :reason, version = :next, "
                "routes_version = :nrv, updated_at_ms = :now",
                "ConditionExpression": f"#s = :active AND version = :v AND {same_routes}",
                "ExpressionAttributeNames": {"#s": "status"},
                "ExpressionAttributeValues": {
                    ":failed": text("failed"),
                    ":active": text("active"),
                    ":reason": text(reason),
                    ":v": number(webhook.version),
                    ":next": number(webhook.version + 1),
                    ":rv": number(webhook.routes_version),
                    ":nrv": number(webhook.routes_version + 1),
                    ":now": number(now_ms),
                },
            }
        }


def _route(webhook: Webhook, pattern: str) -> dict[str, Item]:
    return {
        "Update": {
            "Key": key_of((schema.route_pk(webhook.scope, pattern), webhook.webhook_id)),
            "UpdateExpression": "SET #s = :failed",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#s": "status"},
            "ExpressionAttributeValues": {":failed": text("failed")},
        }
    }

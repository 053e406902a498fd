"""What owners of webhooks do, by the management use cases over pynamodb and the fake table."""

import base64
from collections.abc import Mapping
from typing import Any

from webhooks.management.requests import SubscriptionChange, SubscriptionRequest, WebhookChange, WebhookRequest
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(7, 39))).decode()


class Owners:
    """Registers and changes webhooks as the API's use cases do."""

    def __init__(self, use_cases: Any, store: Any) -> None:
        self.store = store
        self.webhooks = use_cases.webhooks
        self.subscriptions = use_cases.subscriptions

    def register(
        self,
        name: str = "one",
        *,
        event_types: tuple[str, ...] = ("*",),
        filters: Mapping[str, Any] | None = None,
        resource_id: str | None = None,
        user_id: int | str = 7,
        workspace_id: int | str | None = 1,
        idempotency_key: str | None = None,
        url: str | None = None,
        **fields: Any,
    ) -> Webhook:
        """A webhook at https://<name>.example/, unless a URL is given, with a subscription for each event type."""
        wanted = [
            SubscriptionRequest(
                event_type=each, filters=None if filters is None else dict(filters), resource_id=resource_id
            )
            for each in event_types
        ]
        request = WebhookRequest(
            name=name,
            workspace_id=workspace_id,
            secret=SECRET,
            subscriptions=wanted,
            **({} if fields.get("kind") == "pull" else {"url": url or url_of(name)}),
            **fields,
        )
        return self.webhooks.create(caller(user_id, workspace_id), request, idempotency_key).webhook

    def change(self, webhook: Webhook, **fields: Any) -> Webhook:
        """Change fields, such as the status."""
        return self.webhooks.change(owner_of(webhook), webhook.webhook_id, WebhookChange(**fields), None)

    def delete(self, webhook: Webhook) -> None:
        """Delete it."""
        self.webhooks.delete(owner_of(webhook), webhook.webhook_id, None)

    def subscribe(self, webhook: Webhook, event_type: str, **fields: Any) -> str:
        """Subscribe it to another type; returns the subscription's id."""
        request = SubscriptionRequest(event_type=event_type, **fields)
        return self.subscriptions.create(owner_of(webhook), webhook.webhook_id, request).subscription_id

    def change_subscription(self, webhook: Webhook, subscription_id: str, **fields: Any) -> None:
        """Change a subscription."""
        wanted = SubscriptionChange(**fields)
        self.subscriptions.change(owner_of(webhook), webhook.webhook_id, subscription_id, wanted, None)

    def unsubscribe(self, webhook: Webhook, subscription_id: str) -> None:
        """Take a subscription away."""
        self.subscriptions.delete(owner_of(webhook), webhook.webhook_id, subscription_id, None)

    def webhook(self, webhook: Webhook) -> Webhook:
        """As it is now."""
        found = self.store.webhook(webhook.webhook_id)
        if found is None:
            raise LookupError(webhook.webhook_id)
        return found


def url_of(name: str) -> str:
    """Where the receiver of this name listens."""
    return f"https://{name}.example/hook"


def owner_of(webhook: Webhook) -> Caller:
    """Its owner, a member of its workspace."""
    return caller(webhook.user_id, webhook.workspace_id)


def caller(user_id: int | str, workspace_id: int | str | None = 1) -> Caller:
    """The user, in that workspace."""
    return Caller(user_id, frozenset({str(workspace_id)}), frozenset({"webhooks", "events:write"}))

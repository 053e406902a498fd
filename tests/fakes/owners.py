"""What owners of webhooks do, by the management use cases over pynamodb and the fake table."""

import base64
from collections.abc import Mapping
from typing import Any

from tests.fakes.clock import Clock
from tests.fakes.kms import FakeKMS
from tests.fakes.pynamo import models
from webhooks.aws.kms import KmsSecretBox
from webhooks.egress.policy import EgressPolicy
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.management.requests import SubscriptionChange, SubscriptionRequest, WebhookChange, WebhookRequest
from webhooks.management.subscriptions import SubscriptionManagement
from webhooks.management.webhooks import WebhookManagement
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook
from webhooks.store.data_key import DataKeyStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.management import DynamoManagementStore
from webhooks.store.states import StateStore

SECRET = "whsec_" + base64.b64encode(bytes(range(7, 39))).decode()


class Owners:
    """Registers and changes webhooks as the API's use cases do."""

    def __init__(self, clock: Clock, dynamodb: Any, table_name: str, kms: Any = None) -> None:  # noqa: ANN401
        table = DynamoTable(dynamodb, table_name, sleep=clock.sleep)
        key = DataKeyStore(table)
        self.store = DynamoManagementStore(models(dynamodb, table_name), sleep=clock.sleep)
        self.webhooks = WebhookManagement(
            store=self.store,
            box=KmsSecretBox(kms or FakeKMS(), key.load, key.store_if_absent, "key"),
            waker=StateStore(table),
            policy=EgressPolicy(),
            event_types=DEFAULT_EVENT_TYPES,
            header_prefix="X-PyAirtable",
            retention_ms=30 * 86_400_000,
            max_webhooks=100_000,
            now_ms=clock.now_ms,
        )
        self.subscriptions = SubscriptionManagement(
            store=self.store, event_types=DEFAULT_EVENT_TYPES, now_ms=clock.now_ms
        )

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
        **fields: Any,  # noqa: ANN401
    ) -> Webhook:
        """A webhook at https://<name>.example/ with a subscription for each event type."""
        wanted = [
            SubscriptionRequest(
                event_type=each, filters=None if filters is None else dict(filters), resource_id=resource_id
            )
            for each in event_types
        ]
        request = WebhookRequest(
            name=name, url=url_of(name), workspace_id=workspace_id, secret=SECRET, subscriptions=wanted, **fields
        )
        return self.webhooks.create(caller(user_id, workspace_id), request, idempotency_key).webhook

    def change(self, webhook: Webhook, **fields: Any) -> Webhook:  # noqa: ANN401
        """Change fields, such as the status."""
        return self.webhooks.change(caller(webhook.user_id), webhook.webhook_id, WebhookChange(**fields), None)

    def delete(self, webhook: Webhook) -> None:
        """Delete it."""
        self.webhooks.delete(caller(webhook.user_id), webhook.webhook_id, None)

    def subscribe(self, webhook: Webhook, event_type: str, **fields: Any) -> str:  # noqa: ANN401
        """Subscribe it to another type; returns the subscription's id."""
        request = SubscriptionRequest(event_type=event_type, **fields)
        return self.subscriptions.create(caller(webhook.user_id), webhook.webhook_id, request).subscription_id

    def change_subscription(self, webhook: Webhook, subscription_id: str, **fields: Any) -> None:  # noqa: ANN401
        """Change a subscription."""
        wanted = SubscriptionChange(**fields)
        self.subscriptions.change(caller(webhook.user_id), webhook.webhook_id, subscription_id, wanted, None)

    def unsubscribe(self, webhook: Webhook, subscription_id: str) -> None:
        """Take a subscription away."""
        self.subscriptions.delete(caller(webhook.user_id), webhook.webhook_id, subscription_id, None)

    def webhook(self, webhook: Webhook) -> Webhook:
        """As it is now."""
        found = self.store.webhook(webhook.webhook_id)
        if found is None:
            raise LookupError(webhook.webhook_id)
        return found


def url_of(name: str) -> str:
    """Where the receiver of this name listens."""
    return f"https://{name}.example/hook"


def caller(user_id: int | str, workspace_id: int | str | None = None) -> Caller:
    """The user, in that workspace."""
    return Caller(user_id, frozenset({str(workspace_id)}), frozenset({"webhooks", "events:write"}))

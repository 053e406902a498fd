"""Test deliveries, made at once by the sender: it alone can open secrets and reach receivers."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from webhooks.errors import Invalid
from webhooks.event_types import TEST_EVENT_TYPE
from webhooks.ids import new_id
from webhooks.management.changes import ManagementStore, find
from webhooks.management.ports import TestDeliveries
from webhooks.management.requests import SendTest
from webhooks.models.caller import Caller
from webhooks.models.test_result import TestResult
from webhooks.times import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEvents:
    """The use case."""

    store: ManagementStore
    sender: TestDeliveries
    event_types: Collection[str]
    now_ms: Callable[[], int]

    def send(self, caller: Caller, webhook_id: str, request: SendTest) -> TestResult:
        """Send a test event, made up or as asked for. Raises NotFound, Invalid, Unavailable."""
        webhook = find(self.store, caller, webhook_id)
        if request.event_type != TEST_EVENT_TYPE and request.event_type not in self.event_types:
            raise Invalid.at("event_type", f"is not an event type; known are {', '.join(sorted(self.event_types))}")
        now_ms = self.now_ms()
        payload: dict[str, object] = {
            "id": new_id("evt", now_ms),
            "type": request.event_type,
            "resource_id": None,
            "workspace_id": webhook.workspace_id,
            "user_id": webhook.user_id,
            "timestamp": rfc3339(now_ms),
            "data": request.data or {"message": f"A test of the webhook {webhook.name}"},
            "metadata": {"test": True},
        }
        return self.sender.send_test(webhook.webhook_id, payload)

"""Puts operational events on the bus, where webhooks can subscribe to them."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.errors import Unavailable
from webhooks.operational_events import OperationalEvent

PUT_EVENTS_ENTRIES = 10  # Amazon EventBridge API Reference, PutEvents


class EventBridgeBus:
    """The EventBridge bus. Source is `<event source>.webhooks`, with a rule of its own.

    `make_client` makes boto3's client for the first event, which seldom comes.
    """

    def __init__(self, make_client: Callable[[], Any], bus_name: str, event_source: str) -> None:
        self._make_client = make_client
        self._client: Any = None
        self._bus_name = bus_name
        self._source = f"{event_source}.webhooks"

    def publish(self, operational_events: Sequence[OperationalEvent], now_ms: int) -> None:
        """Put all on the bus. Raises Unavailable when the bus does not take them."""
        if self._client is None:
            self._client = self._make_client()
        entries = [self._entry(each, now_ms) for each in operational_events]
        for start in range(0, len(entries), PUT_EVENTS_ENTRIES):
            try:
                answer = self._client.put_events(Entries=entries[start : start + PUT_EVENTS_ENTRIES])
            except (ClientError, BotoCoreError) as exc:
                raise Unavailable(f"EventBridge: {type(exc).__name__}") from exc
            if answer.get("FailedEntryCount"):
                raise Unavailable("EventBridge did not take every event")

    def _entry(self, operational_event: OperationalEvent, now_ms: int) -> dict[str, object]:
        detail = {
            "id": operational_event.event_id,
            "type": operational_event.event_type,
            "resource_id": operational_event.webhook_id,
            "workspace_id": operational_event.workspace_id,
            "user_id": operational_event.user_id,
            "timestamp": datetime.fromtimestamp(now_ms / 1000, UTC)
            .isoformat(timespec="seconds")
            .replace("+00:00", "Z"),
            "data": {"webhook_id": operational_event.webhook_id, **operational_event.data},
            "metadata": {"source": "webhooks"},
        }
        return {
            "EventBusName": self._bus_name,
            "Source": self._source,
            "DetailType": operational_event.event_type,
            "Detail": json.dumps(detail),
        }

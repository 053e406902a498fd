"""Events about the service's own webhooks, put on the event bus; webhooks can subscribe to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

TransitionType = Literal["webhook.failing", "webhook.disabled", "webhook.circuit_opened", "webhook.recovered"]
OperationalEventType = TransitionType | Literal["delivery.dead_lettered"]


@dataclass(frozen=True, slots=True)
class OperationalEvent:
    """One operational event. It is about `webhook_id`, and is never delivered to that webhook.

    Its `event_id` is that of what happened: published again, it is the same event and becomes one delivery.
    """

    event_type: OperationalEventType
    webhook_id: str
    user_id: str | int
    workspace_id: str | int | None
    data: dict[str, object]
    event_id: str


class EventPublisher(Protocol):
    """Where operational events go."""

    def publish(self, operational_events: Sequence[OperationalEvent], now_ms: int) -> None:
        """Put all on the bus. Raises Unavailable."""
        ...

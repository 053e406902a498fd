"""What delivery and recovery need from outside: the table, the queues, and the way to the receiver."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from webhooks.delivery.attempt_detail import AttemptDetail
from webhooks.delivery.endpoint_state import DeliveryContext, EndpointState
from webhooks.messages import DeliveryMessage
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.exchange import Exchange, HttpRequest


class Transport(Protocol):
    """Sends one request; an endpoint's failure is a result."""

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """Send it. Connections are shared only within a `pool`, which is the webhook's owner."""
        ...


class EndpointStates(Protocol):
    """Circuits, rates and wake-ups of webhooks. Every method may raise Unavailable."""

    def get(self, webhook_id: str) -> EndpointState:
        """Consistent read."""
        ...

    def save_health(self, webhook_id: str, before: EndpointState, after: EndpointState) -> bool:
        """False when somebody was faster."""
        ...

    def save_rate(self, webhook_id: str, before_tat_ms: int | None, tat_ms: int) -> bool:
        """False when somebody was faster."""
        ...

    def pace(self, owner: str) -> int | None:
        """Until when the places of an owner's slow receivers are given away, as `bulkhead.reserve` takes it."""
        ...

    def save_pace(self, owner: str, before_tat_ms: int | None, tat_ms: int) -> bool:
        """False when somebody was faster."""
        ...

    def wake(self, webhook_id: str, at_ms: int, now_ms: int) -> None:
        """Have release look at the webhook's waiting room at that time."""
        ...


class DeliveryContexts(Protocol):
    """Deliveries with what their next step depends on. Every method may raise Unavailable."""

    def around(self, ids: Iterable[tuple[str, str | None]]) -> DeliveryContext:
        """Webhooks, states and records by (webhook id, delivery id). Consistent."""
        ...

    def save(
        self,
        changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]],
        details: Sequence[AttemptDetail] = (),
    ) -> Sequence[bool | None]:
        """Write each record where it still is as it was read (before, after): True where that was done."""
        ...


class DeliveryQueue(Protocol):
    """Where delivery messages are sent: the delivery queue, or the dead-letter queue."""

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        """Send all, each with its delay in seconds. Raises Unavailable when not all could be sent."""
        ...

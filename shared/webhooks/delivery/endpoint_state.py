"""What changes about a webhook while it delivers: circuit, rate, slow-down and the wake-up of its waiting room."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhooks.delivery.circuit_breaker import DISABLE_MS, Circuit
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook


@dataclass(frozen=True, slots=True)
class EndpointState:
    """`revision` guards the circuit and slow-down; `rate_tat_ms` guards itself; the wake-up belongs to release."""

    circuit: Circuit = field(default_factory=Circuit)
    slow_until_ms: int = 0  # nothing goes out before: the receiver answered 429, or nothing but overload
    gentle_until_ms: int = 0  # the room is drained slowly until then
    revision: int = 0
    rate_tat_ms: int | None = None
    wake_at_ms: int | None = None
    touched_at_ms: int = 0  # when something was last put in the room
    latency_ms: int = 0  # what attempts take where that is slow, 0 elsewhere
    silent: bool = False  # the circuit and slow-down are as operational events alone left them: nobody is told


def disabled_at_ms(webhook: Webhook, failing_since_ms: int | None) -> int | None:
    """When a webhook that fails is disabled unless an attempt succeeds first; None for one that does not fail.

    An owner's change, such as the resume after an earlier disabling, starts the five days anew.
    """
    if failing_since_ms is None or webhook.status != "active":
        return None
    return max(failing_since_ms, webhook.updated_at_ms) + DISABLE_MS


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What one read found for a batch of deliveries: by webhook id, and by delivery id.

    `unreadable`: webhooks and deliveries whose items this version cannot read. Nothing is known of them, so nothing may
    be done with them; they are no others' concern. `unread`: those whose items were too busy to be read now.
    """

    webhooks: Mapping[str, Webhook]
    states: Mapping[str, EndpointState]
    records: Mapping[str, DeliveryRecord]
    unreadable: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()

    def readable(self, webhook_id: str, delivery_id: str | None = None) -> bool:
        """Whether all that stands in the table of this webhook and delivery could be read."""
        return self.unreadable.isdisjoint((webhook_id, delivery_id or webhook_id))

    def was_read(self, webhook_id: str, delivery_id: str) -> bool:
        """Whether all of it was there to be read."""
        return self.unread.isdisjoint((webhook_id, delivery_id))

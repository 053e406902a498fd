"""What changes about a webhook while it delivers: circuit, rate, slow-down and the wake-up of its waiting room."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhooks.circuit_breaker import Circuit
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook


@dataclass(frozen=True, slots=True)
class WebhookState:
    """`revision` guards the circuit and slow-down; `rate_tat_ms` guards itself; the wake-up belongs to release."""

    circuit: Circuit = field(default_factory=Circuit)
    slow_until_ms: int = 0  # nothing goes out before: the receiver answered 429, or nothing but overload
    gentle_until_ms: int = 0  # the room is drained slowly until then
    revision: int = 0
    rate_tat_ms: int | None = None
    wake_at_ms: int | None = None
    touched_at_ms: int = 0  # when something was last put in the room


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one read found for a batch of deliveries: by webhook id, and by delivery id."""

    webhooks: Mapping[str, Webhook]
    states: Mapping[str, WebhookState]
    records: Mapping[str, DeliveryRecord]

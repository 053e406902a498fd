"""Which events a webhook wants."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subscription:
    """An event type (or `record.*`, `*`) with an optional resource and filters, on one webhook."""

    subscription_id: str
    webhook_id: str
    event_type: str
    resource_id: str | None
    is_active: bool
    filters: Mapping[str, object] | None
    version: int
    created_at_ms: int
    updated_at_ms: int

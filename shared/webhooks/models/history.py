"""The past as it is shown: a delivery with every attempt, an event with its results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from webhooks.models.delivery import Attempt, DeliveryRecord
from webhooks.models.event import EventRecord, Repeat
from webhooks.models.webhook import Webhook

Disposition = Literal["queued", "missed", "no_match", "unknown_event_type"]


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt with what is kept of its exchange: `detail` is empty where nothing is."""

    attempt: Attempt
    request_headers: Mapping[str, str] | None  # None for a cut-off attempt: nobody knows what was sent
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])  # as `unpack_detail` gives it


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with every attempt. `payload` is None when it is no longer kept.

    `is_subscribed`: whether the webhook still has an active subscription to its event type; None once it is settled.
    """

    record: DeliveryRecord
    attempts: Sequence[AttemptView]
    payload: Mapping[str, object] | None
    is_subscribed: bool | None


@dataclass(frozen=True, slots=True)
class EventResult:
    """What happened to an event for one webhook.

    Queued: `delivery_id`, with its `record` once anything was recorded. `recorded`: to be read by a pull webhook.
    Neither: the `reason`, a stable code.
    `evaluated_now`: the reason was not recorded, and is that of today's subscriptions.
    """

    webhook: Webhook
    delivery_id: str | None = None
    record: DeliveryRecord | None = None
    reason: str | None = None
    evaluated_now: bool = False
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class EventView:
    """An event with its results for some webhooks, and the webhook to go on after when there are more.

    `counts` are those of all webhooks, by reason. `payload` is None when it is no longer kept.
    """

    record: EventRecord
    payload: Mapping[str, object] | None
    disposition: Disposition
    counts: Mapping[str, int]
    results: Sequence[EventResult]
    position: str | None
    repeats: Sequence[Repeat] = ()

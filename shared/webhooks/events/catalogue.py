"""What the API says about event types."""

from collections.abc import Collection
from dataclasses import dataclass

from webhooks.event_types import OPERATIONAL_EVENT_TYPES, TEST_EVENT_TYPE, patterns_for

_DESCRIPTIONS = {
    "table.created": "A new table was created",
    "table.updated": "A table was modified",
    "table.deleted": "A table was deleted",
    "record.created": "A new record was added",
    "record.updated": "A record was modified",
    "record.deleted": "A record was deleted",
    "workspace.created": "A new workspace was created",
    "workspace.updated": "A workspace was modified",
    "user.invited": "A user was invited to a workspace",
    "user.joined": "A user joined a workspace",
    "webhook.failing": "Nothing but failures for 24 hours, and for 96; after five days the webhook is disabled",
    "webhook.disabled": "A webhook was disabled: after 410, after five days of failures, or when its owner left",
    "webhook.circuit_opened": "A webhook failed so often that its deliveries wait",
    "webhook.recovered": "A webhook whose deliveries waited works again",
    "delivery.dead_lettered": "A delivery was given up",
    TEST_EVENT_TYPE: "Sent by a webhook's test call; needs no subscription",
}


@dataclass(frozen=True, slots=True)
class EventTypeEntry:
    """An event type, and the patterns besides its own name that reach it."""

    name: str
    description: str
    covered_by: tuple[str, ...]


def catalogue(known: Collection[str]) -> list[EventTypeEntry]:
    """The types that this deployment publishes, and then the service's own."""
    names = [*known, *(name for name in (*OPERATIONAL_EVENT_TYPES, TEST_EVENT_TYPE) if name not in known)]
    return [
        EventTypeEntry(name, _DESCRIPTIONS.get(name, f"The platform published {name}"), patterns_for(name)[1:])
        for name in names
    ]

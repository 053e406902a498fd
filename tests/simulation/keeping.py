"""Events whose publisher wants less of them kept: the ledger's part of `retention_days` and `redact`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.simulation.readable import Left
from webhooks.models.delivery import DeliveryRecord
from webhooks.store.dead_letters import dead_key

_BESIDE = frozenset({"retention_days", "redact", "traceparent", "metadata"})  # no part of the payload; or a mistake's
WAYS: Mapping[int, Mapping[str, Any]] = {
    3: {"retention_days": 0},
    6: {"redact": ["canary"]},
    10: {"retention_days": 0, "redact": ["name"]},
    13: {"redact": ["data.canary", "data.fields.name", "nothing.there"]},
}


def way_of(number: int) -> Mapping[str, Any]:
    """How the event of this number is kept: a quarter of all are not kept as they were sent."""
    return WAYS.get(number % 16, {})


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether an event is kept as it was sent."""
    return document.get("retention_days") != 0 and not document.get("redact")


def is_all_of(document: Mapping[str, Any], body: bytes) -> bool:
    """Whether a body has all that was published, and nothing beside it."""
    sent: dict[str, Any] = json.loads(body or b"{}")
    return _payload(sent) == _payload(document) and not _BESIDE & sent.keys() - {"metadata"}


def faults(
    published: Mapping[str, tuple[Mapping[str, Any], int]], deliveries: Iterable[DeliveryRecord], left: Iterable[Left]
) -> Iterator[str]:
    """What is still readable of such events. The dead letter of what was never delivered has to be."""
    delivered = {dead_key(each.webhook_id, each.delivery_id) for each in deliveries if each.status == "delivered"}
    for event_id, place in left:
        if event_id not in published or is_whole(published[event_id][0]):
            continue
        if place[1].startswith("dead#") and place not in delivered:
            continue
        yield f"kept: {event_id} is readable in {' '.join(place)}"


def _payload(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _BESIDE}

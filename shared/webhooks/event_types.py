"""Event types and the patterns that subscriptions name them by."""

from collections.abc import Collection

DEFAULT_EVENT_TYPES = (
    "table.created",
    "table.updated",
    "table.deleted",
    "record.created",
    "record.updated",
    "record.deleted",
    "workspace.created",
    "workspace.updated",
    "user.invited",
    "user.joined",
)
# Sent by a webhook's test call to that webhook alone, whatever its subscriptions.
TEST_EVENT_TYPE = "webhook.test"
OPERATIONAL_EVENT_TYPES = (
    "webhook.failing",
    "webhook.disabled",
    "webhook.circuit_opened",
    "webhook.recovered",
    "delivery.dead_lettered",
)
ANY = "*"

_BY_NAME_ONLY = frozenset((*OPERATIONAL_EVENT_TYPES, TEST_EVENT_TYPE))


def pattern_error(pattern: str, known: Collection[str]) -> str | None:
    """Why a subscription may not name `pattern`, or None when it may.

    It may name a type out of `known` (those that this deployment publishes) or an operational one, `<prefix>.*` where
    a known type begins with that prefix, or `*`.
    """
    if pattern == TEST_EVENT_TYPE:
        return f"{TEST_EVENT_TYPE} needs no subscription: the test call sends it to its webhook"
    if pattern == ANY or pattern in OPERATIONAL_EVENT_TYPES or pattern in known:
        return None
    if pattern.endswith(".*"):
        prefix = pattern.removesuffix(ANY)
        if any(name.startswith(prefix) for name in known if name not in _BY_NAME_ONLY):
            return None
        return f"no event type begins with {prefix[:64]}"
    return "is not an event type; GET /api/v1/event-types lists them, and record.* or * stand for several"


def patterns_for(event_type: str) -> tuple[str, ...]:
    """The patterns that reach an event of this type, most specific first: itself, each `<prefix>.*`, and `*`.

    Operational events and test deliveries are reached only by their exact name. So a subscription to all data events
    does not get news of infrastructure.
    """
    if event_type in _BY_NAME_ONLY:
        return (event_type,)
    parts = event_type.split(".")
    prefixes = (".".join(parts[:length]) + ".*" for length in range(len(parts) - 1, 0, -1))
    return (event_type, *prefixes, ANY)

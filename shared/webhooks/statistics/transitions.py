"""What is worth telling of a webhook: read off its items before and after a write, in the order of the table's stream.

A write is told however its writer ends, and again when the stream repeats it: as the same event, by its id.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from webhooks.delivery.endpoint_state import EndpointState
from webhooks.ids import derived_id
from webhooks.operational_events import TransitionType
from webhooks.times import rfc3339


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that happened to a webhook. `failing_since_ms` stands where nothing but failures came since."""

    event_type: TransitionType
    webhook_id: str
    event_id: str
    data: Mapping[str, object]
    failing_since_ms: int | None = None


def of_state(webhook_id: str, before: EndpointState, after: EndpointState, at_ms: int) -> list[Transition]:
    """What a change of a webhook's state tells: nothing when operational events alone led to it, or they would feed
    themselves."""
    if after.silent:
        return []
    was, now = before.circuit, after.circuit
    told: list[tuple[TransitionType, dict[str, object]]] = []
    if now.state == "open" and was.state == "closed":  # a probe that fails is no news
        told.append(("webhook.circuit_opened", {"open_until_ms": now.open_until_ms}))
    if now.state == "closed" and was.state != "closed":
        told.append(("webhook.recovered", {}))
    if now.warned_hours > was.warned_hours and now.failing_since_ms is not None:
        told.append(("webhook.failing", {"hours": now.warned_hours, "failing_since": rfc3339(now.failing_since_ms)}))
    return [
        Transition(each, webhook_id, _event_id(each, webhook_id, after.revision, at_ms), data, now.failing_since_ms)
        for each, data in told
    ]


def of_status(webhook_id: str, was: str | None, now: str, reason: str, version: int, at_ms: int) -> list[Transition]:
    """What a change of a webhook's status tells."""
    if now != "failed" or was == now:
        return []
    event_id = _event_id("webhook.disabled", webhook_id, version, at_ms)
    return [Transition("webhook.disabled", webhook_id, event_id, {"reason": reason})]


def _event_id(event_type: TransitionType, webhook_id: str, version: int, at_ms: int) -> str:
    return derived_id("evt", at_ms, event_type, webhook_id, str(version))

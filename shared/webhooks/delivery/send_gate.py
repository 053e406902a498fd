"""Whether a webhook may be sent to right now, and if not, where its deliveries go."""

from dataclasses import dataclass
from typing import Literal

from webhooks.delivery import circuit_breaker
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.models.erasure import ERASED
from webhooks.models.webhook import Webhook

PAUSED_POLL_MS = 15 * 60_000  # resuming wakes the room at once; this is the net below that
SLOWED_MS = 10_000
GENTLE_MS = 5 * 60_000
GENTLE_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class SendGate:
    """`open`: send. `probe`: send one, if the lease is won. `room`: wait until `wake_at_ms`. `closed`: give up."""

    kind: Literal["open", "probe", "room", "closed"]
    reason: str = ""
    wake_at_ms: int = 0


OPEN = SendGate("open")


def gate_of(webhook: Webhook | None, state: EndpointState, now_ms: int, *, static_egress: bool = True) -> SendGate:
    """Status first, then circuit, then the slow-down that the receiver asked for.

    Without `static_egress`, what is to leave from static addresses waits: here it could not.
    """
    if webhook is None or webhook.status == "deleted":
        is_erased = webhook is not None and webhook.status_reason == ERASED
        return SendGate("closed", ERASED if is_erased else "webhook_deleted")
    if webhook.kind == "pull":
        return SendGate("closed", "webhook_is_read")
    if webhook.status == "inactive":
        return SendGate("closed", "webhook_inactive")
    if webhook.status == "failed":
        return SendGate("closed", "webhook_disabled")
    if webhook.status == "paused":
        return SendGate("room", "paused", now_ms + PAUSED_POLL_MS)
    if webhook.static_egress and not static_egress:
        return SendGate("room", "static_egress", now_ms)
    may = circuit_breaker.may_send(state.circuit, now_ms)
    if may == "no":
        until_ms = state.circuit.open_until_ms if state.circuit.state == "open" else state.circuit.probe_until_ms
        return SendGate("room", "circuit_open", until_ms)
    if may == "probe":
        return SendGate("probe", "circuit_open", now_ms)
    if state.slow_until_ms > now_ms:
        return SendGate("room", "slowed_down", state.slow_until_ms)
    return OPEN

"""What an exchange with a receiver means, and who must act: the receiver, nobody, or the webhook's owner."""

from dataclasses import dataclass
from typing import Literal

from webhooks.models.exchange import Exchange

GONE = 410
OVERLOADED = frozenset({429, 502, 504})


@dataclass(frozen=True, slots=True)
class Classification:
    """`reason` is stable: http_503, timeout, refused_address, ... None on success."""

    kind: Literal["delivered", "retry", "give_up"]
    reason: str | None = None
    overloaded: bool = False  # the receiver wants less: slow the webhook down
    gone: bool = False  # the receiver asked never to be called again
    reached_out: bool = True  # False: nothing was sent, so it says nothing about the receiver's health


def classify(exchange: Exchange) -> Classification:
    """2xx is success; 3xx a failure and never followed; 410 and a refused address end it; all else is tried again.

    Other 4xx are retried like 5xx, since receivers fix their bugs.
    """
    status = exchange.status_code
    if status is None:
        if exchange.error_code == "refused_address":
            return Classification("give_up", "refused_address", reached_out=False)
        return Classification("retry", exchange.error_code, overloaded=exchange.error_code == "timeout")
    if 200 <= status < 300:
        return Classification("delivered")
    if status == GONE:
        return Classification("give_up", "gone", gone=True)
    return Classification("retry", f"http_{status}", overloaded=status in OVERLOADED)

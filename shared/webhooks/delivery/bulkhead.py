"""A bulkhead around each tenant whose receivers are slow: how much of the senders its attempts may hold at once.

An attempt holds a sender for as long as its receiver takes, also one that succeeds in the end. What may be under way
at once becomes a pace by Little's law: with 25 places and receivers that take 10 s, 2.5 attempts begin each second. All
slow webhooks of an owner share the places. A webhook whose attempts are quick is asked nothing and costs nothing.
"""

from webhooks.delivery import rate_limit
from webhooks.delivery.rate_limit import Reservation

SLOW_MS = 1_000  # an attempt that is still under way then makes its webhook a slow one
_QUICK = 0.5  # of SLOW_MS: below it a webhook is slow no more
_NOTED = 1.2  # by how much an estimate must change to be worth a write


def estimated(latency_ms: int, mean_ms: int) -> int:
    """What a webhook's attempts take by now, 0 when they are quick. `mean_ms` is that of the last batch."""
    if not latency_ms:
        return mean_ms if mean_ms >= SLOW_MS else 0
    now_ms = (latency_ms + mean_ms) // 2
    if now_ms < SLOW_MS * _QUICK:
        return 0
    return latency_ms if latency_ms / _NOTED < now_ms < latency_ms * _NOTED else now_ms


def pace(latency_ms: int, places: int) -> float:
    """Attempts that may begin each second."""
    return places * 1000 / latency_ms


def reserve(
    tat_ms: int | None, wanted: int, *, latency_ms: int, places: int, now_ms: int, ahead_ms: int = 0
) -> Reservation:
    """Reserve up to `wanted` attempts out of an owner's places, as `rate_limit.reserve` does out of a rate.

    `ahead_ms`: how far into the future places are given away, for who sends with delays.
    """
    window_ms = latency_ms + ahead_ms
    if tat_ms is not None and tat_ms - now_ms > window_ms:  # what slower webhooks of the owner hold is theirs
        return Reservation(0, tat_ms, tat_ms - window_ms)
    per_second = pace(latency_ms, places)
    burst = places + int(per_second * ahead_ms / 1000)
    return rate_limit.reserve(tat_ms, wanted, rate_per_second=per_second, burst=burst, now_ms=now_ms)

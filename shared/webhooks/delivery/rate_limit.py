"""A webhook's rate limit: the generic cell rate algorithm, whose whole state is one number.

That number is the theoretical arrival time (TAT): the moment at which all that was granted would have been sent at
exactly the rate. One reservation speaks for a whole batch.
"""

import math
from dataclasses import dataclass

# Absorbs the error of floats in whole counts; far below one send at any rate.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Reservation:
    """How many may go now, the TAT to store if that is at least one, and when one more could go."""

    granted: int
    tat_ms: int
    retry_at_ms: int


def reserve(
    tat_ms: int | None, wanted: int, *, rate_per_second: float, burst: int | None = None, now_ms: int
) -> Reservation:
    """Reserve up to `wanted` sends at `now_ms` (epoch milliseconds).

    In any stretch of t seconds at most `burst` + t x rate are granted; `burst` is one second's worth unless given, and
    at least 1. Whole milliseconds are rounded against the sender: a reservation gives away less than one. A stored
    TAT further ahead than the burst allows, as after the rate was raised, is taken back to that.
    """
    if rate_per_second <= 0:
        raise ValueError("a rate is above 0")
    interval_ms = 1000 / rate_per_second
    window_ms = interval_ms * max(1, int(rate_per_second) if burst is None else burst)
    ahead_ms = 0.0 if tat_ms is None else min(max(tat_ms - now_ms, 0), window_ms)
    granted = min(max(wanted, 0), math.floor((window_ms - ahead_ms) / interval_ms + _ROUNDING))
    next_ahead_ms = _up(ahead_ms + granted * interval_ms)
    free_in_ms = max(0, _up(next_ahead_ms + interval_ms - window_ms))
    return Reservation(granted, now_ms + next_ahead_ms, now_ms + free_in_ms)


def _up(duration_ms: float) -> int:
    return math.ceil(duration_ms - _ROUNDING)

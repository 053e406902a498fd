"""When the next attempt of a delivery is due."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

BASE_SECONDS = 5.0
FACTOR = 6
JITTER = 0.2
MAX_DELAY_MS = 24 * 60 * 60 * 1000
# Longer waits leave SQS: a message in backoff counts as in flight, and a queue stops at about 120,000 of those.
VISIBILITY_LIMIT_MS = 60_000

_DELTA_SECONDS = re.compile(r"[0-9]+")
_LONGEST_DATE = 64  # characters; an HTTP-date has 29 to 33
_CAP_DIGITS = 6  # more digits of seconds than this are beyond the cap


def delay_ms(attempt: int, *, base_seconds: float = BASE_SECONDS, random: float) -> int:
    """Milliseconds to wait after failed attempt number `attempt` (1, 2, ...).

    5 s x 6^(attempt - 1), spread by 20 % either way by `random` (0 <= random < 1), never more than 24 h.
    """
    spread = 1 + JITTER * (2 * random - 1)
    return min(round(_nominal_ms(attempt, base_seconds) * spread), MAX_DELAY_MS)


def retry_after_ms(value: str | None, now_ms: int) -> int | None:
    """What a `Retry-After` header asks for: seconds or an HTTP-date (RFC 9110, 10.2.3), at most 24 h; junk is None."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and _DELTA_SECONDS.fullmatch(text):
        digits = text.lstrip("0") or "0"
        return MAX_DELAY_MS if len(digits) > _CAP_DIGITS else min(int(digits) * 1000, MAX_DELAY_MS)
    until_ms = _http_date_ms(text)
    return None if until_ms is None else max(0, min(until_ms - now_ms, MAX_DELAY_MS))


def next_delay_ms(
    attempt: int, retry_after_ms: int | None, *, base_seconds: float = BASE_SECONDS, random: float
) -> int:
    """The longer of our own delay and what the receiver asked for, at most 24 h."""
    return min(max(delay_ms(attempt, base_seconds=base_seconds, random=random), retry_after_ms or 0), MAX_DELAY_MS)


def covered_ms(max_retries: int, *, base_seconds: float = BASE_SECONDS) -> int:
    """How long an endpoint may be down before a delivery is given up: the sum of all delays, without jitter."""
    return sum(round(_nominal_ms(attempt, base_seconds)) for attempt in range(1, max_retries + 1))


def _nominal_ms(attempt: int, base_seconds: float) -> float:
    exponent = min(max(attempt, 1), 64) - 1
    return min(base_seconds * 1000 * FACTOR**exponent, MAX_DELAY_MS)


def _http_date_ms(text: str) -> int | None:
    if len(text) > _LONGEST_DATE:
        return None
    try:
        date = parsedate_to_datetime(text)
        aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

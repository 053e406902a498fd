"""When the next attempt of a delivery is due."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from webhooks.times import parse_rfc3339

BASE_SECONDS = 5.0
FACTOR = 6
JITTER = 0.2
MAX_DELAY_MS = 24 * 60 * 60 * 1000
# Longer waits leave SQS: a message in backoff counts as in flight, and a queue stops at about 120,000 of those.
VISIBILITY_LIMIT_MS = 60_000

_DELTA_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?s?( *, *[0-9]+(\.[0-9]+)?s?)*", re.ASCII)
_LONGEST_DATE = 64  # characters; an HTTP-date has 29 to 33


def delay_ms(attempt: int, *, base_seconds: float = BASE_SECONDS, random: float) -> int:
    """Milliseconds to wait after failed attempt number `attempt` (1, 2, ...).

    5 s x 6^(attempt - 1), spread by 20 % either way by `random` (0 <= random < 1), never more than 24 h.
    """
    spread = 1 + JITTER * (2 * random - 1)
    return min(round(_nominal_ms(attempt, base_seconds) * spread), MAX_DELAY_MS)


def retry_after_ms(value: str | None, now_ms: int) -> int | None:
    """What a `Retry-After` header asks for: seconds or an HTTP-date (RFC 9110, 10.2.3), at most 24 h; junk is None.

    What receivers write instead is taken as what it plainly means: `60s`, `60.5`, `60, 60` (the header came twice: the
    longer wait), an RFC 3339 time.
    """
    if value is None:
        return None
    text = value.strip()
    if _DELTA_SECONDS.fullmatch(text):
        longest = max(float(each.strip().rstrip("s")) for each in text.split(","))
        return round(min(longest * 1000, MAX_DELAY_MS))
    moment = parse_rfc3339(text)
    until_ms = _http_date_ms(text) if moment is None else round(moment.timestamp() * 1000)
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

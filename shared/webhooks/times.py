"""Times as the API writes and reads them."""

import re
from datetime import UTC, datetime, timedelta

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,32})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_EPOCH = datetime.fromtimestamp(0, UTC)


def rfc3339(time_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC, such as 2024-01-01T12:00:00.123Z."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(value: object) -> datetime | None:
    """The moment that an RFC 3339 time names, to the microsecond; None for anything else.

    The one rule for times at every door and in filters: `T` or a space between date and time, and a zone (RFC 3339,
    section 5.6, and its note on readability).
    """
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:  # no such day or hour
        return None


def epoch_ms(text: str) -> int:
    """An RFC 3339 time as milliseconds since 1970, 0 for earlier ones. Raises ValueError for anything else."""
    moment = parse_rfc3339(text)
    if moment is None:
        raise ValueError("not an RFC 3339 time with a zone")
    return max(0, (moment - _EPOCH) // timedelta(milliseconds=1))

"""Times: now, and as the API writes and reads them."""

import re
import time
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_EPOCH = datetime.fromtimestamp(0, UTC)


def now_ms() -> int:
    """Milliseconds since 1970 by the machine's clock. Only compositions name it; everything else is given a clock."""
    return time.time_ns() // 1_000_000


def rfc3339(time_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC, such as 2024-01-01T12:00:00.123Z."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(text: str) -> int:
    """An RFC 3339 time as milliseconds since 1970, 0 for earlier ones. Raises ValueError for anything else."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time with a zone")
    return max(0, (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(milliseconds=1))

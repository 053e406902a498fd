"""Times in and out."""

import pytest

from webhooks.times import epoch_ms, rfc3339


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-10-09T08:53:20Z", 1_760_000_000_000),
        ("2025-10-09t08:53:20.123z", 1_760_000_000_123),
        ("2025-10-09T08:53:20.123999999Z", 1_760_000_000_123),
        ("2025-10-09T10:53:20+02:00", 1_760_000_000_000),
        ("2025-10-09T03:23:20.5-05:30", 1_760_000_000_500),
        ("2025-10-09T08:53:20.1234567890123Z", 1_760_000_000_123),
        ("1969-12-31T23:59:59Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_an_rfc_3339_time_is_read(text: str, time_ms: int) -> None:
    assert epoch_ms(text) == time_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-10-09",
        "2025-10-09T08:53:20",
        "2025-10-09 08:53:20Z",
        "2025-13-09T08:53:20Z",
        "2025-10-09T08:53:60Z",
        "20251009T085320Z",
        "2025-10-09T08:53:20Z\n",
        "2025-10-09T08:53:20+02",
        "\u0662025-10-09T08:53:20Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        epoch_ms(text)


def test_times_come_back_as_they_were_written() -> None:
    assert rfc3339(epoch_ms("2025-10-09T08:53:20.123Z")) == "2025-10-09T08:53:20.123Z"

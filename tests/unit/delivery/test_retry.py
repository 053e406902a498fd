from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_times import OTHER_SPELLINGS
from webhooks.delivery.retry import (
    MAX_DELAY_MS,
    VISIBILITY_LIMIT_MS,
    covered_ms,
    delay_ms,
    next_delay_ms,
    retry_after_ms,
)

HOUR = 3_600_000
NOW = 1_700_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
randoms = st.floats(0, 1, exclude_max=True)


def test_delays_grow_sixfold_from_five_seconds_to_a_day() -> None:
    seconds = [delay_ms(attempt, random=0.5) / 1000 for attempt in range(1, 9)]
    assert seconds == [5, 30, 180, 1_080, 6_480, 38_880, 86_400, 86_400]


def test_jitter_is_twenty_percent_either_way() -> None:
    assert delay_ms(1, random=0) == 4_000
    assert delay_ms(1, random=0.999_999) == 6_000


@given(st.integers(1, 10_000), randoms, st.floats(0, 3_600))
def test_no_delay_leaves_its_bounds(attempt: int, random: float, base_seconds: float) -> None:
    assert 0 <= delay_ms(attempt, base_seconds=base_seconds, random=random) <= MAX_DELAY_MS


@given(randoms, randoms)
def test_each_delay_is_longer_than_the_one_before_until_the_cap(random: float, other: float) -> None:
    delays = [delay_ms(attempt, random=random if attempt % 2 else other) for attempt in range(1, 7)]
    assert all(shorter < longer for shorter, longer in pairwise(delays))


def test_only_the_first_two_retries_wait_in_the_queue() -> None:
    assert delay_ms(2, random=0.999) <= VISIBILITY_LIMIT_MS < delay_ms(3, random=0)


def test_the_base_is_a_setting() -> None:
    assert delay_ms(2, base_seconds=0.05, random=0.5) == 300


def test_nine_retries_cover_85_hours() -> None:
    assert round(covered_ms(9) / HOUR) == 85
    assert covered_ms(0) == 0
    assert covered_ms(1) == 5_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("120", 120_000),
        (" 120 ", 120_000),
        ("000120", 120_000),
        ("86400", MAX_DELAY_MS),
        ("86401", MAX_DELAY_MS),
        ("9" * 10_000, MAX_DELAY_MS),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60_000),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60_000),
        ("Tue Nov 14 22:14:20 2023", 60_000),
        ("Tue, 14 Nov 2023 22:13:19 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_DELAY_MS),
        ("60s", 60_000),
        ("60.5", 60_500),
        ("60.0004s", 60_000),
        ("0.5", 500),
        ("60, 60", 60_000),
        ("60,60.5", 60_500),
        ("86399.9999", MAX_DELAY_MS),
        ("1." + "9" * 10_000, 2_000),
        ("30,120s", 120_000),
        ("2023-11-14T22:14:20Z", 60_000),
        ("2023-11-14T23:14:20.5+01:00", 60_500),
        ("2023-11-14t22:14:20z", 60_000),
        ("0001-01-01T00:00:00+23:59", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_capped_at_a_day(value: str, expected: int) -> None:
    assert retry_after_ms(value, NOW) == expected


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "-5", "1e3", "١٢", "12,", "1m", "60 s", "Tue, 99 Nov 2023", "x" * 9_999, *OTHER_SPELLINGS],
)
def test_a_retry_after_that_is_neither_is_ignored(value: str | None) -> None:
    assert retry_after_ms(value, NOW) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,9} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{1,9}( [-+A-Z0-9]{1,9})?"))
def test_no_retry_after_can_crash_us(value: str) -> None:
    asked = retry_after_ms(value, NOW)
    assert asked is None or 0 <= asked <= MAX_DELAY_MS


@given(st.integers(1, 20), st.none() | st.integers(0, MAX_DELAY_MS), randoms)
def test_the_longer_of_both_waits_counts(attempt: int, asked: int | None, random: float) -> None:
    assert next_delay_ms(attempt, asked, random=random) == max(delay_ms(attempt, random=random), asked or 0)

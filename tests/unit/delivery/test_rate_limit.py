import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhooks.delivery.rate_limit import Reservation, reserve

NOW = 1_700_000_000_000


def test_a_second_worth_may_go_at_once_and_then_one_at_a_time() -> None:
    first = reserve(None, 25, rate_per_second=10, now_ms=NOW)
    assert first == Reservation(granted=10, tat_ms=NOW + 1_000, retry_at_ms=NOW + 100)
    assert reserve(first.tat_ms, 25, rate_per_second=10, now_ms=NOW + 99).granted == 0
    assert reserve(first.tat_ms, 25, rate_per_second=10, now_ms=NOW + 100).granted == 1
    assert reserve(first.tat_ms, 25, rate_per_second=10, now_ms=NOW + 1_000).granted == 10


def test_no_more_is_granted_than_wanted() -> None:
    assert reserve(None, 3, rate_per_second=10, now_ms=NOW) == Reservation(3, NOW + 300, NOW)
    assert reserve(None, 0, rate_per_second=10, now_ms=NOW) == Reservation(0, NOW, NOW)


def test_a_refusal_leaves_the_state_as_it_was() -> None:
    assert reserve(NOW + 1_000, 5, rate_per_second=10, now_ms=NOW) == Reservation(0, NOW + 1_000, NOW + 100)


def test_a_rate_below_one_lets_one_go_and_waits() -> None:
    assert reserve(None, 5, rate_per_second=0.1, now_ms=NOW) == Reservation(1, NOW + 10_000, NOW + 10_000)


def test_a_burst_of_its_own_is_honoured() -> None:
    assert reserve(None, 100, rate_per_second=1, burst=50, now_ms=NOW).granted == 50
    assert reserve(None, 100, rate_per_second=100, burst=1, now_ms=NOW).granted == 1


def test_a_raised_rate_counts_at_once() -> None:
    slow = reserve(None, 1, rate_per_second=0.001, now_ms=NOW)
    assert reserve(slow.tat_ms, 5, rate_per_second=100, now_ms=NOW + 10).retry_at_ms == NOW + 20


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_of_nothing_is_a_mistake(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        reserve(None, 1, rate_per_second=rate, now_ms=NOW)


_steps = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 40)), min_size=1, max_size=40)
_rates = st.floats(0.05, 2_000) | st.sampled_from([0.1, 1 / 3, 1, 3, 7, 10, 30, 300, 999, 1_000, 2_000])


@settings(max_examples=300)
@given(_steps, _rates, st.none() | st.integers(1, 50))
def test_no_stretch_of_time_ever_sees_more_than_its_share(
    steps: list[tuple[int, int]], rate: float, burst: int | None
) -> None:
    tat, now = None, NOW
    granted: list[tuple[int, int]] = []
    for pause, wanted in steps:
        now += pause
        reservation = reserve(tat, wanted, rate_per_second=rate, burst=burst, now_ms=now)
        tat = reservation.tat_ms
        granted.append((now, reservation.granted))
    allowed = max(1, int(rate)) if burst is None else burst
    for first in range(len(granted)):
        total = 0
        for moment, count in granted[first:]:
            total += count
            assert total <= allowed + (moment - granted[first][0]) / 1000 * rate + 1e-3


@settings(max_examples=300)
@given(st.none() | st.integers(NOW - 5_000, NOW + 100_000), st.integers(0, 60), _rates)
def test_who_comes_back_when_told_is_granted_one_and_not_before(tat: int | None, wanted: int, rate: float) -> None:
    reservation = reserve(tat, wanted, rate_per_second=rate, now_ms=NOW)
    later = reserve(reservation.tat_ms, 1, rate_per_second=rate, now_ms=reservation.retry_at_ms)
    assert later.granted == 1
    if reservation.retry_at_ms > NOW + 1:
        sooner = reserve(reservation.tat_ms, 1, rate_per_second=rate, now_ms=reservation.retry_at_ms - 2)
        assert sooner.granted == 0


@pytest.mark.parametrize("rate", [1, 10, 30, 100, 300, 1_000])
def test_a_steady_sender_gets_nearly_the_whole_rate(rate: int) -> None:
    tat, sent = None, 0
    for now in range(NOW, NOW + 60_000, 250):
        reservation = reserve(tat, 10_000, rate_per_second=rate, now_ms=now)
        tat, sent = reservation.tat_ms, sent + reservation.granted
    assert rate * 60 * 0.98 <= sent <= rate * 61

"""The reader's own month: `make bench-cost RATE=...`."""

import pytest

from tests.benchmarks.cost.month import Usage, fill_at, lines_of, month_of, peer_at


def test_a_months_lines_are_its_sum_and_more_tries_cost_more() -> None:
    once, often = (month_of(Usage(50, "queue", tries=tries)) for tries in (1.0, 1.1))
    assert once.dollars == sum(once.lines.values())
    records = 50 * 730 * 3600 * 0.625e-6
    assert records <= once.lines["DynamoDB writes: delivery items"] < 1.03 * records  # and the counts of hosts
    assert often.dollars > once.dollars
    assert any("Svix" in line for line in lines_of(Usage(50, "queue")))


@pytest.mark.parametrize(
    ("rate", "settings", "fill"),
    [(1, {}, 1), (1000, {}, 10), (10, {"window_s": 5}, 10), (100, {"batch_size": 100}, 20), (0.1, {"window_s": 10}, 1)],
)
def test_batches_are_as_full_as_the_pollers_share_allows(rate: float, settings: dict[str, int], fill: int) -> None:
    assert fill_at(rate, **settings) == fill


def test_a_peer_between_two_measured_rates_lies_between_their_prices() -> None:
    assert peer_at("Svix", 10) == pytest.approx(123)
    assert 123 < peer_at("Svix", 50) < 197

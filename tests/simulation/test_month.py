"""A month with receivers' outages; docs/availability.md says what follows. `make simulate-scale` has a larger one."""

import pytest

from tests.conftest import Figure
from tests.simulation.scale.month import month


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def test_a_month_of_receivers_that_are_down_now_and_then_delivers_999_of_1_000(figure: Figure) -> None:
    found = month(10, 600, seed=31)
    figure(f"a month, short (seed 31): {found.share:.3%} of {found.events:,} events, {found}")
    assert found.share >= 0.999
    assert found.share_of_all < found.share  # one of the ten is lost for a week
    assert found.share_recovered >= 0.999

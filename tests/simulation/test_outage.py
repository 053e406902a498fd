"""Half the webhooks are down for a day. The short form; `make simulate-scale` has the one with a day's full load."""

import pytest

from tests.conftest import Figure
from tests.simulation.scale.outage import MAX_IN_FLIGHT, day


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def test_a_day_s_outage_of_half_the_webhooks_costs_them_no_attempt_and_the_others_no_time(figure: Figure) -> None:
    calm, out = (day(6, 360, outage=outage, seed=21) for outage in (False, True))
    figure(f"24 h outage of half of 6 webhooks (seed 21): {out}; without: p99 {calm.healthy_p99_ms} ms")
    assert out.deliveries == out.delivered == calm.delivered > 1_300
    assert out.spent_on_deferrals == 0
    assert out.dead == 0
    assert out.most_waiting > 500
    assert out.most_in_flight < out.most_waiting < MAX_IN_FLIGHT
    assert out.healthy_p99_ms <= 1.1 * calm.healthy_p99_ms

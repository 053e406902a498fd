"""The short form of the delivery life cycle's state machine; `make simulate-scale` has 10,000 runs of it."""

import pytest

from tests.conftest import Figure
from tests.simulation.scale.lifecycle import run_lives


@pytest.mark.slow
def test_whatever_happens_to_deliveries_none_is_ever_left_without_something_that_carries_it_on(figure: Figure) -> None:
    number, runs, broken = run_lives((1, 100))
    assert not broken, broken
    figure(f"the life of deliveries as a state machine: {runs} runs of seed {number}, no invariant broken")

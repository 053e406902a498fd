"""The short form of `make pull`: nothing is jumped over, and what would be is noticed."""

import pytest

from tests.conftest import Figure
from tests.simulation.pull import PullSimulation
from webhooks.management import pulling
from webhooks.store import pulls

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.mark.parametrize("seed", range(1, 3))
def test_every_consumer_reads_every_event_in_order(seed: int, figure: Figure) -> None:
    simulation = PullSimulation(seed, events=300, consumers=10)
    assert simulation.run() == []
    assert any(each.deaths for each in simulation.readings)
    assert simulation.behind, "no entry landed behind a reader: the run proves nothing"
    figure(f"pull, seed {seed}: {simulation.summary()}")


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(pulls, "WRITE_MS", 1_000_000), (pulling, "LAG_MS", 500)],
    ids=["a write may take as long as it likes", "readers are as far as the clock"],
)
def test_without_its_rule_something_is_jumped_over(
    module: object, name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, value)
    assert any(fault.startswith("lost") for seed in range(1, 33) for fault in PullSimulation(seed, 100, 5).run())

"""The short form of `make noisy`: whatever a neighbour does, a quiet tenant loses nothing and nothing of it fails."""

import pytest

from tests.conftest import Figure
from tests.noisy.neighbours import NEIGHBOURS, Neighbour
from tests.noisy.run import SHORT, beside
from tests.support.beside import Beside, table

# Of a machine with much else to do. What goes out only after a visibility timeout, of 370 s, is not there by then.
BAR_SECONDS = SHORT.patience_seconds


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("neighbour", [each for each in NEIGHBOURS if each.is_short], ids=lambda each: each.name)
def test_a_quiet_tenant_loses_nothing_beside(neighbour: Neighbour, figure: Figure) -> None:
    said: list[str] = []
    row = beside(neighbour, SHORT, said.append)
    figure(f"beside {row.name}: p50 {row.p50:.2f} s, p99 {row.p99:.2f} s")
    assert not said, "the neighbour did its part"
    assert row.faults(BAR_SECONDS) == []


def test_what_is_lost_failed_unknown_or_late_is_a_broken_promise() -> None:
    well = Beside("well", [0.1] * 99 + [0.5])
    assert (well.p50, well.p99, well.faults(0.2)) == (0.1, 0.1, [])
    assert Beside("ill", [0.1, 3.0], lost=1, failed=2, unknown=3, kept_out=4).faults(1.0) == [
        "ill: 1 lost", "ill: 2 failed", "ill: 3 unknown", "ill: 4 kept out", "ill: p99 3.00 s, at most 1.00 s",
    ]  # fmt: skip
    assert Beside("silent", []).faults(1.0) == ["silent: p99 inf s, at most 1.00 s"]
    assert table([well], 0.2).splitlines()[-1] == "| well | 100 ms | 100 ms |  | 0 | 0 | 0 | 0 | 1 | 0 |"

"""The short form of `make noisy` in virtual time: what a neighbour does costs a quiet tenant next to nothing."""

import pytest

from tests.conftest import Figure
from tests.noisy.virtual import BACK_SECONDS, NEIGHBOURS, Neighbour, a_minute_without_dynamodb, beside

SECONDS = 30
# `make noisy` has the bar of one and a half times, for p99 of 120 events. Of 60, p99 is the one that waited longest.
BAR_SECONDS = 0.15

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.mark.parametrize("neighbour", [each for each in NEIGHBOURS if each.is_short], ids=lambda each: each.name)
def test_a_quiet_tenant_waits_no_longer_beside(neighbour: Neighbour, figure: Figure) -> None:
    row = beside(neighbour, SECONDS)
    figure(f"beside {row.name}, in virtual time: p50 {row.p50 * 1000:.0f} ms, p99 {row.p99 * 1000:.0f} ms")
    assert len(row.waits) == 2 * SECONDS
    assert row.faults(BAR_SECONDS) == []


def test_after_a_minute_without_dynamodb_deliveries_flow_again_within_a_minute(figure: Figure) -> None:
    outage = a_minute_without_dynamodb("does not answer", scale=0.1)
    figure(f"a minute without DynamoDB, in virtual time: all there {outage.back_seconds:.0f} s after its return")
    assert outage.faults() == []
    assert 0 < outage.back_seconds <= BACK_SECONDS

"""Every workload of `make bench` still runs: one short round each, without a look at the figures."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.benchmarks.history import history
from tests.benchmarks.measuring import Stub, interleaved, measure_once, running_stub

SHORT: dict[str, tuple[str, Mapping[str, Any]]] = {
    **{
        name: (name, {"batch": 10, "tls": True, "latency_ms": 0, "units": 10})
        for name in ("ours", "reference", "naive")
    },
    "ed25519": ("ours", {"batch": 10, "tls": True, "latency_ms": 0, "units": 10, "ed25519": True}),
    "ingest": ("ingest", {"subscriptions": 10, "batch": 1, "units": 1}),
    "fan out": ("fan out", {"webhooks": 2, "door": "bus", "batch": 1, "units": 1}),
    "rollup": ("rollup", {"webhooks": 20, "units": 1}),
    "POST /events": ("api", {"call": "POST /events", "units": 1}),
    "POST /webhooks": ("api", {"call": "POST /webhooks", "units": 1}),
    "matching": ("matching", {"shape": "equals"}),
    "release": ("release", {"waiting": 10, "units": 10}),
}


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with running_stub() as running:
        yield running


@pytest.mark.parametrize("name", SHORT)
def test_a_workload_measures_a_round(stub: Stub, name: str) -> None:
    (figures,) = interleaved({name: SHORT[name]}, 1, stub)[name]
    assert figures["us"] > 0


def test_initiation_is_measured(stub: Stub) -> None:
    parameters = {"batch": 10, "batches": 1, "share": 1.0, "aws_ms": 0.0, "tls": False}
    assert measure_once("initiation", parameters, stub)["p50"] > 0


def test_many_hosts_are_measured(stub: Stub) -> None:
    found = measure_once("many hosts", {"hosts": 1, "seconds": 0.1, "latency_ms": 0}, stub)
    assert found["us"] > 0
    assert found["opened"] == 0  # it is kept


def test_lists_cost_no_more_where_there_are_more_deliveries() -> None:
    small, large = history([200, 2_000]).values()
    assert small["the newest deliveries"] == large["the newest deliveries"]
    assert small["one delivery"] == large["one delivery"]


def test_growth_is_measured(stub: Stub) -> None:
    assert measure_once("tenants", {"sizes": [1, 10]}, stub).keys() == {
        f"{figure} {size}" for figure in ("us", "mb", "calls") for size in (1, 10)
    }

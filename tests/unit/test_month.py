"""The reader's own month: `make bench-cost RATE=...`."""

from dataclasses import fields

import pytest

from tests.benchmarks.cost.__main__ import LEVERS
from tests.benchmarks.cost.deployment import Deployment, provision
from tests.benchmarks.cost.month import Fills, Usage, fills_at, lines_of, month_of, peer_at
from tests.infrastructure.template_document import read_template


def test_a_months_lines_are_its_sum_and_more_tries_cost_more() -> None:
    once, often = (month_of(Usage(50, "queue", tries=tries)) for tries in (1.0, 1.1))
    assert once.dollars == sum(once.lines.values())
    records = 50 * 730 * 3600 * 0.625e-6
    assert records <= once.lines["DynamoDB writes: delivery items"] < 1.03 * records  # and the counts of hosts
    assert often.dollars > once.dollars
    assert any("Svix" in line for line in lines_of(Usage(50, "queue")))


@pytest.mark.parametrize(
    ("rate", "parameters", "at_once", "fills"),
    [
        (1, "", 1, Fills(1, 1, 1, 1)),
        (1000, "", 1, Fills(10, 10, 10, 10)),
        (10, "BatchingSeconds=5", 1, Fills(10, 10, 1, 2)),
        (100, "SenderBatchSize=100 IngestBatchSize=100", 1, Fills(20, 20, 3, 4)),
        (100, "SenderBatchSize=100 IngestBatchSize=100 BatchingSeconds=5", 10, Fills(10, 100, 1, 10)),
        (0.1, "BatchingSeconds=10", 1, Fills(1, 1, 1, 1)),
    ],
)
def test_batches_are_as_full_as_the_pollers_share_allows(
    rate: float, parameters: str, at_once: int, fills: Fills
) -> None:
    assert fills_at(rate, Deployment.of(parameters), at_once) == fills


def test_a_deployment_is_what_the_template_makes_of_the_same_parameters() -> None:
    parameters = read_template().parameters
    for each in fields(Deployment):
        assert parameters[each.name]["Default"] == each.default, each.name
    with pytest.raises(ValueError, match="no price depends on 'StageX'"):
        Deployment.of("StageX=1")
    with pytest.raises(ValueError, match="EventDays has to be a number"):
        Deployment.of("EventDays=seven")


def test_provisioned_capacity_is_what_is_used_and_its_headroom_or_the_minimum() -> None:
    used = {"DynamoDB writes: a": 36.0, "DynamoDB writes: b": 9.0, "DynamoDB reads": 1.0, "logs": 7.0}
    hours = 730
    writes_a_second = 45 / 0.625e-6 / hours / 3600
    provision(used, Deployment.of("TableCapacity=provisioned TableUsePercent=50"), hours)
    assert used["logs"] == 7
    written = used["DynamoDB writes: a"] + used["DynamoDB writes: b"]
    assert written == pytest.approx(writes_a_second / 0.5 * hours * 0.00065)
    assert used["DynamoDB writes: a"] == pytest.approx(4 * used["DynamoDB writes: b"])
    assert used["DynamoDB reads"] == pytest.approx(25 * hours * 0.00013)
    assert used["DynamoDB indexes, at least"] == pytest.approx(3 * 5 * hours * 0.00078)
    assert used["alarms of auto scaling"] == pytest.approx(3.2)


def test_each_lever_makes_the_month_cheaper_than_the_one_before() -> None:
    months = [month_of(Usage(100, door, deployment=Deployment.of(text))).dollars for _, door, text in LEVERS]
    assert months == sorted(months, reverse=True)
    assert months[-1] < months[0] / 5


def test_a_peer_between_two_measured_rates_lies_between_their_prices() -> None:
    assert peer_at("Svix", 10) == pytest.approx(123)
    assert 123 < peer_at("Svix", 50) < 197

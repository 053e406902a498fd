"""How far release and rollup are behind, told by the mark that one leaves and the other passes on."""

from collections.abc import Mapping

import pytest

from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World
from webhooks.store.beats import Beating, Beats, lags_ms
from webhooks.store.dynamo import DynamoTable


class Stages:
    """A service of which release and rollup run when a test says so."""

    def __init__(self) -> None:
        self.down = ""
        self.world = World(plan=lambda call: "throttled" if self.down and call.startswith(self.down) else None,
                           keeps_stream=True)  # fmt: skip

    def release(self) -> None:
        self.world.functions.invoke("release", {})

    def rollup(self) -> None:
        self.world.functions.invoke("rollup", {"Records": lambda_records(self.world.dynamodb.tables[TABLE])})

    def lags(self) -> Mapping[Beating, int]:
        beats = Beats(DynamoTable(self.world.dynamodb, TABLE))
        return lags_ms(beats.read(), self.world.clock.now_ms())


@pytest.fixture
def stages() -> Stages:
    return Stages()


def test_before_the_first_run_nothing_is_known(stages: Stages) -> None:
    assert stages.lags() == {}


def test_each_run_of_release_is_passed_on_by_rollup(stages: Stages) -> None:
    for _ in range(3):
        stages.release()
        stages.rollup()
        stages.world.clock.sleep(60)
    assert stages.lags() == {"release": 60_000, "rollup": 0}


def test_a_rollup_that_does_not_run_falls_behind_by_a_minute_each_minute(stages: Stages) -> None:
    stages.release()
    stages.rollup()
    for _ in range(3):
        stages.world.clock.sleep(60)
        stages.release()
    assert stages.lags() == {"release": 0, "rollup": 180_000}


def test_when_release_stops_rollup_is_not_to_blame(stages: Stages) -> None:
    stages.release()
    stages.rollup()
    stages.world.clock.sleep(600)
    assert stages.lags() == {"release": 600_000, "rollup": 0}


def test_a_table_that_does_not_answer_stops_neither(stages: Stages) -> None:
    stages.release()
    stages.down = "dynamodb.update_item"
    stages.release()
    stages.rollup()
    stages.down = ""
    assert stages.lags().keys() == {"release"}

"""The short form of `make drill`: each sentence of docs/operations.md on restoring and losing a region holds."""

from pathlib import Path

import pytest

from tests.drill.play import Broken, Drill
from tests.support.operations import need_cli
from tests.support.receiver import Receiver


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_restored_table_takes_over_and_a_lost_region_is_left(tmp_path: Path) -> None:
    need_cli()
    said: list[str] = []
    with Receiver() as receiver:
        Drill(said.append, tmp_path, receiver, is_short=True).play()
    assert sum(line.startswith("  ok  ") for line in said) > 25


def test_what_does_not_hold_ends_the_drill(tmp_path: Path) -> None:
    with Receiver() as receiver:
        drill = Drill(lambda _line: None, tmp_path, receiver)
        with pytest.raises(Broken, match="it is there"):
            drill.check("it is there", False)

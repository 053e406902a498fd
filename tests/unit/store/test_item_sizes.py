"""The sizes that DynamoDB bills, against the rules and examples of its Developer Guide."""

from typing import Any

import pytest

from tests.benchmarks.cost import item_sizes
from tests.benchmarks.cost.metering import chunks


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "Ünal"}, 5),
        ({"N": "1"}, 2),
        ({"N": "-1234567"}, 6),
        ({"N": "1700000000000"}, 2),  # trailing zeroes are trimmed
        ({"N": "0"}, 2),
        ({"B": b"12345"}, 5),
        ({"BOOL": True}, 1),
        ({"L": [{"S": "ab"}, {"N": "1"}]}, 3 + 3 + 3),
        ({"M": {"key": {"S": "ab"}}}, 3 + 1 + 3 + 2),
        ({"SS": ["ab", "cde"]}, 5),
    ],
)
def test_a_value_has_the_size_that_the_guide_gives_it(value: dict[str, Any], size: int) -> None:
    assert item_sizes.value_bytes(value) == size


def test_a_write_counts_the_larger_image_in_whole_kilobytes() -> None:
    small, large = {"pk": {"S": "x" * 1022}}, {"pk": {"S": "x" * 1023}}
    assert item_sizes.write_units(None, small) == 1
    assert item_sizes.write_units(large, small) == 2
    assert item_sizes.write_units(None, small, transactional=True) == 2


def test_an_index_entry_that_moves_is_two_writes() -> None:
    def indexed(at: str) -> dict[str, dict[str, str]]:
        return {"waiting_key": {"S": "due"}, "waiting_at": {"S": at}}

    assert item_sizes.index_write_units(None, indexed("1")) == 1
    assert item_sizes.index_write_units(indexed("1"), indexed("1")) == 0
    assert item_sizes.index_write_units(indexed("1"), indexed("2")) == 2
    assert item_sizes.index_write_units(indexed("1"), {}) == 1


def test_a_read_of_nothing_costs_as_much_as_one_of_4_kb() -> None:
    assert item_sizes.read_units(None, consistent=True) == 1
    assert item_sizes.read_units({"a": {"S": "x" * 4095}}, consistent=False) == 0.5
    assert item_sizes.read_units({"a": {"S": "x" * 4096}}, consistent=True) == 2


def test_sqs_bills_each_64_kb() -> None:
    assert [chunks(0), chunks(65_536), chunks(65_537)] == [1, 1, 2]

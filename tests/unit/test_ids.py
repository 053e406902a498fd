import pytest

from webhooks.ids import (
    HISTORY_SHARDS,
    delivery_id,
    derived_id,
    first_of,
    history_shard,
    is_id,
    new_id,
    time_of,
)

NOW = 1_760_000_000_123


def test_ids_sort_by_time() -> None:
    made = [new_id("evt", NOW + step) for step in (0, 1, 999, 86_400_000, 10**12)]
    assert made == sorted(made)


def test_an_id_tells_its_time() -> None:
    assert time_of(new_id("wh", NOW)) == NOW
    assert time_of(derived_id("evt", NOW, "a")) == NOW


def test_ids_are_unguessable_and_of_one_form() -> None:
    made = {new_id("wh", NOW) for _ in range(100)}
    assert len(made) == 100
    assert all(is_id("wh", each) and len(each) == 29 for each in made)


@pytest.mark.parametrize(
    "value", ["", "wh_", "wh", "sub_" + "0" * 26, "wh_" + "0" * 25, "wh_" + "ü" * 26, "wh_" + "-" * 26]
)
def test_what_is_no_id_is_recognised(value: str) -> None:
    assert not is_id("wh", value)


def test_a_delivery_s_id_is_the_same_each_time_and_another_for_each_part() -> None:
    made = delivery_id(NOW, "ws:1", "e1", "wh_1")
    assert made == delivery_id(NOW, "ws:1", "e1", "wh_1")
    others = {
        delivery_id(NOW + 1, "ws:1", "e1", "wh_1"),
        delivery_id(NOW, "ws:2", "e1", "wh_1"),
        delivery_id(NOW, "ws:1", "e2", "wh_1"),
        delivery_id(NOW, "ws:1", "e1", "wh_2"),
        delivery_id(NOW, "ws:1e1", "", "wh_1"),
    }
    assert len(others | {made}) == 6


def test_the_first_of_a_time_sorts_before_all_of_that_time_and_after_all_before() -> None:
    assert new_id("dlv", NOW - 1) < first_of("dlv", NOW) < new_id("dlv", NOW)


def test_histories_are_spread_evenly() -> None:
    counts = [0] * HISTORY_SHARDS
    for number in range(4_000):
        counts[history_shard(delivery_id(NOW, "s", f"e{number}", "wh_1"))] += 1
    assert min(counts) > 800

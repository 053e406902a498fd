"""Slots: never more holders than there are slots, and none is lost with its holder."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.support.management_fakes import MemorySlots
from webhooks.access.slots import EVERYBODY, Slots, SlotStore
from webhooks.errors import Unavailable
from webhooks.store import slots as stored
from webhooks.store.dynamo import DynamoTable

DAY_MS = 86_400_000


def in_table() -> SlotStore:
    clock = Clock()
    return stored.SlotStore(DynamoTable(FakeDynamoDB(clock, "t"), "t"), DAY_MS, clock.now_ms)


@pytest.fixture(params=[in_table, MemorySlots], ids=["table", "memory"])
def store(request: pytest.FixtureRequest) -> SlotStore:
    made: Callable[[], SlotStore] = request.param
    return made()


def slots_of(store: SlotStore, most: int = 2, ended: Collection[str] = ()) -> Slots:
    return Slots(
        store=store, kind="tests", most=most, ended=lambda holders: [each for each in holders if each in ended]
    )


def test_there_are_so_many_and_no_more(store: SlotStore) -> None:
    slots = slots_of(store)
    assert {slots.take("one", "a"), slots.take("one", "b")} == {0, 1}
    assert slots.take("one", "c") is None
    assert slots.used("one") == 2


def test_a_slot_that_somebody_else_has_by_now_is_not_taken(store: SlotStore) -> None:
    assert store.take("tests", "one", 0, None, "a")
    assert not store.take("tests", "one", 0, None, "b")
    assert not store.take("tests", "one", 0, "before", "b")
    assert store.holders("tests", "one") == {0: "a"}
    assert store.take("tests", "one", 0, "a", "b")


def test_owners_have_slots_of_their_own_and_share_some(store: SlotStore) -> None:
    slots = slots_of(store, most=1)
    assert [slots.take(owner, "a") for owner in ("one", "two", EVERYBODY)] == [0, 0, 0]
    assert slots.take(EVERYBODY, "b") is None


def test_one_that_is_given_back_can_be_taken(store: SlotStore) -> None:
    slots = slots_of(store, most=1)
    slots.free("one", slots.take("one", "a") or 0, "a")
    assert slots.used("one") == 0
    assert slots.take("one", "b") == 0


def test_only_its_holder_gives_a_slot_back(store: SlotStore) -> None:
    slots = slots_of(store, most=1)
    slots.take("one", "b")
    slots.free("one", 0, "a")
    assert slots.take("one", "c") is None


def test_that_of_a_holder_that_has_ended_is_taken_over(store: SlotStore) -> None:
    slots = slots_of(store, ended={"a"})
    slots.take("one", "a")
    slots.take("one", "b")
    assert slots.used("one") == 1
    assert slots.take("one", "c") is not None
    assert slots.take("one", "d") is None


def test_a_take_whose_answer_was_lost_takes_no_second_one(store: SlotStore) -> None:
    slots = slots_of(store)
    assert slots.take("one", "a") == slots.take("one", "a")
    assert slots.used("one") == 1


def test_fewer_slots_than_before_are_all_that_count(store: SlotStore) -> None:
    for holder in "abc":
        slots_of(store, most=3).take("one", holder)
    assert slots_of(store, most=1).take("one", "d") is None
    assert slots_of(store, most=1).used("one") == 1


def test_takers_at_once_get_no_more_than_there_are() -> None:
    slots = slots_of(in_table(), most=3)

    def take(holder: int) -> int | None:
        try:
            return slots.take("one", str(holder))
        except Unavailable:  # ten times another one was faster
            return None

    with ThreadPoolExecutor(12) as pool:
        taken = [slot for slot in pool.map(take, range(12)) if slot is not None]
    assert sorted(taken) == [0, 1, 2]

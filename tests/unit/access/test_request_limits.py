"""A tenant's requests: counted cheaply, refused from memory, and never for want of a table."""

import pytest

from tests.support.management_fakes import MemoryRequestCounts
from webhooks.access.request_limits import WINDOW_MS, RequestLimits
from webhooks.errors import TooManyRequests
from webhooks.models.caller import Caller

TENANT = Caller(1, frozenset(), frozenset({"webhooks"}))
START = 1_760_000_000_000 // WINDOW_MS * WINDOW_MS


class Clock:
    now_ms = START

    def __call__(self) -> int:
        return self.now_ms


def limits(counts: MemoryRequestCounts, clock: Clock, per_second: float = 10) -> RequestLimits:
    return RequestLimits(counts, per_second=per_second, now_ms=clock)


def admitted(door: RequestLimits, caller: Caller = TENANT, tries: int = 1_000) -> int:
    count = 0
    for _ in range(tries):
        try:
            door.admit(caller)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_a_window_admits_what_it_has_and_the_next_one_as_much_again() -> None:
    counts, clock = MemoryRequestCounts(), Clock()
    door = limits(counts, clock)
    assert admitted(door) == 100
    clock.now_ms += WINDOW_MS
    assert admitted(door) == 100


def test_a_request_that_has_much_done_counts_as_several() -> None:
    counts = MemoryRequestCounts()
    doors = [limits(counts, Clock()) for _ in range(2)]
    for _ in range(5):
        for door in doors:
            door.admit(TENANT, 9)
    assert sum(counts.taken.values()) >= 90
    with pytest.raises(TooManyRequests, match="100 requests in 10 seconds, of which this one counts as 60"):
        doors[0].admit(TENANT, 60)
    assert sum(admitted(door, tries=20) for door in doors) <= 10


def test_one_that_counts_as_more_than_a_window_has_takes_a_whole_one() -> None:
    door = limits(MemoryRequestCounts(), Clock())
    door.admit(TENANT, 1_000)
    assert admitted(door) == 0


def test_processes_share_what_a_tenant_has() -> None:
    counts, clock = MemoryRequestCounts(), Clock()
    doors = [limits(counts, clock) for _ in range(4)]
    total = sum(admitted(door, tries=1) for _ in range(200) for door in doors)
    assert total == 100


def test_tenants_do_not_share() -> None:
    door = limits(MemoryRequestCounts(), Clock())
    assert admitted(door) == 100
    assert admitted(door, Caller(2, frozenset(), frozenset({"webhooks"}))) == 100


def test_a_process_forgets_who_has_not_come_for_longest_and_asks_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.access.request_limits.MAX_KEPT", 2)
    counts = MemoryRequestCounts()
    door = limits(counts, Clock())
    flood, *others = (Caller(number, frozenset(), frozenset({"webhooks"})) for number in range(5))
    assert admitted(door, flood) == 100
    for other in others[:2]:
        assert admitted(door, other, tries=1) == 1
        calls = counts.calls
        assert (admitted(door, flood, tries=1), counts.calls) == (0, calls)  # who keeps coming is remembered
    for other in others[2:]:
        assert admitted(door, other, tries=1) == 1
    calls = counts.calls
    assert (admitted(door, flood, tries=1), counts.calls) == (0, calls + 1)


def test_a_busy_tenant_costs_few_writes_a_quiet_one_wastes_nothing_and_a_flood_is_free() -> None:
    counts, clock = MemoryRequestCounts(), Clock()
    door = limits(counts, clock, per_second=100)
    assert admitted(door, tries=1) == 1
    assert sum(counts.taken.values()) == 1
    assert admitted(door, tries=999) == 999
    writes = counts.calls
    assert writes < 60
    assert admitted(door, tries=100_000) == 0
    assert counts.calls <= writes + 1


def test_who_is_refused_is_told_when_to_come_again() -> None:
    clock = Clock()
    door = limits(MemoryRequestCounts(), clock)
    admitted(door)
    clock.now_ms += 7_001
    with pytest.raises(TooManyRequests, match="100 requests in 10 seconds") as refusal:
        door.admit(TENANT)
    assert refusal.value.retry_after_seconds == 3


def test_the_platform_itself_and_a_limit_of_nothing_admit_everything() -> None:
    counts = MemoryRequestCounts()
    platform = Caller("platform", frozenset(), frozenset({"events:write:any"}))
    assert admitted(limits(counts, Clock()), platform) == 1_000
    assert admitted(limits(counts, Clock(), per_second=0)) == 1_000
    assert counts.calls == 0


def test_without_the_table_requests_are_admitted() -> None:
    counts = MemoryRequestCounts(unavailable=True)
    assert admitted(limits(counts, Clock())) == 1_000

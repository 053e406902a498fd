"""What a change of a stored item means for the counts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.ids import derived_id
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.models.event import EventRecord
from webhooks.statistics.counts import (
    BUCKETS_MS,
    HOUR_MS,
    Statistics,
    bucket_of,
    by_reason,
    dead_letter_counts,
    delivery_counts,
    event_counts,
    failure_reason,
    hour_of,
    percentile,
    webhook_counts,
)

ACCEPTED_MS = 1_704_110_400_000  # a full hour
RECORD = DeliveryRecord(
    derived_id("dlv", ACCEPTED_MS, "x"), "wh_1", "evt_1", "record.created", "ws:1", cycle_started_at_ms=ACCEPTED_MS
)
SUCCESS = Attempt(1, ACCEPTED_MS + 40, 87, "success", 200)
FAILURE = Attempt(1, ACCEPTED_MS + 40, 87, "failure", 503)


def test_a_first_try_success_is_a_delivery_a_success_its_duration_and_what_came_before_it() -> None:
    hours = delivery_counts(None, replace(RECORD, status="delivered", attempts=(SUCCESS,)), ACCEPTED_MS + 200)
    (hour,) = hours.values()
    assert hour.counts == {"deliveries": 1, "successes": 1, "time": 87, f"time#{bucket_of(87)}": 1}
    assert hour.service == {"initiation": 40, f"initiation#{bucket_of(40)}": 1}
    assert hour.last_success_ms == ACCEPTED_MS + 127


def test_a_later_write_counts_only_the_attempts_that_it_adds() -> None:
    before = replace(RECORD, status="retrying", attempts=(FAILURE,), revision=1)
    second = Attempt(2, ACCEPTED_MS + 5_000, 20, "success", 200)
    after = replace(before, status="delivered", attempts=(FAILURE, second), revision=2)
    (hour,) = delivery_counts(before, after, ACCEPTED_MS + 5_100).values()
    assert hour.counts == {"successes": 1, "time": 20, f"time#{bucket_of(20)}": 1}
    assert not hour.service


def test_a_write_that_adds_nothing_counts_nothing() -> None:
    before = replace(RECORD, status="retrying", attempts=(FAILURE,), revision=1)
    assert not delivery_counts(before, replace(before, revision=2, seen=(("abc", 2),)), ACCEPTED_MS)


def test_an_attempt_belongs_to_the_hour_in_which_it_started() -> None:
    late = Attempt(1, ACCEPTED_MS + HOUR_MS, 10, "failure", None, "timeout")
    hours = delivery_counts(None, replace(RECORD, attempts=(late,)), ACCEPTED_MS + HOUR_MS)
    assert hours[ACCEPTED_MS].counts == {"deliveries": 1}
    assert hours[ACCEPTED_MS + HOUR_MS].counts["failure#timeout"] == 1


def test_a_cut_off_attempt_is_unknown_and_has_no_duration() -> None:
    unknown = Attempt(0, ACCEPTED_MS, 0, "unknown")
    (hour,) = delivery_counts(RECORD, replace(RECORD, attempts=(unknown,)), ACCEPTED_MS).values()
    assert hour.counts == {"unknown": 1}


def test_waiting_is_counted_as_long_as_it_lasts_and_deferring_once() -> None:
    room = replace(RECORD, generation=2, waiting=Waiting("room", ACCEPTED_MS, "circuit_open"), body=b"{}")
    (parked,) = delivery_counts(None, room, ACCEPTED_MS).values()
    assert parked.service == {"parked#circuit_open": 1, "deferred#circuit_open": 1}
    (left,) = delivery_counts(room, replace(room, waiting=None, body=None), ACCEPTED_MS).values()
    assert left.service == {"parked#circuit_open": -1}


def test_waiting_for_a_retry_has_one_reason_whatever_failed() -> None:
    due = replace(RECORD, attempts=(FAILURE,), generation=2, waiting=Waiting("due", ACCEPTED_MS + 1, "http_503"))
    (hour,) = delivery_counts(None, due, ACCEPTED_MS).values()
    assert hour.service["parked#retry"] == 1


def test_what_was_held_back_says_nothing_about_how_fast_we_are() -> None:
    parked = replace(RECORD, generation=2, revision=1)
    (hour,) = delivery_counts(parked, replace(parked, attempts=(SUCCESS,)), ACCEPTED_MS).values()
    assert "initiation" not in hour.service


def test_a_dead_letter_counts_each_time_it_dies_and_not_when_it_is_replayed() -> None:
    assert dead_letter_counts(None, 1, ACCEPTED_MS + 5, "gone")[ACCEPTED_MS].counts == {"dead": 1}
    assert not dead_letter_counts(1, 1, ACCEPTED_MS, "gone")
    assert dead_letter_counts(1, 2, ACCEPTED_MS, "gone")


@pytest.mark.parametrize(
    ("reason", "lost"),
    [("received_too_often", 1), ("webhook_deleted", 0), ("attempts_used_up:http_503", 0), ("gone", 0), ("expired", 0)],
)
def test_what_receivers_and_owners_give_up_is_not_lost_by_this_service(reason: str, lost: int) -> None:
    assert dead_letter_counts(None, 1, ACCEPTED_MS, reason)[ACCEPTED_MS].service["lost"] == lost


def test_an_event_counts_what_was_decided_for_each_webhook() -> None:
    record = EventRecord(
        "e1",
        "ws:1",
        0,
        "t",
        "record.created",
        7,
        1,
        ACCEPTED_MS,
        b"{}",
        queued=("wh_a", "wh_b"),
        missed=(("wh_c", "inactive"),),
        skipped_counts={"filtered": 3},
    )
    assert event_counts(record) == {"events": 1, "queued": 2, "missed#inactive": 1, "skipped#filtered": 3}
    assert event_counts(replace(record, page=1, missed=(), skipped_counts={})) == {"queued": 2}


def test_a_webhook_is_counted_in_one_status() -> None:
    assert webhook_counts(None, "active") == {"webhooks#active": 1}
    assert webhook_counts("active", "failed") == {"webhooks#active": -1, "webhooks#failed": 1}
    assert webhook_counts("paused", "deleted") == {"webhooks#paused": -1}
    assert not webhook_counts("active", "active")


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [(503, None, "http_503"), (599, None, "http_5xx"), (302, None, "http_302"), (799, None, "http_other"),
     (None, "dns", "dns")],
)  # fmt: skip
def test_reasons_are_few(status: int | None, error: str | None, reason: str) -> None:
    assert failure_reason(Attempt(1, 0, 0, "failure", status, error)) == reason


def test_reasons_are_ordered_by_frequency() -> None:
    counts = {"failure#dns": 1, "failure#timeout": 4, "successes": 9, "failure#http_500": 4}
    assert list(by_reason(counts, "failure").items()) == [("http_500", 4), ("timeout", 4), ("dns", 1)]


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([0] * (len(BUCKETS_MS) + 1), 0.95) is None
    assert Statistics().success_rate is None


@given(st.lists(st.integers(0, 29_999), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_lies_in_the_bucket_of_the_exact_one(durations: list[int], share: float) -> None:
    buckets = [0] * (len(BUCKETS_MS) + 1)
    for duration in durations:
        buckets[bucket_of(duration)] += 1
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    estimate = percentile(buckets, share)
    assert estimate is not None
    low = BUCKETS_MS[bucket_of(exact) - 1] if bucket_of(exact) else 0
    assert low <= estimate <= BUCKETS_MS[bucket_of(exact)]


def test_what_takes_longer_than_all_buckets_counts_as_the_last_ones_end() -> None:
    assert percentile([0] * len(BUCKETS_MS) + [1], 0.5) == BUCKETS_MS[-1]


def test_several_hours_add_up() -> None:
    total = Statistics.total(
        [Statistics({"successes": 3, "failure#dns": 1}, 5, None), Statistics({"successes": 1, "time#2": 1}, 9, 4)]
    )
    assert (total.successes, total.failures, total.attempts) == (4, 1, 5)
    assert total.success_rate == 0.8
    assert (total.last_success_ms, total.last_failure_ms) == (9, 4)
    assert hour_of(ACCEPTED_MS + 1) == ACCEPTED_MS

"""The life of a delivery as pure functions: which message may act, what is counted, and what never goes back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhooks.delivery.classification import Classification
from webhooks.delivery.lifecycle import (
    EARLY_MS,
    AttemptPolicy,
    attempted,
    attempted_late,
    begin,
    erased,
    given_up,
    has_cut_offs,
    is_early_by,
    is_expired,
    parked,
    released,
    restarted,
    standing,
    take_up,
)
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting

NOW = 1_760_000_000_000
MESSAGE = DeliveryMessage("dlv_1", "wh_1", "e1", "record.created", "ws:1", "g", "body", cycle_started_at_ms=NOW)
POLICY = AttemptPolicy(3, 1_000_000)
FAILED, SUCCEEDED = Classification("retry", "http_500"), Classification("delivered")


def received(count: int = 1, generation: int = 1, message_id: str = "m-0000aaaa") -> Received[DeliveryMessage]:
    return Received(replace(MESSAGE, generation=generation), message_id, "h", count, NOW)


def stored(**changes: Any) -> DeliveryRecord:
    return replace(begin(MESSAGE), revision=1, **changes)


def an_attempt(outcome: str = "failure") -> Attempt:
    return Attempt(1, NOW, 5, outcome, 500)  # type: ignore[arg-type]


def after_failure(record: DeliveryRecord, delay_ms: int = 5_000) -> DeliveryRecord:
    return attempted(record, an_attempt(), FAILED, POLICY, now_ms=NOW, delay_ms=delay_ms, body=b"body")


@pytest.mark.parametrize(
    ("record", "generation", "expected"),
    [
        (begin(MESSAGE), 1, "live"),
        (stored(status="retrying"), 1, "live"),
        (stored(generation=2), 1, "older"),
        (stored(status="delivered", attempts=(an_attempt("success"),)), 1, "done"),
        (stored(status="delivered", attempts=(an_attempt("success"),)), 2, "live"),
        (
            stored(status="delivered", generation=2, attempts=(an_attempt("success"),), attempts_before_cycle=1),
            2,
            "live",
        ),
        (stored(status="failed"), 1, "given_up"),
        (stored(status="abandoned"), 1, "given_up"),
        (stored(status="failed"), 2, "live"),
    ],
)
def test_only_the_message_of_the_record_s_generation_or_a_newer_one_may_act(
    record: DeliveryRecord, generation: int, expected: str
) -> None:
    assert standing(record, replace(MESSAGE, generation=generation)) == expected


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_no_message_of_a_delivery_that_was_erased_may_act_whatever_its_generation(generation: int) -> None:
    record = erased(stored(status="retrying", generation=2, body=b"x", response=b"y", waiting=Waiting("due", NOW, "")))
    assert (record.status, record.reason) == ("abandoned", "erased")
    assert not (record.body or record.response or record.waiting)
    assert standing(record, received(generation=generation).message) == "done"


def test_what_is_finished_stays_as_it_ended_when_it_is_erased() -> None:
    assert erased(stored(status="failed", reason="gone")).reason == "gone"
    assert erased(stored(status="delivered", response=b"y")).response is None


@pytest.mark.parametrize("status", ["delivered", "failed", "abandoned"])
@pytest.mark.parametrize("generation", [1, 2, 3])
def test_no_message_of_what_was_finished_when_it_was_erased_may_act_either(status: Any, generation: int) -> None:
    record = erased(stored(status=status, reason="gone", generation=2))
    assert standing(record, received(generation=generation).message) == "done"


@pytest.mark.parametrize("status", ["retrying", "delivered", "failed"])
def test_a_receive_of_a_later_generation_does_not_revive_what_was_erased(status: Any) -> None:
    record = erased(stored(status=status, generation=2))
    after = take_up(record, received(5, generation=3), NOW)
    assert (after.status, after.reason, after.generation) == (record.status, record.reason, 2)
    assert len(after.attempts) == len(record.attempts) + 4


def test_receives_that_were_never_recorded_are_noted_as_unknown_and_use_up_no_attempt() -> None:
    record = take_up(begin(MESSAGE), received(3), NOW)
    assert [attempt.outcome for attempt in record.attempts] == ["unknown", "unknown"]
    assert record.attempt_count == 0
    assert take_up(record, received(4), NOW).attempts == record.attempts
    assert len(take_up(record, received(6), NOW).attempts) == 4


def test_a_first_receive_reveals_no_cut_off_and_a_second_unrecorded_one_does() -> None:
    assert not has_cut_offs(begin(MESSAGE), received(1))
    assert has_cut_offs(begin(MESSAGE), received(2))
    assert not has_cut_offs(take_up(begin(MESSAGE), received(1), NOW), received(2))


def test_receives_are_counted_for_each_message_by_itself() -> None:
    record = take_up(begin(MESSAGE), received(1), NOW)
    assert take_up(record, received(1, message_id="m-0000bbbb"), NOW).attempts == ()


def test_a_message_s_own_receives_reveal_its_cut_offs_whatever_another_was_seen_with() -> None:
    first = take_up(stored(), received(), NOW)
    second = take_up(first, replace(received(2), message_id="m-0000bbbb"), NOW)
    assert [attempt.outcome for attempt in second.attempts] == ["unknown"]


def test_a_newer_generation_starts_a_cycle_of_its_own() -> None:
    old = stored(status="failed", attempts=(an_attempt(), an_attempt()), reason="x")
    message = replace(MESSAGE, generation=2, attempts_before_cycle=2, cycle_started_at_ms=NOW + 9)
    record = take_up(old, Received(message, "m", "h", 1, NOW), NOW)
    assert (record.status, record.generation, record.attempts_in_cycle, record.reason) == ("pending", 2, 0, None)
    assert record.cycle_started_at_ms == NOW + 9


def test_a_short_retry_stays_with_sqs_and_a_longer_one_waits_with_its_body_under_a_new_generation() -> None:
    short = after_failure(stored(), 60_000)
    assert (short.status, short.waiting, short.generation) == ("retrying", None, 1)
    assert short.next_attempt_at_ms == NOW + 60_000
    long = after_failure(stored(), 60_001)
    assert long.waiting == Waiting("due", NOW + 60_001, "http_500")
    assert (long.generation, long.body, long.seen) == (2, b"body", ())


def test_the_last_attempt_of_a_cycle_gives_up_with_the_last_reason() -> None:
    record = stored(attempts=(an_attempt(), an_attempt()))
    assert after_failure(record).reason == "attempts_used_up:http_500"
    assert after_failure(record).status == "failed"


def test_unknown_attempts_use_up_none_of_a_cycle() -> None:
    record = stored(attempts=(an_attempt("unknown"),) * 5)
    assert after_failure(record).status == "retrying"


def test_delivered_is_never_replaced_by_a_failure() -> None:
    record = stored(status="delivered", generation=2)
    assert after_failure(record).status == "delivered"
    assert given_up(record, "failed", "x") == record
    assert parked(record, Waiting("room", NOW, "paused"), b"").status == "delivered"
    assert restarted(record, NOW).status == "delivered"
    assert attempted_late(record, an_attempt()).status == "delivered"


def test_a_late_success_counts_and_ends_whatever_waits() -> None:
    record = attempted_late(stored(waiting=Waiting("due", NOW, "x"), body=b"b"), an_attempt("success"))
    assert (record.status, record.waiting, record.body) == ("delivered", None, None)


def test_parking_uses_up_no_attempt_and_outdates_the_parked_message() -> None:
    record = parked(stored(), Waiting("room", NOW, "paused"), b"body")
    assert (record.status, record.attempt_count, record.generation) == ("pending", 0, 2)
    assert record.attempts_in_cycle == 0
    assert standing(record, MESSAGE) == "older"
    back = released(record, NOW)
    assert (back.waiting, back.body, back.generation) == (None, None, 2)


def test_a_copy_is_early_only_well_before_its_time() -> None:
    record = stored(next_attempt_at_ms=NOW)
    assert is_early_by(record, MESSAGE, NOW - EARLY_MS - 1) == EARLY_MS + 1
    assert not is_early_by(record, MESSAGE, NOW - EARLY_MS)
    assert not is_early_by(stored(), MESSAGE, NOW)


def test_a_newer_generation_is_never_early() -> None:
    assert not is_early_by(stored(next_attempt_at_ms=NOW), replace(MESSAGE, generation=2), NOW - 60_000)


def test_age_counts_from_the_cycle_s_start() -> None:
    assert not is_expired(stored(), MESSAGE, POLICY, NOW + 1_000_000)
    assert is_expired(stored(), MESSAGE, POLICY, NOW + 1_000_001)
    again = restarted(stored(), NOW + 5_000_000)
    assert not is_expired(again, replace(MESSAGE, generation=again.generation), POLICY, NOW + 5_000_001)


def test_a_cycle_that_its_message_begins_is_as_old_as_the_message_says() -> None:
    policy = AttemptPolicy(3, 1_000)
    again = replace(MESSAGE, generation=2, cycle_started_at_ms=NOW + 50_000)
    assert not is_expired(stored(), again, policy, NOW + 50_500)
    assert is_expired(stored(), again, policy, NOW + 51_500)


STEPS = st.lists(st.sampled_from(["fail", "fail_long", "succeed", "late_success", "late_failure", "park", "release",
                                  "give_up", "restart", "cut_off"]), max_size=30)  # fmt: skip


@settings(max_examples=1_000, deadline=None)
@given(STEPS)
def test_whatever_happens_success_stays_generations_rise_and_only_what_is_finished_is_at_rest(steps: list[str]) -> None:
    record = begin(MESSAGE)
    for receives, step in enumerate(steps, 1):
        before = record
        if step in ("fail", "fail_long"):
            record = after_failure(record, 5_000 if step == "fail" else 90_000)
        elif step == "succeed":
            record = attempted(record, an_attempt("success"), SUCCEEDED, POLICY, now_ms=NOW, delay_ms=0, body=b"b")
        elif step in ("late_success", "late_failure"):
            record = attempted_late(record, an_attempt("success" if step == "late_success" else "failure"))
        elif step == "park":
            record = parked(record, Waiting("room", NOW, "x"), b"b")
        elif step == "release":
            record = released(record, NOW)
        elif step == "give_up":
            record = given_up(record, "abandoned", "x")
        elif step == "restart":
            record = restarted(record, NOW)
        else:
            record = take_up(record, received(receives, record.generation), NOW)
        assert record.generation >= before.generation
        assert before.status != "delivered" or record.status == "delivered"
        assert len(record.attempts) >= len(before.attempts)
        assert record.attempts[: len(before.attempts)] == before.attempts
        assert (record.waiting is None) == (record.body is None)
        assert not (record.status in ("failed", "abandoned") and record.waiting)
        assert (record.reason is not None) or record.status not in ("failed", "abandoned")


@pytest.mark.parametrize("marked", [True, False])
def test_a_pause_makes_nothing_older_even_where_its_end_was_not_noted(marked: bool) -> None:
    over = NOW + 40 * POLICY.max_age_ms
    paused = parked(stored(), Waiting("room", NOW, "paused"), b"body")
    back = released(paused, over)
    message = replace(MESSAGE, generation=back.generation, cycle_started_at_ms=back.cycle_started_at_ms)
    found = back if marked else paused
    assert not is_expired(found, message, POLICY, over + POLICY.max_age_ms)
    assert is_expired(found, message, POLICY, over + POLICY.max_age_ms + 1)
    assert take_up(found, Received(message, "m-1", "h", 1, over), over).cycle_started_at_ms == over

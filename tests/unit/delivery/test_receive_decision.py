"""One receive, decided from whatever is stored now."""

from dataclasses import replace
from typing import Any

import pytest

from webhooks.delivery.attempt_detail import FIRST_TRY_BYTES
from webhooks.delivery.classification import classify
from webhooks.delivery.lifecycle import AttemptPolicy, begin
from webhooks.delivery.receive_decision import Attempted, GiveUp, Leave, Park, Postpone, advance
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.models.exchange import Exchange

NOW = 1_760_000_000_000
MESSAGE = DeliveryMessage("dlv_1", "wh_1", "e1", "record.created", "ws:1", "g", "body", cycle_started_at_ms=NOW)
POLICY = AttemptPolicy(3, 1_000_000)


def received(count: int = 1, generation: int = 1) -> Received[DeliveryMessage]:
    return Received(replace(MESSAGE, generation=generation), "m-0000aaaa", "h", count, NOW)


def stored(**changes: Any) -> DeliveryRecord:
    return replace(begin(MESSAGE), revision=4, **changes)


def delivered() -> DeliveryRecord:
    return stored(status="delivered", attempts=(Attempt(1, NOW, 5, "success", 200),))


def answered(status: int, delay_ms: int = 5_000) -> Attempted:
    exchange = Exchange(NOW, 5, status_code=status, response_headers=(("A", "b"),), response_body=b"x" * 5_000)
    return Attempted(exchange, classify(exchange), delay_ms, POLICY)


def test_a_success_is_written_with_its_detail_and_its_message_deleted() -> None:
    done = advance(begin(MESSAGE), received(), answered(200), now_ms=NOW)
    assert done.then == "delete"
    assert done.record is not None
    assert (done.record.status, done.record.revision, done.detail) == ("delivered", 1, None)
    assert done.record.response is not None
    assert len(done.record.response) <= FIRST_TRY_BYTES


def test_a_failure_keeps_its_detail_in_an_item_of_its_own_and_comes_again() -> None:
    done = advance(begin(MESSAGE), received(), answered(500), now_ms=NOW)
    assert (done.then, done.visible_in_ms) == ("again", 5_000)
    assert done.detail is not None
    assert done.record is not None
    assert done.record.response is None


def test_a_failure_that_waits_long_leaves_the_queue() -> None:
    assert advance(begin(MESSAGE), received(), answered(500, 90_000), now_ms=NOW).then == "delete"


@pytest.mark.parametrize("status", [200, 500, 410])
def test_a_request_repeated_for_a_lost_connection_may_have_been_read_twice(status: int) -> None:
    step = answered(status)
    done = advance(
        begin(MESSAGE), received(), replace(step, exchange=replace(step.exchange, repeated=True)), now_ms=NOW
    )
    assert done.record is not None
    assert done.record.attempts[0].outcome == "unknown"
    assert [attempt.number for attempt in done.record.attempts] == [0, 1]
    assert done.record.attempt_count == 1


def test_what_is_given_up_goes_to_the_dead_letter_queue_and_says_so_again_when_it_comes_again() -> None:
    assert advance(begin(MESSAGE), received(), answered(410), now_ms=NOW).then == "dead_letter"
    again = advance(stored(status="failed", reason="gone"), received(2), Leave(), now_ms=NOW)
    assert again.then == "dead_letter"


@pytest.mark.parametrize("step", [Leave(), Park(Waiting("room", NOW, "x")), GiveUp("expired"), Postpone(5)])
def test_a_message_that_lost_its_right_to_act_changes_nothing(step: Leave | Park | GiveUp | Postpone) -> None:
    for record in (stored(generation=2), delivered()):
        done = advance(record, received(), step, now_ms=NOW)
        assert (done.record, done.then) == (None, "delete")


def test_an_attempt_of_an_older_message_is_noted_and_a_failure_changes_no_status() -> None:
    waits = stored(generation=2, status="retrying", waiting=Waiting("due", NOW, "x"), body=b"b")
    done = advance(waits, received(), answered(500), now_ms=NOW)
    assert done.record is not None
    assert (done.record.waiting, len(done.record.attempts), done.then) == (waits.waiting, 1, "delete")


def test_a_success_of_an_older_message_ends_what_waits() -> None:
    waits = stored(generation=2, status="retrying", waiting=Waiting("due", NOW, "x"), body=b"b")
    done = advance(waits, received(), answered(200), now_ms=NOW)
    assert done.record is not None
    assert (done.record.status, done.record.waiting) == ("delivered", None)


def test_every_write_is_of_the_next_revision() -> None:
    for step in (answered(200), answered(500), Park(Waiting("room", NOW, "x")), GiveUp("x"), Postpone(5)):
        done = advance(stored(), received(), step, now_ms=NOW)
        assert done.record is not None
        assert done.record.revision == 5


def test_leaving_a_live_message_writes_nothing() -> None:
    assert advance(begin(MESSAGE), received(), Leave(), now_ms=NOW).record is None


def test_a_cut_off_is_noted_even_when_the_delivery_is_done() -> None:
    done = advance(delivered(), received(2), Leave(), now_ms=NOW)
    assert done.record is not None
    assert [attempt.outcome for attempt in done.record.attempts] == ["success", "unknown"]
    assert done.record.status == "delivered"


@pytest.mark.parametrize(("status", "then"), [(500, "dead_letter"), (200, "delete")])
def test_an_attempt_for_what_was_given_up_meanwhile_buries_it_unless_it_arrived(status: int, then: str) -> None:
    given_up = stored(status="failed", reason="attempts_used_up:http_500")
    assert advance(given_up, received(), answered(status), now_ms=NOW).then == then

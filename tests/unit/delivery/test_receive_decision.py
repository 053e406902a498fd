"""One receive, decided from whatever is stored now."""

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.benchmarks.cost.item_sizes import item_bytes
from webhooks.delivery.attempt_detail import FIRST_TRY_BYTES, details_in, pack_detail, unpack_detail
from webhooks.delivery.classification import classify
from webhooks.delivery.lifecycle import AttemptPolicy, begin, released
from webhooks.delivery.receive_decision import Attempted, GiveUp, Leave, Park, Postpone, advance
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.models.exchange import Exchange
from webhooks.store.delivery_items import delivery_item, delivery_key

NOW = 1_760_000_000_000
MESSAGE = DeliveryMessage("dlv_1", "wh_1", "e1", "record.created", "ws:1", "g", "body", cycle_started_at_ms=NOW)
POLICY = AttemptPolicy(3, 1_000_000)


def received(count: int = 1, generation: int = 1) -> Received[DeliveryMessage]:
    return Received(replace(MESSAGE, generation=generation), "m-0000aaaa", "h", count, NOW)


def stored(**changes: Any) -> DeliveryRecord:
    return replace(begin(MESSAGE), revision=4, **changes)


def delivered() -> DeliveryRecord:
    return stored(status="delivered", attempts=(Attempt(1, NOW, 5, "success", 200),))


def answered(status: int, delay_ms: int = 5_000, *, at: int = NOW, body: bytes = b"x" * 4_096) -> Attempted:
    exchange = Exchange(at, 5, status_code=status, response_headers=(("A", "b"),), response_body=body)
    return Attempted(exchange, classify(exchange), delay_ms, POLICY)


def detail_of(status: int, body: bytes) -> dict[str, Any]:
    exchange = answered(status, body=body).exchange
    return dict(unpack_detail(pack_detail(exchange) or b""))


def whole_item(record: DeliveryRecord) -> dict[str, Any]:
    """As it is stored, with ids as long as they are."""
    real = replace(record, webhook_id="wh_0Uz7MdaC4Fe0IC2aVVwKGA6Suc", delivery_id="dlv_0Uz7MdaCUg4tXac424viqJOurW")
    pk, sk = delivery_key(real.webhook_id, real.delivery_id)
    return {"pk": {"S": pk}, "sk": {"S": sk}, **delivery_item(real, NOW // 1000)}


def test_a_success_is_written_with_its_detail_and_its_message_deleted() -> None:
    done = advance(begin(MESSAGE), received(), answered(200), now_ms=NOW)
    assert done.then == "delete"
    assert done.record is not None
    assert (done.record.status, done.record.revision, done.detail) == ("delivered", 1, None)
    assert done.record.response is not None
    assert len(done.record.response) <= FIRST_TRY_BYTES


def test_a_failure_keeps_its_detail_in_its_record_and_comes_again() -> None:
    done = advance(begin(MESSAGE), received(), answered(500), now_ms=NOW)
    assert (done.then, done.visible_in_ms, done.detail) == ("again", 5_000, None)
    assert done.record is not None
    assert details_in(done.record) == ({}, {NOW: detail_of(500, b"x" * 4_096)})


def test_all_three_tries_share_the_record_and_its_write_unit() -> None:
    record = begin(MESSAGE)
    for count, status in enumerate((500, 503, 200), 1):
        done = advance(record, received(count), answered(status, at=NOW + count), now_ms=NOW + count)
        assert done.detail is None
        assert done.record is not None
        record = done.record
        assert item_bytes(whole_item(record)) <= 1_024
    own, failures = details_in(record)
    assert (own["h"], own["b"]) == ([["A", "b"]], "x" * 4_096)
    assert list(failures) == [NOW + 1, NOW + 2]


def test_a_failure_whose_detail_does_not_fit_has_an_item_of_its_own_and_nothing_of_it_is_cut() -> None:
    noise = random.Random(1).randbytes(4_096)
    first = advance(begin(MESSAGE), received(), answered(500), now_ms=NOW).record
    assert first is not None
    done = advance(first, received(2), answered(500, at=NOW + 1, body=noise), now_ms=NOW + 1)
    assert done.detail is not None
    assert unpack_detail(done.detail.packed)["b"].encode("latin-1") == noise
    assert done.record is not None
    assert details_in(done.record)[1].keys() == {NOW}


@pytest.mark.parametrize("body_bytes", [2, 150, 300, 600, 1_500])
def test_what_a_waiting_delivery_keeps_of_its_failure_costs_no_unit(body_bytes: int) -> None:
    noise = random.Random(body_bytes).randbytes
    message = replace(MESSAGE, body=noise(body_bytes).decode("latin-1"))
    waits = Received(message, "m-0000aaaa", "h", 1, NOW)
    done = advance(begin(message), waits, answered(500, 90_000, body=noise(300)), now_ms=NOW)
    assert done.record is not None
    bare = done.record.changed(response=None)
    for with_detail, without in ((done.record, bare), (released(done.record, NOW), released(bare, NOW))):
        sizes = [-(-item_bytes(whole_item(each)) // 1_024) for each in (with_detail, without)]
        assert sizes[0] == sizes[1]


@pytest.mark.parametrize("status", [200, 500])
def test_what_a_newer_version_has_packed_stays_as_it_is(status: int) -> None:
    done = advance(stored(response=b"\x7fnew", status="retrying"), received(), answered(status), now_ms=NOW)
    assert done.record is not None
    assert done.record.response == b"\x7fnew"
    assert done.detail is not None
    assert details_in(done.record) == ({}, {})


def test_a_second_success_leaves_what_the_record_keeps_of_the_first() -> None:
    first = pack_detail(answered(200, body=b"first").exchange)
    done = advance(delivered().changed(response=first), received(1, generation=2), answered(200), now_ms=NOW)
    assert done.detail is not None
    assert done.record is not None
    assert done.record.response == first


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

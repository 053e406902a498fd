"""The sender over the fakes: retries, waits, what is given up, and what a crash at any call leaves behind."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.event_source import Crash
from tests.fakes.owners import SECRET, url_of
from tests.fakes.receivers import Answer
from tests.fakes.world import World, event, events
from webhooks.egress.transport.answer_head import CUT_OFF
from webhooks.models.delivery import DeliveryRecord

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def delivered_to_one(world: World, answers: Sequence[Answer | int], **fields: Any) -> DeliveryRecord:
    world.owners.register("one", **fields)
    world.receivers.script(url_of("one"), answers)
    world.publish(event("e1"))
    world.run()
    return world.delivery()


def distances(world: World) -> list[float]:
    ends = [seen.at_ms + seen.answer.latency_ms for seen in world.receivers.log]
    return [(seen.at_ms - end) / 1000 for seen, end in zip(world.receivers.log[1:], ends, strict=False)]


def test_500_500_200_takes_three_attempts_at_five_and_thirty_seconds() -> None:
    world = World()
    record = delivered_to_one(world, [500, 500, 200])
    assert record.status == "delivered"
    assert [(a.number, a.outcome, a.status_code) for a in record.attempts] == [
        (1, "failure", 500),
        (2, "failure", 500),
        (3, "success", 200),
    ]
    first, second = distances(world)
    assert 4 <= first <= 7  # 5 s and 20 % either way, rounded up to SQS's whole seconds
    assert 24 <= second <= 37


def test_a_first_try_success_is_one_write_of_one_unit() -> None:
    world = World()
    delivered_to_one(world, [200])
    assert world.clients["dynamodb"].made["dynamodb.batch_execute_statement"] == 2  # the event and the delivery
    assert world.clients["dynamodb"].made["dynamodb.update_item"] == 0
    (item,) = world.items("dlv#")
    assert not item.keys() & {"waiting_key", "listing_key", "overview_key"}
    assert len(json.dumps(item, default=str)) < 1024


def test_each_attempt_has_the_same_ids_a_number_and_a_new_timestamp_under_its_signature() -> None:
    world = World()
    delivered_to_one(world, [503, 200])
    first, second = world.receivers.log
    assert (first.delivery_id, first.event_id, first.body) == (second.delivery_id, second.event_id, second.body)
    assert (first.attempt, second.attempt) == (1, 2)
    for seen in (first, second):
        timestamp = seen.headers["X-PyAirtable-Timestamp"]
        assert int(timestamp) == seen.at_ms // 1000
        expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + seen.body, hashlib.sha256).hexdigest()
        assert seen.headers["X-PyAirtable-Signature"] == f"sha256={expected}"


def test_a_retry_within_a_minute_stays_with_sqs_and_a_later_one_waits_outside() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [500])
    world.publish(event("e1"))
    world.work()
    assert world.delivery().waiting is None
    assert len(world.messages(world.delivery_queue)) == 1
    world.run(for_ms=2 * 60_000)  # past attempts 2 (5 s) and 3 (30 s)
    record = world.delivery()
    assert record.attempt_count == 3
    assert record.waiting is not None
    assert record.waiting.kind == "due"
    assert record.body == world.receivers.log[0].body
    assert not world.messages(world.delivery_queue)


def test_what_falls_due_is_attempted_at_its_time() -> None:
    world = World()
    delivered_to_one(world, [500] * 5 + [200])
    for distance, nominal in zip(distances(world), [5, 30, 180, 1080, 6480], strict=True):
        assert nominal * 0.8 - 2 <= distance <= nominal * 1.2 + 3


def test_attempts_are_used_up_and_then_it_is_a_dead_letter_with_its_reason() -> None:
    world = World()
    record = delivered_to_one(world, [500], max_retries=2)
    assert (record.status, record.reason, record.attempt_count) == ("failed", "attempts_used_up:http_500", 3)
    (letter,) = world.dead_letters()
    assert letter.failure_reason == "attempts_used_up:http_500"
    assert letter.attempt_count == 3
    assert letter.last_status_code == 500
    assert letter.body == world.receivers.log[0].body
    assert ("delivery.dead_lettered", letter.delivery_id) in [(t, d.get("delivery_id")) for t, d in world.announced()]


def test_no_retries_means_one_attempt() -> None:
    world = World()
    delivered_to_one(world, [500], max_retries=0)
    assert len(world.receivers.log) == 1
    assert world.delivery().status == "failed"


def test_retry_after_is_honoured() -> None:
    world = World()
    delivered_to_one(world, [Answer(503, headers={"Retry-After": "600"}), 200])
    assert 599 <= distances(world)[0] <= 603


def test_retry_after_is_capped_at_a_day() -> None:
    world = World()
    delivered_to_one(world, [Answer(503, headers={"Retry-After": "99999999"}), 200])
    assert 24 * 3600 - 5 <= distances(world)[0] <= 24 * 3600 + 5


def test_429_slows_its_webhook_down_for_the_deliveries_that_follow() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [Answer(429, headers={"Retry-After": "300"}), 200])
    world.publish(event("e1"))
    world.work()
    start_ms = world.clock.ms
    world.publish(*events(5))
    world.work()
    assert len(world.receivers.log) == 1
    assert {r.waiting.reason for r in world.deliveries() if r.waiting} >= {"slowed_down"}
    world.run()
    assert all(seen.at_ms >= start_ms + 299_000 for seen in world.receivers.log[1:])
    assert {record.status for record in world.deliveries()} == {"delivered"}


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_receiver_that_took_the_event_has_it_whatever_its_body(status: int) -> None:
    world = World()
    record = delivered_to_one(world, [Answer(status, remark=CUT_OFF)])
    assert record.status == "delivered"
    assert [(a.outcome, a.status_code, a.error_code) for a in record.attempts] == [("success", status, None)]
    assert len(world.receivers.log) == 1


@pytest.mark.parametrize("answer", [410, Answer(410, remark=CUT_OFF)], ids=str)
def test_410_disables_the_webhook_and_nothing_more_is_sent(answer: Answer | int) -> None:
    world = World(keeps_stream=True)
    webhook = world.owners.register("one")
    world.receivers.script(url_of("one"), [answer])
    world.publish(event("e1"))
    world.run()
    assert world.delivery().reason == "gone"
    assert world.owners.webhook(webhook).status == "failed"
    assert world.owners.webhook(webhook).status_reason == "gone"
    world.publish(event("e2"))
    world.run()
    assert len(world.receivers.log) == 1
    missed = [record.missed for record in world.event_records() if record.event_id == "e2"]
    assert missed == [((webhook.webhook_id, "failed"),)]
    world.roll_up()
    assert ("webhook.disabled", "gone") in [(t, d.get("reason")) for t, d in world.announced()]


def test_a_refused_address_is_given_up_at_once() -> None:
    world = World()
    record = delivered_to_one(world, [Answer(error_code="refused_address")])
    assert (record.status, record.reason) == ("failed", "refused_address")
    assert len(world.dead_letters()) == 1


@pytest.mark.parametrize("answer", [301, 302, 400, 404, 500, 502, Answer(error_code="connect_reset")])
def test_every_other_failure_is_tried_again(answer: Answer | int) -> None:
    world = World()
    assert delivered_to_one(world, [answer, 204]).status == "delivered"


def test_an_attempt_ends_at_the_webhook_s_own_deadline() -> None:
    world = World()
    record = delivered_to_one(world, [Answer(latency_ms=60_000), 200], timeout_seconds=3)
    assert record.attempts[0].error_code == "timeout"
    assert record.attempts[0].duration_ms == 3_000


def test_what_is_too_old_is_abandoned_with_a_reason() -> None:
    world = World()
    world.owners.register("one", rate_limit_rps=1)
    world.publish(*events(2))
    world.work()  # one of them waits for its place in the rate
    world.clock.advance_to(world.clock.ms + 15 * DAY_MS)
    world.run()
    late = next(record for record in world.deliveries() if record.status != "delivered")
    assert (late.status, late.reason) == ("abandoned", "expired")
    assert [letter.failure_reason for letter in world.dead_letters()] == ["expired"]
    assert len(world.receivers.log) == 1


def test_a_paused_webhook_s_deliveries_wait_and_go_out_when_it_resumes() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(*events(700))
    world.run(for_ms=DAY_MS)
    assert not world.receivers.log
    assert all(r.waiting and r.waiting.reason == "paused" for r in world.deliveries())
    assert not world.messages(world.delivery_queue)
    resumed_ms = world.clock.ms
    world.owners.change(webhook, status="active")
    world.run()
    assert {seen.event_id for seen in world.receivers.log} == {f"e{number}" for number in range(700)}
    assert len(world.receivers.log) == 700
    assert world.clock.ms - resumed_ms < 3 * 60_000


def test_what_waits_does_not_expire_by_ttl() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(event("e1"))
    world.work()
    world.clock.advance_to(world.clock.ms + 13 * DAY_MS)
    assert all("expires_at" not in item for item in world.items("dlv#"))
    world.dynamodb.tables["webhooks"].collect_expired()
    world.owners.change(webhook, status="active")
    world.run()
    assert world.delivery().status == "delivered"


@pytest.mark.parametrize(
    ("change", "reason"), [({"status": "inactive"}, "webhook_inactive"), (None, "webhook_deleted")]
)
@pytest.mark.parametrize("waits", [False, True])
def test_a_webhook_that_goes_away_between_match_and_delivery_leaves_a_reason(
    change: dict[str, str] | None, reason: str, *, waits: bool
) -> None:
    world = World()
    webhook = world.owners.register("one", status="paused" if waits else "active")
    world.publish(event("e1"))
    world.work("ingest")
    if waits:
        world.work("sender")
    if change is None:
        world.owners.delete(webhook)
    else:
        world.owners.change(webhook, **change)
    world.run()
    assert (world.delivery().status, world.delivery().reason) == ("abandoned", reason)
    assert [letter.failure_reason for letter in world.dead_letters()] == [reason]
    assert not world.receivers.log


def test_an_open_circuit_sends_nothing_and_uses_up_no_attempt_until_its_probe_succeeds() -> None:
    world = World(keeps_stream=True)
    webhook = world.owners.register("one")
    down_until_ms = world.clock.ms + 40 * 60_000
    world.receivers.behave(url_of("one"), lambda now_ms, _n: Answer(500 if now_ms < down_until_ms else 200))
    world.publish(*events(60))
    world.run()
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert max(record.attempt_count for record in world.deliveries()) <= 6  # 40 minutes by the schedule of retries
    tried_while_down = [seen for seen in world.receivers.log if seen.at_ms < down_until_ms]
    assert len(tried_while_down) < 60 + 60  # 60 x 5 without a breaker
    assert world.state(webhook.webhook_id).circuit.state == "closed"
    world.roll_up()
    assert [event_type for event_type, _ in world.announced()] == ["webhook.circuit_opened", "webhook.recovered"]


def test_a_half_open_circuit_lets_one_probe_through_at_a_time() -> None:
    world = World()
    webhook = world.owners.register("one")
    world.receivers.script(url_of("one"), [500])
    world.publish(*events(20))
    world.work()
    opened = world.state(webhook.webhook_id).circuit
    assert opened.state == "open"
    before = len(world.receivers.log)
    world.clock.advance_to(opened.open_until_ms)
    world.publish(*events(30, 100))
    world.work("ingest")
    world.poll("sender")
    world.poll("sender")
    assert len(world.receivers.log) == before + 1


def test_a_rate_limit_is_kept_second_by_second_and_loses_nothing() -> None:
    world = World()
    world.owners.register("one", rate_limit_rps=5)
    world.publish(*events(300))
    world.run()
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert len(world.receivers.log) == 300
    times = [seen.at_ms for seen in world.receivers.log]
    for start in times:
        assert sum(start <= at < start + 1000 for at in times) <= 10  # the rate and one burst
    assert sum(record.attempt_count for record in world.deliveries()) == 300


@pytest.mark.parametrize("rate", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_a_reserved_place_is_used_once_so_that_a_retry_takes_a_place_of_its_own(rate: int) -> None:
    world = World()
    webhook = world.owners.register("one", status="paused", rate_limit_rps=rate)
    world.receivers.behave(url_of("one"), lambda _now_ms, count: Answer(500 if count % 3 == 0 else 200))
    world.publish(*events(100 * rate))
    world.work()
    world.owners.change(webhook, status="active")
    world.run()
    times = [seen.at_ms for seen in world.receivers.log]
    for start in times:
        assert sum(start <= at < start + 60_000 for at in times) <= 62 * rate + 1


def test_deliveries_of_other_webhooks_go_on_while_one_fails() -> None:
    world = World()
    world.owners.register("dead")
    world.owners.register("fine", user_id=8)
    world.receivers.script(url_of("dead"), [Answer(500)])
    world.publish(*events(50))
    world.work()
    assert len(world.receivers.seen(url_of("fine"))) == 50


def test_an_unreadable_message_is_kept_for_an_operator_and_costs_its_neighbours_nothing() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    world.send_raw(world.delivery_queue, "garbage")
    world.send_raw(world.delivery_queue, "garbage", "{")
    world.send_raw(world.delivery_queue, "garbage", '{"d": 1}')
    world.send_raw(
        world.delivery_queue, "garbage", json.dumps(dict.fromkeys("dwetso", "x"))[:-1] + ', "g": 1e999, "c": 0}'
    )
    assert world.poll("sender") == 5
    world.run()
    assert world.delivery().status == "delivered"
    kept = [item for item in world.items("0") if item["pk"]["S"] == "unreadable"]
    assert len(kept) == 4
    assert all(item["reason"]["S"] for item in kept)


def test_a_copy_of_a_delivered_message_is_dropped() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    world.work()
    world.send_raw(world.delivery_queue, message.body, message.attributes["meta"]["StringValue"])
    world.run()
    assert len(world.receivers.log) == 1


def test_of_two_copies_in_one_batch_one_is_sent() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    world.send_raw(world.delivery_queue, message.body, message.attributes["meta"]["StringValue"])
    assert world.poll("sender") == 2
    assert len(world.receivers.log) == 1
    assert len(world.messages(world.delivery_queue)) == 1
    world.run()
    assert len(world.receivers.log) == len(world.delivery().attempts) == 2


def test_a_copy_that_comes_before_the_next_attempt_is_due_is_put_back() -> None:
    world = World()
    world.owners.register("one")
    world.receivers.script(url_of("one"), [500, 500, 200])
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    world.work()
    world.send_raw(world.delivery_queue, message.body, message.attributes["meta"]["StringValue"])
    world.work()
    assert len(world.receivers.log) == 1
    world.run()
    assert world.delivery().status == "delivered"
    assert len(world.receivers.log) == 3


def test_a_message_of_an_older_generation_is_dropped() -> None:
    world = World()
    webhook = world.owners.register("one", status="paused")
    world.publish(event("e1"))
    world.work("ingest")
    (message,) = world.messages(world.delivery_queue)
    world.work()
    assert world.delivery().generation == 2
    world.owners.change(webhook, status="active")
    world.send_raw(world.delivery_queue, message.body, message.attributes["meta"]["StringValue"])
    world.work()
    assert not world.receivers.log
    world.run()
    assert len(world.receivers.log) == 1


CALLS = 45
FAULTS = (
    "crash_before", "crash_after", "lost_answer", "no_connection", "throttled", "repeated", "partial", "internal_error",
)  # fmt: skip


class Nth:
    """A fault at the nth call of the sender, and never again."""

    def __init__(self, nth: int, fault: str) -> None:
        self.nth, self.fault, self.armed, self.struck = nth, fault, False, False

    def __call__(self, _call: str) -> str | None:
        if not self.armed:
            return None
        self.nth -= 1
        self.struck = self.struck or self.nth == 0
        return self.fault if self.nth == 0 else None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "answers", [[200], [500, 200], [500] * 20, [410], [Answer(429, headers={"Retry-After": "70"}), 200]], ids=str
)
def test_a_sender_cut_off_at_any_call_loses_nothing_and_notes_what_may_have_been_sent(
    fault: str, answers: Sequence[Answer | int]
) -> None:
    for nth in range(1, CALLS):
        plan = Nth(nth, fault)
        world = World(plan=plan)
        for name in ("one", "two", "three"):
            world.owners.register(name, max_retries=3)
        world.receivers.script(url_of("two"), answers)
        world.publish(event("e1"))
        world.work("ingest")
        plan.armed = True
        world.run()
        assert_nothing_lost(world)
        unknown = sum(a.outcome == "unknown" for record in world.deliveries() for a in record.attempts)
        assert unknown <= 3, (nth, fault)
        if not plan.struck:
            return


def assert_nothing_lost(world: World) -> None:
    letters = {letter.delivery_id: letter for letter in world.dead_letters()}
    assert len(world.deliveries()) == 3
    for record in world.deliveries():
        seen = [each for each in world.receivers.log if each.delivery_id == record.delivery_id]
        if record.status == "delivered":
            assert any(each.succeeded for each in seen)
        else:
            assert record.status in ("failed", "abandoned")
            assert letters[record.delivery_id].failure_reason == record.reason
            assert letters[record.delivery_id].body == seen[0].body
        assert record.attempt_count <= len(seen) <= len(record.attempts)


def test_a_cut_off_attempt_is_noted_as_unknown_and_uses_up_no_attempt() -> None:
    plan = Nth(3, "crash_before")  # the batch's read, the data key's, and then the outcome's write
    world = World(plan=plan)
    world.owners.register("one", max_retries=0)
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(event("e1"))
    world.work("ingest")
    plan.armed = True
    with pytest.raises(Crash):
        world.poll("sender")
    world.functions.restart("sender")
    world.run()
    record = world.delivery()
    assert [attempt.outcome for attempt in record.attempts] == ["unknown", "success"]
    assert record.attempt_count == 1


def test_a_copy_in_the_batch_does_not_hide_what_another_copy_s_cut_off_sender_may_have_sent() -> None:
    world = World(plan=lambda call: "crash_before" if call == "dynamodb.batch_execute_statement" and down else None)
    world.owners.register("one")
    world.publish(event("e1"))
    down = False
    world.work("ingest")
    down = True
    (message,) = world.messages(world.delivery_queue)
    for is_copied in (True, False):  # the message, and then its copy: each is sent, and its sender cut off
        with pytest.raises(Crash):
            world.poll("sender")
        world.functions.restart("sender")
        if is_copied:
            world.send_raw(world.delivery_queue, message.body, message.attributes["meta"]["StringValue"])
    down = False
    world.clock.sleep(HOUR_MS / 1000)
    assert world.poll("sender") == 2
    world.run()
    assert world.delivery().status == "delivered"
    assert len(world.receivers.log) == 3
    assert len(world.delivery().attempts) == 3


class Outage:
    """While it is on, every read of DynamoDB ends so."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.is_on = False

    def __call__(self, call: str) -> str | None:
        return self.fault if self.is_on and call == "dynamodb.batch_get_item" else None


def test_an_outage_leaves_no_trace_at_deliveries_that_were_never_sent() -> None:
    outage = Outage("throttled")
    world = World(plan=outage)
    world.owners.register("one", max_retries=1)
    world.publish(*(event(f"e{number}") for number in range(5)))
    world.work("ingest")
    outage.is_on = True
    world.run(for_ms=11 * HOUR_MS)
    assert len(world.messages(world.delivery_queue)) == 5
    outage.is_on = False
    world.run(for_ms=400_000)
    assert {record.status for record in world.deliveries()} == {"delivered"}
    assert [attempt.outcome for record in world.deliveries() for attempt in record.attempts] == ["success"] * 5
    assert not world.dead_letters()


def test_after_a_minute_s_outage_deliveries_flow_again_within_a_minute() -> None:
    outage = Outage("throttled")
    world = World(plan=outage)
    world.owners.register("one")
    world.publish(*(event(f"e{number}") for number in range(20)))
    world.work("ingest")
    outage.is_on = True
    world.run(for_ms=60_000)
    outage.is_on = False
    world.run(for_ms=60_000)
    assert len(world.receivers.log) == 20


def test_what_was_received_before_an_outage_may_have_been_sent() -> None:
    outage = Outage("throttled")
    world = World(plan=outage)
    world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    world.sources["sender"].take()  # by a sender that was cut off, nobody knows where
    world.clock.sleep(371)
    outage.is_on = True
    world.run(for_ms=10 * 60_000)
    outage.is_on = False
    world.run()
    assert {attempt.outcome for attempt in world.delivery().attempts} == {"unknown", "success"}


def test_what_cannot_be_recorded_in_time_is_not_begun() -> None:
    world = World()
    world.owners.register("slow", timeout_seconds=30)
    world.owners.register("quick", timeout_seconds=5)
    world.publish(event("e1"))
    world.work("ingest")
    world.functions.services.contexts["sender"].remaining_ms = 40_000
    assert world.poll("sender") == 2
    assert [seen.url for seen in world.receivers.log] == [url_of("quick")]
    world.functions.services.contexts["sender"].remaining_ms = 60_000
    world.run()
    assert [attempt.outcome for record in world.deliveries() for attempt in record.attempts] == ["success"] * 2


def test_attempts_are_counted_by_us_and_not_by_sqs() -> None:
    outage = Outage("crash_before")
    world = World(plan=outage)
    world.owners.register("one", max_retries=1)
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(event("e1"))
    world.work("ingest")
    outage.is_on = True
    world.run(for_ms=HOUR_MS)  # received again and again
    (message,) = world.messages(world.delivery_queue)
    assert message.receive_count > 3
    outage.is_on = False
    world.run()
    assert world.delivery().status == "delivered"
    assert world.delivery().attempt_count == 2


def test_what_is_received_too_often_ends_as_a_dead_letter_by_sqs_itself() -> None:
    outage = Outage("crash_before")
    world = World(plan=outage)
    webhook = world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    outage.is_on = True
    world.run(for_ms=11 * HOUR_MS)
    assert not world.messages(world.delivery_queue)
    outage.is_on = False
    world.run()
    (letter,) = world.dead_letters()
    assert letter.failure_reason == "received_too_often"
    assert letter.webhook_id == webhook.webhook_id
    assert not world.receivers.log


def test_what_is_received_too_often_may_have_been_sent_and_its_record_says_so() -> None:
    plan = Nth(3, "crash_before")  # the batch's read, the data key's, and then the outcome's write
    world = World(plan=plan)
    world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    plan.armed = True
    with pytest.raises(Crash):
        world.poll("sender")
    assert len(world.receivers.log) == 1
    world.sqs.redrive(world.delivery_queue, world.messages(world.delivery_queue))
    world.functions.restart("sender")
    world.run()
    assert [attempt.outcome for attempt in world.delivery().attempts] == ["unknown"]
    assert world.dead_letters()[0].attempt_count == 0


def test_an_event_of_our_own_is_not_sent_to_the_webhook_that_it_speaks_of_and_failing_it_emits_none() -> None:
    world = World(keeps_stream=True)
    types = ("*", "delivery.dead_lettered", "webhook.disabled", "webhook.circuit_opened")
    failing = world.owners.register("failing", event_types=types, max_retries=0)
    world.owners.register("watcher", event_types=types[1:], max_retries=0)
    for name in ("failing", "watcher"):
        world.receivers.script(url_of(name), [500])
    world.publish(event("e1"))
    world.run()
    about_itself = [seen for seen in world.receivers.seen(url_of("failing")) if seen.event_type != "record.created"]
    assert not about_itself
    watched = {seen.event_type for seen in world.receivers.seen(url_of("watcher"))}
    assert watched == {"delivery.dead_lettered"}
    world.roll_up()
    assert {data["webhook_id"] for _, data in world.announced()} == {failing.webhook_id}
    assert len(world.dead_letters()) == 2


def test_a_fault_of_ours_with_one_webhook_costs_the_others_nothing() -> None:
    world = World()
    damaged = world.owners.register("damaged")
    world.owners.register("fine")
    key = (damaged.webhook_id, "webhook")
    item = world.item(key) or {}
    world.dynamodb.tables["webhooks"].write(key, {**item, "sealed": {"B": b"\x01nonsense"}})
    world.publish(event("e1"))
    world.work()
    assert len(world.receivers.seen(url_of("fine"))) == 1
    world.run(for_ms=12 * HOUR_MS)
    assert [letter.webhook_id for letter in world.dead_letters()] == [damaged.webhook_id]


def test_a_bug_of_ours_that_one_receiver_brings_out_costs_the_others_nothing() -> None:
    def bug(_now_ms: int, count: int) -> Answer:
        return Answer(200) if count else Answer(status=[][0])

    world = World()
    for name in ("one", "two", "three"):
        world.owners.register(name)
    world.receivers.behave(url_of("two"), bug)
    world.publish(event("e1"))
    world.work("ingest")
    world.poll("sender")
    assert [record.status for record in world.deliveries()] == ["delivered"] * 2
    assert len(world.messages(world.delivery_queue)) == 1
    world.run()
    assert [record.status for record in world.deliveries()] == ["delivered"] * 3


def test_five_days_of_nothing_but_failures_disable_a_webhook_and_one_change_resumes_it() -> None:
    world = World()
    webhook = world.owners.register("one")
    world.receivers.script(url_of("one"), [500])
    for day in range(6):
        world.publish(*events(3, day * 10))
        world.run(for_ms=DAY_MS)
    assert world.owners.webhook(webhook).status == "failed"
    assert world.owners.webhook(webhook).status_reason == "failing_for_five_days"
    world.owners.change(webhook, status="active")
    world.receivers.script(url_of("one"), [500, 200])
    world.publish(event("again"))
    world.run()
    assert world.owners.webhook(webhook).status == "active"
    assert "again" in {seen.event_id for seen in world.receivers.log if seen.succeeded}

"""A delivered delivery that is sent once more on request."""

from dataclasses import replace

from webhooks.delivery.classification import Classification
from webhooks.delivery.lifecycle import AttemptPolicy, attempted, begin, parked, released, restarted, standing
from webhooks.messages import DeliveryMessage, message_of
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting

POLICY = AttemptPolicy(3, 1_000_000)
DELIVERED, FAILED = Classification("delivered"), Classification("retry", "http_500")


def message() -> DeliveryMessage:
    return DeliveryMessage("dlv_1", "wh_1", "e1", "record.created", "user:1", "g", "{}", cycle_started_at_ms=1)


def after(record: DeliveryRecord, classification: Classification, now_ms: int) -> DeliveryRecord:
    outcome = "success" if classification.kind == "delivered" else "failure"
    attempt = Attempt(record.attempt_count + 1, now_ms, 1, outcome)
    done = attempted(record, attempt, classification, POLICY, now_ms=now_ms, delay_ms=5, body=b"{}")
    return replace(done, revision=record.revision + 1)


def delivered() -> DeliveryRecord:
    return after(begin(message()), DELIVERED, 10)


def test_its_message_acts_before_and_after_the_record_is_marked() -> None:
    record = delivered()
    assert standing(record, message()) == "done"
    again = restarted(record, 20)
    assert standing(record, message_of(again, "g", "{}")) == "live"
    assert standing(again, message_of(again, "g", "{}")) == "live"
    assert standing(again, message()) == "older"


def test_it_acts_once_whatever_comes_of_it() -> None:
    again = restarted(delivered(), 20)
    for classification in (DELIVERED, FAILED):
        done = after(again, classification, 30)
        assert done.status == "delivered"
        assert standing(done, message_of(again, "g", "{}")) == "done"


def test_one_that_waits_for_its_webhook_is_sent_when_it_is_released() -> None:
    waiting = parked(restarted(delivered(), 20), Waiting("room", 99, "paused"), b"{}")
    assert waiting.status == "delivered"
    for record in (waiting, released(waiting, 0)):
        assert standing(record, message_of(waiting, "g", "{}")) == "live"
    done = after(released(waiting, 0), DELIVERED, 120)
    assert standing(done, message_of(waiting, "g", "{}")) == "done"

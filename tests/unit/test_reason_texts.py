"""Reason codes as sentences."""

import pytest

from webhooks.delivery.classification import classify
from webhooks.models.exchange import Exchange
from webhooks.reason_texts import delivery_sentence, not_queued_sentence, waiting_sentence

ERROR_CODES = (
    "refused_address",
    "unreachable",
    "connect_reset",
    "connect_timeout",
    "tls",
    "timeout",
    "protocol",
    "response_too_large",
)


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_way_an_exchange_fails_has_a_sentence(code: str) -> None:
    reason = classify(Exchange(0, 0, error_code=code)).reason
    assert (delivery_sentence(reason) or "").endswith(".")
    assert delivery_sentence(reason) != delivery_sentence(f"attempts_used_up:{reason}")
    assert (delivery_sentence(f"attempts_used_up:{reason}") or "").endswith(str(delivery_sentence(reason)))


@pytest.mark.parametrize(("status", "said"), [(500, "500."), (302, "redirects"), (410, "410 Gone"), (404, "404.")])
def test_every_status_has_a_sentence(status: int, said: str) -> None:
    assert said in (delivery_sentence(classify(Exchange(0, 0, status)).reason) or "")


@pytest.mark.parametrize(
    "reason", ["expired", "webhook_deleted", "webhook_inactive", "webhook_disabled", "received_too_often"]
)
def test_giving_up_without_a_verdict_has_a_sentence(reason: str) -> None:
    assert (delivery_sentence(reason) or "").endswith(".")


def test_no_reason_has_no_sentence_and_a_new_one_stands_for_itself() -> None:
    assert delivery_sentence(None) is None
    assert delivery_sentence("something_new") == "something_new"
    assert delivery_sentence("http_") == "http_"
    assert not_queued_sentence("something_new") == "something_new"


@pytest.mark.parametrize(
    "reason", ["paused", "circuit_open", "slowed_down", "rate_limited", "busy_host", "timeout", "http_503", "x"]
)
def test_every_wait_has_a_sentence(reason: str) -> None:
    assert waiting_sentence(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "inactive",
        "failed",
        "filtered",
        "resource_mismatch",
        "not_subscribed",
        "invalid_filter",
        "unknown_event_type",
        "speaks_of_itself",
        "created_later",
        "changed_since",
        "not_decided_yet",
        "other_scope",
    ],
)
def test_every_reason_not_to_queue_has_a_sentence(reason: str) -> None:
    assert not_queued_sentence(reason).endswith(".")

import pytest

from webhooks.delivery.classification import classify
from webhooks.models.exchange import Exchange


def answered(status: int) -> Exchange:
    return Exchange(0, 1, status_code=status)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_success(status: int) -> None:
    assert classify(answered(status)).kind == "delivered"


@pytest.mark.parametrize(
    "status", [100, 199, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 422, 500, 503, 599]
)
def test_everything_else_is_tried_again_under_a_stable_reason(status: int) -> None:
    classification = classify(answered(status))
    assert (classification.kind, classification.reason, classification.overloaded) == ("retry", f"http_{status}", False)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_some_answers_ask_for_less(status: int) -> None:
    assert classify(answered(status)).overloaded


def test_410_ends_it_for_the_webhook_too() -> None:
    classification = classify(answered(410))
    assert (classification.kind, classification.reason, classification.gone) == ("give_up", "gone", True)


def test_a_refused_address_ends_it_and_says_nothing_about_the_receiver() -> None:
    classification = classify(Exchange(0, 1, error_code="refused_address"))
    assert (classification.kind, classification.reason, classification.reached_out) == (
        "give_up",
        "refused_address",
        False,
    )


def test_a_timeout_is_tried_again_and_counts_as_overload() -> None:
    assert classify(Exchange(0, 1, error_code="timeout")).overloaded
    assert not classify(Exchange(0, 1, error_code="connect_reset")).overloaded

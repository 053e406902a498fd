import pytest

from webhooks.delivery.classification import judge
from webhooks.models.exchange import Exchange


def answered(status: int) -> Exchange:
    return Exchange(0, 1, status_code=status)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_success(status: int) -> None:
    assert judge(answered(status)).kind == "delivered"


@pytest.mark.parametrize(
    "status", [100, 199, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 422, 500, 503, 599]
)
def test_everything_else_is_tried_again_under_a_stable_reason(status: int) -> None:
    verdict = judge(answered(status))
    assert (verdict.kind, verdict.reason, verdict.overloaded) == ("retry", f"http_{status}", False)


@pytest.mark.parametrize("status", [429, 502, 504])
def test_some_answers_ask_for_less(status: int) -> None:
    assert judge(answered(status)).overloaded


def test_410_ends_it_for_the_webhook_too() -> None:
    verdict = judge(answered(410))
    assert (verdict.kind, verdict.reason, verdict.gone) == ("give_up", "gone", True)


def test_a_refused_address_ends_it_and_says_nothing_about_the_receiver() -> None:
    verdict = judge(Exchange(0, 1, error_code="refused_address"))
    assert (verdict.kind, verdict.reason, verdict.reached_out) == ("give_up", "refused_address", False)


def test_a_timeout_is_tried_again_and_counts_as_overload() -> None:
    assert judge(Exchange(0, 1, error_code="timeout")).overloaded
    assert not judge(Exchange(0, 1, error_code="connect_reset")).overloaded

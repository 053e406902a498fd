"""static_egress on a stack with both senders: which of them made the requests, by the functions' own logs."""

from localstack.stack import LocalStack
from tests.support.receiver import answer
from tests.support.service import Service, User, assert_problem, event, eventually
from tests.support.stack import ADDRESSES


def senders_of(stack: LocalStack, webhook_id: str) -> set[str]:
    """Functions whose logs have an attempt at this webhook, or a test of it."""
    of_it = (each for each in stack.invocations() if any(webhook_id in line for line in each.lines))
    return {name for each in of_it if (name := each.function.rpartition("-")[2]) in ("sender", "staticsender")}


def test_deliveries_retries_and_tests_leave_from_the_sender_of_their_webhook(service: Service, user: User) -> None:
    webhooks = {
        name: user.register(service.receiver.url(service.path(answer(503), answer(200))), static_egress=is_static)
        for name, is_static in (("staticsender", True), ("sender", False))
    }
    published = event(user_id=user.user_id)
    assert user.post("/events", published).status_code == 202
    for name, webhook in webhooks.items():
        user.settled(webhook["id"], published["id"])
        assert user.post(f"/webhooks/{webhook['id']}/test", {}).status_code == 200
        assert eventually(lambda: senders_of(service.stack, webhook["id"])) == {name}  # noqa: B023


def test_what_the_other_sender_has_goes_to_the_right_one(service: Service, user: User) -> None:
    """The message stands on the ordinary queue, as that of a webhook that has changed since does."""
    webhook = user.register(service.receiver.url(service.path(answer(503), answer(200))), max_retries=3)
    published = event(user_id=user.user_id)
    assert user.post("/events", published).status_code == 202
    user.settled(webhook["id"], published["id"], "retrying")
    user.change(webhook["id"], static_egress=True)

    def delivered() -> bool:
        service.run_release()
        return user.outcome(published["id"], webhook["id"])["status"] == "delivered"

    eventually(delivered, every=1)


def test_the_addresses_are_told_and_its_queue_is_looked_at(service: Service, user: User) -> None:
    assert user.read("/egress-addresses")["addresses"] == ADDRESSES.split(",")
    assert service.http.get("/ready").json()["checks"]["static_delivery_queue"] == "ok"


def test_a_wish_that_is_no_boolean_is_refused_at_its_field(user: User) -> None:
    asked = {"name": "n", "url": "https://a.example", "static_egress": "yes"}
    assert_problem(user.post("/webhooks", asked), 422, "validation", "static_egress")

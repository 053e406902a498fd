"""A test delivery's record: it is listed with what was said, and counts for nothing."""

import json
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import owner_of, url_of
from tests.fakes.receivers import Answer
from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World, event
from webhooks.errors import Conflict
from webhooks.management.deliveries import Selection
from webhooks.management.paging import TimeRange
from webhooks.models.webhook import Webhook
from webhooks.store.deliveries import TESTS_MS

PAYLOAD = {**event("e1"), "type": "webhook.test"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def webhook(world: World) -> Webhook:
    return world.owners.register("one")


def send(world: World, webhook: Webhook) -> dict[str, Any]:
    return world.functions.invoke("sender", {"test": {"webhook_id": webhook.webhook_id, "event": PAYLOAD}})


@pytest.mark.parametrize(("answer", "status"), [(Answer(200, body=b"thanks"), "delivered"), (503, "failed")])
def test_it_is_listed_and_shown_like_any_delivery(world: World, webhook: Webhook, answer: Any, status: str) -> None:
    world.receivers.script(url_of("one"), [answer])
    delivery_id = send(world, webhook)["delivery_id"]
    history, who = Api(world.services).deliveries, owner_of(webhook)
    for selection in (Selection(), Selection(status=status)):
        (listed,) = history.page(who, webhook.webhook_id, selection, TimeRange(), 10).items
        assert (listed.delivery_id, listed.is_test, listed.status) == (delivery_id, True, status)
    shown = history.get(who, webhook.webhook_id, delivery_id)
    assert shown.payload == json.loads(json.dumps(PAYLOAD))
    assert [each.attempt.status_code for each in shown.attempts] == [200 if status == "delivered" else 503]
    assert shown.attempts[0].detail["b"] == ("thanks" if status == "delivered" else "ok")


def test_it_is_never_sent_again_and_gone_after_three_days(world: World, webhook: Webhook) -> None:
    world.receivers.script(url_of("one"), [500])
    delivery_id = send(world, webhook)["delivery_id"]
    api, who = Api(world.services), owner_of(webhook)
    with pytest.raises(Conflict, match="send another test"):
        api.deliveries.retry(who, webhook.webhook_id, delivery_id)
    world.run()
    assert len(world.receivers.log) == 1
    world.clock.sleep(TESTS_MS / 1000)
    assert api.deliveries.page(who, webhook.webhook_id, Selection(), TimeRange(), 10).items == []


def test_it_counts_for_nothing(world: World, webhook: Webhook) -> None:
    table = world.dynamodb.tables[TABLE]
    before = {key for key, _ in table.all_items()}
    table._keeps_stream = True
    world.receivers.script(url_of("one"), [500] * 30)
    for _ in range(30):  # enough for a circuit to open, if they were deliveries
        world.clock.sleep(1)
        send(world, webhook)
    records = json.loads(json.dumps(lambda_records(table)))
    assert world.functions.invoke("rollup", {"Records": records})["batchItemFailures"] == []
    assert {sk.partition("#")[0] for _, sk in {key for key, _ in table.all_items()} - before} == {"dlv"}


def test_a_result_is_told_even_where_it_cannot_be_recorded() -> None:
    world = World(plan=lambda call: "unavailable" if call == "dynamodb.batch_execute_statement" else None)
    webhook = world.owners.register("one")
    result = send(world, webhook)
    assert (result["succeeded"], result["delivery_id"]) == (True, None)

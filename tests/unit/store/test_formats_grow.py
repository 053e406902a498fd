"""Items of a newer version: what it has added is read past, and survives being written again."""

import json
from dataclasses import replace

from tests.fakes.owners import url_of
from tests.fakes.world import TABLE, World, event
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.store.delivery_items import delivery_item, delivery_of
from webhooks.store.dynamo import Item
from webhooks.store.states import state_key, state_of

RECORD = DeliveryRecord(
    "dlv_" + "1" * 26,
    "wh_" + "1" * 26,
    "e1",
    "record.created",
    "ws:1",
    generation=2,
    revision=3,
    attempts=(Attempt(1, 5, 7, "failure", 500), Attempt(2, 9, 11, "success", 200)),
    seen=(("m1", 2),),
    waiting=Waiting("room", 5, "paused"),
)


def stored(record: DeliveryRecord) -> Item:
    return {"pk": {"S": record.webhook_id}, "sk": {"S": f"dlv#{record.delivery_id}"}, **delivery_item(record, 0)}


def test_a_record_without_additions_is_what_it_was() -> None:
    assert delivery_of(stored(RECORD)) == replace(RECORD, attempts_before_cycle=0)


def test_a_delivery_s_added_columns_are_read_past_and_attempts_keep_theirs() -> None:
    item = stored(RECORD)
    attempts = [[*row, "h2", {"remark": 1}] for row in json.loads(item["attempts"]["S"])]
    newer = {
        **item,
        "attempts": {"S": json.dumps(attempts)},
        "cycle": {"S": item["cycle"]["S"] + "|17"},
        "seen": {"S": "m1:2:x"},
        "an attribute of tomorrow": {"BOOL": True},
    }
    read = delivery_of(newer)
    assert replace(read, attempts=RECORD.attempts) == RECORD
    assert json.loads(delivery_item(read, 0)["attempts"]["S"]) == attempts


def test_a_circuit_s_added_columns_survive_what_this_version_writes() -> None:
    world = World()
    webhook = world.owners.register("one", max_retries=9)
    world.receivers.script(url_of("one"), [500])
    world.publish(*(event(f"e{number}") for number in range(3)))
    world.work("ingest", "sender")
    item = dict(world.item(state_key(webhook.webhook_id)) or {})
    columns = json.loads(item["circuit"]["S"])
    item["circuit"] = {"S": json.dumps([*columns, "of tomorrow", 5])}
    item["tomorrow"] = {"S": "as well"}
    world.dynamodb.put_item(TableName=TABLE, Item=item)
    world.publish(event("e9"))
    world.work("ingest", "sender")
    after = world.item(state_key(webhook.webhook_id)) or {}
    assert json.loads(after["circuit"]["S"])[len(columns) :] == ["of tomorrow", 5]
    assert after["tomorrow"] == {"S": "as well"}
    assert int(after["revision"]["N"]) > int(item["revision"]["N"])
    assert state_of(after).circuit.more == ("of tomorrow", 5)

"""The table's stream as rollup reads it: what says nothing, and what nobody can read."""

from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World, event
from webhooks.store.stream import stream_records


def test_a_record_that_cannot_be_read_costs_its_neighbours_nothing() -> None:
    world = World(keeps_stream=True)
    world.owners.register("one")
    world.publish(event("e1"), event("e2"))
    world.run()
    records = lambda_records(world.dynamodb.tables[TABLE])
    whole, unreadable = stream_records(records)
    assert unreadable == 0
    damaged = next(each for each in records if each["dynamodb"]["Keys"]["sk"]["S"].startswith("dlv#"))
    sequence = damaged["dynamodb"]["SequenceNumber"]
    del damaged["dynamodb"]["NewImage"]["status"]
    assert stream_records(records) == ([each for each in whole if each.sequence != sequence], 1)


def test_what_is_removed_adds_to_no_count() -> None:
    removed = {"Keys": {"pk": {"S": "wh_1"}, "sk": {"S": "dlv#1"}}, "OldImage": {"status": {"S": "delivered"}}}
    assert stream_records([{"eventName": "REMOVE", "dynamodb": removed}]) == ([], 0)


def test_a_renamed_webhook_changes_no_status() -> None:
    world = World(keeps_stream=True)
    webhook = world.owners.register("one")
    before, _ = stream_records(lambda_records(world.dynamodb.tables[TABLE]))
    world.owners.change(webhook, name="renamed")
    records = lambda_records(world.dynamodb.tables[TABLE])
    assert records[-1]["dynamodb"]["NewImage"]["name"] == {"S": "renamed"}
    assert stream_records(records) == (before, 0)

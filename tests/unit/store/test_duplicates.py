"""Suppressed duplicates are counted, at a write only where there are some, and never at a batch's expense."""

import logging
from logging.handlers import BufferingHandler
from typing import Literal

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.faults import FaultyClient
from webhooks.store.duplicates import Duplicates
from webhooks.store.dynamo import DynamoTable
from webhooks.store.statistics import StatisticsReader


def test_they_are_added_up_over_processes_and_kinds() -> None:
    clock = Clock()
    client = FaultyClient(FakeDynamoDB(clock, "t"), "dynamodb", lambda _call: None)
    table = DynamoTable(client, "t", sleep=clock.sleep)
    counted: list[tuple[int, Literal["event", "delivery"], int]] = [
        (0, "event", 2),
        (0, "event", 1),
        (3, "event", 4),
        (3, "delivery", 5),
    ]
    for shard, kind, count in counted:
        Duplicates(table, shard).note(kind, count)
    assert client.made == {"dynamodb.transact_write_items": 4}
    Duplicates(table, 1).note("event", 0)
    assert client.made == {"dynamodb.transact_write_items": 4}
    assert StatisticsReader(table).service() == {"duplicates#event": 7, "duplicates#delivery": 5}


def test_a_count_that_cannot_be_kept_is_no_error() -> None:
    clock = Clock()
    client = FaultyClient(FakeDynamoDB(clock, "t"), "dynamodb", lambda _call: "throttled")
    heard = BufferingHandler(10)  # not caplog, which hears nothing once Powertools has been imported
    logger = logging.getLogger("webhooks.store.duplicates")
    logger.addHandler(heard)
    Duplicates(DynamoTable(client, "t", sleep=clock.sleep), 0).note("delivery", 2)
    logger.removeHandler(heard)
    (record,) = heard.buffer
    assert record.getMessage().startswith("2 suppressed duplicates are in no counter")

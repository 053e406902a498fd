"""The list of a scope's events, over the fake table: who is in it, in which order, and what it costs nobody else."""

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.world import TABLE, World
from tests.unit.store.test_events import NOW, record
from webhooks.management.event_search import position_of
from webhooks.management.paging import TimeRange
from webhooks.models.event import EventRecord
from webhooks.models.keeping import Keeping
from webhooks.store.dynamo import DynamoTable
from webhooks.store.event_lists import EventListStore
from webhooks.store.events import EventStore

SCOPES = ["user:7", "ws:1"]


@pytest.fixture
def table() -> DynamoTable:
    return DynamoTable(World().dynamodb, TABLE)


def insert(table: DynamoTable, *records: EventRecord, listed: bool = True) -> None:
    results = EventStore(table, 60_000, listed=listed).insert(records)
    assert set(results) == {"inserted"}


def newest(table: DynamoTable, now_ms: int = NOW, **time_range: Any) -> list[EventRecord]:
    return list(EventListStore(table, lambda: now_ms).newest(SCOPES, TimeRange(**time_range)))


def test_all_events_of_the_scopes_come_newest_first_and_any_page_goes_on_where_it_ended(table: DynamoTable) -> None:
    draw = random.Random(7)
    made = [record(f"e{n}", accepted_at_ms=NOW + draw.randrange(60)) for n in range(300)]
    made += [
        replace(each, scope="ws:1", workspace_id=1) for each in made[::3]
    ]  # namesakes, accepted in the same millisecond
    insert(table, *made, record("other", scope="ws:2", workspace_id=2))
    order = [(each.event_id, each.scope) for each in newest(table)]
    assert order == [
        (each.event_id, each.scope)
        for each in sorted(made, key=lambda e: (e.accepted_at_ms, e.event_id, e.scope), reverse=True)
    ]
    everything = newest(table)
    for at in (0, 57, 399):
        left = [(each.event_id, each.scope) for each in newest(table, behind=position_of(everything[at]))]
        assert left == order[at + 1 :]
    within = newest(table, from_ms=NOW + 10, to_ms=NOW + 12)
    assert {each.accepted_at_ms for each in within} == {NOW + 10, NOW + 11, NOW + 12}


def test_what_is_listed_has_no_body_and_only_first_pages(table: DynamoTable) -> None:
    insert(table, record("e1", resource_id="rec_1", skipped_counts={"filtered": 1}), record("e1", page=1, body=b""))
    assert newest(table) == [record("e1", resource_id="rec_1", body=b"", skipped_counts={"filtered": 1})]
    assert newest(table, now_ms=NOW + 60_000) == []


def test_a_resource_goes_with_the_payload(table: DynamoTable) -> None:
    at_once = record("e1", resource_id=1, keeping=Keeping(days=0), kept=b"")
    insert(table, at_once, record("e2", resource_id=2))
    assert [each.resource_id for each in newest(table)] == [2, None]
    EventStore(table, 60_000).erase_payload("e2", "user:7")
    assert [(each.event_id, each.resource_id) for each in newest(table)] == [("e2", None), ("e1", None)]


def test_who_does_not_list_events_stores_nothing_more_of_them(table: DynamoTable) -> None:
    world = World()
    insert(DynamoTable(world.dynamodb, TABLE), record("e1", resource_id="rec_1"), listed=False)
    (item,) = world.dynamodb.tables[TABLE].items.values()
    assert not {"waiting_key", "waiting_at", "resource_id"} & item.keys()

"""Accepted events as the API finds them again, and what is no longer there."""

from dataclasses import replace
from typing import Any

from tests.fakes.world import TABLE, World
from webhooks.ids import HISTORY_SHARDS, derived_id
from webhooks.models.event import EventRecord
from webhooks.recovery.replay_source import MissedEvent
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.missed import MissedStore

NOW = 1_760_000_000_000
WEBHOOK = derived_id("wh", NOW, "mine")


def record(event_id: str, **changes: Any) -> EventRecord:
    made = EventRecord(event_id, "user:7", 0, "t", "record.created", 7, None, NOW, b"{}")
    return replace(made, **changes)


def test_an_event_is_found_by_its_id_in_every_scope_until_it_expires() -> None:
    world = World()
    events = EventStore(DynamoTable(world.dynamodb, TABLE), 1_000)
    of_workspace = record("e1", scope="ws:1", user_id=None, workspace_id=1)
    events.insert([record("e1"), of_workspace, record("e2")])
    assert events.named("e1", NOW) == [record("e1"), of_workspace]
    assert events.named("e1", NOW + 1_000) == []


def listed(missed: MissedStore, after: str | None = None, to_ms: int = NOW) -> list[MissedEvent]:
    shards = range(HISTORY_SHARDS)
    pages = (missed.page("user:7", n, after, 10, from_ms=NOW, to_ms=to_ms, elsewhere=False) for n in shards)
    return [each for page in pages for each in page]


def test_what_a_webhook_missed_is_no_longer_offered_when_its_event_has_expired() -> None:
    world = World()
    table = DynamoTable(world.dynamodb, TABLE)
    now = NOW
    missed = MissedStore(table, lambda: now)
    EventStore(table, 5_000).insert([record("e1", missed=((WEBHOOK, "paused"),))])
    (offered,) = listed(missed)
    assert (offered.record is not None, offered.body) == (True, b"{}")
    assert listed(missed, offered.position) == []
    assert listed(missed, offered.position, NOW - 1) == []  # nothing lies behind the end of the range
    now = NOW + 5_000
    assert [each.record for each in listed(missed)] == [None]

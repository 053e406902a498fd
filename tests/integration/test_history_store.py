"""The history store against moto: lists over all partitions, newest first, and where they go on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tests.support.table_definition import create_table
from webhooks.ids import HISTORY_SHARDS, delivery_id, derived_id, history_shard, time_of
from webhooks.management.paging import TimeRange
from webhooks.models.delivery import Attempt, DeadLetter, DeliveryRecord, Waiting
from webhooks.store import schema
from webhooks.store.attributes import binary, number, text
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_items import delivery_item, delivery_key
from webhooks.store.dynamo import DynamoTable, Item
from webhooks.store.history import FIRST_READ, LAST_MS, HistoryStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_760_000_000_000
DAY_MS = 86_400_000
WEBHOOK, OTHER = (derived_id("wh", NOW, name) for name in ("mine", "other"))


class CountingClient:
    """boto3's client; counts calls and what they read."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        self.calls: Counter[str] = Counter()
        self.items = 0

    def query(self, **request: Any) -> Any:
        answer = self.client.query(**request)
        self.calls["query"] += 1
        self.items += answer["ScannedCount"]
        return answer

    def batch_get_item(self, **request: Any) -> Any:
        self.calls["batch_get_item"] += 1
        return self.client.batch_get_item(**request)

    def __getattr__(self, name: str) -> object:
        return getattr(self.client, name)


@pytest.fixture
def client() -> "Iterator[CountingClient]":
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client)
        yield CountingClient(client)


@pytest.fixture
def table(client: CountingClient) -> DynamoTable:
    return DynamoTable(client, "webhooks")


@pytest.fixture
def history(table: DynamoTable) -> HistoryStore:
    return HistoryStore(table, lambda: NOW)


def record(n: int, webhook_id: str = WEBHOOK, **changes: Any) -> DeliveryRecord:
    made = DeliveryRecord(
        delivery_id=delivery_id(NOW + n // 3, "user:7", f"e{n}", webhook_id),  # several in one millisecond
        webhook_id=webhook_id,
        event_id=f"e{n}",
        event_type="record.created",
        scope="user:7",
        status="delivered",
        revision=1,
        attempts=(Attempt(1, NOW, 12, "success", 200),),
        cycle_started_at_ms=NOW + n // 3,
    )
    return replace(made, **changes)


def put(table: DynamoTable, *records: DeliveryRecord, expires_at: int = NOW // 1000 + 1) -> None:
    for each in records:
        pk, sk = delivery_key(each.webhook_id, each.delivery_id)
        table.put({"pk": text(pk), "sk": text(sk), **delivery_item(each, expires_at)})


def letter(n: int, webhook_id: str = WEBHOOK, owner: str = "7", **changes: Any) -> DeadLetter:
    made = DeadLetter(
        delivery_id=delivery_id(NOW + n, "user:7", f"e{n}", webhook_id),
        webhook_id=webhook_id,
        owner=owner,
        event_id=f"e{n}",
        event_type="record.created",
        scope="user:7",
        generation=1,
        status="failed",
        failure_reason="gone",
        attempt_count=1,
        last_status_code=410,
        last_error_code=None,
        dead_at_ms=NOW,
        body=b'{"id":"e"}',
        cause="gone",
    )
    return replace(made, **changes)


def ids(found: Iterator[Any]) -> list[str]:
    return [each.delivery_id for each in found]


def newest(records: list[Any]) -> list[str]:
    return sorted((each.delivery_id for each in records), reverse=True)


def test_deliveries_of_all_partitions_make_one_list(table: DynamoTable, history: HistoryStore) -> None:
    mine = [record(n) for n in range(150)]
    put(table, *mine, *(record(n, OTHER) for n in range(5)))
    assert {history_shard(each.delivery_id) for each in mine} == set(range(HISTORY_SHARDS))
    found = list(history.deliveries(WEBHOOK, TimeRange()))
    assert [each.delivery_id for each in found] == newest(mine)
    assert found == sorted(mine, key=lambda each: each.delivery_id, reverse=True)


def test_a_list_goes_on_behind_any_of_its_ids(table: DynamoTable, history: HistoryStore) -> None:
    mine = [record(n) for n in range(120)]
    put(table, *mine)
    order = newest(mine)
    for position in range(120):
        assert ids(history.deliveries(WEBHOOK, TimeRange(behind=order[position]))) == order[position + 1 :]


def test_a_time_range_has_both_its_ends(table: DynamoTable, history: HistoryStore) -> None:
    mine = [record(n) for n in range(60)]
    put(table, *mine)
    found = ids(history.deliveries(WEBHOOK, TimeRange(NOW + 5, NOW + 7)))
    assert found == newest([each for each in mine if 5 <= time_of(each.delivery_id) - NOW <= 7])
    assert len(found) == 9
    assert ids(history.deliveries(WEBHOOK, TimeRange(NOW + 5, NOW + 7, behind=found[3]))) == found[4:]
    assert ids(history.deliveries(WEBHOOK, TimeRange(NOW + 9, NOW + 8))) == []
    everything = TimeRange(0, LAST_MS + 1)
    assert ids(history.deliveries(WEBHOOK, everything)) == newest(mine)
    assert ids(history.deliveries(WEBHOOK, TimeRange(LAST_MS * 2))) == []


def test_a_first_page_does_not_read_a_long_history(
    client: CountingClient, table: DynamoTable, history: HistoryStore
) -> None:
    mine = [record(n) for n in range(300)]
    put(table, *mine)
    found = history.deliveries(WEBHOOK, TimeRange())
    assert [next(found).delivery_id for _ in range(20)] == newest(mine)[:20]
    assert client.items <= HISTORY_SHARDS * FIRST_READ
    assert client.calls == {"query": HISTORY_SHARDS}


def test_a_list_carries_no_bodies_and_an_expired_delivery_is_gone(table: DynamoTable, history: HistoryStore) -> None:
    waiting = record(1, status="retrying", waiting=Waiting("due", NOW, "timeout"), body=b"{}", next_attempt_at_ms=NOW)
    put(table, waiting)
    put(table, record(2), expires_at=NOW // 1000)
    assert list(history.deliveries(WEBHOOK, TimeRange())) == [replace(waiting, body=None)]
    assert list(history.deliveries_of_status(WEBHOOK, "retrying", TimeRange())) == [waiting]
    both = [(WEBHOOK, record(n).delivery_id) for n in (1, 2)]
    assert history.records(both) == {waiting.delivery_id: waiting}


def test_the_failures_among_many_deliveries_are_found_without_reading_the_others(
    client: CountingClient, table: DynamoTable, history: HistoryStore
) -> None:
    put(table, *(record(n) for n in range(200)))
    failed = [record(n, status="failed", reason="gone") for n in range(200, 220)]
    put(table, *failed, record(700, status="abandoned"), record(701, OTHER, status="failed"))
    assert ids(history.deliveries_of_status(WEBHOOK, "failed", TimeRange())) == newest(failed)
    assert client.calls == {"query": HISTORY_SHARDS, "batch_get_item": 1}
    assert client.items == 20
    order = newest(failed)
    assert ids(history.deliveries_of_status(WEBHOOK, "failed", TimeRange(behind=order[4]))) == order[5:]


def test_an_index_that_lags_behind_shows_nothing_wrong(table: DynamoTable, history: HistoryStore) -> None:
    failed = record(1, status="failed")
    put(table, failed)
    pk, sk = delivery_key(WEBHOOK, failed.delivery_id)
    item: Item = {"pk": text(pk), "sk": text(sk), **delivery_item(failed, NOW)}
    table.put({**item, "status": text("delivered")})  # its key still stands in the index
    assert list(history.deliveries_of_status(WEBHOOK, "failed", TimeRange())) == []


def test_details_come_by_the_start_of_their_attempt(table: DynamoTable, history: HistoryStore) -> None:
    made = record(1)
    for started, packed in ((NOW, b"first"), (NOW + 60_000, b"second")):
        pk, sk = schema.history_pk(WEBHOOK, made.delivery_id), schema.attempt_sk(made.delivery_id, started)
        table.put({"pk": text(pk), "sk": text(sk), "detail": binary(packed), "expires_at": number(NOW)})
    assert history.details(WEBHOOK, made.delivery_id) == {NOW: b"first", NOW + 60_000: b"second"}
    assert history.details(WEBHOOK, record(2).delivery_id) == {}


def test_dead_letters_are_listed_by_webhook_by_owner_and_for_all(table: DynamoTable, history: HistoryStore) -> None:
    letters = DeadLetterStore(table, 30 * DAY_MS, lambda: NOW)
    mine = [letter(n) for n in range(40)]
    elsewhere = [letter(n, OTHER) for n in range(40, 45)]
    foreign = [letter(n, derived_id("wh", NOW, "foreign"), owner="8") for n in range(45, 50)]
    for each in [*mine, *elsewhere, *foreign]:
        letters.bury(each)
    letters.bury(letter(60, dead_at_ms=NOW - 31 * DAY_MS))
    assert ids(history.dead_letters(WEBHOOK, TimeRange())) == newest(mine)
    assert list(history.dead_letters_of("7", TimeRange())) == sorted(
        [*mine, *elsewhere], key=lambda each: each.delivery_id, reverse=True
    )
    everything = newest([*mine, *elsewhere, *foreign])
    assert ids(history.dead_letters_of(None, TimeRange())) == everything
    assert ids(history.dead_letters_of(None, TimeRange(behind=everything[6]))) == everything[7:]
    assert ids(history.dead_letters(WEBHOOK, TimeRange(NOW + 3, NOW + 4))) == newest(mine[3:5])
    assert ids(history.dead_letters_of("9", TimeRange())) == []


def test_the_last_details_of_many_deliveries_come_at_once(table: DynamoTable, history: HistoryStore) -> None:
    made = [record(n) for n in range(3)]
    for each in made[:2]:
        pk, sk = schema.history_pk(WEBHOOK, each.delivery_id), schema.attempt_sk(each.delivery_id, NOW)
        table.put({"pk": text(pk), "sk": text(sk), "detail": binary(each.event_id.encode()), "expires_at": number(NOW)})
    found = history.last_details([(WEBHOOK, each.delivery_id, NOW) for each in made])
    assert found == {made[0].delivery_id: b"e0", made[1].delivery_id: b"e1"}

"""One contract for DynamoDB's client, held by the fake, by moto and by the emulator: the fake may not be kinder."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.fakes.event_source import Crash
from tests.support.table_definition import create_table
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.ids import delivery_id
from webhooks.models.delivery import Attempt, DeliveryRecord, Waiting
from webhooks.models.event import EventRecord
from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.deliveries import DeliveryStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.states import StateStore
from webhooks.store.waiting import WaitingStore

NOW = 1_760_000_000_000
SUBJECTS = ("fake", "moto", "emulator")
_names = (f"contract-{number}" for number in itertools.count())


@dataclass(frozen=True)
class Subject:
    """What is held to the contract."""

    name: str
    client: Any
    table: str

    def refuses(self, code: str, call: Callable[..., Any], **request: Any) -> None:
        with pytest.raises(ClientError) as caught:
            call(TableName=self.table, **request)
        assert caught.value.response["Error"]["Code"] == code

    def put(self, sk: str, **attributes: Any) -> None:
        self.client.put_item(TableName=self.table, Item={"pk": text("p"), "sk": text(sk), **attributes})

    def get(self, sk: str) -> dict[str, Any] | None:
        asked = {"Keys": [{"pk": text("p"), "sk": text(sk)}], "ConsistentRead": True}
        found = self.client.batch_get_item(RequestItems={self.table: asked})["Responses"][self.table]
        return found[0] if found else None

    def execute(self, statement: str, *parameters: Any) -> str | None:
        """The code of the statement's error, None when it was carried out."""
        each = {"Statement": statement.replace("$", f'"{self.table}"'), "Parameters": list(parameters)}
        (answer,) = self.client.batch_execute_statement(Statements=[each])["Responses"]
        return answer.get("Error", {}).get("Code")


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    name = next(_names)
    if request.param == "fake":
        yield Subject("fake", FakeDynamoDB(Clock(NOW), name), name)
    elif request.param == "moto":
        with mock_aws():
            client = boto3.client("dynamodb")
            create_table(client, name)
            yield Subject("moto", client, name)
    else:
        client = request.getfixturevalue("stack").client("dynamodb")
        create_table(client, name)
        yield Subject("emulator", client, name)
        client.delete_table(TableName=name)


@pytest.fixture
def writes_statements(subject: Subject) -> Subject:
    if subject.name == "moto":
        pytest.skip("moto cannot carry out a PartiQL INSERT with parameters")
    return subject


@pytest.fixture
def table(writes_statements: Subject) -> DynamoTable:
    return DynamoTable(writes_statements.client, writes_statements.table, sleep=lambda _seconds: None)


def record(**changes: Any) -> DeliveryRecord:
    webhook_id = "wh_" + "0" * 26
    values = {
        "delivery_id": delivery_id(NOW, "ws:1", "e1", webhook_id),
        "webhook_id": webhook_id,
        "event_id": "e1",
        "event_type": "record.created",
        "scope": "ws:1",
        "cycle_started_at_ms": NOW,
    }
    return DeliveryRecord(**{**values, **changes})


# ---- conditions and updates


def test_a_put_replaces_the_whole_item(subject: Subject) -> None:
    subject.put("a", one=number(1))
    subject.put("a", two=number(2))
    assert subject.get("a") == {"pk": text("p"), "sk": text("a"), "two": number(2)}


def test_a_condition_that_does_not_hold_writes_nothing(subject: Subject) -> None:
    subject.put("a", n=number(1))
    item = {"pk": text("p"), "sk": text("a"), "n": number(2)}
    subject.refuses(
        "ConditionalCheckFailedException",
        subject.client.put_item,
        Item=item,
        ConditionExpression="attribute_not_exists(pk) OR n < :n",
        ExpressionAttributeValues={":n": number(1)},
    )
    assert (subject.get("a") or {})["n"] == number(1)


def test_an_update_makes_the_item_that_is_not_there(subject: Subject) -> None:
    subject.client.update_item(
        TableName=subject.table,
        Key={"pk": text("p"), "sk": text("a")},
        UpdateExpression="SET #s = :s ADD amount :one",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": text("x"), ":one": number(1)},
    )
    assert subject.get("a") == {"pk": text("p"), "sk": text("a"), "status": text("x"), "amount": number(1)}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(t)", True),
        ("attribute_not_exists(t)", False),
        ("attribute_not_exists(nothing)", True),
        ("t = :five", True),
        ("t <> :five", False),
        ("t > :four AND t < :six", True),
        ("t BETWEEN :four AND :five", True),
        ("nothing < :six", False),
        ("NOT t = :four", True),
        ("(t = :four OR t = :five) AND t <= :five", True),
        ("t = :text", False),
    ],
)
def test_conditions_mean_the_same_everywhere(subject: Subject, condition: str, *, holds: bool) -> None:
    subject.put("a", t=number(5))
    values = {":four": number(4), ":five": {"N": "5.0"}, ":six": number(6), ":text": text("5")}
    used = {name: value for name, value in values.items() if name in condition}
    request = {
        "Key": {"pk": text("p"), "sk": text("a")},
        "UpdateExpression": "SET touched = :touched",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {**used, ":touched": number(1)},
    }
    if holds:
        subject.client.update_item(TableName=subject.table, **request)
    else:
        subject.refuses("ConditionalCheckFailedException", subject.client.update_item, **request)
    assert ("touched" in (subject.get("a") or {})) is holds


@pytest.mark.parametrize(
    "expression",
    ["SET status = :v", "SET a = :v, a = :v", "SET pk = :v", "SET a = :undefined", "SET", "SET a = missing"],
)
def test_updates_that_dynamodb_refuses(subject: Subject, expression: str) -> None:
    if subject.name == "emulator" and expression.count("a = ") == 2:
        pytest.skip("the emulator takes overlapping paths, which AWS does not")
    subject.put("a")
    values = {} if "missing" in expression else {"ExpressionAttributeValues": {":v": text("x")}}
    subject.refuses(
        "ValidationException",
        subject.client.update_item,
        Key={"pk": text("p"), "sk": text("a")},
        UpdateExpression=expression,
        **values,
    )


def test_a_transaction_is_all_or_nothing_and_says_which_condition_failed(subject: Subject) -> None:
    subject.put("taken")
    puts = [
        {
            "Put": {
                "TableName": subject.table,
                "Item": {"pk": text("p"), "sk": text(sk)},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for sk in ("free", "taken")
    ]
    with pytest.raises(ClientError) as caught:
        subject.client.transact_write_items(TransactItems=puts)
    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert subject.get("free") is None


# ---- queries


def test_a_query_pages_through_a_partition_in_order(subject: Subject) -> None:
    for position in range(7):
        subject.put(f"s{position}")
    request = {
        "TableName": subject.table,
        "KeyConditionExpression": "pk = :p AND sk BETWEEN :a AND :z",
        "ExpressionAttributeValues": {":p": text("p"), ":a": text("s1"), ":z": text("s5")},
        "Limit": 2,
    }
    found: list[str] = []
    page = subject.client.query(**request)
    while True:
        found += [item["sk"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        page = subject.client.query(**request, ExclusiveStartKey=page["LastEvaluatedKey"])
    assert found == ["s1", "s2", "s3", "s4", "s5"]


def test_a_range_that_ends_before_it_begins_is_refused(subject: Subject) -> None:
    if subject.name == "moto":
        pytest.skip("moto finds nothing there")
    with pytest.raises(ClientError, match="upper bound"):
        subject.client.query(
            TableName=subject.table,
            KeyConditionExpression="pk = :p AND sk BETWEEN :a AND :z",
            ExpressionAttributeValues={":p": text("p"), ":a": text("s5"), ":z": text("s1")},
        )


def test_a_query_of_a_sparse_index_finds_keys_only_and_forgets_what_leaves_it(subject: Subject) -> None:
    subject.put("a", waiting_key=text("due|1"), waiting_at=text("2"), body=text("long"))
    subject.put("b", waiting_key=text("due|1"), waiting_at=text("1"))
    subject.put("c", waiting_key=text("due|1"))
    request = {
        "TableName": subject.table,
        "IndexName": "waiting",
        "KeyConditionExpression": "waiting_key = :k AND waiting_at < :u",
        "ExpressionAttributeValues": {":k": text("due|1"), ":u": text("3")},
    }
    items = subject.client.query(**request)["Items"]
    assert [item["sk"]["S"] for item in items] == ["b", "a"]
    assert "body" not in items[1]
    subject.put("a")
    assert [item["sk"]["S"] for item in subject.client.query(**request)["Items"]] == ["b"]


def test_an_index_has_no_consistent_reads(subject: Subject) -> None:
    subject.refuses(
        "ValidationException",
        subject.client.query,
        IndexName="waiting",
        KeyConditionExpression="waiting_key = :k",
        ExpressionAttributeValues={":k": text("x")},
        ConsistentRead=True,
    )


# ---- statements


def test_an_insert_of_a_taken_key_is_a_duplicate_and_changes_nothing(writes_statements: Subject) -> None:
    insert = "INSERT INTO $ VALUE {'pk': ?, 'sk': ?, 'n': ?}"
    assert writes_statements.execute(insert, text("p"), text("a"), number(1)) is None
    assert writes_statements.execute(insert, text("p"), text("a"), number(2)) == "DuplicateItem"
    assert (writes_statements.get("a") or {})["n"] == number(1)


def test_an_update_holds_only_under_its_condition(writes_statements: Subject) -> None:
    update = 'UPDATE $ SET "status"=? SET "m"=? REMOVE "n" WHERE pk=? AND sk=? AND "revision"=?'
    writes_statements.put("a", n=number(1), revision=number(1))
    values = (text("x"), number(2), text("p"), text("a"))
    assert writes_statements.execute(update, *values, number(7)) == "ConditionalCheckFailed"
    assert writes_statements.execute(update, *values, number(1)) is None
    expected = {"pk": text("p"), "sk": text("a"), "revision": number(1), "status": text("x"), "m": number(2)}
    assert writes_statements.get("a") == expected


def test_an_update_of_what_is_not_there_fails_its_condition(writes_statements: Subject) -> None:
    update = 'UPDATE $ SET "n"=? WHERE pk=? AND sk=? AND "revision"=?'
    code = writes_statements.execute(update, number(1), text("p"), text("none"), number(1))
    assert code == "ConditionalCheckFailed"
    assert writes_statements.get("none") is None


def test_a_delete_holds_only_under_its_condition(writes_statements: Subject) -> None:
    delete = "DELETE FROM $ WHERE pk=? AND sk=? AND expires_at<=?"
    writes_statements.put("a", expires_at=number(100))
    assert writes_statements.execute(delete, text("p"), text("a"), number(99)) == "ConditionalCheckFailed"
    assert writes_statements.execute(delete, text("p"), text("a"), number(100)) is None
    assert writes_statements.get("a") is None


# ---- what our own stores write


def test_every_state_of_a_delivery_survives_the_table(table: DynamoTable) -> None:
    store = DeliveryStore(table, 1_000, lambda: NOW)
    first = record(
        revision=1,
        status="retrying",
        generation=2,
        attempts=(
            Attempt(0, NOW, 0, "unknown"),
            Attempt(1, NOW, 20, "failure", 503),
            Attempt(2, NOW, 5, "failure", None, "tls"),
        ),
        attempts_before_cycle=1,
        cycle_started_at_ms=NOW + 5,
        next_attempt_at_ms=NOW + 99_000,
        reason="http_503",
        seen=(("abcd1234", 3), ("ffff0000", 1)),
        waiting=Waiting("due", NOW + 99_000, "http_503"),
        body="ü\ufffd😀".encode() * 100,
    )  # fmt: skip
    assert store.save([(None, first)]) == [True]
    ids = [(first.webhook_id, first.delivery_id)]
    assert store.get(ids)[first.delivery_id] == first
    room = record(revision=2, generation=3, waiting=Waiting("room", NOW, "a_b"), body=b"x", cycle_started_at_ms=NOW + 5)
    assert store.save([(first, room)]) == [True]
    assert store.get(ids)[first.delivery_id] == room
    done = record(revision=3, generation=3, status="delivered", response=b"\x00r", cycle_started_at_ms=NOW + 5)
    assert store.save([(room, done)]) == [True]
    assert store.get(ids)[first.delivery_id] == done


def test_a_delivery_is_written_only_from_the_revision_it_was_read_at(table: DynamoTable) -> None:
    store = DeliveryStore(table, 1_000, lambda: NOW)
    assert store.save([(None, record(revision=1))]) == [True]
    assert store.save([(None, record(revision=1, status="delivered"))]) == [False]
    assert store.save([(record(revision=5), record(revision=6))]) == [False]
    assert store.save([(record(revision=1), record(revision=2)), (record(revision=1), record(revision=2))]) == [
        True,
        False,
    ]


def test_what_waits_is_found_in_time_s_order_and_rooms_by_webhook(table: DynamoTable) -> None:
    store = WaitingStore(table, 1_000, lambda: NOW)
    states = StateStore(table)
    webhook_id = record().webhook_id
    waits = record(revision=1, waiting=Waiting("room", NOW, "paused"), body=b"x")
    store.save([(None, waits)])
    states.wake(webhook_id, NOW + 50, NOW)
    shard = sum(webhook_id[-4:].encode()) % schema.DUE_SHARDS
    assert list(store.due(shard, NOW + 50)) == []
    assert list(store.due(shard, NOW + 51)) == [(webhook_id, None)]
    assert store.in_room(webhook_id, 10) == [(webhook_id, waits.delivery_id)]


def test_a_wake_up_moves_forward_only_and_sleep_respects_a_later_touch(table: DynamoTable) -> None:
    states = StateStore(table)
    states.wake("wh_1", NOW + 5_000, NOW)
    states.wake("wh_1", NOW + 9_000, NOW + 1)
    state = states.get("wh_1")
    assert (state.wake_at_ms, state.touched_at_ms) == (NOW + 5_000, NOW + 1)
    states.wake("wh_1", NOW + 2_000, NOW + 2)
    assert not states.sleep("wh_1", state)
    assert states.reschedule("wh_1", states.get("wh_1"), NOW + 70_000)
    assert states.get("wh_1").wake_at_ms == NOW + 70_000
    assert states.sleep("wh_1", states.get("wh_1"))
    assert states.get("wh_1").wake_at_ms is None


def test_health_and_rate_are_written_only_from_what_was_read(table: DynamoTable) -> None:
    states = StateStore(table)
    assert states.save_health("wh_1", EndpointState(), EndpointState(slow_until_ms=5))
    assert not states.save_health("wh_1", EndpointState(), EndpointState(slow_until_ms=6))
    assert states.save_health("wh_1", states.get("wh_1"), EndpointState(slow_until_ms=7))
    assert states.get("wh_1").slow_until_ms == 7
    assert states.save_rate("wh_1", None, 10)
    assert not states.save_rate("wh_1", None, 11)
    assert states.save_rate("wh_1", 10, 12)


def test_an_event_is_inserted_once_and_read_as_it_was(table: DynamoTable) -> None:
    store = EventStore(table, 1_000_000)
    made = EventRecord(
        event_id="e1", scope="ws:1", page=0, token="t", event_type="record.created", user_id="u", workspace_id=1,
        accepted_at_ms=NOW, body=b"{}" * 500, queued=("wh_" + "1" * 26, "wh_" + "2" * 26),
        missed=(("wh_" + "3" * 26, "inactive"),), skipped_counts={"filtered": 2},
        skipped_first=(("wh_" + "4" * 26, "filtered"),), continues_after="wh_" + "3" * 26,
    )  # fmt: skip
    assert store.insert([made, made]) == ["inserted", "exists"]
    key = ("e1", "ws:1", 0)
    assert store.get([key], NOW) == {key: made}
    assert store.get([key], NOW + 2_000_000) == {}
    store.remove_expired([made], NOW)
    assert store.get([key], NOW) == {key: made}
    store.remove_expired([made], NOW + 2_000_000)
    assert store.get([key], NOW) == {}


# ---- limits of AWS that emulators do not enforce: DynamoDB API Reference and "Service, account, and table quotas"


@pytest.fixture
def fake() -> Subject:
    return Subject("fake", FakeDynamoDB(Clock(NOW), "t", partition_writes=3), "t")


def test_the_fake_refuses_more_than_a_batch_may_hold(fake: Subject) -> None:
    keys = [{"pk": text("p"), "sk": text(str(n))} for n in range(101)]
    with pytest.raises(ClientError):
        fake.client.batch_get_item(RequestItems={"t": {"Keys": keys}})
    one = {"Statement": 'DELETE FROM "t" WHERE pk=? AND sk=?', "Parameters": [text("p"), text("a")]}
    with pytest.raises(ClientError):
        fake.client.batch_execute_statement(Statements=[one] * 26)
    with pytest.raises(ClientError):
        fake.client.batch_execute_statement(Statements=[one, one])
    action = {"Delete": {"TableName": "t", "Key": {"pk": text("p"), "sk": text("a")}}}
    with pytest.raises(ClientError):
        fake.client.transact_write_items(TransactItems=[action, action])


def test_the_fake_refuses_an_item_above_400_kib(fake: Subject) -> None:
    item = {"pk": text("p"), "sk": text("a"), "body": {"B": bytes(400 * 1024)}}
    fake.refuses("ValidationException", fake.client.put_item, Item=item)


def test_the_fake_throttles_a_hot_partition(fake: Subject) -> None:
    for position in range(3):
        fake.put(str(position))
    item = {"pk": text("p"), "sk": text("x")}
    fake.refuses("ProvisionedThroughputExceededException", fake.client.put_item, Item=item)


def test_the_fake_refuses_what_it_does_not_understand(fake: Subject) -> None:
    for statement in ('SELECT * FROM "t"', 'UPDATE "t" SET a = a + 1 WHERE pk=? AND sk=?', "nonsense"):
        with pytest.raises(ClientError):
            fake.client.batch_execute_statement(Statements=[{"Statement": statement, "Parameters": []}])
    with pytest.raises(TypeError):
        fake.client.put_item(TableName="t", Item={}, ReturnValues="ALL_OLD")
    assert issubclass(Crash, BaseException)
    assert not issubclass(Crash, Exception)


# ---- the whole table


def test_a_scan_shows_each_item_once_page_by_page_and_what_is_asked_for_of_it(subject: Subject) -> None:
    for number_ in range(5):
        subject.put(f"s{number_}", one=number(number_), two=number(0))
    table = DynamoTable(subject.client, subject.table)
    asked = {
        "ProjectionExpression": "#pk, #sk, #one",
        "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk", "#one": "one"},
    }
    found, start, pages = list[dict[str, Any]](), None, 0
    while pages == 0 or start is not None:
        items, start = table.scan(start, 2, **asked)
        found += items
        pages += 1
    assert pages >= 3
    assert sorted(item["sk"]["S"] for item in found) == [f"s{number_}" for number_ in range(5)]
    assert all(item.keys() == {"pk", "sk", "one"} for item in found)


def test_removing_takes_what_is_there_and_what_is_gone(table: DynamoTable, subject: Subject) -> None:
    subject.put("a")
    table.remove([("p", "a"), ("p", "never")])
    table.remove([("p", "a")])
    assert subject.get("a") is None

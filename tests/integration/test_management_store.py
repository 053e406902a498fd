"""The management store against moto: what is written together, and what stops it."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from tests.support.management_fakes import MemoryManagementStore
from tests.support.table_definition import create_table
from webhooks.access.idempotency_keys import IdempotencyRecord
from webhooks.errors import Unavailable
from webhooks.ids import new_id
from webhooks.management.changes import Change, ManagementStore, with_subscriptions
from webhooks.management.paging import TimeRange
from webhooks.management.requests import MAX_FIRST_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS
from webhooks.matching.filter_budget import FilterUse, filter_use
from webhooks.matching.filter_document import filter_bytes
from webhooks.matching.route_rows import RouteChanges, route_changes, route_rows
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook
from webhooks.payload import Number
from webhooks.store import schema
from webhooks.store.audit import AuditItems, AuditStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.management import DynamoManagementStore
from webhooks.store.models import bind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.service_resource import Table

NOW = 1_760_000_000_000
DAY_MS = 86_400_000
REGION = "us-east-1"
ROOM = FilterUse(10**9, 10**9)


@pytest.fixture
def table() -> "Iterator[Table]":
    with mock_aws():
        create_table(boto3.client("dynamodb", region_name=REGION))
        yield boto3.resource("dynamodb", region_name=REGION).Table("webhooks")


@pytest.fixture
def store(table: "Table") -> DynamoManagementStore:
    return DynamoManagementStore(bind("webhooks"), AuditItems(DAY_MS), sleep=lambda seconds: None)


@pytest.fixture(params=["dynamodb", "memory"])
def either(request: pytest.FixtureRequest) -> ManagementStore:
    """The real store and the fake that other tests stand on: both keep the same promises."""
    return request.getfixturevalue("store") if request.param == "dynamodb" else MemoryManagementStore()


def webhook(user_id: str | int = 7, workspace_id: str | int | None = None, at: int = NOW, **changes: Any) -> Webhook:
    return Webhook(
        webhook_id=new_id("wh", at),
        user_id=user_id,
        workspace_id=workspace_id,
        name="n",
        url="https://example.com/",
        description="",
        metadata={"environment": "production", "nested": {"a": [1, None, Number("1.10")]}},
        header_names=("Authorization",),
        sealed=b"\x01\x00sealed",
        sealed_version=1,
        max_retries=9,
        timeout_seconds=15,
        rate_limit_rps=None,
        status="active",
        status_reason=None,
        version=1,
        created_at_ms=at,
        updated_at_ms=at,
        **changes,
    )


def subscription(owner: Webhook, event_type: str = "record.created", **changes: Any) -> Subscription:
    fresh = Subscription(new_id("sub", NOW), owner.webhook_id, event_type, None, True, None, 1, NOW, NOW)
    return replace(fresh, **changes)


def create(store: ManagementStore, made: Webhook, *subscriptions: Subscription) -> Webhook:
    routes = RouteChanges(put=tuple(route_rows(made, subscriptions)))
    assert store.commit(Change(made, None, routes, subscriptions), NOW)
    return made


def versions_of(table: "Table", scope: str) -> dict[str, int]:
    item = table.get_item(Key={"pk": schema.versions_pk(scope), "sk": schema.VERSIONS_SK}).get("Item", {})
    return {name: int(str(value)) for name, value in item.items() if name not in ("pk", "sk") and name[0] != "#"}


def route_of(table: "Table", scope: str, pattern: str, webhook_id: str) -> dict[str, Any] | None:
    return table.get_item(Key={"pk": schema.route_pk(scope, pattern), "sk": webhook_id}).get("Item")


@pytest.mark.parametrize(
    ("user_id", "workspace_id", "rate"), [(7, 456, 10), ("u-7", "ws-4", 0.5), (2**62, None, None), ("7", "456", 10_000)]
)
def test_a_webhook_comes_back_as_it_was_written(
    either: ManagementStore, user_id: str | int, workspace_id: str | int | None, rate: float | None
) -> None:
    made = replace(
        webhook(user_id, workspace_id), rate_limit_rps=rate, status_reason="why", previous_secret_until_ms=NOW
    )
    create(either, made)
    assert either.webhook(made.webhook_id) == made
    assert either.some([made.webhook_id, "wh_unknown"]) == {made.webhook_id: made}  # type: ignore[attr-defined]


def test_ids_are_stored_in_the_type_they_came_in(store: DynamoManagementStore, table: "Table") -> None:
    made = create(store, webhook(7, "ws"))
    client = table.meta.client
    raw = boto3.client("dynamodb", region_name=REGION).get_item(
        TableName="webhooks", Key={"pk": {"S": made.webhook_id}, "sk": {"S": "webhook"}}
    )["Item"]
    assert client.meta.region_name == REGION
    assert raw["user_id"] == {"N": "7"}
    assert raw["workspace_id"] == {"S": "ws"}
    assert raw["metadata"]["S"] == '{"environment":"production","nested":{"a":[1,null,1.10]}}'
    assert raw["sealed"] == {"B": made.sealed}
    assert "expires_at" not in raw


def test_an_unknown_webhook_is_none(either: ManagementStore) -> None:
    assert either.webhook(new_id("wh", NOW)) is None


def test_creating_writes_subscriptions_routes_and_versions(store: DynamoManagementStore, table: "Table") -> None:
    made = webhook(7, 456)
    filters = {"fields": {"status": "completed", "amount": Number("1.10")}}
    wanted = [
        subscription(made, filters=filters),
        subscription(made, "record.*"),
        subscription(made, "*", is_active=False),
    ]
    create(store, made, *wanted)
    assert sorted(store.subscriptions(made.webhook_id), key=lambda s: s.event_type) == sorted(
        wanted, key=lambda s: s.event_type
    )
    row = route_of(table, "ws:456", "record.created", made.webhook_id)
    assert row is not None
    assert (row["owner"], row["status"]) == ("7", "active")
    assert json.loads(row["subscriptions"]) == [
        [wanted[0].subscription_id, None, {"fields": {"status": "completed", "amount": 1.1}}]
    ]
    assert route_of(table, "ws:456", "*", made.webhook_id) is None
    assert versions_of(table, "ws:456") == {"record.created": 1, "record.*": 1}


def test_the_same_webhook_is_not_created_twice(either: ManagementStore) -> None:
    made = create(either, webhook())
    assert not either.commit(Change(replace(made, name="other"), None), NOW)
    found = either.webhook(made.webhook_id)
    assert found is not None
    assert found.name == "n"


def test_a_change_of_an_older_version_writes_nothing(store: DynamoManagementStore, table: "Table") -> None:
    made = create(store, webhook())
    newer = replace(made, name="newer", version=2)
    assert store.commit(Change(newer, made), NOW)
    late = replace(made, name="late", status="paused", version=2)
    added = subscription(made)
    routes = RouteChanges(put=tuple(route_rows(late, [added])))
    assert not store.commit(Change(late, made, routes, (added,)), NOW)
    assert store.webhook(made.webhook_id) == newer
    assert not store.subscriptions(made.webhook_id)
    assert versions_of(table, made.scope) == {}


def test_of_two_subscriptions_added_at_once_one_has_to_look_again(store: DynamoManagementStore, table: "Table") -> None:
    made = create(store, webhook())
    first, second = subscription(made), subscription(made)
    assert store.commit(with_subscriptions(made, [], [first], ROOM), NOW)
    assert not store.commit(with_subscriptions(made, [], [second], ROOM), NOW)
    again = store.webhook(made.webhook_id)
    assert again is not None
    assert store.commit(with_subscriptions(again, [first], [first, second], ROOM), NOW)
    row = route_of(table, made.scope, "record.created", made.webhook_id)
    assert row is not None
    assert {entry[0] for entry in json.loads(row["subscriptions"])} == {first.subscription_id, second.subscription_id}
    assert versions_of(table, made.scope) == {"record.created": 2}


def test_a_new_status_reaches_every_route(store: DynamoManagementStore, table: "Table") -> None:
    made = webhook()
    present = [subscription(made), subscription(made, "*")]
    create(store, made, *present)
    paused = replace(made, status="paused", version=2)
    changes = route_changes(route_rows(made, present), route_rows(paused, present))
    assert store.commit(Change(paused, made, changes), NOW)
    for pattern in ("record.created", "*"):
        row = route_of(table, made.scope, pattern, made.webhook_id)
        assert row is not None
        assert row["status"] == "paused"


def test_deleting_leaves_a_tombstone_that_expires_and_no_list_shows(
    store: DynamoManagementStore, table: "Table"
) -> None:
    made = webhook()
    present = subscription(made)
    create(store, made, present)
    tombstone = replace(made, status="deleted", url="", sealed=b"", version=2, routes_version=1)
    change = Change(
        tombstone,
        made,
        RouteChanges(delete=tuple(route_rows(made, [present]))),
        delete=(present.subscription_id,),
        expires_at_ms=NOW + 5_000,
    )
    assert store.commit(change, NOW)
    found = store.webhook(made.webhook_id)
    assert found is not None
    assert (found.status, found.sealed) == ("deleted", b"")
    assert not store.subscriptions(made.webhook_id)
    assert route_of(table, made.scope, "record.created", made.webhook_id) is None
    assert versions_of(table, made.scope) == {"record.created": 2}
    assert store.webhooks("7", after=None, limit=10) == ([], None)
    assert store.webhooks(None, after=None, limit=10) == ([], None)
    raw = table.get_item(Key={"pk": made.webhook_id, "sk": "webhook"})["Item"]
    assert int(str(raw["expires_at"])) == (NOW + 5_000) // 1000


def test_pages_are_complete_newest_first_and_of_one_owner(either: ManagementStore) -> None:
    mine = [create(either, webhook(7, at=NOW + n)) for n in range(5)]
    other = create(either, webhook("8", at=NOW + 9))
    seen: list[Webhook] = []
    after: str | None = None
    for expected in (2, 2, 1):
        page, after = either.webhooks("7", after=after, limit=2)
        assert len(page) == expected
        seen += page
    assert after is None
    assert seen == mine[::-1]
    everybody, after = either.webhooks(None, after=None, limit=6)
    assert everybody == [other, *mine[::-1]]
    assert after is None


def test_an_owner_has_so_many_webhooks_at_most_and_a_deleted_one_makes_room(either: ManagementStore) -> None:
    def add() -> tuple[Webhook, bool]:
        new = webhook(7)
        return new, either.commit(Change(new, None, at_most=2), NOW)

    (first, _), (_, second) = add(), add()
    assert second
    assert not add()[1]
    assert either.amount("7") == 2
    assert either.commit(Change(webhook(8), None, at_most=2), NOW), "others have their own"
    gone = replace(first, status="deleted", version=2)
    assert either.commit(Change(gone, first, expires_at_ms=NOW), NOW)
    assert not either.commit(Change(gone, first, expires_at_ms=NOW), NOW), "a webhook is taken off once"
    assert either.amount("7") == 1
    assert add()[1]


def test_the_filters_of_a_scope_are_counted_and_bounded_whoever_adds_to_them(either: ManagementStore) -> None:
    budget = FilterUse(1_000, 2)
    searching = {"conditions": {"operator": "and", "rules": [{"field": "a", "operator": "contains", "value": "x"}]}}
    use = filter_use([subscription(webhook(), filters=searching)])
    assert use == FilterUse(50 + filter_bytes(searching), 1)

    def change(before: Webhook, filters: list[Any], present: list[Subscription]) -> list[Subscription] | None:
        now = either.webhook(before.webhook_id) or before
        after = [subscription(before, filters=each) for each in filters]
        return after if either.commit(with_subscriptions(now, present, after, budget), NOW) else None

    first, second = create(either, webhook(7, 1)), create(either, webhook(8, 1))
    mine = change(first, [searching], [])
    assert mine is not None
    assert change(second, [searching, searching], []) is None, "searches beyond the budget"
    assert change(second, [{"fields": {"a": "x" * 900}}], []) is None, "bytes beyond the budget"
    theirs = change(second, [searching], [])
    assert theirs is not None
    assert either.filter_use("ws:1") == FilterUse(2 * use.bytes, 2)
    assert either.filter_use("user:7") == FilterUse()
    assert change(first, [], mine) == []
    assert either.filter_use("ws:1") == use
    now = either.webhook(second.webhook_id)
    assert now is not None
    gone = replace(now, status="deleted", version=2, filter_bytes=0, filter_searches=0)
    routes = route_changes(route_rows(now, theirs), [])
    assert either.commit(Change(gone, now, routes, delete=(theirs[0].subscription_id,), expires_at_ms=NOW), NOW)
    assert either.filter_use("ws:1") == FilterUse()


def test_filters_from_before_they_were_counted_can_always_become_fewer(either: ManagementStore) -> None:
    budget = FilterUse(1, 0)
    old = create(either, webhook(7, 1))
    present = [subscription(old), subscription(old)]
    uncounted = with_subscriptions(old, [], present, budget)
    stored = replace(uncounted.webhook, filter_bytes=0)
    assert either.commit(replace(uncounted, webhook=stored, budget=None), NOW)
    assert either.commit(with_subscriptions(stored, present, present[:1], budget), NOW)
    assert either.filter_use("ws:1") == FilterUse(50, 0)


def test_an_idempotency_key_is_used_once_until_it_expires(either: ManagementStore) -> None:
    made, second = webhook(), webhook()
    remember = IdempotencyRecord("7", "key", "trace", made.webhook_id, NOW + 1_000)
    assert either.commit(Change(made, None, remember=remember), NOW)
    assert either.idempotency_record("7", "key", NOW) == remember
    assert either.idempotency_record("8", "key", NOW) is None
    again = replace(remember, webhook_id=second.webhook_id, expires_at_ms=NOW + 9_000)
    assert not either.commit(Change(second, None, remember=again), NOW + 999)
    assert either.webhook(second.webhook_id) is None
    assert either.idempotency_record("7", "key", NOW + 1_000) is None
    assert either.commit(Change(second, None, remember=again), NOW + 1_000)
    assert either.idempotency_record("7", "key", NOW + 1_000) == again


def test_the_largest_changes_fit_one_transaction(store: DynamoManagementStore, table: "Table") -> None:
    made = webhook()
    caller = Caller(7, frozenset(), frozenset())
    audit = Deed("webhook.created").by(caller, made, NOW)
    present = [subscription(made, f"type.n{n}") for n in range(MAX_FIRST_SUBSCRIPTIONS)]
    routes = RouteChanges(put=tuple(route_rows(made, present)))
    remember = IdempotencyRecord("7", "key", "trace", made.webhook_id, NOW + 1_000)
    assert store.commit(Change(made, None, routes, tuple(present), remember=remember, audit=audit), NOW)
    assert len(store.subscriptions(made.webhook_id)) == len(versions_of(table, made.scope)) == len(present)
    for _ in range(MAX_SUBSCRIPTIONS - len(present)):
        before, now = list(present), store.webhook(made.webhook_id)
        assert now is not None
        present.append(subscription(made, f"type.n{len(present)}"))
        assert store.commit(with_subscriptions(now, before, present, ROOM), NOW)
    now = store.webhook(made.webhook_id)
    assert now is not None
    deleted = Change(
        webhook=replace(now, status="deleted", version=now.version + 1),
        before=now,
        routes=RouteChanges(delete=tuple(route_rows(now, present))),
        delete=tuple(each.subscription_id for each in present),
        audit=Deed("webhook.deleted").by(caller, made, NOW + 1),
    )
    assert store.commit(deleted, NOW)
    entries = AuditStore(
        DynamoTable(boto3.client("dynamodb", region_name=REGION), "webhooks"), AuditItems(DAY_MS), lambda: NOW
    )
    assert [each.action for each in entries.entries("7", TimeRange())] == ["webhook.deleted", "webhook.created"]
    assert [each.action for each in entries.entries(None, TimeRange())] == ["webhook.deleted", "webhook.created"]


def test_a_change_that_is_refused_leaves_no_entry(store: DynamoManagementStore, table: "Table") -> None:
    made = create(store, webhook())
    audit = Deed("webhook.updated").by(Caller(7, frozenset(), frozenset()), made, NOW)
    stale = replace(made, version=9)
    assert not store.commit(Change(replace(made, name="x"), stale, audit=audit), NOW)
    entries = AuditStore(
        DynamoTable(boto3.client("dynamodb", region_name=REGION), "webhooks"), AuditItems(DAY_MS), lambda: NOW
    )
    assert list(entries.entries("7", TimeRange())) == []


def test_what_an_older_reader_would_undo_is_refused(either: ManagementStore) -> None:
    made = create(either, webhook())
    first, second = subscription(made), subscription(made, "user.joined")
    assert either.commit(with_subscriptions(made, [], [first], ROOM), NOW)
    assert not either.commit(with_subscriptions(made, [], [second], ROOM), NOW)
    again = either.webhook(made.webhook_id)
    assert again is not None
    assert either.commit(with_subscriptions(again, [first], [second], ROOM), NOW)
    assert list(either.subscriptions(made.webhook_id)) == [second]


class Answers:
    """Stands in front of AWS: the first answers are these errors."""

    def __init__(self, *errors: dict[str, Any]) -> None:
        self.errors = list(errors)

    def __call__(self, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        return (AWSResponse("https://dynamodb", 400, HTTPHeaders(), None), self.errors.pop(0)) if self.errors else None


def cancelled(*codes: str) -> dict[str, Any]:
    return {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": code} for code in codes],
    }


def answer_first(store: DynamoManagementStore, *errors: dict[str, Any]) -> None:
    connection = store._models.webhook.connection()
    connection.client.meta.events.register("before-call.dynamodb", cast("Any", Answers(*errors)))


def test_transactions_that_get_in_each_others_way_are_tried_again(store: DynamoManagementStore) -> None:
    answer_first(store, *[cancelled("None", "TransactionConflict")] * 4)
    made = webhook()
    assert store.commit(Change(made, None), NOW)
    assert store.webhook(made.webhook_id) == made


@pytest.mark.parametrize(
    "errors",
    [
        [cancelled("TransactionConflict")] * 5,
        [cancelled("ValidationError")],
        [{"Error": {"Code": "AccessDeniedException"}}],
    ],
)
def test_what_dynamodb_does_not_do_is_ours_to_repeat(
    store: DynamoManagementStore, errors: list[dict[str, Any]]
) -> None:
    answer_first(store, *errors)
    with pytest.raises(Unavailable):
        store.commit(Change(webhook(), None), NOW)


def test_no_answer_at_all_is_ours_to_repeat(store: DynamoManagementStore) -> None:
    def nothing(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://dynamodb.example")

    store._models.webhook.connection().client.meta.events.register("before-call.dynamodb", nothing)
    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        store.webhook("wh_1")
    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        store.webhooks("7", after=None, limit=1)
    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        store.commit(Change(webhook(), None), NOW)


def test_a_failed_condition_beside_a_conflict_is_a_failed_condition(store: DynamoManagementStore) -> None:
    answer_first(store, cancelled("ConditionalCheckFailed", "TransactionConflict"))
    assert not store.commit(Change(webhook(), None), NOW)


def test_reads_that_fail_are_ours_to_repeat(store: DynamoManagementStore) -> None:
    answer_first(store, *[{"Error": {"Code": "AccessDeniedException"}}] * 4)
    for read in (
        lambda: store.webhook("wh_1"),
        lambda: store.subscriptions("wh_1"),
        lambda: store.webhooks("7", after=None, limit=1),
        lambda: store.idempotency_record("7", "k", NOW),
    ):
        with pytest.raises(Unavailable):
            read()

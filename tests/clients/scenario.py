"""What a platform does with a client, step by step. scenario.ts does the same, and a test compares the two.

Run with the wheel on the path, and URL, TOKEN, GOOD and BAD in the environment: the service, a token of a user without
webhooks, a receiver that answers 200, and one that fails once.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from pyairtable_webhooks import (
    ApiError,
    AuthenticatedClient,
    Conflict,
    NotFound,
    Unauthorized,
    ValidationFailed,
    VersionConflict,
    connect,
    every,
    every_async,
)
from pyairtable_webhooks.api.api_keys import create_api_key, list_api_keys, revoke_api_key
from pyairtable_webhooks.api.audit import list_audit
from pyairtable_webhooks.api.dead_letters import (
    get_replay,
    group_failures,
    list_dead_letters,
    list_replays,
    recover_webhook,
    replay_dead_letter,
)
from pyairtable_webhooks.api.deliveries import get_delivery, list_deliveries, retry_delivery, search_deliveries
from pyairtable_webhooks.api.events import get_event, list_event_types, publish_events
from pyairtable_webhooks.api.metrics import get_limits, get_overview, get_webhook_health, get_webhook_metrics
from pyairtable_webhooks.api.subscriptions import (
    create_subscription,
    delete_subscription,
    get_subscription,
    list_subscriptions,
    test_filters,
    update_subscription,
)
from pyairtable_webhooks.api.system import health, ready
from pyairtable_webhooks.api.webhooks import (
    create_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
    regenerate_secret,
    test_webhook,
    update_webhook,
)
from pyairtable_webhooks.models import (
    ApiKeyRequest,
    ApiKeyScope,
    DeliveryStatus,
    Event,
    EventList,
    Filters,
    FilterTest,
    Group,
    GroupOperator,
    JsonObject,
    Recover,
    Replay,
    ReplayEstimate,
    ReplayStatus,
    Rule,
    RuleOperator,
    SendTest,
    SubscriptionChange,
    SubscriptionRequest,
    WebhookChange,
    WebhookRequest,
)

T = TypeVar("T")
E = TypeVar("E", bound=ApiError)
PATIENCE_SECONDS = 90


def step(name: str) -> None:
    """What was done."""
    print(name, flush=True)  # noqa: T201


def refused(kind: type[E], call: Callable[[], object]) -> E:
    """The error that the call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def eventually(read: Callable[[], T | None]) -> T:
    """What is there in the end."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            found = read()
        except NotFound:
            found = None
        if found:
            return found
        assert time.monotonic() < ends, "it does not come"
        time.sleep(0.2)


def main() -> None:
    """The scenario."""
    url, token = os.environ["URL"], os.environ["TOKEN"]
    with connect(url, "not-a-token", retries=0) as stranger:
        assert health.sync(client=stranger).status == "ok"
        step("health")
        assert ready.sync(client=stranger).status == "ok"
        step("ready")
        error = refused(Unauthorized, lambda: list_webhooks.sync(client=stranger))
        assert (error.status, error.type) == (401, "/problems/unauthorized")
        step("a stranger is refused")
    with connect(url, token) as client:
        webhook_id, failing_id = webhooks(client)
        subscriptions(client, webhook_id)
        deliveries(client, webhook_id, failing_id)
        around(client, url, webhook_id)
    asyncio.run(the_end(url, token))


def webhooks(client: AuthenticatedClient) -> tuple[str, str]:
    """A good webhook and one that fails."""
    assert "record.created" in {each.name for each in list_event_types.sync(client=client).items}
    step("event types")
    wrong = WebhookRequest("n", url="ftp://example.com/", subscriptions=[SubscriptionRequest("no.such")])
    codes = {
        each.code for each in refused(ValidationFailed, lambda: create_webhook.sync(client=client, body=wrong)).errors
    }
    assert codes == {"url_scheme", "not_allowed"}
    step("a wrong webhook is refused with a code for each field")
    key = uuid.uuid4().hex
    good = WebhookRequest("Good", url=os.environ["GOOD"], metadata=JsonObject.from_dict({"team": "blue"}))
    made = create_webhook.sync_detailed(client=client, body=good, idempotency_key=key)
    assert made.parsed is not None
    assert (made.parsed.secret or "").startswith("whsec_")
    webhook_id = made.parsed.id
    assert made.headers["location"].endswith(webhook_id)
    step("create a webhook")
    assert create_webhook.sync(client=client, body=good, idempotency_key=key).id == webhook_id
    step("create it again with its key")
    other = WebhookRequest("Other", url=os.environ["GOOD"])
    refused(Conflict, lambda: create_webhook.sync(client=client, body=other, idempotency_key=key))
    step("its key for another one is a conflict")
    read = get_webhook.sync_detailed(webhook_id, client=client)
    assert read.parsed is not None
    assert read.parsed.metadata["team"] == "blue"
    step("get it")
    etag = read.headers["etag"]
    changed = update_webhook.sync(webhook_id, client=client, body=WebhookChange(name="Better"), if_match=etag)
    assert (changed.name, changed.url) == ("Better", os.environ["GOOD"])
    step("change its name")
    change = WebhookChange(name="Worse")
    refused(VersionConflict, lambda: update_webhook.sync(webhook_id, client=client, body=change, if_match=etag))
    step("an old version is a conflict")
    failing = WebhookRequest(
        "Failing", url=os.environ["BAD"], max_retries=0, subscriptions=[SubscriptionRequest("record.deleted")]
    )
    failing_id = create_webhook.sync(client=client, body=failing).id
    step("create a failing webhook")
    third = create_webhook.sync(client=client, body=WebhookRequest("Third", url=os.environ["GOOD"])).id
    step("create a third")
    assert {each.id for each in every(list_webhooks.sync, client=client, limit=1)} == {webhook_id, failing_id, third}
    step("list them page by page")
    assert [each.id for each in list_webhooks.sync(client=client, q="better").items] == [webhook_id]
    step("search for one")
    delete_webhook.sync(third, client=client)
    refused(NotFound, lambda: get_webhook.sync(third, client=client))
    step("delete the third")
    return webhook_id, failing_id


def subscriptions(client: AuthenticatedClient, webhook_id: str) -> None:
    """A subscription with a filter."""
    request, key = SubscriptionRequest("record.*"), uuid.uuid4().hex
    made = create_subscription.sync(webhook_id, client=client, body=request, idempotency_key=key)
    step("subscribe")
    assert create_subscription.sync(webhook_id, client=client, body=request, idempotency_key=key).id == made.id
    step("subscribe again with its key")
    large = Rule("amount", RuleOperator.GREATER_THAN, 1000)
    closed = Group(GroupOperator.NOT, [Rule("status", RuleOperator.EQUALS, "closed")])
    filters = Filters(conditions=Group(GroupOperator.AND, [large, closed]))
    update_subscription.sync(webhook_id, made.id, client=client, body=SubscriptionChange(filters=filters))
    step("give it a filter")
    stored = get_subscription.sync(webhook_id, made.id, client=client).filters
    assert isinstance(stored, Filters)
    assert isinstance(stored.conditions, Group)
    assert [type(each) for each in stored.conditions.rules] == [Rule, Group]
    step("read the filter back")
    other = create_subscription.sync(webhook_id, client=client, body=SubscriptionRequest("table.created")).id
    assert {each.id for each in every(list_subscriptions.sync, webhook_id, client=client, limit=1)} == {made.id, other}
    step("list subscriptions")
    delete_subscription.sync(webhook_id, other, client=client)
    refused(NotFound, lambda: get_subscription.sync(webhook_id, other, client=client))
    step("unsubscribe")
    for amount, matches in ((2000, True), (5, False)):
        trial = FilterTest(filters=filters, event=record("record.created", amount))
        assert test_filters.sync(client=client, body=trial).items[0].matched == matches
    step("try the filter")
    wrong = Filters(conditions=Group(GroupOperator.AND, []))
    trial = FilterTest(filters=wrong, event=record("record.created", 1))
    error = refused(ValidationFailed, lambda: test_filters.sync(client=client, body=trial))
    assert [(each.field, each.code) for each in error.errors] == [("filters.conditions.rules", "too_short")]
    step("a wrong filter is refused")


def deliveries(client: AuthenticatedClient, webhook_id: str, failing_id: str) -> None:
    """Events, and what becomes of them."""
    first = publish_events.sync(client=client, body=record("record.created", 2000)).events[0].id
    step("publish an event")
    two = EventList([record("record.updated", 3000), record("record.updated", 5)])
    second, filtered = (each.id for each in publish_events.sync(client=client, body=two).events)
    step("publish two at once")
    key = uuid.uuid4().hex
    third, again = (
        publish_events.sync(client=client, body=[record("record.created", 4000)], idempotency_key=key).events[0].id
        for _ in range(2)
    )
    assert third == again
    step("publish once, though asked twice")
    error = refused(ValidationFailed, lambda: publish_events.sync(client=client, body=record("no.such", 1)))
    assert [(each.field, each.code) for each in error.errors] == [("type", "not_allowed")]
    step("an unknown event type is refused")
    for event_id in (first, second, third):
        eventually(lambda event_id=event_id: status_of(client, event_id, webhook_id) == "delivered")
    step("they are delivered")
    eventually(lambda: status_of(client, filtered, webhook_id) == "not_queued")
    step("the filter kept one back")
    listed = list(every(list_deliveries.sync, webhook_id, client=client, limit=2, status=DeliveryStatus.DELIVERED))
    assert {each.event_id for each in listed} == {first, second, third}
    step("list deliveries page by page")
    shown = get_delivery.sync(webhook_id, listed[0].id, client=client)
    assert [each.status_code for each in shown.attempts] == [200]
    step("see an attempt")
    retry_delivery.sync(webhook_id, listed[0].id, client=client)
    eventually(lambda: len(get_delivery.sync(webhook_id, listed[0].id, client=client).attempts) == 2)
    step("send one again")
    found = every(search_deliveries.sync, client=client, webhook_id=webhook_id)
    assert {each.webhook_name for each in found} == {"Better"}
    step("search deliveries")
    tried = test_webhook.sync(webhook_id, client=client, body=SendTest(event_type="record.created"))
    assert tried.status_code == 200
    step("test the webhook")
    publish_events.sync(client=client, body=record("record.deleted", 1))
    letter = eventually(lambda: next(every(list_dead_letters.sync, failing_id, client=client), None))
    assert letter.last_status_code == 500
    step("a delivery is given up")
    assert [each.count for each in group_failures.sync(failing_id, client=client).items] == [1]
    step("see why")
    reason = Recover(reason=letter.failure_reason, dry_run=True)
    estimate = recover_webhook.sync(failing_id, client=client, body=reason)
    assert isinstance(estimate, ReplayEstimate)
    assert (estimate.kind, estimate.count) == ("estimate", 1)
    step("ask how much a recovery would send")
    replay = recover_webhook.sync(failing_id, client=client, body=Recover(reason=letter.failure_reason))
    assert isinstance(replay, Replay)
    eventually(lambda: get_replay.sync(replay.id, client=client).status == ReplayStatus.COMPLETED)
    step("recover")
    eventually(lambda: status_of(client, letter.event_id, failing_id) == "delivered")
    step("it is delivered now")
    assert [each.id for each in every(list_replays.sync, client=client)] == [replay.id]
    step("list replays")
    refused(Conflict, lambda: replay_dead_letter.sync(failing_id, letter.id, client=client))
    step("what is delivered is not replayed")


def around(client: AuthenticatedClient, url: str, webhook_id: str) -> None:
    """What else there is."""
    assert get_webhook_health.sync(webhook_id, client=client).health
    step("health of a webhook")
    assert get_webhook_metrics.sync(webhook_id, client=client).series
    step("its metrics")
    assert get_overview.sync(client=client).webhooks == 2
    step("overview")
    assert {each.name for each in get_limits.sync(client=client).items}
    step("limits")
    assert (regenerate_secret.sync(webhook_id, client=client).secret or "").startswith("whsec_")
    step("rotate the secret")
    assert "webhook.created" in {each.action for each in every(list_audit.sync, client=client)}
    step("audit log")
    made = create_api_key.sync(client=client, body=ApiKeyRequest("reader", [ApiKeyScope.WEBHOOKSREAD]))
    with connect(url, made.key) as reader:
        eventually(lambda: get_webhook.sync(webhook_id, client=reader))
    step("call with an API key")
    revoke_api_key.sync(made.id, client=client)
    assert list_api_keys.sync(client=client).items == []
    step("revoke it")


async def the_end(url: str, token: str) -> None:
    """Delete everything, asynchronously."""
    async with connect(url, token) as client:
        ids = [each.id async for each in every_async(list_webhooks.asyncio, client=client, limit=1)]
        assert len(ids) == 2
        await asyncio.gather(*(delete_webhook.asyncio(each, client=client) for each in ids))
        assert (await list_webhooks.asyncio(client=client)).items == []
        step("delete all")


def record(event_type: str, amount: int) -> Event:
    """An event about a record."""
    return Event(event_type, data=JsonObject.from_dict({"fields": {"amount": amount, "status": "open"}}))


def status_of(client: AuthenticatedClient, event_id: str, webhook_id: str) -> str | None:
    """What became of an event for one webhook."""
    found = get_event.sync(event_id, client=client).webhooks
    return next((each.status.value for each in found if each.webhook_id == webhook_id), None)


if __name__ == "__main__":
    main()

"""An item that cannot be read costs a list itself alone, whichever of its attributes is of whatever type."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller
from tests.fakes.world import TABLE, World, event
from tests.support.formats import DEAD, load, make
from webhooks.errors import Conflict
from webhooks.management.audit import Wanted as Audited
from webhooks.management.dead_letters import Selection as SomeLetters
from webhooks.management.deliveries import Selection
from webhooks.management.delivery_search import Whose
from webhooks.management.paging import TimeRange
from webhooks.management.replays import Selection as SomeJobs
from webhooks.management.requests import ApiKeyRequest
from webhooks.management.webhooks import Wanted
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook
from webhooks.store import schema
from webhooks.store.webhook_items import webhook_key

OWNER, ADMIN = caller(7), Caller(1, frozenset(), frozenset({"webhooks", "admin"}))
MAKER = replace(OWNER, scopes=OWNER.scopes | {"api-keys"})
EVER = TimeRange()
INDEXED = (schema.LISTING_KEY, schema.LISTING_AT, schema.OVERVIEW_KEY, schema.OVERVIEW_AT, schema.WAITING_KEY)
KEYS = (schema.PK, schema.SK, *INDEXED, schema.WAITING_AT)  # DynamoDB takes no other type for them
# What there is one of for each owner, scope or stage: it is asked for alone, and stands in no list.
ALONE = (schema.AMOUNT_SK, schema.VERSIONS_SK, schema.IDEMPOTENCY_SK)


@pytest.fixture(scope="module")
def world() -> World:
    """Something in every state that there is, with what is kept of calls, and an event whose id was given again."""
    there = load(make())
    cases = Api(there.services).use_cases
    for who in (OWNER, ADMIN):
        cases.api_keys.create(MAKER if who is OWNER else who, ApiKeyRequest(name="key", scopes=["webhooks:read"]))
        cases.tenant_erasures.start(ADMIN, f"user:erased {who.user_id}")
    for number in (1, 1, *range(2, 10)):
        there.publish(event("again", data={"fields": {"number": number}}))
        there.work("ingest")
    return there


def webhooks_of(api: Api) -> Sequence[Webhook]:
    return api.owners.webhooks.page(OWNER, None, Wanted(), after=None, limit=100).items


def listed(world: World) -> Counter[str]:
    """How much stands in each list that an owner or an admin is shown."""
    api = Api(world.services)
    cases = api.use_cases
    found: Counter[str] = Counter()
    for webhook in webhooks_of(api):
        each = webhook.webhook_id
        found["webhooks"] += 1
        found["subscriptions"] += len(api.owners.subscriptions.page(OWNER, each, after=None, limit=100)[0])
        found["deliveries"] += len(api.deliveries.page(OWNER, each, Selection(), EVER, 100).items)
        found["pending"] += len(api.deliveries.page(OWNER, each, Selection("pending"), EVER, 100).items)
        found["figures"] += len(cases.webhook_metrics.metrics(OWNER, each, None, None, "hour").series)
        cases.webhook_metrics.health(OWNER, each)
        cases.failures.of_webhook(OWNER, each, EVER)
    for who in (OWNER, ADMIN):
        found["letters"] += len(api.dead_letters.page(who, None, SomeLetters(), EVER, 100).items)
        found["jobs"] += len(api.replays.page(who, None, SomeJobs(), None, 100).items)
        found["given up"] += len(cases.delivery_search.page(who, Whose(), Selection("failed"), EVER, 100).items)
        cases.failures.dead_letters(who, None, EVER)
    found["searched"] += len(cases.delivery_search.page(OWNER, Whose(), Selection(), EVER, 100).items)
    found["tenants"] += len(cases.tenants.look(ADMIN, None, None).tenants)
    for who in (MAKER, ADMIN):
        found["keys"] += len(cases.api_keys.page(who, None, behind=None, limit=100).items)
        found["audit"] += len(cases.audit.page(who, None, Audited(), EVER, 100).items)
    found["erasures"] += len(cases.tenant_erasures.page(None, 100).items)
    (again,) = (item["sk"]["S"] for item in world.items("") if item["pk"]["S"] == schema.event_pk("again"))
    found["repeats"] += len(cases.events.repeats.of("again", again, world.clock.ms))
    cases.overviews.look(OWNER, None, None, None, "hour")
    return found


def kinds(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """One item for each kind of item and attribute."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for item in world.items(""):
        kind = item["sk"]["S"].partition("#")[0].rstrip("0123456789")
        if kind not in ALONE:
            found |= {(kind, name): item for name in item if name not in KEYS}
    return found


@pytest.mark.slow
def test_an_attribute_of_another_type_costs_no_list_more_than_its_own_item(world: World) -> None:
    whole = listed(world)
    assert min(whole.values()) > 0
    assert len(kinds(world)) > 50
    for (kind, name), item in kinds(world).items():
        wrong: dict[str, Any] = {"M": {}} if "S" in item[name] else {"S": "x"}
        world.dynamodb.put_item(TableName=TABLE, Item={**item, name: wrong})
        left = listed(world)
        assert left["webhooks"] >= whole["webhooks"] - 1, (kind, name)
        if kind != schema.WEBHOOK_SK:  # of whose history nothing is shown without it
            assert not {each for each in whole if left[each] < whole[each] - 2}, (kind, name)  # two look at some lists
        world.dynamodb.put_item(TableName=TABLE, Item=dict(item))
    assert listed(world) == whole


def test_who_asks_for_what_cannot_be_read_is_told_and_the_rest_stays_as_it_is(world: World) -> None:
    api = Api(world.services)
    (webhook,) = [each for each in webhooks_of(api) if each.name == DEAD]
    kept = [item for item in world.items("") if item["pk"]["S"] == webhook.webhook_id]
    (stored,) = [item for item in kept if item["sk"]["S"] == schema.WEBHOOK_SK]
    (subscription,) = [item for item in kept if item["sk"]["S"].startswith(schema.SUBSCRIPTION_PREFIX)]
    world.dynamodb.put_item(TableName=TABLE, Item={**subscription, "created_at_ms": {"S": "soon"}})
    with pytest.raises(Conflict, match="cannot read"):
        api.owners.change(webhook, name="new")  # or the routes would be written without it
    world.dynamodb.put_item(TableName=TABLE, Item={**stored, "max_retries": {"S": "many"}})
    with pytest.raises(Conflict, match="cannot read"):
        api.owners.webhook(webhook)
    for item in (stored, subscription):
        world.dynamodb.put_item(TableName=TABLE, Item=dict(item))
    assert world.item(webhook_key(webhook.webhook_id)) == stored
    assert api.owners.change(webhook, name=webhook.name).name == webhook.name

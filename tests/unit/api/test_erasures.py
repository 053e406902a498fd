"""Erasing tenants and events: who may, what it answers, and that it can be asked again."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller, url_of
from tests.fakes.receivers import Answer
from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World, event
from tests.simulation.readable import texts
from tests.support.api_client import NOW, ApiClient
from webhooks.errors import Conflict, NotFound
from webhooks.management.erasures import UNTOUCHED_MS
from webhooks.models.caller import Caller
from webhooks.models.replay import ReplaySelection
from webhooks.store import schema
from webhooks.store.delivery_items import delivery_key
from webhooks.store.dynamo import DynamoTable
from webhooks.store.statistics import StatisticsReader

ADMIN: dict[str, Any] = {"user_id": "platform", "scopes": ["admin"]}
PLATFORM = Caller("platform", frozenset(), frozenset({"events:write:any"}))


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def test_a_tenant_s_erasure_is_taken_on_and_can_be_followed(client: ApiClient) -> None:
    answer = client.call("DELETE", "/tenants/user:42", **ADMIN)
    assert (answer.status, answer.body["tenant"], answer.body["status"]) == (202, "user:42", "pending")
    assert answer.headers["location"] == "/api/v1/tenants/user:42/erasure"
    assert client.call("GET", "/tenants/user:42/erasure", **ADMIN).body == answer.body
    assert [each["tenant"] for each in client.call("GET", "/erasures", **ADMIN).body["items"]] == ["user:42"]
    assert client.jobs.started == ["user:42"]


def test_the_list_of_the_erased_is_paged(client: ApiClient) -> None:
    for tenant in ("user:1", "workspace:7", "user:2"):
        client.call("DELETE", f"/tenants/{tenant}", **ADMIN)
    first = client.call("GET", "/erasures", **ADMIN, query={"limit": "2"}).body
    rest = client.call("GET", "/erasures", **ADMIN, query={"limit": "2", "cursor": first["next_cursor"]}).body
    assert [each["tenant"] for each in first["items"] + rest["items"]] == ["user:1", "user:2", "workspace:7"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("tenant", ["42", "user:", "ws:7", "group:1", "user:" + "4" * 200])
def test_what_is_no_tenant_is_said(client: ApiClient, tenant: str) -> None:
    answer = client.call("DELETE", f"/tenants/{tenant}", **ADMIN)
    assert answer.status == 422
    message = "must be user:<id> or workspace:<id>"
    assert answer.body["errors"] == [{"field": "tenant_id", "message": message, "code": "wrong_form"}]


def test_asked_again_it_goes_on_and_begins_anew_once_it_is_over(client: ApiClient) -> None:
    client.call("DELETE", "/tenants/user:42", **ADMIN)
    erasures = client.erasures.erasures
    erasures["user:42"] = replace(erasures["user:42"], status="running")
    client.call("DELETE", "/tenants/user:42", **ADMIN)
    assert len(client.jobs.started) == 1, "it is under way"
    client.now_ms = NOW + UNTOUCHED_MS + 1
    client.call("DELETE", "/tenants/user:42", **ADMIN)
    assert len(client.jobs.started) == 2, "its message got lost"
    erasures["user:42"] = replace(erasures["user:42"], status="completed")
    client.call("DELETE", "/tenants/user:42", **ADMIN)
    assert erasures["user:42"].requested_at_ms == client.now_ms
    assert len(client.jobs.started) == 3


def test_an_event_whose_payload_is_gone_is_still_shown() -> None:
    world = World()
    one = world.owners.register("one")
    api = Api(world.services)
    world.publish(event("e1"))
    world.run()
    api.use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    other = world.owners.register("other")
    shown = api.use_cases.events.get(caller(7), "e1")
    assert shown.payload is None
    assert {each.webhook.webhook_id: each.record and each.record.status for each in shown.results} == {
        one.webhook_id: "delivered",
        other.webhook_id: None,
    }


def erased_in_every_state() -> tuple[World, Api]:
    """An event that one webhook got, one failed at, and others wait for."""
    world = World()
    for name, answer in (("got", 200), ("dead", 500), ("later", 500)):
        world.owners.register(name, max_retries=0 if name == "dead" else 9)
        world.receivers.script(url_of(name), [Answer(answer, body=b"you sent SECRET")])
    paused = world.owners.register("paused")
    world.owners.change(paused, status="paused")
    world.publish(event("e1", data={"text": "SECRET"}))
    world.run(for_ms=10 * 60_000)
    world.owners.register("queued")
    api = Api(world.services)
    api.use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    return world, api


def test_an_erased_event_leaves_records_and_nothing_that_it_said() -> None:
    world, _ = erased_in_every_state()
    names = {each.webhook_id: each.url.removeprefix("https://").partition(".")[0] for each in _webhooks(world)}
    assert {names[r.webhook_id]: (r.status, r.reason) for r in world.deliveries()} == {
        "got": ("delivered", None),
        "dead": ("failed", "attempts_used_up:http_500"),
        "later": ("abandoned", "erased"),
        "paused": ("abandoned", "erased"),
    }
    assert not world.dead_letters()
    assert not world.items("att#")
    assert not any(record.body for record in world.event_records() if record.event_id == "e1")
    assert not any(r.body or r.response or r.waiting for r in world.deliveries())


def test_nothing_of_an_erased_event_is_sent_again() -> None:
    world, api = erased_in_every_state()
    sent = len(world.receivers.log)
    for webhook in _webhooks(world):
        if webhook.status == "paused":
            world.owners.change(webhook, status="active")
        api.recovery.start(caller(7), webhook.webhook_id, ReplaySelection(from_ms=0), 100)
    for record in world.deliveries():
        with pytest.raises(Conflict, match="no longer kept"):
            api.deliveries.retry(caller(7), record.webhook_id, record.delivery_id)
    world.run()
    assert len(world.receivers.log) == sent


def test_what_the_stream_repeats_after_its_webhook_was_erased_is_not_counted_again() -> None:
    world = World(keeps_stream=True)
    webhook = world.owners.register("paused")
    world.owners.change(webhook, status="paused")
    world.publish(event("e1"), event("e2"))
    world.work()
    reader = StatisticsReader(DynamoTable(world.dynamodb, TABLE))

    def counted() -> int:
        world.functions.invoke("rollup", {"Records": lambda_records(world.dynamodb.tables[TABLE])})
        return reader.service()["parked#paused"]

    assert counted() == 2
    Api(world.services).use_cases.tenant_erasures.start(Caller("p", frozenset(), frozenset({"admin"})), "user:7")
    world.run()
    assert not [each for each in world.deliveries() if each.waiting]
    assert counted() == 0
    assert counted() == 0
    hours = [item for item in world.items(schema.STATISTICS_PREFIX) if item["pk"]["S"].startswith("stat|")]
    expire = [int(item["expires_at"]["N"]) for item in hours]
    assert max(expire) <= world.clock.ms // 1000 + schema.COUNTED_SECONDS


def test_a_recovery_leaves_out_what_was_erased() -> None:
    world = World()
    webhook = world.owners.register("one", status="inactive")
    world.publish(event("erased"), event("kept"))
    world.run()
    api = Api(world.services)
    api.use_cases.event_erasure.erase(PLATFORM, "erased", None, None)
    world.owners.change(webhook, status="active")
    api.recovery.start(caller(7), webhook.webhook_id, ReplaySelection(from_ms=0), 100)
    world.run()
    assert [each.event_id for each in world.receivers.log] == ["kept"]


def test_what_a_recovery_has_in_hand_when_its_event_is_erased_is_not_sent() -> None:
    world = World()
    webhook = world.owners.register("one", status="inactive")
    world.publish(event("e1", data={"text": "SECRET"}))
    world.run()
    api = Api(world.services)
    world.owners.change(webhook, status="active")
    api.recovery.start(caller(7), webhook.webhook_id, ReplaySelection(from_ms=0), 100)
    while not world.messages(world.delivery_queue):
        world.clock.advance_to(world.clock.ms + 1_000)
        world.work("jobs")
    table = world.dynamodb.tables[TABLE]
    table.write(delivery_key(webhook.webhook_id, world.delivery().delivery_id), None)  # it was not marked yet
    api.use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    world.run()
    assert not world.receivers.log
    assert (world.delivery().status, world.delivery().reason) == ("abandoned", "erased")
    assert not readable(world)


def test_messages_that_are_on_their_way_are_dropped() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("e1", data={"text": "SECRET"}))
    world.work("ingest")
    Api(world.services).use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    world.run()
    assert not world.receivers.log
    assert (world.delivery().status, world.delivery().reason) == ("abandoned", "erased")
    assert not world.dead_letters()


def readable(world: World) -> list[tuple[str, str]]:
    """Where in the table SECRET is."""
    items = world.dynamodb.tables[TABLE].all_items()
    return [key for key, item in items if any("SECRET" in text for text in texts(item))]


def test_a_message_on_its_way_to_become_a_dead_letter_becomes_none() -> None:
    world = World()
    world.owners.register("dead", max_retries=0)
    world.receivers.script(url_of("dead"), [500])
    world.publish(event("e1", data={"text": "SECRET"}))
    world.work("ingest", "sender")
    Api(world.services).use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    assert len(world.messages(world.dead_letter_queue)) == 1
    world.run()
    assert world.delivery().status == "failed"
    assert not world.dead_letters()
    assert not readable(world)


def test_what_is_sent_again_when_it_is_erased_is_not_kept_either() -> None:
    world = World()
    webhook = world.owners.register("one")
    world.receivers.echo = True
    world.publish(event("e1", data={"text": "SECRET"}))
    world.run()
    api = Api(world.services)
    api.deliveries.retry(caller(7), webhook.webhook_id, world.delivery().delivery_id)
    world.owners.change(webhook, status="paused")
    api.use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    world.run()
    assert world.delivery().status == "delivered"
    assert len(world.receivers.log) == 1
    assert not readable(world)


def test_who_published_an_event_may_erase_it_and_nobody_else() -> None:
    world = World()
    world.owners.register("one")
    world.publish(event("mine"), publisher="user")
    world.publish(event("the platform's"[:3]))
    world.run()
    erase = Api(world.services).use_cases.event_erasure.erase
    for who, event_id in ((caller(8), "mine"), (caller(7, 99), "mine"), (caller(7), "the")):
        with pytest.raises(NotFound):
            erase(who, event_id, None, None)
    erase(caller(7), "mine", None, None)
    erase(caller(7), "mine", None, None)  # it may be repeated
    assert {record.event_id: bool(record.body) for record in world.event_records()} == {"mine": False, "the": True}


def test_an_event_that_reaches_many_webhooks_is_distributed_no_further() -> None:
    world = World()
    for number in range(501):
        world.owners.register(f"n{number}")
    world.publish(event("e1"))
    world.poll("ingest")
    Api(world.services).use_cases.event_erasure.erase(PLATFORM, "e1", None, None)
    world.run()
    assert not world.receivers.log
    assert len(world.deliveries()) == 500
    assert not world.messages(world.ingest_dead_letter_queue)


def _webhooks(world: World) -> list[Any]:
    found, _ = world.owners.store.webhooks("7", after=None, limit=100)
    return list(found)

"""A request repeated with its Idempotency-Key is done once, whatever it makes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from tests.support.api_client import NOW, Answered, ApiClient
from tests.support.management_fakes import MemoryManagementStore
from webhooks.access.api_keys import verify
from webhooks.access.idempotency_keys import IdempotencyRecord
from webhooks.errors import Unavailable

KEYED = ("webhooks", "events:write", "api-keys")


@dataclass
class Making:
    """A route that makes something: with which body, with which other one, and how many there are of what it makes."""

    path: str
    body: dict[str, Any]
    other: dict[str, Any]
    made: Callable[[ApiClient], int]

    def ask(self, client: ApiClient, webhook_id: str, body: dict[str, Any] | None = None, key: str = "k") -> Answered:
        return client.call(
            "POST",
            self.path.format(webhook_id),
            self.body if body is None else body,
            headers={"Idempotency-Key": key},
            scopes=KEYED,
        )


def _subscriptions(client: ApiClient) -> int:
    return sum(map(len, client.store.subscriptions_by_webhook.values()))


def _webhooks(client: ApiClient) -> int:
    return len(client.store.webhooks_by_id) - 1


def _jobs(client: ApiClient) -> int:
    assert len(client.jobs.jobs) == len(client.jobs.started)
    return len(client.jobs.jobs)


def _keys(client: ApiClient) -> int:
    return len(list(client.api_keys.newest("123", None)))


URL = "https://example.com/other"
ROUTES = {
    "webhook": Making("/webhooks", {"name": "n", "url": URL}, {"name": "m", "url": URL}, _webhooks),
    "subscription": Making(
        "/webhooks/{}/subscriptions", {"event_type": "record.*"}, {"event_type": "*"}, _subscriptions
    ),
    "replay": Making("/webhooks/{}/dead-letters/bulk-replay", {}, {"reason": "tls"}, _jobs),
    "replay of many": Making("/dead-letters/bulk-replay", {"reason": "tls"}, {"reason": "gone"}, _jobs),
    "recovery": Making(
        "/webhooks/{}/recover", {"from": "2025-01-01T00:00:00Z"}, {"from": "2025-01-02T00:00:00Z"}, _jobs
    ),
    "API key": Making("/api-keys", {"name": "n", "scopes": ["webhooks"]}, {"name": "m", "scopes": ["webhooks"]}, _keys),
}
every_route = pytest.mark.parametrize("making", ROUTES.values(), ids=list(ROUTES))


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


@pytest.fixture
def mine(client: ApiClient) -> str:
    return client.register()["id"]


@every_route
def test_a_repeat_gets_the_first_answer_and_makes_nothing(client: ApiClient, mine: str, making: Making) -> None:
    first = making.ask(client, mine)
    assert first.status in (201, 202), first.text
    client.now_ms += 86_399_000
    again = making.ask(client, mine)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers.get("location") == first.headers.get("location")
    assert making.made(client) == 1
    log = client.call("GET", "/audit").body["items"]
    assert sum(each["target"] == first.body["id"] for each in log) == 1


@every_route
def test_another_request_with_the_same_key_is_refused(client: ApiClient, mine: str, making: Making) -> None:
    making.ask(client, mine)
    refused = making.ask(client, mine, making.other)
    assert (refused.status, refused.body["type"]) == (409, "/problems/conflict")
    assert refused.body["detail"] == "this Idempotency-Key was used for another request"
    assert making.made(client) == 1
    assert making.ask(client, mine, making.other, key="another").status in (201, 202)
    assert making.made(client) == 2


@every_route
def test_a_key_is_its_caller_s_and_its_day_s(client: ApiClient, mine: str, making: Making) -> None:
    first = making.ask(client, mine)
    client.now_ms += 86_400_000
    later = making.ask(client, mine)
    assert later.status == first.status
    assert later.body["id"] != first.body["id"]
    assert making.made(client) == 2


@every_route
def test_a_key_that_is_none_is_refused(client: ApiClient, mine: str, making: Making) -> None:
    for key in ("", "a b", "a|b", "x" * 256):
        refused = making.ask(client, mine, key=key)
        assert (refused.status, "visible ASCII" in refused.text) == (422, True)
    assert making.made(client) == 0


@dataclass
class Meanwhile:
    """What is done right after somebody has looked up a key, once it is armed."""

    work: Callable[[], object] | None = None

    def __call__(self) -> None:
        work, self.work = self.work, None
        if work is not None:
            work()


@dataclass
class RacingStore(MemoryManagementStore):
    meanwhile: Meanwhile = field(default_factory=Meanwhile)

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        found = super().idempotency_record(caller, key, now_ms)
        self.meanwhile()
        return found


class RacingTable(FakeDynamoDB):
    meanwhile: Callable[[], None]

    def batch_get_item(self, **request: Any) -> Any:
        found = super().batch_get_item(**request)
        self.meanwhile()
        return found


@every_route
def test_two_at_once_make_one(making: Making) -> None:
    meanwhile, table = Meanwhile(), RacingTable(Clock(), "webhooks")
    table.meanwhile = meanwhile
    client = ApiClient(store=RacingStore(meanwhile=meanwhile), dynamodb=table)
    webhook_id = client.register()["id"]
    others = list[Answered]()
    meanwhile.work = lambda: others.append(making.ask(client, webhook_id))
    answer = making.ask(client, webhook_id)
    assert answer.status == others[0].status, answer.text
    assert (answer.body["id"], making.made(client)) == (others[0].body["id"], 1)


def test_an_api_key_is_shown_again_and_opens_the_same(client: ApiClient) -> None:
    making = ROUTES["API key"]
    made = making.ask(client, "").body
    assert making.ask(client, "").body["key"] == made["key"]
    assert verify(made["key"], client.api_keys, NOW).key_id == made["id"]
    other = making.ask(client, "", key="another").body
    assert other["key"][31:] != made["key"][31:]
    client.call("DELETE", f"/api-keys/{made['id']}", scopes=KEYED)
    refused = making.ask(client, "")
    assert (refused.status, "is revoked" in refused.text) == (409, True)


def test_a_subscription_that_is_deleted_is_not_made_again_by_a_repeat(client: ApiClient, mine: str) -> None:
    making = ROUTES["subscription"]
    made = making.ask(client, mine).body
    client.call("DELETE", f"/webhooks/{mine}/subscriptions/{made['id']}")
    assert making.ask(client, mine).status == 404
    assert making.made(client) == 0


def test_a_key_is_of_one_webhook(client: ApiClient, mine: str) -> None:
    other = client.register()["id"]
    making = ROUTES["subscription"]
    assert making.ask(client, mine).status == 201
    assert making.ask(client, other).status == 409


@pytest.mark.parametrize("making", [ROUTES[name] for name in ("replay", "replay of many", "recovery")])
def test_a_job_whose_request_died_is_begun_by_a_repeat(client: ApiClient, mine: str, making: Making) -> None:
    """The key is noted, and neither the message nor the job is there."""
    first = making.ask(client, mine).body
    client.jobs.jobs.clear()
    client.jobs.started.clear()
    waits = making.ask(client, mine)
    assert (waits.status, waits.headers["retry-after"]) == (503, "1"), "it may be at it"
    client.now_ms += 60_001
    begun = making.ask(client, mine)
    assert begun.status == 202
    assert begun.body["id"] != first["id"]
    assert making.ask(client, mine).body["id"] == begun.body["id"]
    assert making.made(client) == 1


def test_a_repeat_of_a_replay_takes_no_place_among_those_under_way(mine: str) -> None:
    client = ApiClient(max_replays=1)
    webhook_id = client.register()["id"]
    making = ROUTES["replay"]
    first = making.ask(client, webhook_id)
    assert making.ask(client, webhook_id).body["id"] == first.body["id"]
    assert making.ask(client, webhook_id, key="another").status == 429
    job = client.jobs.jobs[first.body["id"]]
    client.jobs.jobs[job.job_id] = replace(job, status="completed")
    assert making.ask(client, webhook_id, key="another").status == 202, "what was refused can be asked for again"


def test_an_outage_between_the_key_and_the_job_loses_neither(client: ApiClient, mine: str) -> None:
    making = ROUTES["replay"]
    kept = client.jobs.create

    def down(_job: object) -> None:
        raise Unavailable("DynamoDB: no")

    client.jobs.create = down  # type: ignore[method-assign]
    assert making.ask(client, mine).status == 503
    client.jobs.create = kept  # type: ignore[method-assign]
    client.jobs.started.clear()
    client.now_ms += 60_001
    assert making.ask(client, mine).status == 202

"""DELETE /workspaces/:id/members/:user_id: what a former member registered there stops, and tells of it."""

import json
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import url_of
from tests.fakes.world import World, event
from tests.support.api_client import ApiClient
from webhooks.management.members import AT_ONCE, MEMBER_REMOVED
from webhooks.models.caller import Caller

ADMIN = Caller("platform", frozenset(), frozenset({"admin"}))
IN_77: dict[str, Any] = {"workspaces": ["77"], "workspace_id": 77}
PATH = "/workspaces/77/members/123"


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def removed(client: ApiClient, path: str = PATH) -> dict[str, Any]:
    answer = client.call("DELETE", path, user_id="platform", scopes=["admin"])
    assert answer.status == 200, answer.text
    return answer.body


def test_the_webhooks_of_who_left_are_disabled_and_no_other(client: ApiClient) -> None:
    theirs = [client.register(**IN_77, status=status)["id"] for status in ("active", "paused", "inactive")]
    others = [
        client.register()["id"],
        client.register(workspaces=["78"], workspace_id=78)["id"],
        client.register(user_id="124", **IN_77)["id"],
    ]
    assert removed(client) == {"disabled": sorted(theirs, reverse=True), "revoked_api_keys": [], "is_complete": True}
    found = client.store.webhooks_by_id
    assert {(found[each].status, found[each].status_reason) for each in theirs} == {("failed", MEMBER_REMOVED)}
    assert {found[each].status for each in others} == {"active"}
    assert set(theirs) <= set(client.states.woken), "what waits is given up"
    assert removed(client) == {"disabled": [], "revoked_api_keys": [], "is_complete": True}, "it may be repeated"


def test_more_than_one_request_disables_are_left_for_the_next(client: ApiClient) -> None:
    for _ in range(AT_ONCE + 1):
        client.register(**IN_77)
    answers = [removed(client) for _ in range(3)]
    assert [(len(each["disabled"]), each["is_complete"]) for each in answers] == [
        (AT_ONCE, False),
        (1, True),
        (0, True),
    ]


def test_a_token_that_is_still_good_does_not_undo_it(client: ApiClient) -> None:
    """It names the workspace until it expires."""
    made = client.register(**IN_77)["id"]
    removed(client)
    for status in ("active", "paused", "inactive"):
        answer = client.call("PUT", f"/webhooks/{made}", {"status": status}, workspaces=["77"])
        assert answer.status == 403, answer.text
    again = client.call("PUT", f"/webhooks/{made}", {"status": "active"}, user_id="1", scopes=["admin"])
    assert (again.body["status"], again.body["status_reason"]) == ("active", None)


@pytest.mark.parametrize("scopes", [["webhooks"], ["events:write:any"], ["metrics:read"]])
def test_it_takes_an_admin(client: ApiClient, scopes: list[str]) -> None:
    assert client.call("DELETE", PATH, scopes=scopes, workspaces=["77"]).status == 403


def test_what_waits_is_abandoned_and_the_others_of_the_workspace_hear_of_it() -> None:
    world = World(keeps_stream=True)
    leaver = world.owners.register("leaver", event_types=("record.*",))
    world.owners.register("stays", event_types=("webhook.disabled",), user_id=8)
    world.receivers.script(url_of("leaver"), [503, 200])
    world.publish(event("e1", workspace_id=1))
    world.work()
    Api(world.services).use_cases.members.removed(ADMIN, "1", "7")
    world.publish(event("e2", workspace_id=1))
    world.run()
    world.roll_up()
    world.run()
    (record,) = (each for each in world.deliveries() if each.webhook_id == leaver.webhook_id)
    assert (record.status, record.reason) == ("abandoned", "webhook_disabled")
    told = [json.loads(seen.body) for seen in world.receivers.log if seen.url == url_of("stays")]
    assert [(each["type"], each["resource_id"], each["data"]["reason"]) for each in told] == [
        ("webhook.disabled", leaver.webhook_id, MEMBER_REMOVED)
    ]
    assert [seen.url for seen in world.receivers.log].count(url_of("leaver")) == 1, "nothing more goes out"

"""GET /events/:id over HTTP, on fakes: what became of an event for each webhook, and why."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, Answered, ApiClient
from webhooks.ids import delivery_id
from webhooks.matching.compiled_routes import Route, RouteSubscription, compile_routes
from webhooks.models.delivery import Attempt, DeliveryRecord, DeliveryStatus, Waiting
from webhooks.models.event import EventRecord
from webhooks.payload import serialise

LATER = NOW + 60_000


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def event(user_id: int | None = 123, workspace_id: int | None = None, **changes: Any) -> EventRecord:
    """As ingestion records it a minute after the webhooks were registered."""
    event_type = changes.get("event_type", "record.created")
    payload: dict[str, Any] = {
        "id": changes.get("event_id", "e1"),
        "type": event_type,
        "resource_id": changes.pop("resource_id", None),
        "workspace_id": workspace_id,
        "user_id": user_id,
        "timestamp": "2024-01-01T12:00:00Z",
        "data": changes.pop("data", {"fields": {"status": "open"}}),
        "metadata": {},
    }
    made = EventRecord(
        event_id="e1",
        scope=f"user:{user_id}" if workspace_id is None else f"ws:{workspace_id}",
        page=0,
        token="t",
        event_type=event_type,
        user_id=user_id,
        workspace_id=workspace_id,
        accepted_at_ms=LATER,
        body=serialise(payload),
    )
    return replace(made, **changes)


def register(client: ApiClient, *patterns: str, **fields: Any) -> str:
    subscriptions = [{"event_type": each} for each in patterns or ("record.*",)]
    return client.register(**{"subscriptions": subscriptions, **fields})["id"]


def get(client: ApiClient, path: str = "/events/e1", **more: Any) -> Answered:
    return client.call("GET", path, **more)


def outcomes(answer: Answered) -> dict[str, tuple[str, str | None]]:
    assert answer.status == 200, answer.text
    return {each["webhook_id"]: (each["status"], each["reason"]) for each in answer.body["webhooks"]}


def test_a_queued_event_shows_each_delivery_whether_it_has_a_record_or_not(client: ApiClient) -> None:
    fresh, tried = register(client), register(client)
    record = event(queued=(fresh, tried))
    client.events.add(record)
    key = delivery_id(LATER, "user:123", "e1", tried)
    attempts = (Attempt(1, LATER, 9, "failure", 503), Attempt(0, LATER, 0, "unknown"))
    client.history.add(
        DeliveryRecord(
            key,
            tried,
            "e1",
            "record.created",
            "user:123",
            "retrying",
            1,
            1,
            attempts,
            next_attempt_at_ms=LATER + 5_000,
            reason="http_503",
        )
    )
    answer = get(client)
    body = answer.body
    assert (body["id"], body["type"], body["disposition"], body["counts"]) == (
        "e1",
        "record.created",
        "queued",
        {"queued": 2},
    )
    assert body["payload"]["data"] == {"fields": {"status": "open"}}
    assert (body["user_id"], body["workspace_id"]) == (123, None)
    assert body["accepted_at"] == "2025-10-09T08:54:20.000Z"
    by_id = {each["webhook_id"]: each for each in body["webhooks"]}
    assert by_id[fresh] == {
        "webhook_id": fresh,
        "webhook_name": "mine",
        "status": "pending",
        "reason": None,
        "explanation": None,
        "evaluated_now": False,
        "delivery_id": delivery_id(LATER, "user:123", "e1", fresh),
        "attempt_count": 0,
        "next_attempt_at": None,
    }
    assert by_id[tried]["status"] == "retrying"
    assert (by_id[tried]["reason"], by_id[tried]["explanation"]) == ("http_503", "The receiver answered 503.")
    assert (by_id[tried]["delivery_id"], by_id[tried]["attempt_count"]) == (key, 1)
    assert by_id[tried]["next_attempt_at"] == "2025-10-09T08:54:25.000Z"


def test_every_webhook_that_got_nothing_has_its_reason(client: ApiClient) -> None:
    queued, missed, filtered = register(client), register(client, status="inactive"), register(client)
    unsubscribed = register(client, "table.created")
    client.events.add(
        event(
            queued=(queued,),
            missed=((missed, "inactive"),),
            skipped_counts={"filtered": 1},
            skipped_first=((filtered, "filtered"),),
        )
    )
    client.now_ms = LATER + 1
    younger = register(client)
    answer = get(client)
    assert outcomes(answer) == {
        queued: ("pending", None),
        missed: ("not_queued", "inactive"),
        filtered: ("not_queued", "filtered"),
        unsubscribed: ("not_queued", "not_subscribed"),
        younger: ("not_queued", "created_later"),
    }
    assert answer.body["counts"] == {"queued": 1, "inactive": 1, "filtered": 1}
    assert all(each["explanation"] for each in answer.body["webhooks"] if each["reason"])
    assert not any(each["evaluated_now"] for each in answer.body["webhooks"])


@pytest.mark.parametrize(
    ("changes", "disposition"),
    [
        ({"skipped_counts": {"unknown_event_type": 1}}, "unknown_event_type"),
        ({"missed": (("wh_x", "failed"),)}, "missed"),
        ({}, "no_match"),
    ],
)
def test_the_disposition_sums_the_event_up(client: ApiClient, changes: dict[str, Any], disposition: str) -> None:
    client.events.add(event(**changes))
    assert get(client).body["disposition"] == disposition


def test_an_unknown_event_type_goes_to_nobody(client: ApiClient) -> None:
    mine = register(client, "*")
    client.events.add(event(event_type="no.such", skipped_counts={"unknown_event_type": 1}))
    assert outcomes(get(client)) == {mine: ("not_queued", "unknown_event_type")}


def test_where_more_was_skipped_than_recorded_todays_subscriptions_answer(client: ApiClient) -> None:
    closed = {"event_type": "record.created", "filters": {"fields": {"status": "closed"}}}
    elsewhere = {"event_type": "record.created", "resource_id": "rec9"}
    filtered = register(client, subscriptions=[closed])
    mismatched = register(client, subscriptions=[elsewhere])
    unsubscribed = register(client, "table.created")
    changed = register(client)
    changed_while_inactive = register(client, status="inactive")
    client.events.add(event(skipped_counts={"filtered": 25}, skipped_first=(("wh_other", "filtered"),) * 20))
    answer = get(client)
    assert outcomes(answer) == {
        filtered: ("not_queued", "filtered"),
        mismatched: ("not_queued", "resource_mismatch"),
        unsubscribed: ("not_queued", "not_subscribed"),
        changed: ("not_queued", "changed_since"),
        changed_while_inactive: ("not_queued", "changed_since"),
    }
    assert all(each["evaluated_now"] for each in answer.body["webhooks"])


def test_an_operational_event_tells_its_own_webhook_why_it_does_not_hear_of_it(client: ApiClient) -> None:
    spoken_of, listening = register(client, "webhook.disabled"), register(client, "webhook.disabled")
    client.events.add(event(event_type="webhook.disabled", resource_id=spoken_of, queued=(listening,)))
    assert outcomes(get(client)) == {
        listening: ("pending", None),
        spoken_of: ("not_queued", "speaks_of_itself"),
    }


def test_all_pages_of_a_large_fan_out_count_and_what_is_behind_them_is_undecided(client: ApiClient) -> None:
    ids = sorted(register(client) for _ in range(4))
    first = event(queued=(ids[0],), continues_after=ids[0])
    second = event(page=1, body=b"", queued=(ids[1],), missed=((ids[2], "failed"),), continues_after=ids[2])
    client.events.add(first)
    assert outcomes(get(client))[ids[1]] == ("not_queued", "not_decided_yet")
    client.events.add(second)
    answer = get(client)
    assert outcomes(answer) == {
        ids[0]: ("pending", None),
        ids[1]: ("pending", None),
        ids[2]: ("not_queued", "failed"),
        ids[3]: ("not_queued", "not_decided_yet"),
    }
    assert answer.body["counts"] == {"queued": 2, "failed": 1}


def test_a_webhook_deleted_since_still_shows_what_became_of_its_delivery(client: ApiClient) -> None:
    mine = register(client)
    client.events.add(event(queued=(mine,)))
    key = delivery_id(LATER, "user:123", "e1", mine)
    client.history.add(
        DeliveryRecord(key, mine, "e1", "record.created", "user:123", "abandoned", 1, 1, reason="webhook_deleted")
    )
    assert client.call("DELETE", f"/webhooks/{mine}").status == 204
    assert outcomes(get(client)) == {mine: ("abandoned", "webhook_deleted")}


@pytest.mark.parametrize(
    ("status", "waiting", "explanation"),
    [
        ("pending", Waiting("room", LATER, "circuit_open"), "The receiver failed so often that it is asked with one"),
        ("retrying", Waiting("due", LATER, "http_503"), "It is tried again later. The receiver answered 503."),
    ],
)
def test_what_waits_says_why(client: ApiClient, status: DeliveryStatus, waiting: Waiting, explanation: str) -> None:
    mine = register(client)
    client.events.add(event(queued=(mine,)))
    key = delivery_id(LATER, "user:123", "e1", mine)
    client.history.add(DeliveryRecord(key, mine, "e1", "record.created", "user:123", status, 1, 1, waiting=waiting))
    (told,) = get(client).body["webhooks"]
    assert (told["status"], told["reason"]) == (status, waiting.reason)
    assert told["explanation"].startswith(explanation)


def test_an_event_is_seen_by_its_user_its_workspace_and_admins(client: ApiClient) -> None:
    client.events.add(event(123, 456))
    assert get(client).status == 200
    assert get(client, user_id="9", workspaces=["456"]).status == 200
    assert get(client, user_id="9", scopes=["admin"]).status == 200
    for stranger in ({"user_id": "9"}, {"user_id": "9", "workspaces": ["457"]}):
        assert get(client, **stranger).status == 404
    assert get(client, scopes=["events:write"]).status == 403
    assert get(client, user_id=None).status == 401


def test_of_a_workspaces_event_everybody_sees_only_what_became_of_it_for_their_own_webhooks(client: ApiClient) -> None:
    mine = register(client, workspace_id=456, workspaces=["456"])
    theirs = register(client, workspace_id=456, workspaces=["456"], user_id="9")
    without_workspace = register(client)
    elsewhere = register(client, workspace_id=7, workspaces=["7"])
    client.events.add(event(123, 456, queued=(mine, theirs)))
    assert outcomes(get(client, workspaces=["456"])) == {
        mine: ("pending", None),
        without_workspace: ("not_queued", "not_subscribed"),
    }
    assert outcomes(get(client, user_id="9", workspaces=["456"])) == {theirs: ("pending", None)}
    assert set(outcomes(get(client, user_id="1", scopes=["admin"]))) == {mine, theirs, without_workspace}
    assert get(client).body["counts"] == {"queued": 2}
    only = get(client, query={"webhook_id": elsewhere}, workspaces=["456", "7"])
    assert outcomes(only) == {elsewhere: ("not_queued", "other_scope")}
    assert get(client, query={"webhook_id": theirs}, workspaces=["456"]).status == 404
    assert set(outcomes(get(client))) == {without_workspace}, (
        "the event is the user's own; the workspace's webhook is not"
    )


def test_events_of_one_id_are_told_apart(client: ApiClient) -> None:
    client.events.add(event(123), event(123, 456), event(123, 457), event(9, 458))
    refused = get(client)
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "workspace_id")
    assert get(client, query={"workspace_id": "456"}).body["workspace_id"] == 456
    assert get(client, query={"user_id": "123"}).body["workspace_id"] is None
    assert get(client, query={"workspace_id": "458"}).status == 404
    assert get(client, user_id="9").body["workspace_id"] == 458


def test_an_event_that_is_not_there_is_not_found(client: ApiClient) -> None:
    for path in ("/events/nothing", "/events/a.b", f"/events/{'x' * 65}"):
        assert get(client, path).status == 404
    assert "seconds" in get(client, "/events/nothing").body["detail"]


def test_many_webhooks_come_in_pages_each_once(client: ApiClient) -> None:
    mine = [register(client) for _ in range(23)]
    client.events.add(
        event(
            queued=tuple(sorted(mine[:20])),
            skipped_counts={"filtered": 3},
            skipped_first=tuple((each, "filtered") for each in sorted(mine[20:])),
        )
    )
    found: list[str] = []
    cursor: dict[str, str] = {}
    for expected in (10, 10, 3):
        answer = get(client, query={"limit": "10", **cursor})
        assert len(answer.body["webhooks"]) == expected
        found += [each["webhook_id"] for each in answer.body["webhooks"]]
        cursor = {"cursor": answer.body["next_cursor"]}
    assert cursor == {"cursor": None}
    assert found == sorted(mine, reverse=True)
    first = get(client, query={"limit": "10"}).body["next_cursor"]
    assert get(client, query={"limit": "10", "cursor": first, "user_id": "123"}).status == 422
    client.events.add(event(event_id="e2"))
    assert get(client, "/events/e2", query={"cursor": first}).status == 422


def test_ones_own_webhooks_are_found_among_thousands_of_others_within_bounded_reads(client: ApiClient) -> None:
    others = [register(client, workspace_id=456, workspaces=["456"], user_id="9") for _ in range(60)]
    mine = register(client, workspace_id=456, workspaces=["456"])
    client.events.add(event(123, 456, queued=tuple(sorted([*others, mine]))))
    assert outcomes(get(client, workspaces=["456"])) == {mine: ("pending", None)}
    assert sum(map(len, client.history.loads)) == 61


def test_reasons_agree_with_a_matcher_written_for_this_test(client: ApiClient) -> None:
    """What ingestion records of the first twenty, and what is evaluated of the rest, is the same decision."""
    statuses = ["open", "closed", None]
    registered = {
        register(
            client,
            subscriptions=[]
            if status is None
            else [{"event_type": "record.created", "filters": {"fields": {"status": status}}}],
        ): status
        for status in statuses * 15
    }
    routes = compile_routes(
        Route(w, "active", (RouteSubscription("s", "record.created", None, {"fields": {"status": status}}),))
        for w, status in registered.items()
        if status is not None
    )
    payload = {"type": "record.created", "resource_id": None, "data": {"fields": {"status": "new"}}}
    outcome = routes.match(payload)
    assert sum(outcome.skipped_counts.values()) > len(outcome.skipped_first)
    client.events.add(
        event(
            data=payload["data"],
            queued=tuple(outcome.queued),
            skipped_counts=outcome.skipped_counts,
            skipped_first=tuple(outcome.skipped_first),
        )
    )
    expected = {
        webhook_id: ("not_queued", "not_subscribed" if status is None else "filtered")
        for webhook_id, status in registered.items()
    }
    assert outcomes(get(client)) == expected

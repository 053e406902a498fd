"""Dead letters and replays over HTTP, on fakes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.api_client import NOW, ApiClient
from webhooks.ids import delivery_id, new_id
from webhooks.management.dead_letters import MAX_PAGE_BYTES
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.replay import ReplaySelection

PAYLOAD = {"id": "e0", "type": "record.created", "data": {"name": "Ω"}}


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


@pytest.fixture
def mine(client: ApiClient) -> str:
    return client.register()["id"]


def letter(webhook_id: str, n: int = 0, **changes: Any) -> DeadLetter:
    key = delivery_id(NOW + n, "user:123", f"e{n}", webhook_id)
    body = json.dumps(PAYLOAD, ensure_ascii=False).encode()
    made = DeadLetter(key, webhook_id, "123", f"e{n}", "record.created", "user:123", 1, "failed",
                      "attempts_used_up:http_503", 10, 503, None, NOW + 60_000, body,
                      cause="http_503:1f0c9a2b")  # fmt: skip
    return replace(made, **changes)


def record_of(of: DeadLetter, **changes: Any) -> DeliveryRecord:
    made = DeliveryRecord(of.delivery_id, of.webhook_id, of.event_id, of.event_type, of.scope, "failed", 1, 5)
    return replace(made, **changes)


def listed(client: ApiClient, path: str, **more: Any) -> list[str]:
    answer = client.call("GET", path, **more)
    assert answer.status == 200, answer.text
    return [each["event_id"] for each in answer.body["items"]]


def path_of(of: DeadLetter) -> str:
    return f"/webhooks/{of.webhook_id}/dead-letters/{of.delivery_id}/replay"


def test_a_dead_letter_shows_what_failed_and_why(client: ApiClient, mine: str) -> None:
    client.history.add(letter(mine))
    (item,) = client.call("GET", f"/webhooks/{mine}/dead-letters").body["items"]
    assert item == {
        "id": letter(mine).delivery_id,
        "webhook_id": mine,
        "event_id": "e0",
        "event_type": "record.created",
        "payload": PAYLOAD,
        "failure_reason": "attempts_used_up:http_503",
        "cause": "http_503:1f0c9a2b",
        "explanation": "All attempts failed. The last one: The receiver answered 503.",
        "attempt_count": 10,
        "last_status_code": 503,
        "last_error_code": None,
        "is_processed": False,
        "processed_at": None,
        "processed_by": None,
        "created_at": "2025-10-09T08:54:20.000Z",
        "event_accepted_at": "2025-10-09T08:53:20.000Z",
    }


def test_dead_letters_are_found_by_state_reason_type_and_time(client: ApiClient, mine: str) -> None:
    client.history.add(
        letter(mine, 1),
        letter(mine, 2, is_processed=True, processed_at_ms=NOW, processed_by="manual"),
        letter(mine, 3, failure_reason="gone"),
        letter(mine, 4, event_type="table.created"),
    )
    for path in (f"/webhooks/{mine}/dead-letters", "/dead-letters"):
        assert listed(client, path) == ["e4", "e3", "e2", "e1"]
        assert listed(client, path, query={"is_processed": "true"}) == ["e2"]
        assert listed(client, path, query={"is_processed": "false", "reason": "gone"}) == ["e3"]
        assert listed(client, path, query={"event_type": "table.created"}) == ["e4"]
        assert listed(client, path, query={"to": "2025-10-09T08:53:20.002Z"}) == ["e2", "e1"]
        assert client.call("GET", path, query={"is_processed": "maybe"}).status == 422


def test_everybody_sees_the_dead_letters_of_their_own_webhooks_and_admins_all(client: ApiClient, mine: str) -> None:
    also_mine, theirs = client.register()["id"], client.register(user_id="9")["id"]
    client.history.add(letter(mine, 1), letter(also_mine, 2), letter(theirs, 3, owner="9"))
    assert listed(client, "/dead-letters") == ["e2", "e1"]
    assert listed(client, "/dead-letters", user_id="9") == ["e3"]
    assert listed(client, "/dead-letters", user_id="1", scopes=["admin"]) == ["e3", "e2", "e1"]
    assert listed(client, "/dead-letters", user_id="1", scopes=["admin"], query={"user_id": "9"}) == ["e3"]
    assert client.call("GET", "/dead-letters", query={"user_id": "9"}).status == 403
    assert client.call("GET", f"/webhooks/{theirs}/dead-letters").status == 404
    assert client.call("POST", path_of(letter(theirs, 3))).status == 404
    assert client.call("POST", path_of(replace(letter(theirs, 3), webhook_id=mine))).status == 404
    assert client.call("POST", f"/webhooks/{theirs}/dead-letters/bulk-replay").status == 404
    client.call("DELETE", f"/webhooks/{mine}")
    assert listed(client, "/dead-letters") == ["e2", "e1"]


def test_large_payloads_make_short_pages(client: ApiClient, mine: str) -> None:
    body = json.dumps({"data": "x" * (MAX_PAGE_BYTES // 3)}).encode()
    client.history.add(*(letter(mine, n, body=body) for n in range(8)))
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.call("GET", "/dead-letters", query={"limit": "100", **cursor})
        assert len(answer.text) < 2 * MAX_PAGE_BYTES
        found.append(len(answer.body["items"]))
        if answer.body["next_cursor"] is None:
            break
        cursor = {"cursor": answer.body["next_cursor"]}
    assert found == [3, 3, 2]


def test_a_dead_letter_is_replayed_once(client: ApiClient, mine: str) -> None:
    dead = letter(mine)
    client.history.add(dead, record_of(dead))
    answer = client.call("POST", path_of(dead))
    assert (answer.status, answer.body["is_processed"], answer.body["processed_by"]) == (202, True, "manual")
    assert answer.headers["location"] == f"/api/v1/webhooks/{mine}/deliveries/{dead.delivery_id}"
    ((message, _),) = client.delivery_queue.sent
    assert (message.delivery_id, message.generation, json.loads(message.body)) == (dead.delivery_id, 2, PAYLOAD)
    again = client.call("POST", path_of(dead))
    assert (again.status, again.body["type"]) == (409, "/problems/conflict")
    assert len(client.delivery_queue.sent) == 1


def test_what_died_again_is_replayed_again(client: ApiClient, mine: str) -> None:
    dead = letter(mine, generation=2, processed_by=None)
    client.history.add(dead, record_of(dead, generation=2))
    assert client.call("POST", path_of(dead)).status == 202


def test_a_dead_letter_whose_delivery_arrived_in_another_way_is_only_marked(client: ApiClient, mine: str) -> None:
    dead = letter(mine)
    client.history.add(dead, record_of(dead, status="delivered"))
    assert client.call("POST", path_of(dead)).status == 409
    assert not client.delivery_queue.sent
    assert client.history.letters[dead.delivery_id].is_processed


@pytest.mark.parametrize("status", ["inactive"])
def test_nothing_is_replayed_to_a_webhook_that_takes_nothing(client: ApiClient, mine: str, status: str) -> None:
    dead = letter(mine)
    client.history.add(dead, record_of(dead))
    client.call("PUT", f"/webhooks/{mine}", {"status": status})
    for path in (path_of(dead), f"/webhooks/{mine}/dead-letters/bulk-replay"):
        answer = client.call("POST", path)
        assert (answer.status, answer.body["detail"]) == (
            409,
            f"the webhook is {status}; set its status to active first",
        )
    assert not client.delivery_queue.sent
    assert not client.jobs.started


def test_an_unknown_dead_letter_is_not_found(client: ApiClient, mine: str) -> None:
    for unknown in ("dlv_1", "x", f"dlv_{'0' * 26}"):
        assert client.call("POST", f"/webhooks/{mine}/dead-letters/{unknown}/replay").status == 404


def test_a_bulk_replay_is_a_job_whose_progress_can_be_read(client: ApiClient, mine: str) -> None:
    ids = [letter(mine, n).delivery_id for n in range(3)]
    wanted = {
        "ids": ids,
        "reason": "gone",
        "event_type": "record.created",
        "from": "2025-10-09T08:53:20Z",
        "to": "2025-10-09T08:53:21.5Z",
        "rate_per_second": 2,
    }
    answer = client.call("POST", f"/webhooks/{mine}/dead-letters/bulk-replay", wanted)
    assert answer.status == 202, answer.text
    job_id = answer.body["id"]
    assert answer.headers["location"] == f"/api/v1/replays/{job_id}"
    assert client.jobs.started == [job_id]
    job = client.jobs.jobs[job_id]
    assert job.selection == ReplaySelection(tuple(ids), "gone", "record.created", NOW, NOW + 1_500)
    assert (job.webhook_id, job.owner, job.rate_per_second) == (mine, "123", 2)
    client.jobs.jobs[job_id] = replace(job, status="running", total=3, replayed=2, skipped=1, updated_at_ms=NOW + 1)
    assert client.call("GET", f"/replays/{job_id}").body == {
        "id": job_id,
        "webhook_id": mine,
        "webhooks": None,
        "user_id": "123",
        "kind": "replay",
        "reason": "gone",
        "status": "running",
        "total": 3,
        "replayed": 2,
        "skipped": 1,
        "left_out": 0,
        "error": None,
        "rate_per_second": 2,
        "created_at": "2025-10-09T08:53:20.000Z",
        "updated_at": "2025-10-09T08:53:20.001Z",
    }
    assert client.call("GET", f"/replays/{job_id}", user_id="9").status == 404
    assert client.call("GET", f"/replays/{job_id}", user_id="9", scopes=["admin"]).status == 200
    for unknown in ("x", new_id("rpl", NOW)):
        assert client.call("GET", f"/replays/{unknown}").status == 404


@pytest.mark.parametrize("body", [None, {}])
def test_a_bulk_replay_of_everything_needs_no_body(client: ApiClient, mine: str, body: object) -> None:
    answer = client.call("POST", f"/webhooks/{mine}/dead-letters/bulk-replay", body)
    assert (answer.status, answer.body["status"], answer.body["total"]) == (202, "pending", None)
    assert client.jobs.jobs[answer.body["id"]].selection == ReplaySelection()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": ["evt_1"]}, "ids[0]"),
        ({"ids": [f"dlv_{'0' * 26}"] * 1_001}, "ids"),
        ({"from": "yesterday"}, "from"),
        ({"from_": "2025-10-09T08:53:20Z"}, "from_"),
        ({"to": 5}, "to"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"rate_per_second": "5"}, "rate_per_second"),
        ({"everything": True}, "everything"),
    ],
)
def test_a_wrong_selection_is_named(client: ApiClient, mine: str, body: object, field: str) -> None:
    answer = client.call("POST", f"/webhooks/{mine}/dead-letters/bulk-replay", body)
    assert (answer.status, [each["field"] for each in answer.body["errors"]]) == (422, [field])
    assert not client.jobs.started


ACROSS = "/dead-letters/bulk-replay"


def test_dead_letters_of_many_webhooks_are_counted_and_replayed_as_one_job(client: ApiClient, mine: str) -> None:
    other, theirs, idle = client.register()["id"], client.register(user_id="9")["id"], client.register()["id"]
    client.history.add(
        letter(mine, 1), letter(other, 2), letter(other, 3, failure_reason="gone", cause="gone"),
        letter(mine, 4, is_processed=True), letter(theirs, 5, owner="9"), letter(idle, 6),
    )  # fmt: skip
    client.call("PUT", f"/webhooks/{idle}", {"status": "inactive"})
    client.now_ms += 120_000
    asked = {"reason": "http_503", "rate_per_second": 0.5}
    answer = client.call("POST", ACROSS, {**asked, "dry_run": True})
    assert (answer.status, answer.body) == (
        200,
        {"kind": "estimate", "count": 2, "webhooks": 2, "left_out": 1, "is_exact": True, "duration_seconds": 4},
    )
    assert not client.jobs.started
    counts = [
        client.call("POST", ACROSS, {**asked, **more, "dry_run": True}, user_id="1", scopes=["admin"]).body["count"]
        for more in ({}, {"user_id": 9}, {"workspace_id": 5}, {"targets": [{"webhook_id": other}]})
    ]
    assert counts == [3, 1, 0, 1]
    answer = client.call("POST", ACROSS, asked)
    job_id = answer.body["id"]
    assert (answer.status, answer.headers["location"]) == (202, f"/api/v1/replays/{job_id}")
    assert (answer.body["webhook_id"], answer.body["webhooks"], answer.body["user_id"]) == (None, None, "123")
    assert client.jobs.started == [job_id]
    (listed,) = client.call("GET", "/replays").body["items"]
    assert (listed["id"], listed["webhook_id"], listed["webhook_name"]) == (job_id, None, None)
    assert client.call("GET", f"/replays/{job_id}", user_id="9").status == 404
    client.now_ms += 1
    assert client.call("POST", f"/replays/{job_id}/cancel").body["status"] == "cancelled"
    log = client.call("GET", "/audit").body["items"]
    assert [each["action"] for each in log[:2]] == ["replay.cancelled", "replay.started"]
    assert {each["target"] for each in log[:2]} == {job_id}


def test_chosen_letters_of_many_webhooks_are_counted_by_their_ids(client: ApiClient, mine: str) -> None:
    other = client.register()["id"]
    client.history.add(*(letter(mine, n) for n in range(3)), *(letter(other, n) for n in range(3, 6)))
    client.now_ms += 120_000
    targets = [
        {"webhook_id": mine, "ids": [letter(mine, n).delivery_id for n in (0, 2, 9)]},
        {"webhook_id": other, "reasons": ["tls", "http_503"]},
    ]
    counted = client.call("POST", ACROSS, {"targets": targets, "dry_run": True}).body
    assert (counted["count"], counted["webhooks"], counted["is_exact"]) == (5, 2, True)
    assert client.call("POST", ACROSS, {"targets": targets}).body["webhooks"] == 2


def test_an_admin_s_replay_is_noted_with_each_owner_whose_webhooks_it_names(client: ApiClient, mine: str) -> None:
    theirs = client.register(user_id="9")["id"]
    admin: dict[str, Any] = {"user_id": "1", "scopes": ["admin"]}
    client.now_ms += 1
    named = [{"webhook_id": mine}, {"webhook_id": theirs}]
    job_id = client.call("POST", ACROSS, {"targets": named}, **admin).body["id"]
    for owner in ("123", "9"):
        (first, *_) = client.call("GET", "/audit", user_id=owner).body["items"]
        assert (first["action"], first["target"], first["actor"]) == ("replay.started", job_id, "1")
    assert client.call("GET", "/replays", user_id="9").body["items"] == [], "it is not the owner's job"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "give targets, a reason, or the time"),
        ({"targets": []}, 422, "targets"),
        ({"targets": [{"webhook_id": "x"}]}, 404, "there is no webhook x"),
        ({"targets": [{"webhook_id": "*"}]}, 404, "there is no webhook *"),
        ({"targets": [{"webhook_id": "a"}, {"webhook_id": "a"}]}, 422, "must name each webhook once"),
        ({"targets": [{"webhook_id": "a", "ids": ["dlv_1"]}]}, 422, "must be the id of a dead letter"),
        ({"targets": [{"webhook_id": "a", "ids": [f"dlv_{'0' * 26}"], "reasons": ["tls"]}]}, 422, "not both"),
        ({"reason": "tls", "user_id": "9"}, 403, "only admins"),
        ({"reason": "tls", "workspace_id": 5}, 403, "not a member of workspace 5"),
        ({"reason": "tls", "from": "2025-10-02T00:00:00Z", "to": "2025-10-01T00:00:00Z"}, 422, "must not be after"),
    ],
)
def test_what_is_wrong_with_a_replay_of_many_is_told(client: ApiClient, body: Any, status: int, words: str) -> None:
    for more in ({}, {"dry_run": True}):
        answer = client.call("POST", ACROSS, {**body, **more})
        assert (answer.status, words in answer.text) == (status, True), answer.text
    assert not client.jobs.started


def test_replays_of_many_webhooks_take_the_places_of_who_begins_them() -> None:
    client = ApiClient(max_replays=1)
    mine = client.register()["id"]
    admin: dict[str, Any] = {"user_id": "1", "scopes": ["admin"]}
    asked = {"reason": "tls"}
    assert client.call("POST", ACROSS, {**asked, "user_id": "123"}, **admin).status == 202
    assert client.call("POST", ACROSS, asked, **admin).status == 429
    assert client.call("POST", ACROSS, asked).status == 202
    assert client.call("POST", f"/webhooks/{mine}/dead-letters/bulk-replay").status == 429

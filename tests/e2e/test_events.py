"""/events and /event-types over HTTP: 202 is a promise, and GET /events/:id says how it was kept."""

import json

import pytest

from tests.support.service import (
    PATIENCE_SECONDS,
    Document,
    Service,
    User,
    assert_problem,
    body_of,
    event,
    eventually,
    ids_at,
    new_id,
)


@pytest.fixture
def heard(service: Service, user: User) -> tuple[str, Document]:
    """The path and the webhook that hears everything of the user."""
    path = service.path()
    return path, user.register(service.receiver.url(path))


def test_an_event_published_over_http_arrives_and_its_outcome_is_told(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, webhook = heard
    published = event(resource_id="rec1", metadata={"source": "test"})
    accepted = user.post("/events", published)
    assert accepted.status_code == 202
    assert accepted.json() == {"accepted": 1, "events": [{"id": published["id"]}]}

    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    assert body_of(request)["user_id"] == user.user_id
    delivery = user.settled(webhook["id"], published["id"])
    told = user.read(f"/events/{published['id']}")
    assert told["payload"] == body_of(request)
    assert (told["disposition"], told["counts"]) == ("queued", {"queued": 1})
    (result,) = told["webhooks"]
    assert (result["webhook_id"], result["status"], result["delivery_id"]) == (
        webhook["id"],
        "delivered",
        delivery["id"],
    )


def test_a_hundred_events_in_one_request_all_arrive_once(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, _ = heard
    events = [event(resource_id=n) for n in range(100)]
    accepted = user.post("/events", {"events": events})
    assert accepted.status_code == 202
    assert [each["id"] for each in accepted.json()["events"]] == [each["id"] for each in events]

    service.receiver.wait_for(path, 100, PATIENCE_SECONDS)
    assert sorted(ids_at(service.receiver, path)) == sorted(each["id"] for each in events)


def test_a_bare_list_is_taken_too(service: Service, user: User, heard: tuple[str, Document]) -> None:
    path, _ = heard
    assert user.post("/events", [event(), event()]).json()["accepted"] == 2
    service.receiver.wait_for(path, 2, PATIENCE_SECONDS)


def test_a_platform_s_message_on_the_ingest_queue_is_delivered(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, webhook = heard
    events = [event(user_id=user.user_id, data={"n": n}) for n in range(3)]
    body = json.dumps({"token": events[0]["id"], "events": events})
    for _ in range(2):  # as after an answer that was lost
        queue_url = service.stack.outputs["IngestQueueUrl"]
        service.client("sqs").send_message(QueueUrl=queue_url, MessageBody=body, MessageGroupId="a-tenant")
    service.receiver.wait_for(path, 3, PATIENCE_SECONDS)
    for each in events:
        user.settled(webhook["id"], each["id"])
    assert sorted(ids_at(service.receiver, path)) == sorted(each["id"] for each in events)


def test_more_than_a_hundred_events_are_refused_and_none_is_taken(user: User) -> None:
    events = [event() for _ in range(101)]
    assert_problem(user.post("/events", {"events": events}), 422, "validation", "events")
    assert_problem(user.get(f"/events/{events[0]['id']}"), 404, "not-found")


def test_an_event_of_256_kb_arrives_whole_and_a_larger_one_is_refused(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, _ = heard
    empty = event(user_id=user.user_id, data={"text": ""}) | {"timestamp": "2026-01-01T00:00:00Z"}
    whole = {"id": "", "type": "", "resource_id": None, "workspace_id": None} | empty | {"metadata": {}}
    room = 256 * 1024 - len(json.dumps(whole, separators=(",", ":")).encode())
    fitting = empty | {"data": {"text": "x" * room}}
    assert user.post("/events", fitting).status_code == 202
    (request,) = service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    assert len(request.body) == 256 * 1024

    larger = empty | {"id": event()["id"], "data": {"text": "x" * (room + 1)}}
    refused = user.post("/events", larger)
    assert refused.status_code == 422, refused.text
    assert "256 KB" in refused.json()["detail"]


def test_a_request_of_four_and_a_half_megabytes_is_taken_and_a_larger_one_is_refused(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, _ = heard
    events = [event(data={"text": "x" * 250_000}) for _ in range(18)]
    taken = user.post("/events", {"events": events})
    assert taken.status_code == 202, taken.text
    refused = user.post("/events", {"events": [*events, event(data={"text": "x" * 250_000})]})
    assert_problem(refused, 413, "too-large")
    service.receiver.wait_for(path, 18, PATIENCE_SECONDS)
    assert sorted(ids_at(service.receiver, path)) == sorted(each["id"] for each in events)


def test_an_id_published_again_is_not_delivered_again(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, _ = heard
    once, after = event(), event()
    for _ in range(2):
        assert user.post("/events", once).status_code == 202
    user.post("/events", after)
    service.receiver.wait_for(path, 2, PATIENCE_SECONDS)
    eventually(lambda: len(user.read(f"/events/{after['id']}")["webhooks"]))
    assert sorted(ids_at(service.receiver, path)) == sorted([once["id"], after["id"]])

    again = user.post("/events", once).json()
    assert again == {"accepted": 1, "events": [{"id": once["id"], "duplicate": True}]}
    other = user.post("/events", {**once, "metadata": {"other": 1.10}})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/conflict")
    assert "differs in metadata.other" in other.json()["detail"]
    repeats = user.read(f"/events/{once['id']}")["repeats"]
    assert [each["outcome"] for each in repeats] == ["duplicate", "refused"]


def test_an_idempotency_key_gives_events_without_id_the_same_id_each_time(
    service: Service, user: User, heard: tuple[str, Document]
) -> None:
    path, _ = heard
    nameless = {"events": [{"type": "record.created", "data": {"n": n}} for n in range(2)]}
    answers = [user.post("/events", nameless, headers={"Idempotency-Key": "order-1"}).json() for _ in range(2)]
    assert [each["id"] for each in answers[0]["events"]] == [each["id"] for each in answers[1]["events"]]
    other = user.post("/events", nameless, headers={"Idempotency-Key": "order-2"}).json()
    ids = [each["id"] for each in answers[0]["events"] + other["events"]]
    assert len(set(ids)) == 4

    service.receiver.wait_for(path, 4, PATIENCE_SECONDS)
    assert sorted(ids_at(service.receiver, path)) == sorted(ids)


def test_an_event_that_nothing_matches_says_so(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url("/never"), "table.created")
    lonely = event()
    user.post("/events", lonely)
    outcome = user.outcome(lonely["id"], webhook["id"])
    assert (outcome["status"], outcome["reason"]) == ("not_queued", "not_subscribed")
    assert user.read(f"/events/{lonely['id']}")["disposition"] == "no_match"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "record.vanished"}, "type"),
        ({"type": 1}, "type"),
        ({"id": "has.dot"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"data": []}, "data"),
        ({"metadata": "none"}, "metadata"),
        ({"timestamp": "2024-01-01"}, "timestamp"),
        ({"timestamp": "2024-01-01T12:00:00"}, "timestamp"),
        ({"resource_id": {"id": 1}}, "resource_id"),
        ({"workspace_id": True}, "workspace_id"),
        ({"payload": {}}, "payload"),
    ],
)
def test_a_wrong_field_of_an_event_is_named_with_its_place(user: User, change: Document, field: str) -> None:
    assert_problem(user.post("/events", event() | change), 422, "validation", field)
    batch = {"events": [event(), event() | change]}
    assert_problem(user.post("/events", batch), 422, "validation", f"events[1].{field}")
    assert_problem(user.get(f"/events/{batch['events'][0]['id']}"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b'{"type": ', 400, "bad-request"),
        (b'{"type": "record.created", "data": {"n": 1e999}}', 422, "validation"),
        (b'{"type": "record.created", "data": {"s": "\\ud800"}}', 400, "bad-request"),
        (b'{"events": "all"}', 422, "validation"),
        (b'{"events": []}', 422, "validation"),
        (b"7", 422, "validation"),
    ],
)
def test_a_body_that_is_no_event_is_refused(user: User, body: bytes, status: int, name: str) -> None:
    refused = user.post("/events", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == status, refused.text
    assert refused.json()["type"] == f"/problems/{name}"


def test_only_the_platform_publishes_for_others(service: Service) -> None:
    mine, theirs = new_id(), new_id()
    user = service.bearer(workspace_ids=[mine], scope="webhooks events:write")
    assert user.post("/events", event(workspace_id=mine)).status_code == 202
    assert_problem(user.post("/events", event(workspace_id=theirs)), 403, "forbidden")
    assert_problem(user.post("/events", event(user_id=new_id())), 403, "forbidden")

    platform = service.bearer(scope="events:write:any")
    assert platform.post("/events", event(workspace_id=theirs, user_id=new_id())).status_code == 202


def test_one_event_that_is_not_allowed_keeps_the_whole_request_out(service: Service) -> None:
    workspace_id = new_id()
    user = service.bearer(workspace_ids=[workspace_id])
    good = event(workspace_id=workspace_id)
    refused = user.post("/events", {"events": [good, event(workspace_id=new_id())]})
    assert_problem(refused, 403, "forbidden")
    assert_problem(user.get(f"/events/{good['id']}"), 404, "not-found")


def test_an_event_is_seen_by_its_workspace_and_by_nobody_else(service: Service, platform: User) -> None:
    workspace_id = new_id()
    inside = service.user(workspace_id=workspace_id)
    published = event(workspace_id=workspace_id, user_id=new_id())
    platform.post("/events", published)
    eventually(lambda: inside.get(f"/events/{published['id']}").status_code == 200)

    assert_problem(service.user().get(f"/events/{published['id']}"), 404, "not-found")
    assert_problem(service.user(workspace_id=new_id()).get(f"/events/{published['id']}"), 404, "not-found")
    assert service.bearer(scope="admin").get(f"/events/{published['id']}").status_code == 200


def test_an_event_id_in_two_workspaces_is_two_events(service: Service, platform: User) -> None:
    first, second = new_id(), new_id()
    user = service.bearer(workspace_ids=[first, second])
    paths: dict[int, str] = {}
    for workspace_id in (first, second):
        paths[workspace_id] = service.path()
        user.register(service.receiver.url(paths[workspace_id]), workspace_id=workspace_id)
    published = event()
    for workspace_id in (first, second):
        platform.post("/events", published | {"workspace_id": workspace_id})
        service.receiver.wait_for(paths[workspace_id], 1, PATIENCE_SECONDS)

    assert_problem(user.get(f"/events/{published['id']}"), 422, "validation", "workspace_id")
    told = user.read(f"/events/{published['id']}", workspace_id=second)
    assert told["workspace_id"] == second
    assert [len(service.receiver.requests(path)) for path in paths.values()] == [1, 1]


def test_an_unknown_event_is_not_found(user: User) -> None:
    assert_problem(user.get("/events/evt_nowhere"), 404, "not-found")
    assert_problem(user.get("/events/has.dot"), 404, "not-found")


def test_event_types_are_listed_with_the_patterns_that_reach_them(user: User) -> None:
    listed = {each["name"]: each for each in user.read("/event-types")["items"]}
    assert listed["record.created"]["covered_by"] == ["record.*", "*"]
    assert listed["webhook.disabled"]["covered_by"] == []
    assert all(each["description"] for each in listed.values())


def test_publishing_takes_the_scope_for_it(service: Service) -> None:
    assert_problem(service.bearer(scope="webhooks").post("/events", event()), 403, "forbidden")
    assert_problem(service.bearer(scope="events:write").get("/event-types"), 403, "forbidden")

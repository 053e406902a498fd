"""Dead letters and replays over HTTP."""

import pytest

from tests.support.receiver import answer
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
)

UNKNOWN = "dlv_00000000000000000000000000"


def dead(service: Service, user: User, *events: Document) -> tuple[Document, str, list[Document]]:
    """A webhook with these events as its dead letters; its path, which answers 200 from now on; the letters."""
    path = service.path(answer(400))
    webhook = user.register(service.receiver.url(path), max_retries=0)
    for each in events:
        user.post("/events", each)
        service.receiver.wait_for(path, events.index(each) + 1, PATIENCE_SECONDS)
    letters = eventually(
        lambda: user.items(f"/webhooks/{webhook['id']}/dead-letters"), lambda items: len(items) == len(events)
    )
    service.receiver.script(path, answer(200))
    return webhook, path, letters


def test_a_dead_letter_shows_payload_reason_and_attempts(service: Service, user: User) -> None:
    published = event()
    webhook, path, (letter,) = dead(service, user, published)
    assert letter["payload"] == body_of(service.receiver.requests(path)[0])
    assert (letter["failure_reason"], letter["attempt_count"]) == ("attempts_used_up:http_400", 1)
    assert (letter["last_status_code"], letter["is_processed"]) == (400, False)
    assert letter["id"] == user.settled(webhook["id"], published["id"], "failed")["id"]
    assert user.items("/dead-letters") == [letter]


def test_a_replay_delivers_and_marks_the_dead_letter(service: Service, user: User) -> None:
    published = event()
    webhook, path, (letter,) = dead(service, user, published)
    replayed = user.post(f"/webhooks/{webhook['id']}/dead-letters/{letter['id']}/replay")
    assert replayed.status_code == 202
    assert (replayed.json()["is_processed"], replayed.json()["processed_by"]) == (True, "manual")

    user.settled(webhook["id"], published["id"], "delivered")
    first, second = service.receiver.requests(path)
    assert first.body == second.body
    assert user.items("/dead-letters", is_processed="false") == []
    assert [each["id"] for each in user.items("/dead-letters", is_processed="true")] == [letter["id"]]
    again = user.post(f"/webhooks/{webhook['id']}/dead-letters/{letter['id']}/replay")
    assert_problem(again, 409, "conflict")
    assert len(service.receiver.requests(path)) == 2


def test_what_dies_again_can_be_replayed_again(service: Service, user: User) -> None:
    published = event()
    webhook, path, (letter,) = dead(service, user, published)
    service.receiver.script(path, answer(400), answer(200))
    replay = f"/webhooks/{webhook['id']}/dead-letters/{letter['id']}/replay"
    assert user.post(replay).status_code == 202
    service.receiver.wait_for(path, 2, PATIENCE_SECONDS)
    eventually(lambda: user.items("/dead-letters", is_processed="false"), lambda items: len(items) == 1)

    assert user.post(replay).status_code == 202
    delivery = user.settled(webhook["id"], published["id"], "delivered")
    assert [each["status_code"] for each in delivery["attempts"]] == [400, 400, 200]


def test_dead_letters_are_listed_by_reason_type_and_page(service: Service, user: User) -> None:
    webhook, _, letters = dead(service, user, event("record.created"), event("table.created"), event("table.created"))
    path = f"/webhooks/{webhook['id']}/dead-letters"
    assert [each["event_type"] for each in letters] == ["table.created", "table.created", "record.created"]
    assert user.items(path, event_type="table.created") == letters[:2]
    assert user.items(path, reason="attempts_used_up:http_400") == letters
    assert user.items(path, reason="gone") == []
    assert user.items(path, limit=1) == user.items("/dead-letters", limit=1) == letters
    assert user.items(path, to="2024-01-01T00:00:00Z") == []


def test_a_bulk_replay_sends_only_what_it_is_asked_to(service: Service, user: User) -> None:
    webhook, path, letters = dead(service, user, event("record.created"), event("table.created"))
    started = user.post(f"/webhooks/{webhook['id']}/dead-letters/bulk-replay", {"event_type": "table.created"})
    assert started.status_code == 202
    done = eventually(
        lambda: user.http.get(started.headers["Location"], headers=user.headers).json(),
        lambda job: job["status"] == "completed",
    )
    assert (done["total"], done["replayed"], done["skipped"]) == (1, 1, 0)
    service.receiver.wait_for(path, 3, PATIENCE_SECONDS)
    assert ids_at(service.receiver, path)[2] == letters[0]["event_id"]
    processed = user.items(f"/webhooks/{webhook['id']}/dead-letters", is_processed="true")
    assert [(each["id"], each["processed_by"]) for each in processed] == [(letters[0]["id"], done["id"])]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"ids": []}, "ids"),
        ({"ids": ["1"]}, "ids[0]"),
        ({"from": "yesterday"}, "from"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"everything": True}, "everything"),
    ],
)
def test_a_bulk_replay_refuses_what_it_does_not_take(user: User, document: Document, field: str) -> None:
    webhook = user.register("https://example.com/")
    refused = user.post(f"/webhooks/{webhook['id']}/dead-letters/bulk-replay", document)
    assert_problem(refused, 422, "validation", field)


def test_an_inactive_webhook_takes_no_replay(service: Service, user: User) -> None:
    webhook, _, (letter,) = dead(service, user, event())
    user.change(webhook["id"], status="inactive")
    path = f"/webhooks/{webhook['id']}/dead-letters"
    assert_problem(user.post(f"{path}/{letter['id']}/replay"), 409, "conflict")
    assert_problem(user.post(f"{path}/bulk-replay"), 409, "conflict")
    assert user.items(path, is_processed="false") == [letter]


def test_the_dead_letters_of_a_deleted_webhook_stay_in_the_list_of_all(service: Service, user: User) -> None:
    webhook, _, letters = dead(service, user, event())
    user.delete(f"/webhooks/{webhook['id']}")
    assert user.items("/dead-letters") == letters
    assert_problem(user.get(f"/webhooks/{webhook['id']}/dead-letters"), 404, "not-found")


def test_an_unknown_dead_letter_or_replay_is_not_found(user: User) -> None:
    webhook = user.register("https://example.com/")
    replay = user.post(f"/webhooks/{webhook['id']}/dead-letters/{UNKNOWN}/replay")
    assert_problem(replay, 404, "not-found")
    assert_problem(user.get("/replays/rpl_00000000000000000000000000"), 404, "not-found")


def test_admins_see_everybodys_dead_letters(service: Service, user: User) -> None:
    _, _, (letter,) = dead(service, user, event())
    admin = service.bearer(scope="admin")
    assert letter["id"] in [each["id"] for each in admin.items("/dead-letters")]
    assert service.user().items("/dead-letters") == []

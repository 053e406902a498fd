"""What becomes of deliveries in real seconds: retries, dead letters, pauses, limits. The stack's retry base is 1 s."""

from itertools import pairwise

from tests.support.receiver import answer, never_answer, redirect, retry_after
from tests.support.service import PATIENCE_SECONDS, Document, Service, User, body_of, event, eventually, ids_at


def test_two_failures_and_a_success_are_three_attempts_1_and_6_seconds_apart(service: Service, user: User) -> None:
    path = service.path(answer(500), answer(500), answer(200))
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)

    delivery = user.settled(webhook["id"], published["id"], "delivered")
    requests = service.receiver.requests(path)
    gaps = [later.arrived - earlier.arrived for earlier, later in pairwise(requests)]
    # 1 s and 6 s with 20 % either way; SQS takes whole seconds, so they are rounded up; then the queue is polled
    assert 0.8 <= gaps[0] <= 2 + 1
    assert 4.8 <= gaps[1] <= 8 + 1
    assert [request.header("X-PyAirtable-Attempt") for request in requests] == ["1", "2", "3"]
    assert len({(request.body, request.header("webhook-id")) for request in requests}) == 1
    timestamps = [int(request.header("X-PyAirtable-Timestamp") or 0) for request in requests]
    assert timestamps == sorted(set(timestamps))
    assert [(each["number"], each["status_code"]) for each in delivery["attempts"]] == [(1, 500), (2, 500), (3, 200)]


def test_a_delivery_that_always_fails_dies_with_its_reason_and_a_replay_delivers_it(
    service: Service, user: User
) -> None:
    path, told = service.path(answer(500)), service.path()
    webhook = user.register(service.receiver.url(path), "record.created", max_retries=1)
    user.register(service.receiver.url(told), "delivery.dead_lettered")
    published = event()
    user.post("/events", published)

    delivery = user.settled(webhook["id"], published["id"], "failed")
    assert (delivery["reason"], delivery["attempt_count"]) == ("attempts_used_up:http_500", 2)
    letter = eventually(lambda: user.items(f"/webhooks/{webhook['id']}/dead-letters"))[0]
    assert (letter["failure_reason"], letter["attempt_count"]) == ("attempts_used_up:http_500", 2)
    (announced,) = service.receiver.wait_for(told, 1, PATIENCE_SECONDS)
    assert body_of(announced)["data"] == {
        "webhook_id": webhook["id"],
        "delivery_id": letter["id"],
        "event_id": published["id"],
        "reason": "attempts_used_up:http_500",
    }

    service.receiver.script(path, answer(200))
    assert user.post(f"/webhooks/{webhook['id']}/dead-letters/{letter['id']}/replay").status_code == 202
    delivery = user.settled(webhook["id"], published["id"], "delivered")
    assert [each["status_code"] for each in delivery["attempts"]] == [500, 500, 200]
    assert ids_at(service.receiver, path) == [published["id"]] * 3


def test_a_bulk_replay_of_200_dead_letters_completes_and_shows_its_progress(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path), status="paused")
    events = [event() for _ in range(200)]
    for half in (events[:100], events[100:]):
        assert user.post("/events", {"events": half}).status_code == 202
    deliveries, letters = f"/webhooks/{webhook['id']}/deliveries", f"/webhooks/{webhook['id']}/dead-letters"
    eventually(lambda: len(user.items(deliveries, limit=100, status="pending")), lambda n: n == 200, every=0.5)
    user.change(webhook["id"], status="inactive")
    service.run_release()
    dead = eventually(lambda: user.items(letters, limit=100), lambda items: len(items) == 200, every=0.5)
    assert {each["failure_reason"] for each in dead} == {"webhook_inactive"}
    user.change(webhook["id"], status="active")

    started = user.post(f"{letters}/bulk-replay", {"rate_per_second": 100})
    seen: list[Document] = [started.json()]

    def progress() -> Document:
        seen.append(user.read(f"/replays/{started.json()['id']}"))
        return seen[-1]

    done = eventually(progress, lambda job: job["status"] == "completed", every=0.05, timeout=60)
    assert (done["total"], done["replayed"], done["skipped"], done["error"]) == (200, 200, 0, None)
    counts = [each["replayed"] for each in seen]
    assert counts == sorted(counts)
    assert any(0 < each["replayed"] < 200 and each["status"] == "running" for each in seen)
    service.receiver.wait_for(path, 200, 60)
    assert sorted(ids_at(service.receiver, path)) == sorted(each["id"] for each in events)
    assert user.items(letters, limit=100, is_processed="false") == []


def test_what_is_published_to_a_paused_webhook_waits_and_goes_out_on_resume(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path))
    user.change(webhook["id"], status="paused")
    published = event()
    user.post("/events", published)

    waiting = user.settled(webhook["id"], published["id"], "pending")
    assert (waiting["waiting"]["kind"], waiting["waiting"]["reason"]) == ("room", "paused")
    service.run_release()
    assert user.delivery(webhook["id"], waiting["id"])["status"] == "pending"
    assert service.receiver.requests(path) == []

    user.change(webhook["id"], status="active")
    eventually(lambda: service.run_release() and service.receiver.requests(path), every=0.5)
    delivery = user.settled(webhook["id"], published["id"], "delivered")
    assert delivery["attempt_count"] == 1
    assert ids_at(service.receiver, path) == [published["id"]]


def test_a_webhook_deleted_between_match_and_delivery_leaves_a_reason_and_costs_others_nothing(
    service: Service, user: User
) -> None:
    gone, stays = service.path(), service.path()
    webhook = user.register(service.receiver.url(gone), status="paused")
    other = user.register(service.receiver.url(stays))
    published = event()
    user.post("/events", published)
    user.settled(webhook["id"], published["id"], "pending")
    assert user.delete(f"/webhooks/{webhook['id']}").status_code == 204

    eventually(lambda: service.run_release() and user.items("/dead-letters"), lambda items: len(items) == 1, every=0.5)
    (letter,) = user.items("/dead-letters")
    assert (letter["failure_reason"], letter["attempt_count"]) == ("webhook_deleted", 0)
    outcome = user.outcome(published["id"], webhook["id"])
    assert (outcome["status"], outcome["reason"]) == ("abandoned", "webhook_deleted")
    assert service.receiver.requests(gone) == []
    user.settled(other["id"], published["id"], "delivered")


def test_an_inactive_webhook_misses_events_and_that_is_told(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path), status="inactive")
    missed = event()
    user.post("/events", missed)
    outcome = user.outcome(missed["id"], webhook["id"])
    assert (outcome["status"], outcome["reason"], outcome["delivery_id"]) == ("not_queued", "inactive", None)
    assert user.read(f"/events/{missed['id']}")["disposition"] == "missed"

    user.change(webhook["id"], status="active")
    heard = event()
    user.post("/events", heard)
    service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    assert ids_at(service.receiver, path) == [heard["id"]]


def test_410_disables_the_webhook_until_its_owner_resumes_it(service: Service, user: User) -> None:
    path, told = service.path(answer(410)), service.path()
    webhook = user.register(service.receiver.url(path), "record.*")
    user.register(service.receiver.url(told), "webhook.disabled")
    first, second, third = event(), event(), event()
    user.post("/events", first)

    delivery = user.settled(webhook["id"], first["id"], "failed")
    assert (delivery["reason"], delivery["attempt_count"]) == ("gone", 1)
    disabled = eventually(lambda: user.read(f"/webhooks/{webhook['id']}"), lambda one: one["status"] == "failed")
    assert disabled["status_reason"] == "gone"
    (announced,) = service.receiver.wait_for(told, 1, PATIENCE_SECONDS)
    assert (body_of(announced)["resource_id"], body_of(announced)["data"]["reason"]) == (webhook["id"], "gone")
    user.post("/events", second)
    assert user.outcome(second["id"], webhook["id"])["reason"] == "failed"

    service.receiver.script(path, answer(200))
    assert user.change(webhook["id"], status="active")["status_reason"] is None
    user.post("/events", third)
    user.settled(webhook["id"], third["id"], "delivered")
    assert ids_at(service.receiver, path) == [first["id"], third["id"]]


def test_retry_after_is_waited_for(service: Service, user: User) -> None:
    path = service.path(retry_after(4, status=503), answer(200))
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)
    user.settled(webhook["id"], published["id"], "delivered")
    first, second = service.receiver.requests(path)
    assert 4 <= second.arrived - first.arrived <= 4 + 2


def test_a_retry_after_beyond_a_minute_leaves_the_queue_and_has_its_time(service: Service, user: User) -> None:
    path = service.path(retry_after(7200, status=503))
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)
    waiting = eventually(
        lambda: user.settled(webhook["id"], published["id"], "retrying"), lambda one: one["waiting"] is not None
    )
    assert (waiting["waiting"]["kind"], waiting["waiting"]["reason"]) == ("due", "http_503")
    assert waiting["next_attempt_at"] == waiting["waiting"]["until"]
    assert user.items(f"/webhooks/{webhook['id']}/deliveries", status="retrying")[0]["id"] == waiting["id"]


def test_a_silent_receiver_is_left_after_the_webhooks_timeout_and_tried_again(service: Service, user: User) -> None:
    path = service.path(never_answer(), answer(200))
    webhook = user.register(service.receiver.url(path), timeout_seconds=1)
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"], "delivered")
    first = delivery["attempts"][0]
    assert (first["error_code"], first["status_code"]) == ("timeout", None)
    assert 900 <= first["duration_ms"] <= 2_000


def test_a_redirect_is_a_failure_and_never_followed(service: Service, user: User) -> None:
    trap = service.path()
    path = service.path(redirect(service.receiver.url(trap), 307), answer(200))
    webhook = user.register(service.receiver.url(path))
    published = event()
    user.post("/events", published)
    delivery = user.settled(webhook["id"], published["id"], "delivered")
    assert [each["status_code"] for each in delivery["attempts"]] == [307, 200]
    assert service.receiver.requests(trap) == []


def test_a_rate_limit_spreads_deliveries_and_spends_no_attempt_on_waiting(service: Service, user: User) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path), rate_limit_rps=4)
    events = [event() for _ in range(12)]
    user.post("/events", {"events": events})

    eventually(lambda: service.run_release() and len(service.receiver.requests(path)) >= 12, every=1)
    arrivals = [request.arrived for request in service.receiver.wait_for(path, 12, 1)]
    # in t seconds at most one second's burst and t x rate; half a second for what the way there adds
    crowded = [
        (i, j)
        for i, start in enumerate(arrivals)
        for j in range(i, 12)
        if j - i + 1 > 4 + 4 * (arrivals[j] - start + 0.5)
    ]
    assert crowded == []
    assert arrivals[-1] - arrivals[0] >= 1.5
    listed = user.items(f"/webhooks/{webhook['id']}/deliveries")
    assert [(each["status"], each["attempt_count"]) for each in listed] == [("delivered", 1)] * 12


def test_an_open_circuit_keeps_deliveries_waiting_and_spends_no_attempt(service: Service, user: User) -> None:
    path, told = service.path(answer(500)), service.path()
    webhook = user.register(service.receiver.url(path), "record.*")
    user.register(service.receiver.url(told), "webhook.circuit_opened")
    user.post("/events", {"events": [event() for _ in range(12)]})
    (announced,) = service.receiver.wait_for(told, 1, PATIENCE_SECONDS)
    assert body_of(announced)["resource_id"] == webhook["id"]

    late = event()
    user.post("/events", late)
    waiting = user.settled(webhook["id"], late["id"], "pending")
    assert (waiting["waiting"]["reason"], waiting["attempt_count"]) == ("circuit_open", 0)
    assert late["id"] not in ids_at(service.receiver, path)


def test_any_character_that_json_knows_arrives_as_it_was_published(service: Service, user: User) -> None:
    path = service.path()
    user.register(service.receiver.url(path))
    text = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0x2028, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F680, 0x10FFFF]))
    data = {"text": text, text: [0, -1, 2**63, 10**30, 0.1, 1e300, True, None, {}]}
    user.post("/events", event(data=data))
    service.put_events([event(user_id=user.user_id, data=data)])
    for request in service.receiver.wait_for(path, 2, PATIENCE_SECONDS):
        assert body_of(request)["data"] == data

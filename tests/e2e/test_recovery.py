"""A webhook that was disabled: others are told, and what it missed is recovered by one call."""

from tests.support.receiver import answer
from tests.support.service import PATIENCE_SECONDS, Service, User, body_of, event, eventually


def test_a_disabled_webhook_is_told_of_to_another_and_gets_what_it_missed_by_one_call(
    service: Service, user: User
) -> None:
    path, told = service.path(answer(410, b"gone for good"), answer(200)), service.path()
    webhook = user.register(service.receiver.url(path), "*", "webhook.disabled")
    user.register(service.receiver.url(told), "webhook.disabled")
    here = f"/webhooks/{webhook['id']}"
    published = event()
    user.post("/events", published)

    (news,) = service.receiver.wait_for(told, 1, PATIENCE_SECONDS)
    assert body_of(news)["data"] == {"webhook_id": webhook["id"], "reason": "gone"}
    missed = [event(), event()]
    user.post("/events", {"events": missed})
    for each in missed:
        assert user.outcome(each["id"], webhook["id"])["reason"] == "failed"
    (group,) = eventually(lambda: user.read("/dead-letters/groups")["items"])
    assert group["cause"].startswith("http_410:")
    assert user.read(f"{here}/failures")["items"][0]["cause"] == group["cause"]

    asked = {"from": "2024-01-01T00:00:00Z"}
    dry = user.post(f"{here}/recover", {**asked, "dry_run": True})
    assert (dry.status_code, dry.json()["count"]) == (200, 3)
    assert user.post(f"{here}/recover", asked).status_code == 409
    user.change(webhook["id"], status="active")
    begun = user.post(f"{here}/recover", asked)
    assert begun.status_code == 202, begun.text
    for each in (published, *missed):
        user.settled(webhook["id"], each["id"], "delivered")
    location = begun.headers["location"].removeprefix("/api/v1")
    done = eventually(lambda: user.read(location), lambda job: job["status"] == "completed")
    assert (done["total"], done["replayed"], done["skipped"]) == (3, 3, 0)
    assert user.post(f"{here}/recover", {**asked, "dry_run": True}).json()["count"] == 0

    types = [body_of(request)["type"] for request in service.receiver.requests(path)]
    assert types == ["record.created"] * 4  # never of itself
    assert len(service.receiver.requests(told)) == 1


def test_filters_are_tried_on_what_came_last(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url(service.path()))
    for amount in (5, 50):
        published = event(data={"fields": {"amount": amount}})
        user.post("/events", published)
        user.settled(webhook["id"], published["id"])
    rule = {"field": "amount", "operator": "greater_than", "value": 10}
    asked = {"filters": {"conditions": {"operator": "and", "rules": [rule]}}, "last": 2}
    answered = user.post("/filters/test", asked)
    assert answered.status_code == 200, answered.text
    assert [(each["matched"], each["rule"]) for each in answered.json()["items"]] == [
        (True, None),
        (False, "conditions.rules.0: amount greater_than 10 does not hold"),
    ]

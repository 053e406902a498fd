"""Events that are read from the running stack: by a consumer that dies, with signatures that a library verifies."""

import json

import httpx
import pytest
from standardwebhooks import Webhook

from tests.conftest import Figure
from tests.e2e import pulling
from tests.support.service import Document, Service, User, event, eventually

EVENTS = 60


def pull(user: User, **fields: object) -> Document:
    answer = user.post("/webhooks", {"name": "read", "kind": "pull", "subscriptions": [{"event_type": "*"}]} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_consumer_that_dies_and_comes_back_reads_everything_in_one_order(service: Service, user: User) -> None:
    webhook = pull(user)
    assert webhook["url"] is None
    published = [event(user_id=user.user_id) for _ in range(EVENTS)]
    for start in range(0, EVENTS, 20):
        assert user.post("/events", {"events": published[start : start + 20]}).status_code == 202
    verifier, path = Webhook(webhook["secret"]), f"/webhooks/{webhook['id']}"
    seen: list[tuple[str, str]] = []

    def read() -> bool:
        page = user.read(f"{path}/events", consumer="c", wait=10, limit=25)
        for each in page["items"]:
            assert verifier.verify(each["body"], each["headers"])["id"] == each["event_id"]
            seen.append((each["recorded_at"], each["event_id"]))
        if len(seen) % 2:  # and dies before it commits the rest
            page["next_cursor"] = page["items"][0]["cursor"] if page["items"] else page["next_cursor"]
        assert user.post(f"{path}/consumers/c/commit", {"cursor": page["next_cursor"]}).status_code == 200
        return {event_id for _, event_id in seen} == {each["id"] for each in published}

    eventually(read, every=0)
    first = {event_id: at for at, event_id in reversed(seen)}
    assert [at for at, _ in sorted((at, event_id) for event_id, at in first.items())] == sorted(first.values())
    assert user.items(f"{path}/deliveries") == []
    (result,) = user.read(f"/events/{published[0]['id']}")["webhooks"]
    assert result["status"] == "recorded"


def test_a_poll_that_waits_answers_when_an_event_comes(service: Service, user: User) -> None:
    webhook = pull(user)
    cursor = user.read(f"/webhooks/{webhook['id']}/events")["next_cursor"]
    published = event(user_id=user.user_id)
    assert user.post("/events", published).status_code == 202

    def poll() -> httpx.Response:
        return user.get(f"/webhooks/{webhook['id']}/events", params={"after": cursor, "wait": 20})

    answer = eventually(poll, lambda found: found.json()["items"])
    (read,) = answer.json()["items"]
    assert json.loads(read["body"])["id"] == published["id"]


@pytest.mark.timeout(300)
def test_consumers_that_are_killed_read_everything_in_one_order(service: Service, figure: Figure) -> None:
    outcome = pulling.run(service, pulling.SHORT)
    figure(outcome.summary)
    assert outcome.faults == []

"""A tenant that has one of everything, made through the API of a running stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.receiver import answer
from tests.support.service import Document, Service, User, event, eventually

SECRET = "an-imported-secret-CANARY-0123456789"


@dataclass(frozen=True, slots=True)
class Estate:
    """What the tenant has, by the names of the path parameters."""

    owner: User
    ids: Mapping[str, str]
    paths: tuple[str, ...]  # where its webhooks deliver to


def make(service: Service, owner: User, **webhook: Any) -> Estate:
    """Webhooks, subscriptions, deliveries that worked and failed, a dead letter, and a replay job that is done."""
    working, failing = service.path(), service.path(answer(500))
    receiver = service.receiver
    good = owner.register(receiver.url(working), "record.*", **webhook)
    bad = owner.register(receiver.url(failing), "record.created", max_retries=0, **webhook)
    (subscription,) = good["subscriptions"]
    published = event(user_id=owner.user_id)
    answered = owner.post("/events", published)
    assert answered.status_code == 202, answered.text
    delivered = owner.settled(good["id"], published["id"])
    failed = owner.settled(bad["id"], published["id"], "failed")
    letters = eventually(lambda: owner.items(f"/webhooks/{bad['id']}/dead-letters"))
    job = owner.post(f"/webhooks/{bad['id']}/dead-letters/bulk-replay", {}).json()
    eventually(lambda: owner.read(f"/replays/{job['id']}"), lambda found: found["status"] not in {"pending", "running"})
    by_token = service.bearer(owner.user_id, scope="webhooks api-keys")
    key = by_token.post("/api-keys", {"name": "import", "scopes": ["webhooks"]})
    assert key.status_code == 201, key.text
    # what was replayed dies once more: only then is there nothing left that changes by itself
    eventually(
        lambda: owner.items(f"/webhooks/{bad['id']}/dead-letters"),
        lambda found: [each["created_at"] for each in found] > [each["created_at"] for each in letters],
    )
    return Estate(
        owner,
        {
            "webhook_id": good["id"],
            "failing_webhook_id": bad["id"],
            "subscription_id": subscription["id"],
            "event_id": published["id"],
            "delivery_id": delivered["id"],
            "failed_delivery_id": failed["id"],
            "dead_letter_id": letters[0]["id"],
            "replay_id": job["id"],
            "key_id": key.json()["id"],
        },
        (working, failing),
    )


def everything(owner: User, estate: Estate) -> list[Document]:
    """All that the tenant can read of its own."""
    ids = estate.ids
    pages = [
        owner.get(path)
        for path in (
            "/webhooks",
            f"/webhooks/{ids['webhook_id']}",
            f"/webhooks/{ids['webhook_id']}/subscriptions",
            f"/webhooks/{ids['webhook_id']}/subscriptions/{ids['subscription_id']}",
            f"/webhooks/{ids['webhook_id']}/deliveries",
            f"/webhooks/{ids['webhook_id']}/deliveries/{ids['delivery_id']}",
            f"/webhooks/{ids['failing_webhook_id']}/deliveries/{ids['failed_delivery_id']}",
            f"/webhooks/{ids['failing_webhook_id']}/dead-letters",
            f"/events/{ids['event_id']}",
            f"/replays/{ids['replay_id']}",
            "/dead-letters",
            "/deliveries",
            "/events",
            "/replays",
        )
    ]
    assert {page.status_code for page in pages} == {200}
    return [page.json() for page in pages]

"""/webhooks/:id/subscriptions over HTTP: a subscription that is answered 201 hears the next event."""

from typing import Any

import pytest

from tests.support.service import Document, Service, User, assert_problem, event, ids_at

UNKNOWN = "sub_00000000000000000000000000"


@pytest.fixture
def webhook(service: Service, user: User) -> Document:
    """One without subscriptions, at a path of its own."""
    path = service.path()
    created = user.post("/webhooks", {"name": "Bare", "url": service.receiver.url(path)})
    return created.json() | {"path": path}


def subscribe(user: User, webhook: Document, **fields: Any) -> Document:
    created = user.post(f"/webhooks/{webhook['id']}/subscriptions", fields)
    assert created.status_code == 201, created.text
    return created.json()


def hears(service: Service, user: User, webhook: Document, *events: Document) -> list[str]:
    """The ids of those events that come, once it is settled what became of each."""
    service.put_events([each | {"user_id": user.user_id} for each in events])
    for each in events:
        outcome = user.outcome(each["id"], webhook["id"])
        if outcome["status"] != "not_queued":
            user.settled(webhook["id"], each["id"])
    return [id_ for id_ in ids_at(service.receiver, webhook["path"]) if id_ in {each["id"] for each in events}]


def test_a_subscription_hears_the_very_next_event_and_is_found_under_its_location(
    service: Service, user: User, webhook: Document
) -> None:
    before, after = event(), event()
    assert hears(service, user, webhook, before) == []
    created = user.post(f"/webhooks/{webhook['id']}/subscriptions", {"event_type": "record.created"})
    assert hears(service, user, webhook, after) == [after["id"]]

    found = user.http.get(created.headers["Location"], headers=user.headers)
    assert found.json() == created.json()
    assert found.headers["ETag"] == created.headers["ETag"] == '"1"'


def test_a_changed_subscription_hears_by_its_new_terms_at_once(service: Service, user: User, webhook: Document) -> None:
    subscription = subscribe(user, webhook, event_type="record.created", resource_id="rec1")
    path = f"/webhooks/{webhook['id']}/subscriptions/{subscription['id']}"
    mine, other = event(resource_id="rec1"), event(resource_id="rec2")
    assert hears(service, user, webhook, mine, other) == [mine["id"]]
    assert user.outcome(other["id"], webhook["id"])["reason"] == "resource_mismatch"

    changed = user.put(path, {"resource_id": None, "filters": {"fields": {"status": "done"}}}).json()
    assert user.read(path) == changed
    assert (changed["resource_id"], changed["version"]) == (None, 2)
    open_, done = event(resource_id="rec1"), event(data={"fields": {"status": "done"}})
    assert hears(service, user, webhook, open_, done) == [done["id"]]


def test_an_inactive_subscription_hears_nothing_until_it_is_active(
    service: Service, user: User, webhook: Document
) -> None:
    subscription = subscribe(user, webhook, event_type="record.*", is_active=False)
    first, second = event(), event("record.deleted")
    assert hears(service, user, webhook, first) == []
    assert user.outcome(first["id"], webhook["id"])["reason"] == "not_subscribed"

    user.put(f"/webhooks/{webhook['id']}/subscriptions/{subscription['id']}", {"is_active": True})
    assert hears(service, user, webhook, second) == [second["id"]]


def test_a_deleted_subscription_hears_no_more(service: Service, user: User, webhook: Document) -> None:
    subscription = subscribe(user, webhook, event_type="*")
    path = f"/webhooks/{webhook['id']}/subscriptions/{subscription['id']}"
    first, second = event(), event()
    assert hears(service, user, webhook, first) == [first["id"]]

    assert user.delete(path).status_code == 204
    assert_problem(user.get(path), 404, "not-found")
    assert user.items(f"/webhooks/{webhook['id']}/subscriptions") == []
    assert hears(service, user, webhook, second) == []


def test_two_subscriptions_that_both_want_an_event_bring_it_once(
    service: Service, user: User, webhook: Document
) -> None:
    for event_type in ("record.created", "record.*", "*"):
        subscribe(user, webhook, event_type=event_type)
    only = event()
    assert hears(service, user, webhook, only) == [only["id"]]


def test_a_list_goes_on_behind_its_cursor_oldest_first(user: User, webhook: Document) -> None:
    ids = [subscribe(user, webhook, event_type="record.created", resource_id=f"r{n}")["id"] for n in range(3)]
    path = f"/webhooks/{webhook['id']}/subscriptions"
    first = user.read(path, limit=2)
    second = user.read(path, limit=2, cursor=first["next_cursor"])
    assert [each["id"] for each in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None


def test_if_match_lets_only_the_version_that_was_read_be_changed(user: User, webhook: Document) -> None:
    subscription = subscribe(user, webhook, event_type="record.created")
    path = f"/webhooks/{webhook['id']}/subscriptions/{subscription['id']}"
    assert user.put(path, {"is_active": False}, headers={"If-Match": '"1"'}).status_code == 200

    assert_problem(user.put(path, {"is_active": True}, headers={"If-Match": '"1"'}), 412, "version-conflict")
    assert_problem(user.delete(path, headers={"If-Match": '"1"'}), 412, "version-conflict")
    assert user.read(path)["is_active"] is False
    assert user.delete(path, headers={"If-Match": '"2"'}).status_code == 204


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "event_type"),
        ({"event_type": "record.vanished"}, "event_type"),
        ({"event_type": "nothing.*"}, "event_type"),
        ({"event_type": "webhook.test"}, "event_type"),
        ({"event_type": 1}, "event_type"),
        ({"event_type": "*", "resource_id": ""}, "resource_id"),
        ({"event_type": "*", "is_active": "yes"}, "is_active"),
        ({"event_type": "*", "filter": {}}, "filter"),
        ({"event_type": "*", "filters": {"regex": ".*"}}, "filters.regex"),
        ({"event_type": "*", "filters": {"user_id": []}}, "filters.user_id"),
        (
            {
                "event_type": "*",
                "filters": {
                    "conditions": {"operator": "and", "rules": [{"field": "a", "operator": "like", "value": 1}]}
                },
            },
            "filters.conditions.rules[0].operator",
        ),
        ({"event_type": "*", "filters": {"time_range": {"start": "yesterday"}}}, "filters.time_range.start"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_subscribed(
    user: User, webhook: Document, document: Document, field: str
) -> None:
    refused = user.post(f"/webhooks/{webhook['id']}/subscriptions", document)
    assert_problem(refused, 422, "validation", field)
    assert user.items(f"/webhooks/{webhook['id']}/subscriptions") == []


def test_a_wrong_inline_subscription_registers_nothing(user: User) -> None:
    wrong = {"name": "A", "url": "https://example.com/", "subscriptions": [{"event_type": "*"}, {"event_type": "no"}]}
    assert_problem(user.post("/webhooks", wrong), 422, "validation", "subscriptions[1].event_type")
    assert user.items("/webhooks") == []


def test_a_webhook_takes_48_subscriptions_and_not_one_more(user: User) -> None:
    webhook = user.register("https://example.com/", *["record.created"] * 47)
    assert user.post(f"/webhooks/{webhook['id']}/subscriptions", {"event_type": "*"}).status_code == 201
    one_more = user.post(f"/webhooks/{webhook['id']}/subscriptions", {"event_type": "*"})
    assert_problem(one_more, 409, "conflict")
    assert len(user.items(f"/webhooks/{webhook['id']}/subscriptions")) == 48


def test_an_unknown_subscription_is_not_found(user: User, webhook: Document) -> None:
    path = f"/webhooks/{webhook['id']}/subscriptions/{UNKNOWN}"
    assert_problem(user.get(path), 404, "not-found")
    assert_problem(user.put(path, {"is_active": True}), 404, "not-found")
    assert_problem(user.delete(path), 404, "not-found")

"""What nobody can read, on either way in and on the queues: kept with its reason, and no neighbour pays for it."""

import json
import uuid
from typing import Any

import pytest

from tests.support.service import PATIENCE_SECONDS, Document, Service, User, assert_problem, event, eventually, ids_at
from webhooks.compression import unpack


def refused(service: Service, *marks: str) -> dict[str, tuple[str, str]]:
    """(body, reason) on the ingest dead-letter queue of the messages that hold these marks."""
    found: dict[str, tuple[str, str]] = {}
    for message in service.messages(service.stack.outputs["IngestDeadLetterQueueUrl"]):
        for mark in marks:
            if mark in message["Body"]:
                found[mark] = message["Body"], message["MessageAttributes"]["reason"]["StringValue"]
        if len(found) == len(marks):
            break
    return found


def unreadable(service: Service, mark: str) -> Document:
    """The item kept of an unreadable message that holds this mark."""

    def read() -> list[Any]:
        answer = service.client("dynamodb").query(
            TableName=service.stack.outputs["TableName"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "unreadable"}},
        )
        return [item for item in answer["Items"] if mark in unpack(item["body"]["B"]).decode()]

    (item,) = eventually(read)
    return {"body": unpack(item["body"]["B"]).decode(), "reason": item["reason"]["S"]}


def test_an_unknown_event_type_on_the_bus_is_recorded_as_such(service: Service, user: User) -> None:
    webhook = user.register(service.receiver.url("/never"))
    strange = event("record.vanished", user_id=user.user_id)
    service.put_events([strange])
    outcome = user.outcome(strange["id"], webhook["id"])
    assert (outcome["status"], outcome["reason"]) == ("not_queued", "unknown_event_type")
    told = user.read(f"/events/{strange['id']}")
    assert (told["disposition"], told["type"], told["counts"]) == (
        "unknown_event_type",
        "record.vanished",
        {"unknown_event_type": 1},
    )


def test_malformed_details_on_the_bus_are_kept_with_their_reason_and_cost_no_neighbour_anything(
    service: Service, user: User
) -> None:
    path = service.path()
    user.register(service.receiver.url(path))
    good = [event(user_id=user.user_id) for _ in range(5)]
    mark = uuid.uuid4().hex
    malformed = {
        f"{mark}-nobody": ({"data": {"mark": f"{mark}-nobody"}}, "workspace_id"),
        f"{mark}-data": ({"user_id": 1, "data": [f"{mark}-data"]}, "data"),
        f"{mark}-id": ({"user_id": 1, "id": f"{mark}-id.x"}, "id"),
        f"{mark}-more": ({"user_id": 1, "surplus": f"{mark}-more"}, "surplus"),
        f"{mark}-time": ({"user_id": 1, "timestamp": f"{mark}-time"}, "timestamp"),
    }
    entries = [service.bus_entry(json.dumps(detail), "record.created") for detail, _ in malformed.values()]
    entries[2:2] = [service.bus_entry(json.dumps(each), each["type"]) for each in good]
    answer = service.client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 0

    service.receiver.wait_for(path, 5, PATIENCE_SECONDS)
    kept = refused(service, *malformed)
    assert {name: reason.split(":")[0] for name, (_, reason) in kept.items()} == {
        name: field for name, (_, field) in malformed.items()
    }
    assert sorted(ids_at(service.receiver, path)) == sorted(each["id"] for each in good)


@pytest.mark.parametrize(
    "body", ["{mark} is no JSON", '["{mark}"]', '{{"unknown": "{mark}"}}', '{{"events": "{mark}"}}']
)
def test_a_poison_message_on_the_ingest_queue_is_moved_away_with_its_reason(
    service: Service, user: User, body: str
) -> None:
    path = service.path()
    user.register(service.receiver.url(path))
    mark = uuid.uuid4().hex
    poison = body.format(mark=mark)
    url = service.stack.outputs["IngestQueueUrl"]
    service.client("sqs").send_message(QueueUrl=url, MessageBody=poison)
    good = event()
    user.post("/events", good)

    service.receiver.wait_for(path, 1, PATIENCE_SECONDS)
    kept, reason = refused(service, mark)[mark]
    assert kept == poison
    assert reason


@pytest.mark.parametrize("meta", [None, "no JSON", '{"d": "dlv_1"}', "[]"])
def test_a_poison_message_on_the_delivery_queue_ends_as_an_unreadable_item(
    service: Service, user: User, meta: str | None
) -> None:
    path = service.path()
    webhook = user.register(service.receiver.url(path))
    mark = uuid.uuid4().hex
    attributes = {} if meta is None else {"meta": {"DataType": "String", "StringValue": meta}}
    service.client("sqs").send_message(
        QueueUrl=service.stack.outputs["DeliveryQueueUrl"], MessageBody=f"poison {mark}", MessageAttributes=attributes
    )
    good = event()
    user.post("/events", good)

    item = unreadable(service, mark)
    assert item["body"] == f"poison {mark}"
    assert "'meta'" in item["reason"]
    user.settled(webhook["id"], good["id"], "delivered")
    assert ids_at(service.receiver, path) == [good["id"]]


def test_a_delivery_message_for_a_webhook_that_never_was_is_given_up(service: Service, user: User) -> None:
    meta = {
        "d": "dlv_00000000000000000000000000",
        "w": "wh_00000000000000000000000000",
        "e": "evt_1",
        "t": "record.created",
        "s": f"user:{user.user_id}",
        "o": "group",
        "g": 1,
        "c": 4_000_000_000_000,
    }
    service.client("sqs").send_message(
        QueueUrl=service.stack.outputs["DeliveryQueueUrl"],
        MessageBody='{"id":"evt_1"}',
        MessageAttributes={"meta": {"DataType": "String", "StringValue": json.dumps(meta)}},
    )
    admin = service.bearer(scope="admin")
    letters = eventually(
        lambda: [each for each in admin.items("/dead-letters", limit=100) if each["id"] == meta["d"]], every=0.5
    )
    assert letters[0]["failure_reason"] == "webhook_deleted"
    assert_problem(admin.post(f"/webhooks/{meta['w']}/dead-letters/{meta['d']}/replay"), 404, "not-found")

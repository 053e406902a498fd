"""events/: one sample for each thing that invokes a function, in the shape that AWS and our code really use."""

import json
from typing import Any

import pytest

from tests.infrastructure.template_document import PROJECT, Template
from webhooks.access.callers import from_context
from webhooks.event_types import TEST_EVENT_TYPE
from webhooks.events.validation import normalise
from webhooks.ids import delivery_id, is_id
from webhooks.management.requests import WebhookRequest
from webhooks.messages import META_ATTRIBUTE, DeliveryMessage
from webhooks.store import schema
from webhooks.store.delivery_items import delivery_of

EVENTS = PROJECT / "events"


def _sample(name: str) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text())


def _only_record(name: str) -> dict[str, Any]:
    (record,) = _sample(name)["Records"]
    return record


def _delivery(name: str) -> DeliveryMessage:
    record = _only_record(name)
    return DeliveryMessage.parse(record["body"], record["messageAttributes"][META_ATTRIBUTE]["stringValue"])


def test_every_function_has_a_sample(template: Template) -> None:
    """Named after the function, for `sam local invoke SenderFunction -e events/sender_delivery.json`."""
    sampled = {path.stem.partition("_")[0] for path in EVENTS.glob("*.json")}
    folders = {function["CodeUri"].split("/")[1] for function in template.functions.values()}
    assert sampled == folders


@pytest.mark.parametrize(
    ("name", "queue"),
    [
        ("ingest_eventbridge", "IngestQueue"),
        ("ingest_http", "IngestQueue"),
        ("sender_delivery", "DeliveryQueue"),
        ("replay_dead_letter", "DeadLetterQueue"),
        ("replay_job", "JobsQueue"),
    ],
)
def test_queue_samples_come_from_the_queue_that_their_function_consumes(
    template: Template, name: str, queue: str
) -> None:
    consumer = name.partition("_")[0].capitalize() + "Function"
    assert (consumer, queue) in {(function, source) for _, _, function, source in template.queue_mappings}
    record = _only_record(name)
    assert f"-{queue}-" in record["eventSourceARN"]
    assert {"ApproximateReceiveCount", "SentTimestamp"} <= set(record["attributes"])


def test_the_sample_events_are_events() -> None:
    envelope = json.loads(_only_record("ingest_eventbridge")["body"])
    http = json.loads(_only_record("ingest_http")["body"])
    assert set(http) == {"token", "events"}
    for raw in [envelope["detail"], *http["events"]]:
        event = normalise(raw, default_id="", default_timestamp="")
        assert event.event_type == envelope["detail-type"] == "record.created"
        assert event.payload == raw


def test_the_sample_delivery_is_one_of_the_sample_event() -> None:
    message = _delivery("sender_delivery")
    payload = json.loads(message.body)
    assert payload == json.loads(_only_record("ingest_eventbridge")["body"])["detail"]
    assert is_id("wh", message.webhook_id)
    sent_at = int(_only_record("sender_delivery")["attributes"]["SentTimestamp"])
    assert message.delivery_id == delivery_id(sent_at, message.scope, payload["id"], message.webhook_id)


def test_the_sample_dead_letter_is_that_delivery_given_up() -> None:
    dead = _delivery("replay_dead_letter")
    assert dead.reason
    assert dead == _delivery("sender_delivery").given_up(dead.reason)


def test_the_sample_stream_record_is_what_the_store_writes_for_that_delivery() -> None:
    record = _only_record("rollup_stream")
    image = record["dynamodb"]["NewImage"]
    assert {schema.PK, schema.SK} == set(record["dynamodb"]["Keys"])
    stored = delivery_of(image)
    assert (stored.delivery_id, stored.status) == (_delivery("sender_delivery").delivery_id, "delivered")


@pytest.mark.parametrize("name", ["api_create_webhook", "api_publish_events"])
def test_the_sample_requests_have_a_caller_and_a_route(name: str) -> None:
    request = _sample(name)
    assert from_context(request["requestContext"]["authorizer"], now=1_704_110_400).scopes
    assert request["httpMethod"] == "POST"
    assert request["requestContext"]["path"] == f"/{request['requestContext']['stage']}{request['path']}"


def test_the_sample_requests_ask_for_what_the_api_takes() -> None:
    WebhookRequest.model_validate_json(_sample("api_create_webhook")["body"])
    for raw in json.loads(_sample("api_publish_events")["body"])["events"]:
        normalise(raw, default_id="evt_default", default_timestamp="2024-01-01T12:00:00Z")


def test_the_sample_job_and_test_delivery_name_what_they_are_for() -> None:
    assert is_id("rpl", json.loads(_only_record("replay_job")["body"])["job_id"])
    test = _sample("sender_test")["test"]
    assert test["webhook_id"] == _delivery("sender_delivery").webhook_id
    assert test["event"]["type"] == TEST_EVENT_TYPE


def test_the_sample_request_of_the_authorizer_asks_for_one_route() -> None:
    request = _sample("authorizer_request")
    assert request["type"] == "REQUEST"
    assert request["methodArn"].endswith(f"/{request['httpMethod']}{request['path']}")

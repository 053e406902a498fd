"""POST /events over HTTP, on fakes."""

from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.unit.test_times import OTHER_SPELLINGS
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.ids import derived_id
from webhooks.models.event import EventRecord
from webhooks.payload import serialise

CLIENTS_EXAMPLE = {
    "id": "evt_1234567890",
    "type": "record.created",
    "resource_id": "rec123",
    "workspace_id": 456,
    "user_id": 789,
    "timestamp": "2024-01-01T12:00:00Z",
    "data": {"id": "rec123", "fields": {"name": "John Doe", "email": "john@example.com"}},
    "metadata": {"source": "api", "version": "v1"},
}
ANY = ["events:write:any"]


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def published(client: ApiClient) -> list[dict[str, Any]]:
    return [dict(event.payload) for events, _ in client.ingest.published for event in events]


def test_the_clients_own_payload_is_accepted_and_kept_as_it_is(client: ApiClient) -> None:
    answer = client.call("POST", "/events", CLIENTS_EXAMPLE, user_id="platform", scopes=ANY)
    assert (answer.status, answer.body) == (202, {"accepted": 1, "events": [{"id": "evt_1234567890"}]})
    assert published(client) == [CLIENTS_EXAMPLE]
    ((events, token),) = client.ingest.published
    assert (events[0].scope, events[0].user_scope) == ("ws:456", "user:789")
    assert token


def test_a_user_publishes_as_himself(client: ApiClient) -> None:
    answer = client.call("POST", "/events", {"type": "record.created"})
    assert answer.status == 202
    (payload,) = published(client)
    assert (payload["user_id"], payload["workspace_id"], payload["data"], payload["metadata"]) == (123, None, {}, {})
    assert payload["id"] == answer.body["events"][0]["id"]
    assert payload["id"].startswith("evt_")
    assert payload["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_list", [True, False])
def test_many_events_keep_their_order(client: ApiClient, as_list: bool) -> None:
    events = [{"id": f"e{n}", "type": "record.created"} for n in range(100)]
    answer = client.call("POST", "/events", events if as_list else {"events": events})
    assert answer.body == {"accepted": 100, "events": [{"id": f"e{n}"} for n in range(100)]}
    assert [each["id"] for each in published(client)] == [f"e{n}" for n in range(100)]
    assert len(client.ingest.published) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({"type": "no.such"}, "type"),
        ({"type": "webhook.disabled"}, "type"),
        ({"type": 1}, "type"),
        ({"type": "record.created", "id": "a.b"}, "id"),
        ({"type": "record.created", "id": ""}, "id"),
        ({"type": "record.created", "extra": 1}, "extra"),
        ({"type": "record.created", "data": []}, "data"),
        ({"type": "record.created", "metadata": "x"}, "metadata"),
        ({"type": "record.created", "timestamp": "yesterday"}, "timestamp"),
        ({"type": "record.created", "workspace_id": 1.5}, "workspace_id"),
        ({"type": "record.created", "user_id": True}, "user_id"),
        ({"events": []}, "events"),
        ({"events": {}}, "events"),
        ({"events": [], "more": 1}, "more"),
        ([], "events"),
        ([{"type": "record.created"}] * 101, "events"),
        ([{"type": "record.created"}, {"type": "no.such"}], "events[1].type"),
        ([{"type": "record.created"}, 5], "events[1]"),
        ([{"type": "record.created", "id": "a"}, {"type": "record.created", "id": "a"}], "events[1].id"),
    ],
)
def test_a_wrong_event_is_named_and_nothing_is_accepted(client: ApiClient, body: object, field: str) -> None:
    answer = client.call("POST", "/events", body)
    assert (answer.status, answer.body["type"]) == (422, "/problems/validation")
    assert field in [error["field"] for error in answer.body["errors"]]
    assert not client.ingest.published


def test_a_time_is_one_of_rfc_3339_or_refused(client: ApiClient) -> None:
    for time in OTHER_SPELLINGS:
        answer = client.call("POST", "/events", {"type": "record.created", "timestamp": time})
        assert (answer.status, [each["field"] for each in answer.body["errors"]]) == (422, ["timestamp"]), time
    for written in ("2024-01-01T00:00:00z", "2024-01-01 00:00:00+02:00"):
        assert client.call("POST", "/events", {"type": "record.created", "timestamp": written}).status == 202
        (accepted,), _ = client.ingest.published[-1]
        assert accepted.payload["timestamp"] == written, "as it was published"


def test_an_unknown_type_is_answered_with_the_known_ones(client: ApiClient) -> None:
    message = client.call("POST", "/events", {"type": "no.such"}).body["errors"][0]["message"]
    assert all(name in message for name in DEFAULT_EVENT_TYPES)


def test_every_wrong_event_of_a_batch_is_named(client: ApiClient) -> None:
    body = client.call("POST", "/events", [{"type": "x"}, {"type": "record.created"}, {"id": "."}]).body
    assert {"events[0].type", "events[2].type", "events[2].id"} <= {error["field"] for error in body["errors"]}


def test_who_guesses_an_idempotency_key_does_not_know_the_id_that_comes_of_it(client: ApiClient) -> None:
    """A co-member would publish under it first. What an older version derived is told to ingestion alone."""
    answer = client.call("POST", "/events", {"type": "record.created"}, headers={"Idempotency-Key": "order-1"})
    (event,) = client.ingest.published[0][0]
    guessed = derived_id("evt", 0, "123", "order-1", "0")
    assert event.event_id != guessed
    assert event.former_id == guessed
    assert guessed not in answer.text
    assert event.publisher == "user"


def test_an_event_says_who_published_it(client: ApiClient) -> None:
    client.call("POST", "/events", {"type": "record.created", "user_id": 7}, user_id="platform", scopes=ANY)
    (event,) = client.ingest.published[0][0]
    assert (event.publisher, event.former_id) == ("platform", None)


def test_an_id_for_what_was_taken_is_refused(client: ApiClient) -> None:
    answer = client.call("POST", "/events", {"type": "record.created", "id": "own_1"})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "id")


@pytest.mark.parametrize(
    "event", [{"user_id": 124}, {"user_id": "0123"}, {"workspace_id": 9}, {"workspace_id": "456x"}]
)
def test_nobody_publishes_for_others(client: ApiClient, event: dict[str, Any]) -> None:
    answer = client.call(
        "POST", "/events", [{"type": "record.created"}, {"type": "record.created", **event}], workspaces=["456"]
    )
    assert (answer.status, answer.body["type"]) == (403, "/problems/forbidden")
    assert not client.ingest.published


@pytest.mark.parametrize(
    "event", [{"user_id": "123"}, {"user_id": 123}, {"workspace_id": 456}, {"workspace_id": "456"}]
)
def test_ids_compare_by_their_text(client: ApiClient, event: dict[str, Any]) -> None:
    answer = client.call("POST", "/events", {"type": "record.created", **event}, workspaces=["456"])
    assert answer.status == 202
    (payload,) = published(client)
    assert all(payload[name] == value for name, value in event.items())


def test_the_platform_says_whose_event_it_is(client: ApiClient) -> None:
    answer = client.call("POST", "/events", {"type": "record.created"}, user_id="platform", scopes=ANY)
    assert answer.body["errors"][0]["field"] == "workspace_id"


def test_a_repeat_with_the_same_key_has_the_same_ids(client: ApiClient) -> None:
    def send(key: str, **caller: Any) -> list[str]:
        body = [{"type": "record.created"}, {"type": "record.updated"}, {"type": "user.joined", "id": "own"}]
        answer = client.call("POST", "/events", body, headers={"Idempotency-Key": key}, **caller)
        client.now_ms += 1000
        return [each["id"] for each in answer.body["events"]]

    first = send("k1")
    assert send("k1") == first
    assert len(set(first)) == 3
    assert first[2] == "own"
    assert not set(send("k2")) & set(first[:2])
    assert not set(send("k1", user_id="9")) & set(first[:2])
    assert len({token for _, token in client.ingest.published}) == 4


def test_an_event_has_a_size_limit(client: ApiClient) -> None:
    large = {"type": "record.created", "data": {"text": "x" * 256 * 1024}}
    answer = client.call("POST", "/events", [{"type": "record.created"}, large])
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "events[1]")
    fits = {"type": "record.created", "data": {"text": "x" * 250 * 1024}}
    assert client.call("POST", "/events", [fits] * 18).status == 202


def test_a_request_has_a_size_limit(client: ApiClient) -> None:
    body = '{"type": "record.created", "data": {"text": "' + "x" * 4_718_592 + '"}}'
    answer = client.call("POST", "/events", body)
    assert (answer.status, answer.body["type"]) == (413, "/problems/too-large")


def test_what_could_not_be_queued_is_not_accepted(client: ApiClient) -> None:
    client.ingest.unavailable = True
    answer = client.call("POST", "/events", {"type": "record.created"})
    assert (answer.status, answer.body["type"]) == (503, "/problems/unavailable")


def test_an_id_given_again_is_a_duplicate_or_a_conflict_that_says_what_differs(client: ApiClient) -> None:
    client.call("POST", "/events", [CLIENTS_EXAMPLE], user_id="platform", scopes=ANY)
    ((events, _),) = client.ingest.published
    client.events.add(
        EventRecord("evt_1234567890", "ws:456", 0, "t", "record.created", 789, 456, 0, serialise(events[0].payload),
                    publisher="platform", fingerprint=events[0].fingerprint)
    )  # fmt: skip
    again = client.call("POST", "/events", CLIENTS_EXAMPLE, user_id="platform", scopes=ANY)
    assert again.body == {"accepted": 1, "events": [{"id": "evt_1234567890", "duplicate": True}]}
    others = [{"type": "record.created", "user_id": 1}, {**CLIENTS_EXAMPLE, "resource_id": "rec124"}]
    refused = client.call("POST", "/events", {"events": others}, user_id="platform", scopes=ANY)
    assert (refused.status, refused.body["type"]) == (409, "/problems/conflict")
    said = "evt_1234567890 was published before, and differs in resource_id"
    assert refused.body["errors"] == [{"field": "events[1]", "message": said, "code": "repeated"}]
    assert len(client.ingest.published) == 2
    shown = client.call("GET", "/events/evt_1234567890", user_id="789")
    assert [(each["outcome"], each["differs"]) for each in shown.body["repeats"]] == [("refused", ["resource_id"])]


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def test_a_request_s_trace_is_that_of_its_events_unless_they_have_one(client: ApiClient) -> None:
    body = [{"type": "record.created"}, {"type": "record.created", "traceparent": OTHER}]
    assert client.call("POST", "/events", body, headers={"traceparent": TRACE}).status == 202
    first, second = client.ingest.published[0][0]
    assert (first.trace, second.trace) == (TRACE, OTHER)
    assert "traceparent" not in {*first.payload, *second.payload}


@pytest.mark.parametrize("headers", [{}, {"traceparent": TRACE.upper()}, {"traceparent": f"{TRACE}, {TRACE}"}])
def test_a_trace_that_is_none_is_no_error(client: ApiClient, headers: dict[str, str]) -> None:
    assert client.call("POST", "/events", {"type": "record.created", "traceparent": 5}, headers=headers).status == 202
    assert client.ingest.published[0][0][0].trace == ""

"""Two who register at the same time: one of them answers for both, or says that it was in the way."""

import pytest

from tests.support.api_client import ApiClient
from webhooks.management.changes import Change


@pytest.fixture
def client() -> ApiClient:
    return ApiClient()


def test_a_registration_that_others_get_in_the_way_of_is_answered_with_a_conflict(client: ApiClient) -> None:
    body = {"name": "n", "url": "https://example.com/"}
    for headers in ({"Idempotency-Key": "k"}, {}):
        client.store.interferences = 1
        answer = client.call("POST", "/webhooks", body, headers=headers)
        assert (answer.status, answer.body["type"]) == (409, "/problems/conflict")
    assert client.call("POST", "/webhooks", body, headers={"Idempotency-Key": "k"}).status == 201


def test_of_two_registrations_at_once_with_one_key_the_later_answers_as_the_first(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, key = {"name": "n", "url": "https://example.com/"}, {"Idempotency-Key": "k"}
    commit, first = client.store.commit, []

    def interrupted(change: Change, now_ms: int) -> bool:
        monkeypatch.undo()
        first.append(client.call("POST", "/webhooks", body, headers=key).body)
        return commit(change, now_ms)

    monkeypatch.setattr(client.store, "commit", interrupted)
    answer = client.call("POST", "/webhooks", body, headers=key)
    assert (answer.status, answer.body["id"]) == (201, first[0]["id"])
    assert len(client.store.webhooks_by_id) == 1

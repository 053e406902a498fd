"""Who is not let in: our own deliveries, tenants who ask too often, owners who have all they may have."""

import pytest

from tests.support.api_client import ApiClient

EVENT = {"type": "record.created", "data": {}}


@pytest.mark.parametrize("name", ["X-PyAirtable-Hop", "x-pyairtable-hop", "X-PYAIRTABLE-HOP"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/events"), ("POST", "/webhooks"), ("GET", "/webhooks"), ("GET", "//health")]
)
def test_a_delivery_that_comes_back_to_us_ends_there(method: str, path: str, name: str) -> None:
    client = ApiClient()
    answer = client.call(method, path, EVENT if method == "POST" else None, headers={name: "1"})
    assert (answer.status, answer.body["type"]) == (400, "/problems/loop")
    assert not client.ingest.published
    assert not client.store.webhooks_by_id


def test_a_tenant_beyond_its_requests_is_told_when_to_come_again() -> None:
    client = ApiClient(per_second=1)
    answers = [client.call("POST", "/events", EVENT) for _ in range(12)]
    assert [answer.status for answer in answers] == [202] * 10 + [429] * 2
    assert answers[-1].body["type"] == "/problems/too-many-requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert len(client.ingest.published) == 10
    assert client.call("GET", "/webhooks").status == 429, "whatever the route"
    assert client.call("GET", "/webhooks", user_id="another").status == 200
    assert client.call("GET", "//health", user_id=None).status == 200


def test_requests_that_are_wrong_count_too() -> None:
    client = ApiClient(per_second=1)
    assert [client.call("POST", "/webhooks", {}).status for _ in range(11)] == [422] * 10 + [429]


def test_an_owner_has_so_many_webhooks_at_most() -> None:
    client = ApiClient(max_webhooks=2)
    first = client.register()
    client.register()
    refused = client.call("POST", "/webhooks", {"name": "third", "url": "https://example.com/"})
    assert (refused.status, refused.body["type"]) == (409, "/problems/conflict")
    assert "2 webhooks" in refused.body["detail"]
    client.register(user_id="another")
    assert client.call("DELETE", f"/webhooks/{first['id']}").status == 204
    client.register()

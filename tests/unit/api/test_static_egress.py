"""static_egress of a webhook, and GET /egress-addresses, over HTTP."""

import pytest

from tests.support.api_client import ApiClient

ADDRESSES = ("203.0.113.10", "203.0.113.11")


@pytest.fixture
def client() -> ApiClient:
    return ApiClient(egress_addresses=ADDRESSES)


def test_a_webhook_has_it_as_it_was_given_and_none_without_a_word(client: ApiClient) -> None:
    assert client.register()["static_egress"] is False
    made = client.register(static_egress=True)
    assert made["static_egress"] is True
    changed = client.call("PUT", f"/webhooks/{made['id']}", {"static_egress": False})
    assert (changed.status, changed.body["static_egress"]) == (200, False)
    client.call("PUT", f"/webhooks/{made['id']}", {"static_egress": True})
    client.call("PUT", f"/webhooks/{made['id']}", {"name": "another"})
    assert client.call("GET", f"/webhooks/{made['id']}").body["static_egress"] is True


def test_where_there_are_no_static_addresses_it_is_refused_with_what_would_be_right() -> None:
    client = ApiClient()
    wanted = {"name": "n", "url": "https://a.example", "static_egress": True}
    refused = client.call("POST", "/webhooks", wanted)
    assert refused.status == 422
    (error,) = refused.body["errors"]
    assert error["field"] == "static_egress"
    assert "leave it out, or give false" in error["message"]
    made = client.register(static_egress=False)
    assert client.call("PUT", f"/webhooks/{made['id']}", {"static_egress": True}).status == 422
    assert client.call("PUT", f"/webhooks/{made['id']}", {"static_egress": False}).status == 200


def test_a_change_of_it_wakes_what_waits(client: ApiClient) -> None:
    made = client.register()
    client.call("PUT", f"/webhooks/{made['id']}", {"name": "another"})
    assert not client.states.woken
    client.call("PUT", f"/webhooks/{made['id']}", {"static_egress": True})
    assert client.states.woken == [made["id"]]


def test_a_test_delivery_leaves_from_where_deliveries_do(client: ApiClient) -> None:
    made, other = client.register(static_egress=True), client.register()
    for each in (made, other):
        assert client.call("POST", f"/webhooks/{each['id']}/test").status == 200
    assert client.sender.static == [made["id"]]


def test_where_the_addresses_were_given_up_a_test_delivery_says_what_to_do(client: ApiClient) -> None:
    made = client.register(static_egress=True)
    after = ApiClient(store=client.store)
    refused = after.call("POST", f"/webhooks/{made['id']}/test")
    assert refused.status == 409
    assert "set static_egress to false" in refused.body["detail"]
    assert not after.sender.tried


def test_addresses_for_an_allow_list_are_told(client: ApiClient) -> None:
    answer = client.call("GET", "/egress-addresses")
    assert answer.body == {
        "static_egress": True,
        "addresses": list(ADDRESSES),
        "notice": "Deliveries to webhooks with static_egress come from these addresses; all others from addresses that "
        "change.",
    }


def test_without_static_addresses_the_list_is_empty_and_says_why() -> None:
    answer = ApiClient().call("GET", "/egress-addresses")
    assert (answer.status, answer.body["static_egress"], answer.body["addresses"]) == (200, False, [])
    assert "no static addresses" in answer.body["notice"]


def test_addresses_that_nobody_has_named_are_no_promise_that_there_are_none() -> None:
    answer = ApiClient(egress_addresses=()).call("GET", "/egress-addresses")
    assert (answer.body["static_egress"], answer.body["addresses"]) == (True, [])
    assert "whoever runs the service" in answer.body["notice"]


def test_a_registration_is_known_again_after_an_upgrade_to_this_version(client: ApiClient) -> None:
    wanted = {"name": "n", "url": "https://a.example"}
    first = client.call("POST", "/webhooks", wanted, headers={"Idempotency-Key": "k"})
    remembered = client.store.idempotency_record("123", "k", client.now_ms)
    assert first.status == 201
    assert remembered is not None
    assert remembered.fingerprint == "350824a4eb7b86d006344f95d2893b16969a88913bf66da382e2c23188a541db"  # as before


def test_another_wish_for_it_is_another_request(client: ApiClient) -> None:
    wanted = {"name": "n", "url": "https://a.example", "static_egress": True}
    key = {"Idempotency-Key": "k"}
    assert client.call("POST", "/webhooks", wanted, headers=key).status == 201
    assert client.call("POST", "/webhooks", {**wanted, "static_egress": False}, headers=key).status == 409

"""Deliveries of webhooks that ask for ed25519, by the sender and the api as they are put together, over the fakes."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.fakes.api import Api
from tests.fakes.owners import url_of
from tests.fakes.receivers import Seen
from tests.fakes.world import TABLE, World, event
from tests.support.api_client import Answered, ApiClient
from webhooks.access.idempotency_keys import Once
from webhooks.errors import Conflict, Unavailable, Undecryptable
from webhooks.models.caller import Caller
from webhooks.request.signing_keys import KEPT_MS

HOUR_MS = 3_600_000
ADMIN: dict[str, Any] = {"user_id": "9", "scopes": ("admin",)}
OPERATOR = Caller("9", frozenset({"admin"}), frozenset())


class Calls:
    """Which calls of AWS fail, and all that were made."""

    def __init__(self) -> None:
        self.down = ""
        self.made: list[str] = []
        self.told: Any = self.made.append

    def __call__(self, call: str) -> str | None:
        self.told(call)
        return "throttled" if self.down and call.startswith(self.down) else None


def client_over(world: World) -> ApiClient:
    return ApiClient.over(Api(world.services).use_cases)


def deliver(world: World, name: str) -> Seen:
    """The request that the next event comes with."""
    before = len(world.receivers.seen(url_of(name)))
    world.publish(event(f"evt_{before}_{name}"))
    world.run()
    (seen,) = world.receivers.seen(url_of(name))[before:]
    return seen


def verified_by(seen: Seen, public_key: str) -> bool:
    signed = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode() + seen.body
    for given in seen.headers["webhook-signature"].split(" "):
        version, _, signature = given.partition(",")
        if version != "v1a":
            continue
        try:
            VerifyKey(base64.b64decode(public_key.removeprefix("whpk_"))).verify(signed, base64.b64decode(signature))
        except BadSignatureError:
            continue
        return True
    return False


def versions(seen: Seen) -> list[str]:
    return [each.partition(",")[0] for each in seen.headers["webhook-signature"].split(" ")]


def rotate(world: World, hours: int) -> list[str]:
    answer = client_over(world).call("POST", "/signing-keys/rotate", {"overlap_hours": hours}, **ADMIN)
    assert answer.status == 200, answer.text
    return [each["key"] for each in answer.body["public_keys"]]


def published(world: World) -> list[str]:
    answer = client_over(world).call("GET", "//.well-known/jwks.json", user_id=None)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    raws = [base64.urlsafe_b64decode(each["x"] + "=") for each in answer.body["keys"]]
    return ["whpk_" + base64.b64encode(each).decode() for each in raws]


def test_a_webhook_that_asks_is_signed_for_by_the_published_key_and_another_as_ever() -> None:
    world = World()
    world.owners.register("plain")
    assert published(world) == []
    world.owners.register("asks", ed25519=True)
    (key,) = published(world)
    assert versions(deliver(world, "plain")) == ["v1"]
    seen = deliver(world, "asks")
    assert versions(seen) == ["v1", "v1a"]
    assert verified_by(seen, key)
    assert not verified_by(replace(seen, headers={**seen.headers, "webhook-id": "evt_other"}), key)


def test_a_webhook_may_ask_later_and_stop_asking() -> None:
    world = World()
    webhook = world.owners.register("one")
    assert versions(deliver(world, "one")) == ["v1"]
    changed = world.owners.change(webhook, ed25519=True)
    assert versions(deliver(world, "one")) == ["v1", "v1a"]
    world.owners.change(changed, ed25519=False)
    assert versions(deliver(world, "one")) == ["v1"]


def test_a_receiver_with_either_key_accepts_every_delivery_of_a_rotations_overlap() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)
    (old,) = published(world)
    assert verified_by(deliver(world, "asks"), old)  # the sender knows the old key now
    new, *others = rotate(world, 24)
    assert others == [old]
    assert published(world) == [new, old]
    assert verified_by(deliver(world, "asks"), old)
    world.clock.sleep(KEPT_MS / 1000)
    seen = deliver(world, "asks")
    assert (verified_by(seen, old), verified_by(seen, new)) == (True, True)
    world.clock.sleep(24 * 3600)
    seen = deliver(world, "asks")
    assert versions(seen) == ["v1", "v1a"]
    assert (verified_by(seen, old), verified_by(seen, new)) == (False, True)
    assert published(world) == [new]


def test_three_keys_sign_at_most_and_without_overlap_the_new_one_alone() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)
    first = published(world)
    rotate(world, 24)
    assert rotate(world, 48)[-1:] == first
    keys = Api(world.services).use_cases.signing_keys
    with pytest.raises(Conflict, match="3 keys sign already, one of them until 2025-"):
        keys.rotate(OPERATOR, 1)
    (new,) = rotate(world, 0)
    world.clock.sleep(KEPT_MS / 1000)
    seen = deliver(world, "asks")
    assert (versions(seen), verified_by(seen, new), verified_by(seen, first[0])) == (["v1", "v1a"], True, False)


def test_a_rotation_repeated_with_its_idempotency_key_is_done_once() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)

    def asked(key: str, hours: int = 24) -> Answered:
        call = {**ADMIN, "headers": {"Idempotency-Key": key}}
        return client_over(world).call("POST", "/signing-keys/rotate", {"overlap_hours": hours}, **call)

    first = asked("k")
    assert [each.body for each in (asked("k"), asked("k"))] == [first.body] * 2
    assert len(published(world)) == 2
    assert asked("k", 0).body["detail"] == "this Idempotency-Key was used for another request"
    assert len(asked("another").body["public_keys"]) == 3
    world.clock.sleep(24 * 3600)
    assert asked("k").body != first.body, "after a day it is another request"


def test_the_same_rotation_twice_at_once_makes_one_key_and_both_are_answered_with_it() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)
    keys = Api(world.services).use_cases.signing_keys
    once, load, made = Once("k", "same"), keys.records.load, list[Any]()

    def late() -> Any:
        found = load()
        keys.records.load = load  # type: ignore[method-assign]
        made.extend(Api(world.services).use_cases.signing_keys.rotate(OPERATOR, 24, once))
        return found

    keys.records.load = late  # type: ignore[method-assign]
    assert [each.key_id for each in keys.rotate(OPERATOR, 24, once)] == [each.key_id for each in made]
    assert len(published(world)) == 2


def test_two_rotations_at_once_make_one_key() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)
    keys = Api(world.services).use_cases.signing_keys
    load = keys.records.load

    def late() -> Any:
        found = load()
        rotate(world, 24)
        return found

    keys.records.load = late  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        keys.rotate(OPERATOR, 24)
    assert len(published(world)) == 2


def test_webhooks_that_ask_at_once_get_the_same_first_key() -> None:
    world = World()
    one, other = (Api(world.services).use_cases.signing_keys for _ in range(2))
    load = one.records.load
    keys: set[str] = set()

    def late() -> Any:
        found = load()
        other.ensure()
        keys.update(each.standard for each in other.published())
        return found

    one.records.load = late  # type: ignore[method-assign]
    one.ensure()
    assert {each.standard for each in one.published()} == keys
    assert len(keys) == 1


def test_what_is_not_asked_for_costs_no_call() -> None:
    def made(**fields: Any) -> int:
        calls = Calls()
        world = World(plan=calls)
        world.owners.register("one", **fields)
        deliver(world, "one")
        calls.made.clear()
        deliver(world, "one")
        world.clock.sleep(KEPT_MS / 1000)
        deliver(world, "one")
        return len([call for call in calls.made if "get" in call])

    assert made(ed25519=True) == made() + 1


def test_nobody_waits_for_the_keys_of_another() -> None:
    sent: list[int] = []
    calls = Calls()
    world = World(plan=calls)
    for name in ("asks", "plain"):
        world.owners.register(name, ed25519=name == "asks")
    world.publish(event("evt_1"))
    world.work("ingest")

    def plan(call: str) -> None:
        if "get" in call:
            sent.append(len(world.receivers.seen(url_of("plain"))))

    calls.told = plan
    world.work("sender")
    assert sent == [0, 0, 1]  # what is stored of the batch, the data key, and then the ed25519 keys
    assert len(world.receivers.seen(url_of("asks"))) == 1


def test_keys_that_cannot_be_read_cost_no_webhook_that_does_not_ask() -> None:
    world = World()
    for name in ("plain", "asks"):
        world.owners.register(name, ed25519=name == "asks")
    table = world.dynamodb.tables[TABLE]
    stored = table.get(("signingkeys", "signingkeys"))
    assert stored is not None
    world.dynamodb.put_item(TableName=TABLE, Item={**stored, "sealed": {"B": b"damaged"}})
    world.publish(event("evt_1"))
    world.work("ingest", "sender")
    assert len(world.receivers.seen(url_of("plain"))) == 1
    assert world.receivers.seen(url_of("asks")) == []
    world.dynamodb.put_item(TableName=TABLE, Item=stored)
    world.run()
    (seen,) = world.receivers.seen(url_of("asks"))
    assert seen.headers["X-PyAirtable-Attempt"] == "1"  # nobody is told of a fault of ours


def test_the_private_key_is_nowhere_in_plain() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)
    keys = Api(world.services).use_cases.signing_keys
    keys.rotate(OPERATOR, 24)
    seeds = [pair.key.seed for pair in keys.published()]
    assert len(seeds) == 2
    table = repr(world.dynamodb.tables[TABLE].items)
    answers = client_over(world).call("GET", "//.well-known/jwks.json", user_id=None).text
    for seed in seeds:
        for form in (
            repr(seed)[2:-1],
            seed.hex(),
            base64.b64encode(seed).decode(),
            base64.urlsafe_b64encode(seed).decode(),
        ):
            assert form.rstrip("=") not in table + answers


def test_keys_of_an_earlier_version_do_not_open_over_a_newer() -> None:
    world = World()
    world.owners.register("asks", ed25519=True)
    table = world.dynamodb.tables[TABLE]
    before = table.get(("signingkeys", "signingkeys"))
    rotate(world, 0)
    after = table.get(("signingkeys", "signingkeys"))
    assert before is not None
    assert after is not None
    world.dynamodb.put_item(TableName=TABLE, Item={**after, "sealed": before["sealed"]})
    with pytest.raises(Undecryptable):
        Api(world.services).use_cases.signing_keys.published()


def test_the_answers_of_a_webhook_that_asks_have_the_public_keys() -> None:
    client = ApiClient()
    plain, asks = client.register(), client.register(ed25519=True)
    assert (plain["ed25519"], plain["public_keys"]) == (False, [])
    (key,) = asks["public_keys"]
    (jwk,) = client.call("GET", "//.well-known/jwks.json", user_id=None).body["keys"]
    assert key == {"key": key["key"], "key_id": jwk["kid"], "expires_at": None}
    assert {**jwk, "kid": "", "x": ""} == {
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "", "x": "",
    }  # fmt: skip
    path = f"/webhooks/{asks['id']}"
    listed = client.call("GET", "/webhooks").body["items"]
    assert {each["id"]: each["public_keys"] for each in listed} == {plain["id"]: [], asks["id"]: [key]}
    for answer in (
        client.call("GET", path),
        client.call("PUT", path, {"name": "other"}),
        client.call("POST", f"{path}/regenerate-secret"),
    ):
        assert answer.body["public_keys"] == [key]
    client.call("POST", "/signing-keys/rotate", {"overlap_hours": 1}, **ADMIN)
    newest, older = client.call("GET", path).body["public_keys"]
    assert (newest["expires_at"], older) == (None, {**key, "expires_at": "2025-10-09T09:53:20.000Z"})
    assert client.call("PUT", path, {"ed25519": False}).body["public_keys"] == []


def test_only_admins_rotate_and_it_is_told() -> None:
    client = ApiClient()
    for scopes in (("webhooks", "events:write"), ("events:write:any",), ("metrics:read",)):
        assert client.call("POST", "/signing-keys/rotate", user_id="1", scopes=scopes).status == 403
    assert client.call("POST", "/signing-keys/rotate", user_id=None).status == 401
    (key,) = client.call("POST", "/signing-keys/rotate", **ADMIN).body["public_keys"]
    (entry,) = client.call("GET", "/audit", **ADMIN).body["items"]
    assert (entry["action"], entry["target"], entry["actor"]) == ("signing_key.rotated", key["key_id"], "9")
    for wrong in ({"overlap_hours": -1}, {"overlap_hours": 2161}, {"hours": 1}):
        assert client.call("POST", "/signing-keys/rotate", wrong, **ADMIN).status == 422


def test_a_rotation_whose_entry_cannot_be_written_is_none() -> None:
    calls = Calls()
    world = World(plan=calls)
    world.owners.register("asks", ed25519=True)
    before = published(world)
    calls.down = "dynamodb.transact"
    with pytest.raises(Unavailable):
        Api(world.services).use_cases.signing_keys.rotate(OPERATOR, 0)
    calls.down = ""
    assert published(world) == before


def test_only_webhooks_that_ask_have_the_attribute() -> None:
    world = World()
    webhook = world.owners.register("one", ed25519=True)
    item = world.dynamodb.tables[TABLE].get((webhook.webhook_id, "webhook"))
    assert item is not None
    assert item["ed25519"] == {"BOOL": True}
    plain = world.owners.register("other")
    item = world.dynamodb.tables[TABLE].get((plain.webhook_id, "webhook"))
    assert item is not None
    assert "ed25519" not in item

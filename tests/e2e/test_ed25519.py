"""ed25519 against the local stack: the published key verifies what arrives."""

import base64

from nacl.signing import VerifyKey

from tests.support.service import Service, event


def test_what_arrives_is_verified_by_the_key_that_everybody_can_fetch(service: Service) -> None:
    owner = service.user()
    path = service.path()
    webhook = owner.register(service.receiver.url(path), "record.*", ed25519=True)
    (shown,) = owner.get(f"/webhooks/{webhook['id']}").json()["public_keys"]
    answer = service.http.get("/.well-known/jwks.json", headers={})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = {each["kid"]: each for each in answer.json()["keys"]}
    raw = base64.urlsafe_b64decode(keys[shown["key_id"]]["x"] + "=")
    assert shown["key"] == "whpk_" + base64.b64encode(raw).decode()
    published = event(user_id=owner.user_id)
    assert owner.post("/events", published).status_code == 202
    owner.settled(webhook["id"], published["id"])
    (seen,) = service.receiver.wait_for(path)
    version, _, given = (seen.header("webhook-signature") or "").partition(" ")[2].partition(",")
    signed = f"{seen.header('webhook-id')}.{seen.header('webhook-timestamp')}.".encode() + seen.body
    assert version == "v1a"
    VerifyKey(raw).verify(signed, base64.b64decode(given))

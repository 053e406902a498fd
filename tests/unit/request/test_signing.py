import base64
import hashlib
import hmac
import json
import random
import time
from pathlib import Path

import pytest
import standardwebhooks
import svix
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Figure
from webhooks.errors import InvalidSecret
from webhooks.request.signing import SigningSecrets, check_secret, new_secret, signature_headers

VECTOR = json.loads((Path(__file__).parents[2] / "data" / "standard_webhooks_vector.json").read_text())
OLD, NEW = new_secret(bytes(range(32))), new_secret(bytes(range(32, 64)))


def sign(
    secrets: SigningSecrets, *, body: bytes = b"{}", timestamp: int = 1_700_000_000, prefix: str = "X-PyAirtable"
) -> dict[str, str]:
    return signature_headers(secrets, prefix=prefix, event_id="evt_1", timestamp=timestamp, body=body)


# As in the client's document, word for word.
def verify_signature(secret, payload, signature, timestamp):  # noqa: ANN001, ANN201
    signed_payload = f"{timestamp}.{payload}"
    expected_signature = (
        "sha256="
        + hmac.new(
            secret.encode(),
            signed_payload.encode(),
            hashlib.sha256,
        ).hexdigest()
    )
    return hmac.compare_digest(signature, expected_signature)


def test_the_published_vector_of_standard_webhooks_comes_out() -> None:
    headers = signature_headers(
        SigningSecrets(VECTOR["secret"]),
        prefix="X-PyAirtable",
        event_id=VECTOR["id"],
        timestamp=VECTOR["timestamp"],
        body=VECTOR["body"].encode(),
    )
    assert headers["webhook-signature"] == VECTOR["signature"]
    assert headers["webhook-id"] == VECTOR["id"]
    assert headers["webhook-timestamp"] == str(VECTOR["timestamp"])


def test_the_clients_own_verification_accepts_ours() -> None:
    headers = sign(SigningSecrets(NEW), body='{"name":"Zoë"}'.encode())
    signature, timestamp = headers["X-PyAirtable-Signature"], headers["X-PyAirtable-Timestamp"]
    assert verify_signature(NEW, '{"name":"Zoë"}', signature, timestamp)
    assert verify_signature(NEW, '{"name":"Zoë"}', signature, int(timestamp))
    assert not verify_signature(NEW, '{"name":"Zoe"}', signature, timestamp)
    assert not verify_signature(OLD, '{"name":"Zoë"}', signature, timestamp)


@settings(max_examples=300)
@given(st.text(st.characters(codec="utf-8")), st.binary(min_size=32, max_size=32))
def test_the_public_libraries_accept_every_body(text: str, key: bytes) -> None:
    secret = new_secret(key)
    headers = sign(SigningSecrets(secret), body=json.dumps(text).encode(), timestamp=int(time.time()))
    body = json.dumps(text)
    assert standardwebhooks.Webhook(secret).verify(body, headers) == text
    svix.Webhook(secret).verify(body, headers)  # raises when it does not hold


def test_ten_thousand_random_bodies_are_signed_as_the_public_libraries_do(figure: Figure) -> None:
    chance = random.Random(4)
    now = int(time.time())
    for _ in range(100):
        secret = new_secret(chance.randbytes(32))
        verifiers = standardwebhooks.Webhook(secret), svix.Webhook(secret)
        for _ in range(100):
            body = "".join(chr(chance.choice((chance.randrange(32, 127), chance.randrange(0xE000)))) for _ in range(20))
            body = body.encode("utf-8", "replace").decode()
            headers = sign(SigningSecrets(secret), body=json.dumps(body).encode(), timestamp=now)
            for verifier in verifiers:
                verifier.verify(json.dumps(body), headers)
            changed = headers | {"webhook-id": "evt_2"}
            with pytest.raises(standardwebhooks.WebhookVerificationError):
                verifiers[0].verify(json.dumps(body), changed)
    figure("signatures: 10,000 random bodies: 0 disagreements with standardwebhooks and svix")


@pytest.mark.parametrize("secret", ["an-old-secret-that-the-former-service-made", "fedcba9876543210fedcba98"])
def test_a_secret_of_another_form_keys_both_schemes_as_it_is(secret: str) -> None:
    headers = sign(SigningSecrets(secret), timestamp=int(time.time()))
    assert standardwebhooks.Webhook(secret.encode()).verify("{}", headers) == {}
    assert verify_signature(secret, "{}", headers["X-PyAirtable-Signature"], headers["X-PyAirtable-Timestamp"])


def test_without_a_rotation_there_is_one_signature_and_no_next() -> None:
    headers = sign(SigningSecrets(NEW))
    assert set(headers) == {
        "X-PyAirtable-Signature",
        "X-PyAirtable-Timestamp",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert " " not in headers["webhook-signature"]


def test_during_a_rotation_receivers_with_either_secret_accept() -> None:
    headers = sign(SigningSecrets(NEW, previous=OLD), timestamp=int(time.time()))
    for secret in (OLD, NEW):
        assert standardwebhooks.Webhook(secret).verify("{}", headers) == {}
        svix.Webhook(secret).verify("{}", headers)  # raises when it does not hold
    timestamp = headers["X-PyAirtable-Timestamp"]
    assert verify_signature(OLD, "{}", headers["X-PyAirtable-Signature"], timestamp)
    assert verify_signature(NEW, "{}", headers["X-PyAirtable-Signature-Next"], timestamp)


def test_while_two_rotations_overlap_three_secrets_are_accepted_and_the_oldest_keeps_the_plain_header() -> None:
    between = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    headers = sign(SigningSecrets(NEW, OLD, between), timestamp=int(time.time()))
    for secret in (OLD, between, NEW):
        assert standardwebhooks.Webhook(secret).verify("{}", headers) == {}
    assert verify_signature(OLD, "{}", headers["X-PyAirtable-Signature"], headers["X-PyAirtable-Timestamp"])
    assert verify_signature(NEW, "{}", headers["X-PyAirtable-Signature-Next"], headers["X-PyAirtable-Timestamp"])
    assert between not in repr(SigningSecrets(NEW, OLD, between))


def test_the_prefix_of_our_headers_is_a_setting() -> None:
    assert {"Acme-Signature", "Acme-Timestamp"} < set(sign(SigningSecrets(NEW), prefix="Acme"))


def test_a_new_secret_is_32_random_bytes_in_base64() -> None:
    assert base64.b64decode(OLD.removeprefix("whsec_")) == bytes(range(32))
    check_secret(OLD)
    with pytest.raises(ValueError, match="32"):
        new_secret(b"too short")


@pytest.mark.parametrize(
    "secret",
    [
        VECTOR["secret"],
        "whsec_" + base64.b64encode(hashlib.sha256(b"1").digest()[:24]).decode(),
        hashlib.sha256(b"2").hexdigest(),
        "correct horse battery staple",
        "a1B2" * 6 + "xyzw" * 58,
    ],
)
def test_an_existing_secret_of_enough_strength_is_taken_over(secret: str) -> None:
    check_secret(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short",
        "twenty-three-characters"[:23],
        "whsec_" + base64.b64encode(hashlib.sha256(b"1").digest()[:23]).decode(),
        "whsec_",
        "whsec_not base64 at all, but long enough",
        "whsec_" + base64.b64encode(bytes(range(32))).decode().rstrip("="),
        "whsec_" + base64.urlsafe_b64encode(b"\xfb\xff\xfe" * 12 + bytes(range(24))).decode(),
        " leading-space-and-long-enough-for-a-key",
        "trailing-newline-and-long-enough-for-a-key\n",
        "inner\ttab-and-long-enough-for-a-key-really",
        "übermäßig-langes-geheimnis-mit-umlauten",
        "a" * 64,
        "abcabcabcabcabcabcabcabcabc",
        "abcdefgh" * 33,
        "whsk_" + base64.b64encode(hashlib.sha512(b"1").digest()).decode(),
        "whpk_" + base64.b64encode(hashlib.sha256(b"1").digest()).decode(),
    ],
)
def test_a_weak_or_unusable_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(InvalidSecret) as refusal:
        check_secret(secret)
    assert [error.field for error in refusal.value.field_errors] == ["secret"]
    assert len(secret) < 6 or secret.strip() not in str(refusal.value)


@pytest.mark.parametrize("prefix", ["whsk_", "whpk_"])
def test_a_key_of_another_kind_is_refused_with_the_reason(prefix: str) -> None:
    with pytest.raises(InvalidSecret) as refusal:
        check_secret(prefix + base64.b64encode(hashlib.sha512(b"1").digest()).decode())
    (error,) = refusal.value.field_errors
    assert "is symmetric: whsk_ and whpk_ begin keys of ed25519 signatures" in error.message


def test_secrets_do_not_show_in_a_repr() -> None:
    assert OLD not in repr(SigningSecrets(NEW, OLD))
    assert NEW not in repr(SigningSecrets(NEW, OLD))

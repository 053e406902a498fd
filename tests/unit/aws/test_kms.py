"""Secrets at rest, with real AES-GCM and a KMS that wraps keys in memory."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from webhooks.aws.kms import KmsSecretBox
from webhooks.errors import Unavailable, Undecryptable

CONTEXT = "tenant:t1|webhook:wh_1|version:1"
KEY_ID = "alias/webhooks"


class FakeKms:
    """Wraps with a key of its own; the encryption context is bound as KMS binds it."""

    def __init__(self) -> None:
        self.master = AESGCM(AESGCM.generate_key(256))
        self.calls: list[str] = []
        self.broken = False

    def _bound(self, key_id: str, context: Mapping[str, str]) -> bytes:
        if self.broken:
            raise EndpointConnectionError(endpoint_url="https://kms")
        return f"{key_id}{sorted(context.items())}".encode()

    def generate_data_key(
        self, *, KeyId: str, KeySpec: str, EncryptionContext: Mapping[str, str]
    ) -> Mapping[str, bytes]:
        self.calls.append("GenerateDataKey")
        assert KeySpec == "AES_256"
        bound = self._bound(KeyId, EncryptionContext)
        key = AESGCM.generate_key(256)
        nonce = len(self.calls).to_bytes(12, "big")
        return {"Plaintext": key, "CiphertextBlob": nonce + self.master.encrypt(nonce, key, bound)}

    def decrypt(
        self, *, CiphertextBlob: bytes, KeyId: str, EncryptionContext: Mapping[str, str]
    ) -> Mapping[str, bytes]:
        self.calls.append("Decrypt")
        bound = self._bound(KeyId, EncryptionContext)
        return {"Plaintext": self.master.decrypt(CiphertextBlob[:12], CiphertextBlob[12:], bound)}


class KeyRow:
    """The table's item with the wrapped key: a read, and a put that keeps what is there."""

    def __init__(self) -> None:
        self.wrapped: bytes | None = None

    def load(self) -> bytes | None:
        return self.wrapped

    def store_if_absent(self, wrapped: bytes) -> bytes:
        self.wrapped = self.wrapped or wrapped
        return self.wrapped


@pytest.fixture
def kms() -> FakeKms:
    return FakeKms()


@pytest.fixture
def row() -> KeyRow:
    return KeyRow()


@pytest.fixture
def box(kms: FakeKms, row: KeyRow) -> KmsSecretBox:
    return KmsSecretBox(kms, row.load, row.store_if_absent, KEY_ID)


def flipped(sealed: bytes, position: int) -> bytes:
    return sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]


@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "", "päßwörd 🔑", "x" * 5000])
def test_a_sealed_secret_opens_in_its_own_context(box: KmsSecretBox, secret: str) -> None:
    assert box.open(box.seal(secret, context=CONTEXT), context=CONTEXT) == secret


def test_the_secret_is_not_in_the_sealed_bytes_and_two_seals_differ(box: KmsSecretBox) -> None:
    first, second = (box.seal("whsec_canary", context=CONTEXT) for _ in range(2))
    assert b"canary" not in first
    assert first != second
    assert first[0] == 1


@pytest.mark.parametrize("other", ["tenant:t1|webhook:wh_2|version:1", "tenant:t2|webhook:wh_1|version:1", ""])
def test_a_ciphertext_moved_to_another_webhook_does_not_open(box: KmsSecretBox, other: str) -> None:
    sealed = box.seal("whsec_canary", context=CONTEXT)
    with pytest.raises(Undecryptable, match="belongs to something else"):
        box.open(sealed, context=other)


def test_any_flipped_bit_is_noticed(box: KmsSecretBox) -> None:
    sealed = box.seal("whsec_canary", context=CONTEXT)
    for position in range(len(sealed)):
        with pytest.raises(Undecryptable):
            box.open(flipped(sealed, position), context=CONTEXT)


@pytest.mark.parametrize("length", [0, 1, 12, 28])
def test_a_cut_ciphertext_is_no_sealed_secret(box: KmsSecretBox, length: int) -> None:
    sealed = box.seal("whsec_canary", context=CONTEXT)
    with pytest.raises(Undecryptable):
        box.open(sealed[:length], context=CONTEXT)


def test_the_data_key_is_made_once_and_kept_in_memory(box: KmsSecretBox, kms: FakeKms) -> None:
    for number in range(5):
        box.open(box.seal(str(number), context=CONTEXT), context=CONTEXT)
    assert kms.calls == ["GenerateDataKey"]


def test_a_process_that_only_opens_needs_only_decrypt(box: KmsSecretBox, kms: FakeKms, row: KeyRow) -> None:
    sealed = box.seal("whsec_canary", context=CONTEXT)
    kms.calls.clear()
    sender = KmsSecretBox(kms, row.load, row.store_if_absent, KEY_ID)
    assert [sender.open(sealed, context=CONTEXT) for _ in range(3)] == ["whsec_canary"] * 3
    assert kms.calls == ["Decrypt"]


def test_of_two_first_keys_the_stored_one_is_used_by_both(kms: FakeKms, row: KeyRow) -> None:
    ours = KmsSecretBox(kms, row.load, row.store_if_absent, KEY_ID)
    theirs = KmsSecretBox(kms, lambda: None, row.store_if_absent, KEY_ID)  # read before we stored ours
    sealed_by_us = ours.seal("a", context=CONTEXT)
    sealed_by_them = theirs.seal("b", context=CONTEXT)
    assert theirs.open(sealed_by_us, context=CONTEXT) == "a"
    assert ours.open(sealed_by_them, context=CONTEXT) == "b"


def test_opening_before_anything_was_sealed_says_so(box: KmsSecretBox) -> None:
    with pytest.raises(Undecryptable, match="no data key"):
        box.open(b"\x01" + bytes(40), context=CONTEXT)


def test_a_silent_kms_is_ours_to_retry_and_nothing_is_cached(box: KmsSecretBox, kms: FakeKms, row: KeyRow) -> None:
    sealed = box.seal("whsec_canary", context=CONTEXT)
    kms.broken = True
    sender = KmsSecretBox(kms, row.load, row.store_if_absent, KEY_ID)
    with pytest.raises(Unavailable):
        sender.open(sealed, context=CONTEXT)
    with pytest.raises(Unavailable):
        KmsSecretBox(kms, lambda: None, row.store_if_absent, KEY_ID).seal("x", context=CONTEXT)
    kms.broken = False
    assert sender.open(sealed, context=CONTEXT) == "whsec_canary"


def test_a_refusing_kms_is_unavailable_too(row: KeyRow) -> None:
    class Denying(FakeKms):
        def generate_data_key(self, **_: Any) -> Mapping[str, bytes]:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GenerateDataKey")

    with pytest.raises(Unavailable):
        KmsSecretBox(Denying(), row.load, row.store_if_absent, KEY_ID).seal("x", context=CONTEXT)

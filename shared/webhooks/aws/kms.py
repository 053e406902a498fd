"""Secrets at rest: AES-256-GCM under one data key, which KMS keeps wrapped.

One KMS call per process instead of one per secret: the data key is made lazily by whoever seals first, stored wrapped
in the table, and kept in memory once opened. Whoever only opens needs kms:Decrypt and nothing else.

    sealed = version (1 byte, 0x01) | nonce (12 random bytes) | ciphertext and tag (AES-GCM)

`context` is the associated data: it says what the secret belongs to (tenant, webhook, version). A sealed secret that is
moved to another row does not open there.
"""

import hmac
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from webhooks.errors import Unavailable, Undecryptable

ENCRYPTION_CONTEXT = {"purpose": "pyairtable-webhooks"}

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class KmsClient(Protocol):
    """The two calls of boto3's KMS client that are needed here."""

    def generate_data_key(
        self, *, KeyId: str, KeySpec: Literal["AES_256"], EncryptionContext: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """A new key: `Plaintext`, and `CiphertextBlob` with the same key wrapped."""
        ...

    def decrypt(self, *, CiphertextBlob: bytes, KeyId: str, EncryptionContext: Mapping[str, str]) -> Mapping[str, Any]:
        """Unwrap a key: `Plaintext`."""
        ...


class KmsSecretBox:
    """A deployment's box. `load_wrapped_key` reads the wrapped key from the table: None before the first is made.
    `store_wrapped_key` stores one unless there is one already, and returns the one that is stored afterwards.

    Raises Unavailable when KMS does not answer.
    """

    def __init__(
        self,
        kms_client: KmsClient,
        load_wrapped_key: Callable[[], bytes | None],
        store_wrapped_key: Callable[[bytes], bytes],
        key_id: str,
    ) -> None:
        self._kms = kms_client
        self._load_wrapped_key = load_wrapped_key
        self._store_wrapped_key = store_wrapped_key
        self._key_id = key_id
        self._cipher: AESGCM | None = None
        self._key = b""

    def seal(self, plaintext: str, *, context: str) -> bytes:
        """Encrypt, bound to `context`. The first call of a new deployment makes the data key."""
        cipher = self._opened_cipher() or self._new_cipher()
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + cipher.encrypt(nonce, plaintext.encode(), context.encode())

    def key_for(self, purpose: str) -> bytes:
        """A key derived from the data key, which is made by the first call of a new deployment."""
        _ = self._opened_cipher() or self._new_cipher()
        return hmac.digest(self._key, purpose.encode(), "sha256")

    def open(self, sealed: bytes, *, context: str) -> str:
        """Decrypt. Raises Undecryptable for bytes that are damaged or of another context."""
        cipher = self._opened_cipher()
        if cipher is None:
            raise Undecryptable("nothing was ever sealed here: there is no data key")
        if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise Undecryptable("the bytes are not a sealed secret of a known version")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, context.encode()).decode()
        except InvalidTag as exc:
            raise Undecryptable("the sealed secret is damaged or belongs to something else") from exc

    def _opened_cipher(self) -> AESGCM | None:
        if self._cipher is None:
            wrapped = self._load_wrapped_key()
            if wrapped is not None:
                self._cipher = self._unwrap(wrapped)
        return self._cipher

    def _new_cipher(self) -> AESGCM:
        try:
            made = self._kms.generate_data_key(
                KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=ENCRYPTION_CONTEXT
            )
        except (BotoCoreError, ClientError) as exc:
            raise Unavailable("no data key could be made now") from exc
        ours = bytes(made["CiphertextBlob"])
        stored = self._store_wrapped_key(ours)
        # Two processes may make the first key at once; the one that the table kept is everybody's.
        self._cipher = self._use(made["Plaintext"]) if stored == ours else self._unwrap(stored)
        return self._cipher

    def _unwrap(self, wrapped: bytes) -> AESGCM:
        try:
            opened = self._kms.decrypt(CiphertextBlob=wrapped, KeyId=self._key_id, EncryptionContext=ENCRYPTION_CONTEXT)
        except (BotoCoreError, ClientError) as exc:
            raise Unavailable("the data key could not be opened now") from exc
        return self._use(opened["Plaintext"])

    def _use(self, key: bytes) -> AESGCM:
        self._key = bytes(key)
        return AESGCM(self._key)

"""ed25519 (RFC 8032), by which anybody can verify a delivery without being able to sign one.

The library is imported where it is used: a process that signs for no webhook that asks for it never loads it.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from webhooks.models.signing_key import SigningKey

SEED_BYTES = 32
PUBLIC_PREFIX = "whpk_"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key that is ready to sign. `public` is the raw public key, 32 bytes."""

    key: SigningKey
    public: bytes
    sign: Callable[[bytes], bytes] = field(repr=False)

    @classmethod
    def of(cls, key: SigningKey) -> "KeyPair":
        """The pair. Raises ValueError for a seed of another length."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.from_private_bytes(key.seed)
        return cls(key, private.public_key().public_bytes_raw(), private.sign)

    @property
    def standard(self) -> str:
        """The public key as Standard Webhooks writes it."""
        return PUBLIC_PREFIX + base64.b64encode(self.public).decode()

    @property
    def key_id(self) -> str:
        """What names it: its thumbprint (RFC 7638), which anybody can compute."""
        required = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": self.x}, separators=(",", ":"))
        return _base64url(hashlib.sha256(required.encode()).digest())

    @property
    def x(self) -> str:
        """The public key as a JWK has it (RFC 8037)."""
        return _base64url(self.public)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""Answers about the keys by which anybody can verify deliveries."""

from typing import Annotated, Literal, Self

from pydantic import Field

from answers.common import Answer, PublicKey
from webhooks.request.ed25519 import KeyPair


class Jwk(Answer):
    """A public key as JOSE libraries take it (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: Annotated[str, Field(description="its thumbprint (RFC 7638)")]
    x: str

    @classmethod
    def of(cls, pair: KeyPair) -> Self:
        """The answer for this key."""
        return cls(kid=pair.key_id, x=pair.x)


class JwkSet(Answer):
    """The keys that sign now, the newest first; none before a webhook has asked for one."""

    keys: list[Jwk]


class SigningKeys(Answer):
    """The keys that sign now, the newest first."""

    public_keys: list[PublicKey]

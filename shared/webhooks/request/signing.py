"""Signatures of deliveries: our own scheme, and Standard Webhooks beside it (v1, symmetric, and v1a, ed25519).

`{prefix}-Signature` is `sha256=<hex>` of HMAC-SHA256 over `{timestamp}.{body}`, keyed with the whole secret string.
`webhook-signature` is `v1,<base64>` over `{id}.{timestamp}.{body}`, keyed with the bytes that follow `whsec_`, or with
the whole secret if it has no such prefix. For webhooks that ask, it lists `v1a,<base64>` as well: the deployment's own
ed25519 signature over the same. All sign the exact bytes that are sent.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from webhooks.errors import FieldError, InvalidSecret

SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin, not one of them
SECRET_BYTES = 32
MIN_KEY_BYTES = 24
MAX_SECRET_CHARACTERS = 256
MIN_DIFFERENT = 8


@dataclass(frozen=True, slots=True)
class SigningSecrets:
    """The secrets that sign now. While rotations overlap, and only then, `previous` is the oldest that was promised
    to sign, and `between` one that came between it and the present one."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    between: str | None = field(default=None, repr=False)


_ASYMMETRIC = ("whsk_", "whpk_")


def new_secret(random_bytes: bytes) -> str:
    """A secret of 32 random bytes, in the form that its owner sees once."""
    if len(random_bytes) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} random bytes")
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def check_secret(secret: str) -> None:
    """Accepts an existing secret or raises `InvalidSecret`, whose message never shows the secret.

    It needs at least 24 bytes of key with at least 8 different ones among them, and at most 256 printable ASCII
    characters; what begins with `whsec_` must go on in standard base64, or no verifying library could use it.
    """
    if len(secret) > MAX_SECRET_CHARACTERS:
        raise _invalid(f"has at most {MAX_SECRET_CHARACTERS} characters")
    if not (secret.isascii() and secret.isprintable()):
        raise _invalid("consists of printable ASCII characters")
    if secret != secret.strip():
        raise _invalid("neither begins nor ends with a space")
    if secret.startswith(_ASYMMETRIC):
        raise _invalid(
            "is symmetric: whsk_ and whpk_ begin keys of ed25519 signatures (Standard Webhooks), which would verify "
            "nothing as the text of an HMAC key; leave it out, and a whsec_ secret is made. Deliveries are signed with "
            "the service's own ed25519 key as well where the webhook has ed25519: true"
        )
    key = _standard_key(secret)
    if len(key) < MIN_KEY_BYTES:
        raise _invalid(f"holds at least {MIN_KEY_BYTES} bytes of key; this one has {len(key)}")
    if len(set(key)) < MIN_DIFFERENT:
        raise _invalid("is random; this one repeats a few characters")


def signature_headers(
    secrets: SigningSecrets,
    *,
    prefix: str,
    event_id: str,
    timestamp: int,
    body: bytes,
    ed25519: Sequence[Callable[[bytes], bytes]] = (),
) -> dict[str, str]:
    """The headers that prove who sent `body` and when (`timestamp` in Unix seconds).

    While a rotation's overlap lasts, `{prefix}-Signature` stays with the previous secret and `{prefix}-Signature-Next`
    has the current one's; `webhook-signature` lists all, and after them what each of `ed25519` signs the content with.
    The event id holds no dot, so nothing can be moved between the signed parts.
    """
    stamp = str(timestamp)
    plain = f"{stamp}.".encode() + body
    standard = f"{event_id}.{stamp}.".encode() + body
    headers = {
        f"{prefix}-Timestamp": stamp,
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
    }
    if secrets.previous is None:
        headers[f"{prefix}-Signature"] = _plain_signature(secrets.current, plain)
        headers["webhook-signature"] = _standard_signature(secrets.current, standard)
    else:
        headers[f"{prefix}-Signature"] = _plain_signature(secrets.previous, plain)
        headers[f"{prefix}-Signature-Next"] = _plain_signature(secrets.current, plain)
        signing = (secrets.current, secrets.between, secrets.previous)
        headers["webhook-signature"] = " ".join(_standard_signature(one, standard) for one in signing if one)
    for sign in ed25519:
        headers["webhook-signature"] += " v1a," + base64.b64encode(sign(standard)).decode()
    return headers


def _plain_signature(secret: str, content: bytes) -> str:
    return "sha256=" + hmac.digest(secret.encode(), content, "sha256").hex()


def _standard_signature(secret: str, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(_standard_key(secret), content, "sha256")).decode()


def _standard_key(secret: str) -> bytes:
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(SECRET_PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("goes on in standard base64 after whsec_, padding included") from None


def _invalid(message: str) -> InvalidSecret:
    message = f"a signing secret {message}"
    return InvalidSecret(message, [FieldError("secret", message)])

"""Whether a request comes from the service, and if not, what is wrong with it (docs/receivers.md)."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyhooks.errors import DoesNotFit, Refused

TOLERANCE_SECONDS = 300
_PREFIX = "x-pyairtable"


@dataclass(frozen=True, slots=True)
class Request:
    """Header names in lower case, and the body's bytes as they came."""

    headers: Mapping[str, str]
    body: bytes


def verify(request: Request, secret: str, now: float | None) -> str:
    """Which signature fits, in words; the age is not looked at where `now` is None.

    `secret` is `whsec_...`, one of the former service, or a public key `whpk_...`. Raises DoesNotFit.
    """
    headers = request.headers
    stamp = headers.get("webhook-timestamp") or headers.get(f"{_PREFIX}-timestamp") or ""
    if not re.fullmatch("[0-9]{1,12}", stamp):
        raise DoesNotFit(
            "There is no timestamp: a delivery has the headers webhook-timestamp and X-PyAirtable-Timestamp."
        )
    fits = _standard(request, secret) or _plain(request, secret)
    if fits is None:
        raise DoesNotFit(_why(request, secret))
    age = 0 if now is None else now - int(stamp)
    if abs(age) > TOLERANCE_SECONDS:
        raise DoesNotFit(
            f"{fits} fits, and was made {abs(age):.0f} s {'ago' if age > 0 else 'ahead of this clock'}: receivers "
            f"refuse what is more than {TOLERANCE_SECONDS} s off. For a request that was kept: --any-age"
        )
    return fits


def pasted(text: bytes) -> Request:
    """A request as it was copied: header lines, an empty line and the body; or JSON with `headers` and `body`, as
    `GET /webhooks/:id/events` has it. Raises Refused."""
    try:
        found = json.loads(text)
        if isinstance(found["headers"], dict) and isinstance(found["body"], str):
            return Request(
                {name.lower(): str(value) for name, value in found["headers"].items()}, found["body"].encode()
            )
    except (ValueError, KeyError, TypeError):
        pass
    head, separator, body = [*re.split(rb"(\r?\n\r?\n)", text.lstrip(), maxsplit=1), b"", b""][:3]
    lines = [line.partition(":") for line in head.decode("latin-1").splitlines()]
    headers = {name.strip().lower(): value.strip() for name, colon, value in lines if colon and " " not in name.strip()}
    if not separator or not headers:
        raise Refused(
            "This is no request: header lines, an empty line and the body; or JSON with `headers` and `body` (a text)."
        )
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) < len(body):  # an editor's newline at the end
        body = body[: int(length)]
    return Request(headers, body)


def _standard(request: Request, secret: str) -> str | None:
    headers = request.headers
    signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + request.body
    for given in headers.get("webhook-signature", "").split():
        kind, _, signature = given.partition(",")
        if secret.startswith("whpk_"):
            if kind == "v1a" and _ed25519(secret, signature, signed):
                return "webhook-signature (ed25519)"
        elif kind == "v1":
            expected = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
            if hmac.compare_digest(expected, signature.encode()):
                return "webhook-signature"
    return None


def _plain(request: Request, secret: str) -> str | None:
    signed = request.headers.get(f"{_PREFIX}-timestamp", "").encode() + b"." + request.body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    for name in ("X-PyAirtable-Signature", "X-PyAirtable-Signature-Next"):
        if hmac.compare_digest(expected.encode(), request.headers.get(name.lower(), "").encode()):
            return name
    return None


def _why(request: Request, secret: str) -> str:
    names = ("webhook-signature", f"{_PREFIX}-signature", f"{_PREFIX}-signature-next")
    if not any(map(request.headers.get, names)):
        return "There is no signature: a delivery has the headers webhook-signature and X-PyAirtable-Signature."
    for ending in (b"\n", b"\r\n"):
        if request.body.endswith(ending):
            bare = Request(request.headers, request.body.removesuffix(ending))
            if _standard(bare, secret) or _plain(bare, secret):
                return "The body has a line break at its end that was not signed. Use its bytes as they arrived."
    try:
        compact = json.dumps(json.loads(request.body), separators=(",", ":"), ensure_ascii=False).encode()
        parsed = Request(request.headers, compact)
        if _standard(parsed, secret) or _plain(parsed, secret):
            return "The body was parsed and written again. Use its bytes as they arrived."
    except ValueError:
        pass
    return "No signature fits: it is another webhook's secret or an older one, or the body or a header was changed."


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise Refused("The secret is cut off or has something more: what follows whsec_ is not base64.") from error


def _ed25519(secret: str, signature: str, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.removeprefix("whpk_"), validate=True))
    except ValueError as error:  # of base64, too
        raise Refused("The public key is cut off or has something more: whpk_ and 32 bytes as base64.") from error
    try:
        key.verify(base64.b64decode(signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True

"""Is this request a delivery of ours? One file, Python 3.9 or newer, nothing to install. Copy it or install its folder.

    receiver = Receiver("whsec_...")            # while a secret is rotated: Receiver("whsec_new", "whsec_old")

    delivery = receiver.verify(request.headers, request.get_data())       # Flask
    delivery = receiver.verify(request.headers, await request.body())     # FastAPI, Starlette
    delivery = receiver.verify_wsgi(environ)                              # any WSGI application
    delivery = await receiver.verify_asgi(scope, receive)                 # any ASGI application
    delivery = receiver.verify_lambda(event)                              # API Gateway, function URL, load balancer

Each raises `Refused`, whose text says why: answer 401. A delivery may come twice, as everything that is sent at least
once: do the work once for each `(webhook_id, event_id)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import json
import re
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 1_048_576
MAX_SIGNATURES = 10  # of one request: ours has six at most, and each may cost the work of checking one
PREFIX = "X-PyAirtable"


class Headers(Protocol):
    """Any mapping of names to values, and what frameworks have instead of one."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Names, in any case, with their values."""
        ...


class Refused(Exception):
    """Not a delivery that is to be accepted."""


class Delivery:
    """What was proved to come from the service. `body` is the bytes that were signed."""

    def __init__(self, headers: Mapping[str, str], body: bytes, prefix: str) -> None:
        self.body = body
        self.event_id = headers["webhook-id"]
        self.event_type = headers.get(prefix + "-event-type", "")
        self.webhook_id = headers.get(prefix + "-webhook-id", "")
        self.delivery_id = headers.get(prefix + "-delivery-id", "")
        attempt = headers.get(prefix + "-attempt", "")  # as all but body, id and time, it is not signed
        self.attempt = int(attempt) if re.fullmatch("[0-9]{1,9}", attempt) else 1

    def json(self) -> Any:
        """The event."""
        return json.loads(self.body)


class Receiver:
    """Checks deliveries against the webhook's secrets, two of them while a rotation lasts.

    `whsec_...` and secrets of the former service are symmetric; `whpk_...` is the public key of a webhook that signs
    with ed25519, and needs `cryptography`. All webhooks of the service have that one: accept only bodies whose
    `workspace_id`, or `user_id` without one, is your webhook's. `seen(key, seconds)` refuses a request that
    somebody sends again: it keeps the key for so long and returns True when it was there before, as Redis' `SET NX EX`
    tells. Our own retries are signed anew and pass.
    """

    def __init__(
        self,
        *secrets: str,
        prefix: str = PREFIX,
        tolerance_seconds: int = TOLERANCE_SECONDS,
        seen: Callable[[str, int], bool] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a receiver needs the secret of its webhook")
        self._keys = [_key(secret) for secret in secrets]
        self._secrets = secrets
        self._prefix = prefix.lower()
        self._tolerance = tolerance_seconds
        self._seen = seen
        self._now = now

    def verify(self, headers: Headers, body: bytes) -> Delivery:
        """The delivery. `headers` is a mapping of names in any case, `body` the bytes as they came. Raises Refused."""
        if len(body) > MAX_BODY_BYTES:
            raise Refused("the body is too large")
        given = {name.lower(): value.encode("ascii", "replace").decode() for name, value in headers.items()}
        is_standard = "webhook-signature" in given
        stamp = given.get("webhook-timestamp" if is_standard else self._prefix + "-timestamp", "")
        signature = given.get("webhook-signature" if is_standard else self._prefix + "-signature", "")
        if not re.fullmatch("[0-9]{1,12}", stamp) or abs(self._now() - int(stamp)) > self._tolerance:
            raise Refused(f"the timestamp is missing, or more than {self._tolerance} seconds off")
        if is_standard:
            fits = self._standard(given.get("webhook-id", ""), stamp, signature, body)
        else:
            rotated = given.get(self._prefix + "-signature-next", "")  # by the new secret, during a rotation
            expected = [_plain(secret, stamp, body) for secret in self._secrets]
            fits = any(hmac.compare_digest(its, each) for its in (signature, rotated) for each in expected)
        if not fits:
            raise Refused("no signature fits the body and the secrets given")
        given.setdefault("webhook-id", given.get(self._prefix + "-event-id", ""))
        # Of what is signed alone: headers can be changed by whoever sends it again.
        if self._seen is not None and self._seen(_plain(self._secrets[0], stamp, body), 2 * self._tolerance):
            raise Refused("this request has been taken before")
        return Delivery(given, body, self._prefix)

    def verify_wsgi(self, environ: dict[str, Any]) -> Delivery:
        """The delivery of a WSGI request, whose body can be read again afterwards. Raises Refused."""
        length = environ.get("CONTENT_LENGTH") or "0"
        if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
            raise Refused("the body is too large")
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(body)
        named = ((name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_"))
        return self.verify(dict(named), body)

    async def verify_asgi(
        self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> Delivery:
        """The delivery of an ASGI request, whose body has not been read yet. Raises Refused."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused("the sender hung up")
            body += message.get("body", b"")
            if len(body) > MAX_BODY_BYTES:
                raise Refused("the body is too large")
            more = message.get("more_body", False)
        return self.verify({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}, body)

    def verify_lambda(self, event: Mapping[str, Any]) -> Delivery:
        """The delivery of an event from API Gateway, a function URL or a load balancer. Raises Refused."""
        body = event.get("body") or ""
        several: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
        headers: Mapping[str, str] = event.get("headers") or {name: values[-1] for name, values in several.items()}
        try:
            sent = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        except ValueError:
            raise Refused("the body is not what was sent") from None
        return self.verify(headers, sent)

    def _standard(self, event_id: str, stamp: str, signatures: str, body: bytes) -> bool:
        """Standard Webhooks: one of the signatures, over id, timestamp and body."""
        signed = f"{event_id}.{stamp}.".encode() + body
        given = [each.partition(",") for each in signatures.split(" ")[:MAX_SIGNATURES]]
        for key, is_public in self._keys:
            if is_public:
                fits = any(version == "v1a" and _ed25519(key, each, signed) for version, _, each in given)
            else:
                expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
                fits = any(version == "v1" and hmac.compare_digest(each, expected) for version, _, each in given)
            if fits:
                return True
        return False


def _plain(secret: str, stamp: str, body: bytes) -> str:
    """Our own scheme, over timestamp and body."""
    return "sha256=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _key(secret: str) -> tuple[bytes, bool]:
    """The bytes that verify, and whether they are a public key's. Raises ValueError for what is no base64."""
    is_public = secret.startswith("whpk_")
    if not is_public and not secret.startswith("whsec_"):
        return secret.encode(), False
    try:
        key = base64.b64decode(secret.partition("_")[2], validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("a secret that begins with whsec_ or whpk_ goes on in base64")
    return key, is_public


def _ed25519(key: bytes, signature: str, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature), signed)
    except (InvalidSignature, ValueError):  # binascii.Error is one
        return False
    return True

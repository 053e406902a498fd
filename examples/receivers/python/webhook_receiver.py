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

import base64
import binascii
import hashlib
import hmac
import io
import json
import re
import time

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 1_048_576
PREFIX = "X-PyAirtable"


class Refused(Exception):
    """Not a delivery that is to be accepted."""


class Delivery:
    """What was proved to come from the service. `body` is the bytes that were signed."""

    def __init__(self, headers, body, prefix):
        self.body = body
        self.event_id = headers["webhook-id"]
        self.event_type = headers.get(prefix + "-event-type", "")
        self.webhook_id = headers.get(prefix + "-webhook-id", "")
        self.delivery_id = headers.get(prefix + "-delivery-id", "")
        self.attempt = int(headers.get(prefix + "-attempt") or 1)

    def json(self):
        """The event."""
        return json.loads(self.body)


class Receiver:
    """Checks deliveries against the webhook's secrets, two of them while a rotation lasts.

    `whsec_...` and secrets of the former service are symmetric; `whpk_...` is the public key of a webhook that signs
    with ed25519, and needs `cryptography`. All webhooks of the service have that one: accept only bodies whose
    `workspace_id`, or `user_id` without one, is your webhook's. `seen(key, seconds)` refuses a request that is sent
    again byte for byte: it keeps the key for so long and returns True when it was there before, as Redis' `SET NX EX`
    tells. Our own retries are signed anew and pass.
    """

    def __init__(self, *secrets, prefix=PREFIX, tolerance_seconds=TOLERANCE_SECONDS, seen=None, now=time.time):
        if not secrets or not all(secrets):
            raise ValueError("a receiver needs the secret of its webhook")
        self._secrets = secrets
        self._prefix = prefix.lower()
        self._tolerance = tolerance_seconds
        self._seen = seen
        self._now = now

    def verify(self, headers, body):
        """The delivery. `headers` is a mapping of names in any case, `body` the bytes as they came. Raises Refused."""
        headers = {name.lower(): value for name, value in headers.items()}
        if "webhook-signature" in headers:
            stamp = headers.get("webhook-timestamp", "")
            signature = headers["webhook-signature"]
            fits = self._standard(headers.get("webhook-id", ""), stamp, signature, body)
        else:
            stamp = headers.get(self._prefix + "-timestamp", "")
            signature = headers.get(self._prefix + "-signature", "")
            fits = self._plain(stamp, (signature, headers.get(self._prefix + "-signature-next", "")), body)
        if not re.fullmatch("[0-9]{1,12}", stamp) or abs(self._now() - int(stamp)) > self._tolerance:
            raise Refused(f"the timestamp is missing, or more than {self._tolerance} seconds off")
        if not fits:
            raise Refused("no signature fits the body and the secrets given")
        headers.setdefault("webhook-id", headers.get(self._prefix + "-event-id", ""))
        if self._seen is not None:
            key = hashlib.sha256(signature.encode()).hexdigest()
            if self._seen(key, 2 * self._tolerance):
                raise Refused("this request has been taken before")
        return Delivery(headers, body, self._prefix)

    def verify_wsgi(self, environ):
        """The delivery of a WSGI request, whose body can be read again afterwards. Raises Refused."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY_BYTES:
            raise Refused("the body is too large")
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        named = ((name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_"))
        return self.verify(dict(named), body)

    async def verify_asgi(self, scope, receive):
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

    def verify_lambda(self, event):
        """The delivery of an event from API Gateway, a function URL or a load balancer. Raises Refused."""
        body = event.get("body") or ""
        headers = event.get("headers") or {name: values[-1] for name, values in event["multiValueHeaders"].items()}
        return self.verify(headers, base64.b64decode(body) if event.get("isBase64Encoded") else body.encode())

    def _standard(self, event_id, stamp, signatures, body):
        """Standard Webhooks: one of the signatures, over id, timestamp and body."""
        signed = f"{event_id}.{stamp}.".encode() + body
        return any(_fits(secret, given, signed) for secret in self._secrets for given in signatures.split(" "))

    def _plain(self, stamp, signatures, body):
        """Our own scheme, over timestamp and body; during a rotation -Next has the new secret's."""
        signed = stamp.encode() + b"." + body
        expected = [
            b"sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
            for secret in self._secrets
        ]
        return any(hmac.compare_digest(given.encode(), each) for given in signatures for each in expected)


def _fits(secret, given, signed):
    version, _, signature = given.partition(",")
    if secret.startswith("whpk_"):
        return version == "v1a" and _ed25519(secret[5:], signature, signed)
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return version == "v1" and hmac.compare_digest(signature.encode(), expected)


def _ed25519(key, signature, signed):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(base64.b64decode(signature), signed)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True

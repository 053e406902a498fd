#!/usr/bin/env python3
"""A receiver of PyAirtable webhooks. Python 3.9 or newer, nothing to install:

    WEBHOOK_SECRETS=whsec_... python receiver.py          # listens on PORT, 9000 unless set

It checks both signatures of every delivery (one is enough: keep the one you prefer), refuses timestamps more than five
minutes off, and knows a delivery again that comes twice.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
REMEMBERED = 100_000
MAX_BODY_BYTES = 1_048_576


class Refused(Exception):
    """Not a delivery that we accept; the message says why."""


def verify(secrets, headers, body, now):
    """Raises Refused unless each signature was made with one of the secrets, over this body, within five minutes.

    `secrets` are two while a rotation lasts. `headers` has lower-case names, `body` is the bytes as they came.
    """
    for name in ("webhook-timestamp", "x-pyairtable-timestamp"):
        timestamp = headers.get(name, "")
        if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
            raise Refused(f"{name} is missing, or more than five minutes off")
    if not any(standard_signature_fits(secret, headers, body) for secret in secrets):
        raise Refused("webhook-signature does not fit")
    if not any(plain_signature_fits(secret, headers, body) for secret in secrets):
        raise Refused("x-pyairtable-signature does not fit")


def standard_signature_fits(secret, headers, body):
    """Standard Webhooks: one of the signatures in webhook-signature, over id, timestamp and body."""
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    signed = f"{headers.get('webhook-id', '')}.{headers['webhook-timestamp']}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(each.encode(), expected) for each in given)


def plain_signature_fits(secret, headers, body):
    """X-PyAirtable-Signature, over timestamp and body; during a rotation -Next has the new secret's."""
    signed = headers["x-pyairtable-timestamp"].encode() + b"." + body
    expected = b"sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    given = (headers.get(name, "") for name in ("x-pyairtable-signature", "x-pyairtable-signature-next"))
    return any(hmac.compare_digest(each.encode(), expected) for each in given)


class Once:
    """Runs work once for each id; what failed runs again. In production keep ids where all your servers see them."""

    def __init__(self):
        self._done = OrderedDict()
        self._lock = threading.Lock()

    def run(self, key, work):
        """False when it has been done before."""
        with self._lock:
            if key in self._done:
                return False
            work()
            self._done[key] = True
            if len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
            return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            return self.answer(413, "too large")
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            verify(self.server.secrets, headers, body, time.time())
        except Refused as refused:
            print("refused:", refused, flush=True)
            return self.answer(401, str(refused))
        event = json.loads(body)
        # webhook-id is the event's id; the same event may come for several webhooks
        first = self.server.once.run(
            (headers.get("x-pyairtable-webhook-id"), headers["webhook-id"]),
            lambda: print("accepted:", event["id"], event["type"], flush=True),  # your work
        )
        if not first:
            print("duplicate:", event["id"], flush=True)
        return self.answer(200, "ok" if first else "seen before")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "9000"))), Handler)
    server.secrets = os.environ["WEBHOOK_SECRETS"].split(",")
    server.once = Once()
    print(f"listening on http://{server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A receiver of PyAirtable webhooks. Python 3.9 or newer, nothing to install:

    WEBHOOK_SECRETS=whsec_... python receiver.py          # listens on PORT, 9000 unless set

`webhook_receiver.py` beside it checks the signature and the timestamp. What comes twice is worked on once.
"""

import os
import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from webhook_receiver import MAX_BODY_BYTES, Receiver, Refused

REMEMBERED = 100_000


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
        try:
            delivery = self.server.receiver.verify(self.headers, body)
        except Refused as refused:
            print("refused:", refused, flush=True)
            return self.answer(401, str(refused))
        event = delivery.json()
        first = self.server.once.run(
            (delivery.webhook_id, delivery.event_id),  # the same event may come for several webhooks
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
    server.receiver = Receiver(*os.environ["WEBHOOK_SECRETS"].split(","))
    server.once = Once()
    print(f"listening on http://{server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""The local stack's address passes requests on as they came."""

import gzip
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from localstack.front import Front, listen

SECONDS = 10  # a request that hangs fails the test by then


class Echo(BaseHTTPRequestHandler):
    """Answers with the body that it got, and names the coding that came with it."""

    timeout = SECONDS

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Coding", self.headers.get("Content-Encoding", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is enough."""


@pytest.fixture
def address() -> Iterator[str]:
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    front = Front(listener, f"http://127.0.0.1:{echo.server_port}")
    front.start()
    yield f"http://127.0.0.1:{port}/"
    front.stop()
    echo.shutdown()
    echo.server_close()


@pytest.mark.parametrize(
    "body", [gzip.compress(b'{"a":' + b"1" * 5_000 + b"}", mtime=0), b"this is no gzip"], ids=["gzip", "none"]
)
def test_a_compressed_body_is_passed_on_as_it_came(address: str, body: bytes) -> None:
    request = urllib.request.Request(address, data=body, headers={"Content-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        assert (answer.headers["X-Coding"], answer.read()) == ("gzip", body)

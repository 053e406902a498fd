"""A webhook receiver of this machine, for the show: keeps what arrives, and answers what it is told to."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came: header names in their order and case, the body's exact bytes. `status`: the answer."""

    at: float  # seconds since the epoch
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int

    def header(self, name: str) -> str:
        """The header of that name, whatever its case; empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class Receiver:
    """Listens on a free loopback port. `statuses` maps paths to what they answer; others answer 204."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.on_arrival: Callable[[Arrival], None] = lambda _: None
        self._arrivals: list[Arrival] = []
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def arrivals(self, path: str) -> list[Arrival]:
        """What has come to this path, oldest first."""
        with self._changed:
            return [arrival for arrival in self._arrivals if arrival.path == path]

    def wait_for(self, path: str, enough: Callable[[Sequence[Arrival]], bool], timeout_seconds: float) -> list[Arrival]:
        """What has come to this path as soon as it is enough, or all that came until time was up."""
        with self._changed:
            self._changed.wait_for(lambda: enough(self.arrivals(path)), timeout_seconds)
            return self.arrivals(path)

    def _take(self, arrival: Arrival) -> None:
        self.on_arrival(arrival)  # first, so that what is waited for has been shown
        with self._changed:
            self._arrivals.append(arrival)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                at = time.time()
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = receiver.statuses.get(self.path, 204)
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()
                receiver._take(Arrival(at, self.path, tuple(self.headers.items()), body, status))

            def log_message(self, format: str, *args: object) -> None:
                """Arrivals are shown by whoever started the receiver."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

"""A webhook receiver of this machine, for the show: keeps what arrives, and answers what it is told to."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came; header names are in lower case. `status` is what was answered."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int


class Receiver:
    """Listens on a free loopback port. `statuses` maps paths to what they answer; others answer 204."""

    def __init__(self, on_arrival: Callable[[Arrival], None] = lambda arrival: None) -> None:
        self.statuses: dict[str, int] = {}
        self.on_arrival = on_arrival
        self._arrivals: list[Arrival] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
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

    def wait_for(self, path: str, count: int, timeout_seconds: float) -> list[Arrival]:
        """At least so many arrivals. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while True:
                found = [arrival for arrival in self._arrivals if arrival.path == path]
                if len(found) >= count:
                    return found
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"{len(found)} of {count} deliveries came to {path} in {timeout_seconds:.0f} s")

    def _take(self, arrival: Arrival) -> None:
        with self._changed:
            self._arrivals.append(arrival)
            self._changed.notify_all()
        self.on_arrival(arrival)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status = receiver.statuses.get(self.path, 204)
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver._take(Arrival(time.time(), self.path, headers, body, status))

            def log_message(self, format: str, *args: object) -> None:
                """Arrivals are shown by whoever started the receiver."""

        return Handler

"""One HTTP exchange with a receiver, as the transport saw it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is to be sent. `timeout_seconds` bounds the whole exchange: DNS, connect, TLS, write, headers, body.

    `credentials` are masked in what is kept of the answer.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_seconds: float
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds by phase; None where the phase did not happen (a kept-alive connection has no dns, connect, tls)."""

    dns_ms: int | None = None
    connect_ms: int | None = None  # TCP and TLS together where the client cannot tell them apart
    tls_ms: int | None = None
    wait_ms: int | None = None  # from the request's last byte to the response's first


@dataclass(frozen=True, slots=True)
class Exchange:
    """The result of one request. Exactly one of `status_code` and `error_code` is set.

    Once the answer's head is there its status decides, and `remark` says what was wrong with the rest of it.

    error_code is stable: refused_address (the URL as written), unreachable, connect_reset, connect_timeout, tls,
    timeout, protocol, response_too_large. `error_message` is one plain sentence for the webhook's owner;
    `internal_detail` is exact, for our own logs only. `repeated`: a kept connection ended without an answer, and the
    request went out once more on a new one, so that the receiver may have read it twice.
    """

    started_at_ms: int
    duration_ms: int
    status_code: int | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes = b""  # the first 4 KiB as received, not decoded
    error_code: str | None = None
    error_message: str | None = None
    internal_detail: str | None = None
    remark: str | None = None
    timings: Timings = field(default_factory=Timings)
    repeated: bool = False
    retry_after: str | None = None  # the header, wherever among all headers it stood

    def without_answer(self) -> "Exchange":
        """The same with nothing of what the receiver answered but its status."""
        return replace(self, response_headers=(), response_body=b"")

"""What went wrong with a receiver, as a stable code, a sentence for the webhook's owner, and the exact cause for us.

Refused, closed and unresolvable share one code and one sentence, so that nobody can map our network with a webhook:
decision 0012.
"""

import errno
import socket
import ssl
from dataclasses import dataclass

import aiohttp
import httpx
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EofStream

from webhooks.egress.transport.pinned import TooManyBytes
from webhooks.errors import RefusedDestination, Unavailable

UNREACHABLE = "unreachable"
NO_CONNECTION = (
    "No connection could be made. The host must resolve in public DNS, to public addresses only "
    "(not loopback, private, link-local, multicast or reserved ones), and accept connections on the URL's port."
)

# Everything that a receiver can cause. Anything else is a bug of ours and is raised.
ENDPOINT_ERRORS = (RefusedDestination, httpx.HTTPError, aiohttp.ClientError, EofStream, TooManyBytes, OSError)


# The process has no socket, memory or port left: nothing that a receiver could do.
_OWN_TROUBLE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})

_CLOSED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_NO_HANDSHAKE = "The TLS handshake with the host failed (TLS 1.2 or newer is needed)."
NO_CERTIFICATE_OF_OURS = "The host asks for a client certificate, and this service has none."
OLD_TLS = "The host speaks no TLS of version 1.2 or newer."
_NO_TLS = "The host does not speak TLS on this port."
# TLS 1.2 has one alert for both, and Go and Java send bad_certificate where none came.
_REFUSED_HANDSHAKE = (
    "The host refused the TLS handshake: it may ask for a client certificate, which this service does not have, "
    "or accept none of its ciphers."
)
_HANDSHAKES = {
    "CERTIFICATE_REQUIRED": NO_CERTIFICATE_OF_OURS,
    "ALERT_BAD_CERTIFICATE": NO_CERTIFICATE_OF_OURS,
    "ALERT_NO_CERTIFICATE": NO_CERTIFICATE_OF_OURS,
    "ALERT_PROTOCOL_VERSION": OLD_TLS,
    "UNSUPPORTED_PROTOCOL": OLD_TLS,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "ALERT_HANDSHAKE_FAILURE": _REFUSED_HANDSHAKE,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` is one of Exchange.error_code's values; `detail` is exact, and for our own logs only."""

    code: str
    message: str
    detail: str


def deadline_passed(timeout_seconds: float, *, phase: str) -> Failure:
    """The attempt's time is over; `phase` is what it was doing: resolve, connect or answer."""
    seconds = f"{timeout_seconds:g} second{'' if timeout_seconds == 1 else 's'}"
    detail = f"deadline of {seconds} passed in phase {phase}"
    if phase == "answer":
        return Failure("timeout", f"The receiver did not answer within {seconds}.", detail)
    return Failure("connect_timeout", f"No connection could be made within {seconds}.", detail)


def classify(error: BaseException) -> Failure:
    """Name what an exchange ended with. Raises Unavailable when it never began, for want of a resource of ours."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _OWN_TROUBLE:
            raise Unavailable(f"no connection can be opened here: {cause.strerror}") from error
    detail = " <- ".join(_shown(cause) for cause in causes)
    if any(isinstance(cause, aiohttp.ClientConnectorError) for cause in causes) and any(
        isinstance(cause, _CLOSED) for cause in causes
    ):
        # A TCP handshake ends as refused; what is closed while connecting was in its TLS handshake.
        return Failure("tls", _NO_HANDSHAKE, detail)
    for cause in causes:
        failure = _from_cause(cause, detail)
        if failure is not None:
            return failure
    return Failure("protocol", "The receiver's answer is not valid HTTP.", detail)


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it came from, innermost first: wrappers know less."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    return chain[::-1]


def _handshake_sentence(error: ssl.SSLError) -> str:
    reason = str(
        getattr(error, "reason", None) or ""
    )  # SSLV3_ALERT_HANDSHAKE_FAILURE: what precedes "ALERT" is no version in use
    return next((sentence for end, sentence in _HANDSHAKES.items() if reason.endswith(end)), _NO_HANDSHAKE)


def _shown(error: BaseException) -> str:
    text = error.detail if isinstance(error, RefusedDestination) else str(error)
    return f"{type(error).__name__}: {text}"[:300]


def _from_cause(cause: BaseException, detail: str) -> Failure | None:
    match cause:
        case RefusedDestination():
            return Failure(UNREACHABLE, NO_CONNECTION, f"refused ({cause.code}): {detail}")
        case LineTooLong() | TooManyBytes():
            return Failure("response_too_large", "The head of the receiver's answer is too large.", detail)
        case ssl.SSLCertVerificationError():
            reason = cause.verify_message.rstrip(".")
            return Failure("tls", f"The host's TLS certificate cannot be trusted: {reason}.", detail)
        case ssl.SSLError():
            return Failure("tls", _handshake_sentence(cause), detail)
        case socket.gaierror() | UnicodeError():
            return Failure(UNREACHABLE, NO_CONNECTION, f"unresolvable: {detail}")
        case aiohttp.ClientPayloadError():
            return Failure("connect_reset", "The receiver closed the connection before its answer was over.", detail)
        case ConnectionRefusedError():
            return Failure(UNREACHABLE, NO_CONNECTION, f"closed: {detail}")
        case aiohttp.ServerDisconnectedError() | EofStream() | ConnectionError():
            return Failure("connect_reset", "The receiver closed the connection without an answer.", detail)
        case OSError(errno=errno.ETIMEDOUT):
            return Failure("connect_timeout", NO_CONNECTION, detail)
        case OSError() if not isinstance(cause, aiohttp.ClientError):
            return Failure(UNREACHABLE, NO_CONNECTION, f"no route: {detail}")
        case _:
            return None

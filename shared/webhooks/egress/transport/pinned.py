"""The seams of aiohttp at which an attempt is held to what was judged for it.

aiohttp builds the request, asks its resolver and picks a pooled connection inside one call, so what an attempt may do
travels beside that call in a context variable. Bytes are written only in `PinnedRequest.send`, after the peer's address
was compared with the judged ones.
"""

import asyncio
import functools
import re
import select
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from typing import Any, cast

from aiohttp import (
    ClientRequest,
    ClientResponse,
    HttpVersion10,
    HttpVersion11,
    ServerDisconnectedError,
    StreamReader,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.helpers import _EXC_SENTINEL  # pyright: ignore[reportPrivateUsage]  # the default of what is overridden
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from webhooks.egress.networks import unwrap
from webhooks.egress.policy import Destination
from webhooks.egress.transport.answer_head import BODY_AFTER_204, LONG, MALFORMED, AnswerHead, read_leniently
from webhooks.errors import RefusedDestination

# Shorter than the 5 s after which Node's server closes an idle connection, the shortest of the common ones.
KEEP_ALIVE_SECONDS = 4.0
# A Lambda process has 1,024 file descriptors; beyond this many connections none is kept after its answer.
MAX_KEPT_CONNECTIONS = 256
MAX_WIRE_BYTES = 64 * 1024
# What the kernel takes in on top while we don't read. Linux doubles it.
_RECEIVE_BUFFER_BYTES = 16 * 1024
_BODILESS = (204, 304)
_BARE_END = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.\d +1(?!01)\d\d[ \r\n]")
_PROTOCOL = b"HTTP/"
_STATUS_AT = len(b"HTTP/1.1 ")
_END_OF_HEAD = b"\r\n\r\n"  # and of the last chunk


class TooManyBytes(Exception):
    """The response's head, or what came before it, used up the bytes an attempt may read."""


class UnjudgedPeer(Exception):
    """A connection leads to an address that was not judged for this attempt: a bug of ours, caught before writing."""


@dataclass(slots=True, eq=False)
class Pin:
    """What one attempt may connect to and, as it goes on, how far it came. Times are `perf_counter` seconds."""

    destination: Destination
    addresses: tuple[str, ...]
    pool: str
    headers: Mapping[str, str]
    fresh_only: bool = False
    handler: "BoundedHandler | None" = None
    written_at: float | None = None


CURRENT_PIN: ContextVar[Pin] = ContextVar("CURRENT_PIN")


class BoundedHandler(ResponseHandler):
    """One connection. Counts what each response takes off the wire, and cuts it where the budget ends.

    A body that is cut ends there, and the connection with it; a head that is cut is an error. Once a head is there its
    status is handed out, whatever else came with it: `remark` then says what was wrong, and the connection is closed.
    """

    def __init__(self, open_handlers: "set[BoundedHandler]", **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._open_handlers = open_handlers
        self.requests = 0
        self.received = 0
        self.peer = ""
        self.remark: str | None = None
        self.is_leftover = False  # what came is no answer: probably the late end of the one before
        self._head: bytes | None = None  # what came of the answer's head, until it was handed out
        self._is_chunked = False
        self._ends_at: int | None = None  # how many bytes the whole answer has, where its head says so
        self._unread: select.poll | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._open_handlers.add(self)
        peer = transport.get_extra_info("peername")
        self.peer = str(unwrap(ip_address(peer[0]))) if peer else ""

    def connection_lost(self, exc: BaseException | None) -> None:
        self._open_handlers.discard(self)
        super().connection_lost(exc)

    def set_response_params(self, **kwargs: Any) -> None:  # noqa: ANN401
        self.requests += 1
        self.received = 0
        self.remark = None
        self._head, self._is_chunked, self._ends_at = b"", False, None
        if len(self._open_handlers) > MAX_KEPT_CONNECTIONS:
            self.force_close()
        super().set_response_params(**kwargs)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        over = self.received - MAX_WIRE_BYTES
        if over > 0:
            data = data[: max(0, len(data) - over)]
        if self._head is not None:
            data = self._with_whole_head(self._head + data)
        if data or self._head is None:
            super().data_received(data)
        if over > 0:
            self._cut()
        elif self._ends_at is not None:
            if self.received > self._ends_at:
                self._end_with(MALFORMED)
        elif self._is_chunked and data and not data.endswith(_END_OF_HEAD) and not self._is_body_due():
            self._end_with(None)

    def _with_whole_head(self, received: bytes) -> bytes:
        """All that came, once the final answer's head is whole; until then nothing, or aiohttp's parser would refuse
        an odd one before its end."""
        while (end := _end_of_head(received)) > 0:
            if not received.startswith(b"1", _STATUS_AT) or not _INTERIM.match(received):
                self._head = received
                return received
            self.force_close()
            received = received[end:]
        self._head = received
        return b"" if received.startswith(_PROTOCOL[: len(received)]) else received

    def _is_body_due(self) -> bool:
        return self._payload is None or not self._payload.is_eof()

    def _cut(self) -> None:
        payload, self._payload = self._payload, None  # or losing the connection would spoil what was read of it
        transport = self.transport
        if payload is None or payload.is_eof():
            self.set_exception(TooManyBytes(f"more than {MAX_WIRE_BYTES} bytes before the response's head was over"))
        else:
            self.remark = self.remark or LONG
            payload.feed_eof()
        self.force_close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        message = data[0]
        if self._head is None:
            self._end_with(MALFORMED)  # a second answer to one request
        else:
            self._note_end(message, self._head)
            self._head = None
        super().feed_data(data, size)

    def _note_end(self, message: RawResponseMessage, received: bytes) -> None:
        length = message.headers.get("Content-Length")
        if message.code in _BODILESS and (message.chunked or length not in (None, "0")):
            self._end_with(BODY_AFTER_204)
        end = received.find(_END_OF_HEAD)
        # Bare LFs and folded lines are read by some as one thing and by others as another.
        is_plain = received.count(b"\r\n", 0, max(end, 0)) == len(message.raw_headers)
        if not is_plain or (message.chunked and message.version < HttpVersion11):
            self.force_close()
        if self._should_close:
            return
        self._is_chunked = message.chunked
        if length is not None or message.code in _BODILESS:
            self._ends_at = end + len(_END_OF_HEAD) + int(length or 0)

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _EXC_SENTINEL) -> None:
        if isinstance(exc, HttpProcessingError):
            received, self._head = self._head, None
            self._end_with(MALFORMED)
            # The parser drops a head it has read when it stumbles over what follows in the same buffer.
            if received is not None:
                self.is_leftover = not received.startswith(_PROTOCOL[: len(received)])
                head = read_leniently(received)
                if head is not None:
                    super().feed_data(_as_message(head, self))
                    return
        super().set_exception(exc, exc_cause)

    def _end_with(self, remark: str | None) -> None:
        """What the next bytes would be is uncertain: none are read from here any more."""
        self.remark = self.remark or remark
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def has_spoken(self) -> bool:
        """Whether bytes wait here that were read for no request, or have not been read yet."""
        if self._unread is None:
            self._unread = select.poll()
            self._unread.register(cast("asyncio.Transport", self.transport).get_extra_info("socket"), select.POLLIN)
        return len(self) > 0 or bool(self._unread.poll(0))


def _end_of_head(received: bytes) -> int:
    end = received.find(_END_OF_HEAD)
    if end >= 0:
        return end + len(_END_OF_HEAD)
    found = _BARE_END.search(received)
    return found.end() if found else 0


def _as_message(head: AnswerHead, handler: BoundedHandler) -> tuple[RawResponseMessage, StreamReader]:
    body = StreamReader(handler, MAX_WIRE_BYTES, loop=asyncio.get_running_loop())
    body.feed_data(head.rest)
    body.feed_eof()
    headers = CIMultiDict(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in head.headers
    )
    message = RawResponseMessage(
        version=HttpVersion10,
        code=head.status_code,
        reason="",
        headers=CIMultiDictProxy(headers),
        raw_headers=head.headers,
        should_close=True,
        compression=None,
        upgrade=False,
        chunked=False,
    )
    return message, body


class PinnedRequest(ClientRequest):
    """A request whose URL and header names go out exactly as given, over a connection it was judged for."""

    _skip_auto_headers = CIMultiDict({"Content-Type": None})  # a body alone says nothing of its type

    def __init__(self, method: str, url: URL, **kwargs: Any) -> None:  # noqa: ANN401
        self._pin = CURRENT_PIN.get()
        super().__init__(method, URL(self._pin.destination.url, encoded=True), **kwargs)

    def update_headers(self, headers: object) -> None:
        host = cast("str", self.url.host_port_subcomponent)
        # The start of the answer is shown to people, undecoded.
        self.headers = CIMultiDict({"Host": host, "Accept": "*/*", "Accept-Encoding": "identity"})
        self.headers.update(self._pin.headers)

    def update_auto_headers(self, skip_auto_headers: object) -> None:
        """Adds none: only the pin's headers are sent."""

    @property
    def connection_key(self) -> ConnectionKey:
        # Connections are shared only within the same pool (owner), host, port, and set of judged addresses. The SSL
        # context is one and the host is in the key, so the server name has room for what aiohttp doesn't know.
        pin = self._pin
        mark = f"\0{id(pin)}" if pin.fresh_only else ""
        return super().connection_key._replace(server_hostname=f"{pin.pool}\0{','.join(sorted(pin.addresses))}{mark}")

    async def send(self, conn: Connection) -> ClientResponse:
        pin = self._pin
        handler = cast("BoundedHandler", conn.protocol)
        if handler.peer not in pin.addresses:
            raise UnjudgedPeer(f"{handler.peer!r} is not one of {pin.addresses}")
        pin.handler = handler
        if handler.requests > 1 and handler.has_spoken():
            # Closed by its peer, or it spoke while idle ("408, closing"): that is no answer to this request.
            raise ServerDisconnectedError("an answer was waiting before the request was sent")
        pin.written_at = perf_counter()
        return await super().send(conn)


class PinnedResolver(AbstractResolver):
    """Hands out the judged addresses of the attempt under way; looks nothing up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        pin = CURRENT_PIN.get()
        if host != pin.destination.host:
            raise RefusedDestination("host", f"{host} was not judged", f"{host} is not {pin.destination.host}")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in pin.addresses
        ]

    async def close(self) -> None:
        """Does nothing: no resource is held."""


class PinnedConnector(TCPConnector):
    """A pool of bounded connections to judged addresses. Make it inside the running loop."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # a bare tuple in aiohttp's signature
            ssl=tls,
            resolver=PinnedResolver(),
            use_dns_cache=False,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            limit=0,  # the sender bounds its attempts; a queue here would eat into their deadlines
            socket_factory=_small_socket,
        )
        open_handlers: set[BoundedHandler] = set()
        self._factory = functools.partial[ResponseHandler](BoundedHandler, open_handlers, loop=self._loop)


def _small_socket(address: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    return made

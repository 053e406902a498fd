"""The seams of aiohttp at which an attempt is held to what was judged for it.

aiohttp builds the request, asks its resolver and picks a pooled connection inside one call, so what an attempt may do
travels beside that call in a context variable. Bytes are written only in `PinnedRequest.send`, after the peer's address
was compared with the judged ones.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from typing import Any, cast

from aiohttp import ClientRequest, ClientResponse, ServerDisconnectedError, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from webhooks.egress.networks import unwrap
from webhooks.egress.policy import Destination
from webhooks.errors import RefusedDestination

# Shorter than the 5 s after which Node's server closes an idle connection, the shortest of the common ones.
KEEP_ALIVE_SECONDS = 4.0
# A Lambda process has 1,024 file descriptors; beyond this many connections none is kept after its answer.
MAX_KEPT_CONNECTIONS = 256
MAX_WIRE_BYTES = 64 * 1024
# What the kernel takes in on top while we don't read. Linux doubles it.
_RECEIVE_BUFFER_BYTES = 16 * 1024


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

    A body that is cut ends there, and the connection with it; a head that is cut is an error.
    """

    def __init__(self, open_handlers: "set[BoundedHandler]", **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._open_handlers = open_handlers
        self.requests = 0
        self.received = 0
        self.peer = ""

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
        if len(self._open_handlers) > MAX_KEPT_CONNECTIONS:
            self.force_close()
        super().set_response_params(**kwargs)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        over = self.received - MAX_WIRE_BYTES
        if over <= 0:
            super().data_received(data)
            return
        super().data_received(data[: max(0, len(data) - over)])
        payload, self._payload = self._payload, None  # or losing the connection would spoil what was read of it
        transport = self.transport
        if payload is None or payload.is_eof():
            self.set_exception(TooManyBytes(f"more than {MAX_WIRE_BYTES} bytes before the response's head was over"))
        else:
            payload.feed_eof()
        self.force_close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


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
        if len(handler):
            # It spoke while idle ("408, closing"): that is no answer to this request. Counts as a stale connection.
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

"""A webhook receiver over a real socket that records what it gets and can misbehave in every way.

    with Receiver() as receiver:
        receiver.script("/hook", answer(500), answer(500), answer(200))   # the last one repeats
        ...
        first, *others = receiver.wait_for("/hook", 3)

`python -m tests.support.receiver --port 9000` shows what arrives.
"""

import argparse
import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import responses
from typing import Literal, Self

_CHUNK = b"x" * 4096


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it came: header names in their order and case, the body's exact bytes."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    arrived: float  # time.monotonic()
    arrived_at: float  # time.time()
    connection: int  # counts from 1; the same number again means a kept connection

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What to do with one request. Made by the functions below."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    delay_seconds: float = 0.0
    raw: bytes | None = None  # sent instead of status, headers and body
    split_at: int = 0  # the first so many bytes of it are sent alone
    drip: Literal["no", "head", "body"] = "no"
    drip_seconds: float = 0.0  # between two bytes
    for_ever: bytes = b""  # sent again and again after the rest
    then: Literal["keep", "close", "reset", "hang"] = "keep"
    before_body: bool = False  # act as soon as the request's head is there, and leave its body unread

    def wire(self) -> tuple[bytes, bytes]:
        """The answer's head and body."""
        if self.raw is not None:
            return self.raw, b""
        given = {name.lower() for name, _ in self.headers}
        framing = [] if {"content-length", "transfer-encoding"} & given else [("Content-Length", str(len(self.body)))]
        phrase = responses.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in (*framing, *self.headers))]
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), self.body


Headers = Iterable[tuple[str, str]]


def answer(status: int = 200, body: bytes = b"ok", headers: Headers = (), delay_seconds: float = 0.0) -> Behaviour:
    """An ordinary answer, maybe late."""
    return Behaviour(status=status, body=body, headers=tuple(headers), delay_seconds=delay_seconds)


def retry_after(value: str | int, status: int = 429) -> Behaviour:
    """Ask for a later retry: seconds, or an HTTP date."""
    return answer(status, b"later", [("Retry-After", str(value))])


def redirect(location: str, status: int = 302) -> Behaviour:
    """Point somewhere else."""
    return answer(status, b"", [("Location", location)])


def reset(*, before_body: bool = False) -> Behaviour:
    """End the connection by RST instead of an answer."""
    return Behaviour(raw=b"", then="reset", before_body=before_body)


def close_without_answer() -> Behaviour:
    """End the connection properly instead of an answer."""
    return Behaviour(raw=b"", then="close")


def never_answer(*, before_body: bool = False) -> Behaviour:
    """Take the request and stay silent; with `before_body` don't even read its body."""
    return Behaviour(raw=b"", then="hang", before_body=before_body)


def drip_head(seconds: float = 0.02) -> Behaviour:
    """One byte of status line and headers at a time."""
    return Behaviour(drip="head", drip_seconds=seconds, headers=(("X-Padding", "x" * 4000),))


def drip_body(seconds: float = 0.02, status: int = 200) -> Behaviour:
    """A prompt head and then one byte of the body at a time."""
    return Behaviour(status=status, drip="body", drip_seconds=seconds, body=b"x" * 10_000)


def endless_body(status: int = 200, *, chunked: bool = False) -> Behaviour:
    """A body that never ends, as fast as it is taken."""
    if chunked:
        part = b"%x\r\n%s\r\n" % (len(_CHUNK), _CHUNK)
        return Behaviour(status, (("Transfer-Encoding", "chunked"),), b"", for_ever=part)
    return Behaviour(status, (("Content-Length", str(10**12)),), b"", for_ever=_CHUNK)


def endless_head() -> Behaviour:
    """Header after header, and never a body."""
    return Behaviour(raw=b"HTTP/1.1 200 OK\r\n", for_ever=b"X-More: " + b"x" * 1000 + b"\r\n")


def huge_header(size: int = 1_000_000) -> Behaviour:
    """A single header of that many bytes."""
    return answer(headers=[("X-Huge", "x" * size)])


def informational_flood(status: int = 103, seconds: float = 0.0) -> Behaviour:
    """1xx answers without end, as fast as they are taken or one every so many seconds."""
    part = b"HTTP/1.1 %d Wait\r\nX: y\r\n\r\n" % status
    if seconds:
        return Behaviour(raw=part * 10_000, drip="head", drip_seconds=seconds / len(part))
    return Behaviour(raw=b"", for_ever=part * 100)


def invalid_http(raw: bytes = b"SSH-2.0-OpenSSH_9.9\r\n\r\n", then: Literal["keep", "close"] = "close") -> Behaviour:
    """These bytes in place of an answer."""
    return Behaviour(raw=raw, then=then)


class Receiver:
    """Listens on a loopback port in a thread of its own; answers 200 on every path that has no script."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        on_request: Callable[[ReceivedRequest], None] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.connections = 0
        self.bytes_sent = 0
        self.answered = Counter[str]()  # answers written in full, by path
        self._tls = tls
        self._on_request = on_request
        self._scripts: dict[str, deque[Behaviour]] = {}
        self._received: dict[str, list[ReceivedRequest]] = defaultdict(list)
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()  # or those that hang are collected: a loop holds tasks weakly
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10) or not self.port:
            raise RuntimeError("the receiver did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def url(self, path: str = "/", host: str | None = None) -> str:
        """Where it listens. Another `host` name is for a resolver that leads here."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """What to do with the next requests to the path, one each; the last one repeats."""
        with self._changed:
            self._scripts[path] = deque(behaviours)

    def requests(self, path: str | None = None) -> list[ReceivedRequest]:
        """Everything that arrived, in order; on one path, or on all."""
        with self._changed:
            if path is not None:
                return list(self._received[path])
            return sorted((one for all_ in self._received.values() for one in all_), key=lambda one: one.arrived)

    def wait_for(self, path: str, count: int = 1, timeout: float = 10.0) -> list[ReceivedRequest]:
        """Block until that many requests came to the path. Raises TimeoutError with what did come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received[path]) >= count, timeout):
                seen = {key: len(value) for key, value in self._received.items() if value}
                raise TimeoutError(f"{count} requests to {path} expected within {timeout} s, seen: {seen}")
            return list(self._received[path])

    def clear(self) -> None:
        """Forget requests and scripts."""
        with self._changed:
            self._received.clear()
            self._scripts.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._started.set()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, self.host, self.port, ssl=self._tls, limit=1 << 21)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        # A closed server does not take what it has just accepted, and nobody closes that socket then.
        self._loop.remove_reader(server.sockets[0].fileno())
        await _turns_of_the_loop()  # what was just accepted gets its task
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # connections in their handshake are among them
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for transport in [*self._loop._transports.values()]:  # type: ignore[attr-defined]  # whose task never began
            transport.abort()
        await _turns_of_the_loop()  # aborted transports close their sockets

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        # Small buffers, so that `bytes_sent` is close to what the other side took.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        writer.transport.set_write_buffer_limits(8192)
        try:
            while await self._handle(reader, writer, number):
                pass
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        arrived, arrived_at = time.monotonic(), time.time()
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        behaviour = self._next_behaviour(target.partition("?")[0])
        body = b"" if behaviour.before_body else await reader.readexactly(length)
        self._record(ReceivedRequest(method, target, headers, body, arrived, arrived_at, number))
        is_kept = await self._behave(behaviour, reader, writer)
        self.answered[target.partition("?")[0]] += 1
        return is_kept

    def _next_behaviour(self, path: str) -> Behaviour:
        with self._changed:
            script = self._scripts.get(path)
            if not script:
                return Behaviour()
            return script.popleft() if len(script) > 1 else script[0]

    def _record(self, request: ReceivedRequest) -> None:
        with self._changed:
            self._received[request.path].append(request)
            self._changed.notify_all()
        if self._on_request is not None:
            self._on_request(request)

    async def _behave(self, what: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(what.delay_seconds)
        head, body = what.wire()
        if what.split_at:
            await self._write(writer, head[: what.split_at], 0)
            await asyncio.sleep(0.02)
            head = head[what.split_at :]
        await self._write(writer, head, what.drip_seconds if what.drip == "head" else 0)
        await self._write(writer, body, what.drip_seconds if what.drip == "body" else 0)
        while what.for_ever:
            await self._write(writer, what.for_ever, 0)
        if what.then == "hang":
            await reader.read() if not what.before_body else await asyncio.Event().wait()
        if what.then == "reset":
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if what.then == "close":
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
        return what.then == "keep"

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, pause_seconds: float) -> None:
        pieces = [data] if not pause_seconds else [data[index : index + 1] for index in range(len(data))]
        for piece in pieces:
            if not piece:
                continue
            writer.write(piece)
            await writer.drain()
            self.bytes_sent += len(piece)
            await asyncio.sleep(pause_seconds)


async def _turns_of_the_loop() -> None:
    for _ in range(20):  # and not some time, which a busy machine lets pass without one
        await asyncio.sleep(0)


def _show(request: ReceivedRequest) -> None:
    lines = [f"{request.method} {request.target}", *(f"{name}: {value}" for name, value in request.headers)]
    print("\n".join([*lines, "", request.body.decode(errors="replace"), ""]), flush=True)  # noqa: T201


def main() -> None:
    """Listen until Ctrl-C and print what arrives."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    with Receiver(port=parser.parse_args().port, on_request=_show) as receiver, contextlib.suppress(KeyboardInterrupt):
        print(f"listening on {receiver.url()}", flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()

"""The real transport: httpx's interface, aiohttp's pool beneath it, and one judged exchange per call."""

import asyncio
import functools
import ssl
import time
from dataclasses import dataclass, field
from typing import cast

import aiohttp
import certifi
import httpx

from webhooks.egress.policy import Destination, EgressPolicy, check_addresses, check_url
from webhooks.egress.transport.answer_head import CUT_OFF, MAX_BODY_SECONDS, SLOW
from webhooks.egress.transport.failures import ENDPOINT_ERRORS, UNREACHABLE, Failure, classify, deadline_passed
from webhooks.egress.transport.pinned import CURRENT_PIN, MAX_WIRE_BYTES, Pin, PinnedConnector, PinnedRequest
from webhooks.egress.transport.pool import Body, PooledTransport
from webhooks.egress.transport.resolver import Resolver, SystemResolver
from webhooks.errors import RefusedDestination
from webhooks.models.exchange import Exchange, HttpRequest, Timings
from webhooks.request.redaction import redacted

MAX_KEPT_URLS = 1024  # a webhook's URL comes again and again; judging it takes 65 us, parsing it 20
_parsed = functools.lru_cache(maxsize=MAX_KEPT_URLS)(httpx.URL)

MAX_KEPT_BODY_BYTES = 4 * 1024
MAX_KEPT_HEADERS = 30
MAX_KEPT_HEADER_BYTES = 4 * 1024


@dataclass(slots=True)
class _Progress:
    """How far an attempt came, for its timings and for the words of a deadline. `perf_counter` seconds."""

    started: float
    deadline: asyncio.Timeout
    resolved: float | None = None
    answered: float | None = None
    pin: Pin | None = None
    repeated: bool = False
    head: httpx.Response | None = None  # once it is there, its status decides, whatever becomes of the body
    body: bytearray = field(default_factory=bytearray)

    @property
    def phase(self) -> str:
        if self.resolved is None:
            return "resolve"
        return "connect" if self.pin is None or self.pin.written_at is None else "answer"

    def timings(self) -> Timings:
        pin = self.pin
        if self.resolved is None or pin is None:
            return Timings()
        reused = pin.handler is not None and pin.handler.requests > 1
        return Timings(
            dns_ms=None if pin.destination.is_literal else _milliseconds(self.started, self.resolved),
            connect_ms=None if reused else _milliseconds(self.resolved, pin.written_at),
            wait_ms=_milliseconds(pin.written_at, self.answered),
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    status_code: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    retry_after: str | None
    remark: str | None


class HttpTransport:
    """Sends to public addresses only, by the given policy, and follows nothing the receiver says.

    No redirects, cookies, proxies, .netrc, Alt-Svc or decompression; TLS 1.2 and newer, fully verified. Names are
    looked up and judged once per attempt and only a judged address is dialled; a kept connection is used again only
    when its peer is among the addresses judged for the present attempt. Lives in the event loop of its first `send`.
    """

    def __init__(
        self, policy: EgressPolicy, *, resolver: Resolver | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._policy = policy
        # The verdict on a URL as written depends on nothing else; names are looked up and judged at every attempt.
        self._check = functools.lru_cache(maxsize=MAX_KEPT_URLS)(functools.partial(check_url, policy=policy))
        self._resolver: Resolver = resolver or SystemResolver()
        self._tls = tls
        self._transport: PooledTransport | None = None

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """POST the body. Whatever the receiver does is a result, never an exception. Ends by the request's deadline."""
        started_at_ms = time.time_ns() // 1_000_000
        deadline = asyncio.timeout(request.timeout_seconds)
        progress = _Progress(time.perf_counter(), deadline)
        try:
            async with deadline:
                outcome = await self._attempt(request, pool, progress)
        except TimeoutError:
            outcome = _answer(progress, SLOW) or deadline_passed(request.timeout_seconds, phase=progress.phase)
        duration_ms = round((time.perf_counter() - progress.started) * 1000)
        if isinstance(outcome, Failure):
            return Exchange(
                started_at_ms=started_at_ms,
                duration_ms=duration_ms,
                error_code=outcome.code,
                error_message=outcome.message,
                internal_detail=outcome.detail,
                # they would tell a refused address from a closed port
                timings=Timings() if outcome.code == UNREACHABLE else progress.timings(),
                repeated=progress.repeated,
            )
        return Exchange(
            started_at_ms=started_at_ms,
            duration_ms=duration_ms,
            status_code=outcome.status_code,
            response_headers=_shown(outcome.headers, request.credentials),
            response_body=redacted(outcome.body, request.credentials, is_cut=len(outcome.body) == MAX_KEPT_BODY_BYTES),
            remark=outcome.remark,
            timings=progress.timings(),
            repeated=progress.repeated,
            retry_after=outcome.retry_after,
        )

    async def aclose(self) -> None:
        """Close every connection. The transport may be used again and then starts anew."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()
        self._resolver.close()

    async def _attempt(self, request: HttpRequest, pool: str, progress: _Progress) -> _Answer | Failure:
        try:
            destination = self._check(request.url)
        except RefusedDestination as refused:
            # What is wrong with the URL as written is no secret to the one who wrote it.
            return Failure("refused_address", str(refused), f"{refused.code}: {refused.detail}")
        transport = self._opened()
        try:
            addresses = await self._judged_addresses(destination, pool)
            progress.resolved = time.perf_counter()
            pin = Pin(destination, addresses, pool, request.headers)
            try:
                return await self._exchange(transport, pin, request.body, progress)
            except ENDPOINT_ERRORS as error:
                if progress.head is not None or not _went_stale(pin, error):
                    raise
            # The receiver had closed the kept connection before our bytes came: not its failure. Once more, on a new
            # one, within the same deadline; the ids are the same, should it have read them after all.
            progress.repeated = pin.written_at is not None
            pin = Pin(destination, addresses, pool, pin.headers, fresh_only=True)
            return await self._exchange(transport, pin, request.body, progress)
        except ENDPOINT_ERRORS as error:
            return _answer(progress, CUT_OFF) or classify(error)

    async def _judged_addresses(self, destination: Destination, owner: str) -> tuple[str, ...]:
        if destination.is_literal:
            return (destination.host,)
        answers = await self._resolver.resolve(destination.host, destination.port, owner)
        return check_addresses(destination.host, tuple(dict.fromkeys(answers)), self._policy)

    async def _exchange(self, transport: PooledTransport, pin: Pin, body: bytes, progress: _Progress) -> _Answer:
        progress.pin = pin
        token = CURRENT_PIN.set(pin)
        try:
            response = await transport.handle_async_request(_Request(_parsed(pin.destination.url), body))
        finally:
            CURRENT_PIN.reset(token)
        progress.answered = time.perf_counter()
        progress.head = response
        kept = progress.body
        body_stream = cast("Body", response.stream)
        if not body_stream.is_complete:
            latest = asyncio.get_running_loop().time() + MAX_BODY_SECONDS
            progress.deadline.reschedule(min(latest, progress.deadline.when() or latest))
        try:
            async for chunk in body_stream:
                if len(kept) < MAX_KEPT_BODY_BYTES:
                    kept += chunk[: MAX_KEPT_BODY_BYTES - len(kept)]
        finally:
            await body_stream.aclose()
        return cast("_Answer", _answer(progress, None))

    def _opened(self) -> PooledTransport:
        if self._transport is None:
            session = aiohttp.ClientSession(
                connector=PinnedConnector(self._tls or _default_tls()),
                request_class=PinnedRequest,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                # A head may be as large as it likes within the bytes of an answer.
                max_line_size=MAX_WIRE_BYTES,
                max_field_size=MAX_WIRE_BYTES,
                max_headers=MAX_WIRE_BYTES,
            )
            self._transport = PooledTransport(session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return self._transport


def _answer(progress: _Progress, body_fault: str | None) -> _Answer | None:
    """What came of it so far, or None before its head was over."""
    head, pin = progress.head, progress.pin
    if head is None or pin is None or pin.handler is None:
        return None
    return _Answer(
        head.status_code,
        _kept_headers(head.headers.raw),
        bytes(progress.body),
        head.headers.get("retry-after") if head.status_code >= _ASKS_NOTHING else None,
        pin.handler.remark or body_fault,
    )


class _Request(httpx.Request):
    """A POST that is ready as it is: no header to work out, since `PinnedRequest` has the pin's, no URL to copy."""

    def __init__(self, url: httpx.URL, body: bytes) -> None:  # pyright: ignore[reportMissingSuperCall]
        self.method = "POST"
        self.url = url
        self.headers = _NO_HEADERS
        self.extensions = {}
        self.stream = httpx.ByteStream(body)
        self._content = body


_NO_HEADERS = httpx.Headers()
_ASKS_NOTHING = 300  # a status below means that the receiver has it


def _default_tls() -> ssl.SSLContext:
    # Built by hand: ssl.create_default_context() obeys SSLKEYLOGFILE. Loading the authorities takes 28 ms, once.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(cafile=certifi.where())
    return context


def _went_stale(pin: Pin, error: BaseException) -> bool:
    handler = pin.handler
    if handler is None or handler.requests < 2:
        return False
    if handler.received > 0:
        return handler.is_leftover
    cause = error.__cause__ or error
    return isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionError)


def _kept_headers(raw: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    kept: list[tuple[str, str]] = []
    room = MAX_KEPT_HEADER_BYTES
    for name, value in raw[:MAX_KEPT_HEADERS]:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept.append((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")))
    return tuple(kept)


def _shown(headers: tuple[tuple[str, str], ...], credentials: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    values = "\n".join([value for _, value in headers])
    if not any(credential in values for credential in credentials):
        return headers
    return tuple((name, redacted(value.encode(), credentials).decode()) for name, value in headers)


def _milliseconds(since: float | None, until: float | None) -> int | None:
    return None if since is None or until is None else round((until - since) * 1000)

"""How requests get there: again where that is harmless, and with errors as exceptions."""

import asyncio
import random
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from .client import AuthenticatedClient
from .keyed import KEYED
from .problems import error_of, retry_after_seconds

_ANYWAY = (429, 503)  # nothing was done
_HARMLESS = (*_ANYWAY, 500, 502, 504)  # for what may be done twice
_KEY = "idempotency-key"
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 20.0


def connect(
    url: str,
    token: str,
    *,
    retries: int = 4,
    max_wait_seconds: float = 60.0,
    timeout_seconds: float = 40.0,
    proxy: str | None = None,
) -> AuthenticatedClient:
    """A client of the service at `url`, which calls by a token or an API key. Use it in a `with` or `async with`.

    What fails is tried again up to `retries` times, with growing pauses or as Retry-After says, where that does nothing
    twice: reads, changes and deletions, whatever has an Idempotency-Key, and what was refused for now. POSTs that take
    such a key get one. A Retry-After above `max_wait_seconds` is raised instead.
    """
    transport = Connection(retries=retries, max_wait_seconds=max_wait_seconds, proxy=proxy)
    return AuthenticatedClient(
        base_url=url, token=token, timeout=httpx.Timeout(timeout_seconds), httpx_args={"transport": transport}
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """When one request is sent again."""

    is_harmless: bool
    retries: int
    max_wait_seconds: float

    def after_error(self, error: httpx.TransportError, done: int) -> float | None:
        """Seconds to wait before the next try after `done` retries; None: there is none."""
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        return _pause(done) if (self.is_harmless or never_sent) and done < self.retries else None

    def after_answer(self, response: httpx.Response, done: int) -> float | None:
        """As `after_error`."""
        if response.status_code not in (_HARMLESS if self.is_harmless else _ANYWAY) or done >= self.retries:
            return None
        asked = retry_after_seconds(response) or 0.0
        return None if asked > self.max_wait_seconds else max(asked, _pause(done))


class Connection(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport for httpx.Client and httpx.AsyncClient alike. Raises ApiError for answers that are errors."""

    def __init__(
        self,
        *,
        retries: int = 4,
        max_wait_seconds: float = 60.0,
        proxy: str | None = None,
        over: httpx.BaseTransport | None = None,
        over_async: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._retries = retries
        self._max_wait_seconds = max_wait_seconds
        self._over = over or httpx.HTTPTransport(proxy=proxy)
        self._over_async = over_async or httpx.AsyncHTTPTransport(proxy=proxy)
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it until it is answered, or given up."""
        plan, done = self._plan(request), 0
        while True:
            try:
                answer = self._over.handle_request(request)
                try:
                    content = b"".join(answer.stream)  # type: ignore[arg-type] - of a sync transport
                finally:
                    answer.close()
            except httpx.TransportError as error:
                wait = plan.after_error(error, done)
                if wait is None:
                    raise
            else:
                response = _whole(answer, content, request)
                wait = plan.after_answer(response, done)
                if wait is None:
                    return _judged(response)
            self._sleep(wait)
            done += 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `handle_request`."""
        plan, done = self._plan(request), 0
        while True:
            try:
                answer = await self._over_async.handle_async_request(request)
                try:
                    content = b"".join([part async for part in answer.stream])  # type: ignore[union-attr]
                finally:
                    await answer.aclose()
            except httpx.TransportError as error:
                wait = plan.after_error(error, done)
                if wait is None:
                    raise
            else:
                response = _whole(answer, content, request)
                wait = plan.after_answer(response, done)
                if wait is None:
                    return _judged(response)
            await asyncio.sleep(wait)
            done += 1

    def close(self) -> None:
        """Let go of the connections."""
        self._over.close()

    async def aclose(self) -> None:
        """As `close`."""
        await self._over_async.aclose()

    def _plan(self, request: httpx.Request) -> _Plan:
        if request.method == "POST" and re.search(KEYED, request.url.path):
            request.headers.setdefault(_KEY, uuid.uuid4().hex)
        is_harmless = request.method != "POST" or _KEY in request.headers
        return _Plan(is_harmless, self._retries, self._max_wait_seconds)


def _pause(done: int) -> float:
    """Half of it is up to chance, so that callers who failed together do not come back together."""
    return min(_FIRST_WAIT_SECONDS * 2**done, _LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1)  # noqa: S311


def _whole(answer: httpx.Response, content: bytes, request: httpx.Request) -> httpx.Response:
    return httpx.Response(
        answer.status_code, headers=answer.headers, content=content, request=request, extensions=answer.extensions
    )


def _judged(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise error_of(response)
    return response

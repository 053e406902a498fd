"""aiohttp's pool behind httpx's transport interface."""

from collections.abc import AsyncIterator

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport


class PooledTransport(AiohttpTransport):
    """httpx-aiohttp's transport, reduced to what an attempt needs.

    An attempt has one deadline, no proxy, and `failures` understands aiohttp's exceptions. The rest took a twentieth of
    a delivery's CPU.
    """

    def __init__(self, session: aiohttp.ClientSession, **settings: object) -> None:
        super().__init__(client=session, **settings)  # pyright: ignore[reportArgumentType]
        self._session = session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises aiohttp's exceptions and OSError. The response's stream must be closed."""
        response = await self._session.post(str(request.url), data=request.content or None, allow_redirects=False)
        return httpx.Response(response.status, headers=response.raw_headers, stream=Body(response), request=request)


class Body(httpx.AsyncByteStream):
    """An answer's body as it comes off the wire."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def is_complete(self) -> bool:
        """Whether nothing of it is still to come."""
        return self._response.content.is_eof()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_any():
            yield chunk

    async def aclose(self) -> None:
        self._response.release()
        await self._response.wait_for_close()

"""The address that users see: http://localhost:8086/api/v1/... instead of the emulator's path with API id and stage.

/docs is here alone: the site that `make docs` has built.
"""

import asyncio
import io
import json
import socket
import threading
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from localstack.emulator import PROJECT, LocalStackError

MAX_LINE_BYTES = 64 * 1024  # of a request's URL: more than API Gateway takes, so that it is the service that refuses
MAX_BODY_BYTES = 10 * 1024 * 1024  # API Gateway's own limit
MOST_AT_ONCE = (
    16  # requests: each is a process here, and a hundred that start at once would stand in the way of everybody
)
SITE = PROJECT / "dist" / "docs"
# The site's own scripts alone, some of which stand in its pages; nothing comes from another host.
SITE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
STAGE_PATH = "/local/"
# These belong to one connection (RFC 9110, 7.6.1) or are set by whoever sends the message on.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises LocalStackError, naming what to do, when the port is taken or not allowed."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise LocalStackError(
            f"Port {port} of {host} cannot be used: {error.strerror}. "
            f"Stop what listens there, or take another port: make run PORT={port + 1}"
        ) from None
    return listener


class Front:
    """A reverse proxy in a thread of its own. `target` is where requests go, and may change while it runs; `site` is
    the folder that /docs shows."""

    def __init__(self, listener: socket.socket, target: str, site: Path = SITE) -> None:
        self.target = target.rstrip("/")
        self._site = site
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)

    def start(self) -> None:
        """Returns when it serves."""
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        """Closes the port."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # cancels what is still under way: long polls
            runner.run(self._serve())

    async def _serve(self) -> None:
        connector = aiohttp.TCPConnector(limit=MOST_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

            async def forward(request: web.Request) -> web.Response:
                return await self._forward(session, request)

            application = web.Application(client_max_size=MAX_BODY_BYTES)
            application.router.add_get("/docs", self._page)
            application.router.add_get("/docs/{path:.*}", self._page)
            application.router.add_route("*", "/{path:.*}", forward)
            runner = web.AppRunner(
                application,
                access_log=None,
                shutdown_timeout=1,
                max_line_size=MAX_LINE_BYTES,
                auto_decompress=False,  # an unpacked body would not fit the Content-Length that it came with
            )
            await runner.setup()
            await web.SockSite(runner, self._listener).start()
            self._started.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("path")
        if not name:
            raise web.HTTPFound("/docs/index.html")
        if "\0" not in name:
            path = (self._site / name).resolve()
            if path.is_relative_to(self._site.resolve()) and path.is_file():
                return web.FileResponse(path, headers=SITE_HEADERS)
        is_built = (self._site / "index.html").is_file()
        detail = "There is no such page." if is_built else "The documentation is not built here: run `make docs`."
        return _problem(404, "not-found", "Not found", detail)

    async def _forward(self, session: aiohttp.ClientSession, request: web.Request) -> web.Response:
        path = request.raw_path
        if path.startswith(STAGE_PATH):  # in addresses that the api makes of its own, as API Gateway has it
            path = path.removeprefix(STAGE_PATH.rstrip("/"))
        url = URL(self.target + path, encoded=True)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        headers.append(("X-Forwarded-Proto", request.scheme))
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _problem(413, "too-large", "Too large", "The request is larger than 10 MB.")
        try:
            async with session.request(
                request.method,
                url,
                headers=headers,
                data=io.BytesIO(body) if body else None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as answer:
                content = await answer.read()
        except TimeoutError:
            return _problem(504, "timeout", "Timeout", "The service took too long to answer.")
        except aiohttp.ClientError as error:
            return _problem(503, "unavailable", "Unavailable", f"The emulator does not answer: {error}")
        response = web.Response(status=answer.status, reason=answer.reason, body=content)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP | {"content-length", "date", "server"}:
                if name.lower() == "content-type":
                    response.headers[name] = value
                else:
                    response.headers.add(name, value)
        return response


def _problem(status: int, kind: str, title: str, detail: str) -> web.Response:
    """An error as API Gateway answers it by the template's gateway responses."""
    document = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail}
    return web.Response(status=status, body=json.dumps(document).encode(), content_type="application/problem+json")

"""AWS's bad days between the functions and the emulator: a proxy that the functions' `AWS_ENDPOINT_URL` names.

Why not a library: `microburst` (MIT), the one on PyPI that speaks AWS's protocols, had eleven releases in three days of
October 2026 and none since, by one author, and is 12,000 lines, most of them about databases. It answers no batch in
part, which is what AWS does most, takes no seed, and forgets a call's repetitions by the SDK, so that three tries of
four hide every fault. `mitmproxy` is made for other ends and heavy; toxiproxy is a program in Go that knows bytes only.

A fault strikes a try of a call (the SDK repeats it), or, `throughout`, all tries of it, so that our own code has to
deal with it. Tries of one call have the same `amz-sdk-invocation-id`; a call made past the SDK has none, and is asked
again of the SDK when it fails.
"""

import asyncio
import io
import json
import random
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import aiohttp
from aiohttp import web
from yarl import URL

Kind = Literal["throttled", "internal_error", "slow", "reset", "lost_answer", "partial"]
KINDS: tuple[Kind, ...] = ("throttled", "internal_error", "slow", "reset", "lost_answer", "partial")
THROUGHOUT = ("throttled", "internal_error", "reset", "lost_answer")
REFUSING_SECONDS = 0.4
SLOW_SECONDS = (0.1, 1.5)
REMEMBERED_CALLS = 2_000
OWN_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "x-amz-crc32"}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of tries that are struck once, and of calls that are struck throughout; and how often a second none of
    the services can be reached at all."""

    once: float = 0.0
    throughout: float = 0.0
    refusing: float = 0.0


FAIR = Weather()


class FaultProxy:
    """Listens on a free loopback port in a thread of its own. `struck` counts faults by (fault, AWS call)."""

    def __init__(self, target: str, seed: int) -> None:
        self.weather = FAIR
        self.struck: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[str] = Counter()
        self.url = ""
        self._target = target
        self._rng = random.Random(f"proxy {seed}")
        self._doomed: OrderedDict[str, Kind] = OrderedDict()  # calls whose every try fails
        self._to_be_doomed: dict[str, Kind] = {}  # by name: the next that the SDK makes
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the proxy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handle(session, request)

            application = web.Application(client_max_size=16 * 1024 * 1024)
            application.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            self.url = f"http://127.0.0.1:{port}"
            self._started.set()
            while not self._stop.is_set():
                await asyncio.sleep(0.1)
                if self._rng.random() < self.weather.refusing * 0.1:
                    await self._refuse(runner, site)
                    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
                    await site.start()
            await runner.cleanup()

    async def _refuse(self, runner: web.AppRunner, site: web.TCPSite) -> None:
        """Nobody listens for a while, and what was connected is no more."""
        self.struck["refused", "every call"] += 1
        await site.stop()
        for connection in list(runner.server.connections if runner.server else ()):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(REFUSING_SECONDS)

    async def _handle(self, session: aiohttp.ClientSession, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except ConnectionError:  # its function was killed meanwhile
            return _hang_up(request)
        call = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        kind = self._kind(call, request.headers.get("amz-sdk-invocation-id", ""))
        if call:
            self.calls[call] += 1
        if kind is None:
            return await self._forward(session, request, body)
        self.struck[kind, call] += 1
        match kind:
            case "throttled":
                return _refusal(400, "ThrottlingException", "Rate exceeded")
            case "internal_error":
                return _refusal(500, "InternalServerError", "")
            case "slow":
                await asyncio.sleep(self._rng.uniform(*SLOW_SECONDS))
                return await self._forward(session, request, body)
            case "reset":
                return _hang_up(request)
            case "lost_answer":
                await self._forward(session, request, body)
                return _hang_up(request)
            case "partial":
                return await self._in_part(session, request, call, json.loads(body))

    def _kind(self, call: str, invocation: str) -> Kind | None:
        if not call:
            return None  # not one of the JSON protocols: nothing that the delivery path calls
        if invocation in self._doomed:
            return self._doomed[invocation]
        roll = self._rng.random()
        if invocation and call in self._to_be_doomed:
            return self._doom(invocation, self._to_be_doomed.pop(call))
        if roll < self.weather.throughout:
            kind = self._rng.choice(THROUGHOUT)
            if invocation:
                return self._doom(invocation, kind)
            self._to_be_doomed[call] = kind
            return kind
        if roll < self.weather.throughout + self.weather.once:
            kind = self._rng.choice(KINDS)
            return None if kind == "partial" and call not in IN_PART else kind
        return None

    def _doom(self, invocation: str, kind: Kind) -> Kind:
        self._doomed[invocation] = kind
        while len(self._doomed) > REMEMBERED_CALLS:
            self._doomed.popitem(last=False)
        return kind

    async def _forward(self, session: aiohttp.ClientSession, request: web.Request, body: bytes) -> web.Response:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in OWN_HEADERS]
        url = URL(self._target + request.raw_path, encoded=True)
        data = io.BytesIO(body) if body else None
        async with session.request(request.method, url, headers=headers, data=data, allow_redirects=False) as answer:
            response = web.Response(status=answer.status, body=await answer.read())
            for name, value in answer.headers.items():
                if name.lower() not in OWN_HEADERS:
                    response.headers[name] = value
            return response

    async def _in_part(
        self, session: aiohttp.ClientSession, request: web.Request, call: str, asked: Document
    ) -> web.Response:
        """Every other entry is left undone, and the answer says so in the service's own way."""
        now, complete = IN_PART[call](asked)
        response = await self._forward(session, request, json.dumps(now).encode())
        if response.status == 200 and isinstance(response.body, bytes):
            response.body = json.dumps(complete(json.loads(response.body))).encode()
        return response


def _refusal(status: int, code: str, message: str) -> web.Response:
    answer = {"__type": f"com.amazonaws#{code}", "message": message}
    return web.Response(status=status, body=json.dumps(answer).encode(), content_type="application/x-amz-json-1.0")


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # goes nowhere


Halved = tuple[Document, Callable[[Document], Document]]  # what is asked for now, and what makes the answer whole


def _reads(asked: Document) -> Halved:
    ((table, wanted),) = asked["RequestItems"].items()
    left = {table: {**wanted, "Keys": wanted["Keys"][1::2]}} if wanted["Keys"][1::2] else {}
    now = {**asked, "RequestItems": {table: {**wanted, "Keys": wanted["Keys"][::2]}}}
    return now, lambda answer: {**answer, "UnprocessedKeys": left}


def _statements(asked: Document) -> Halved:
    throttled = {"Error": {"Code": "ThrottlingError", "Message": "Rate exceeded"}}

    def complete(answer: Document) -> Document:
        done = iter(answer["Responses"])
        return {
            **answer,
            "Responses": [throttled if i % 2 else next(done) for i in range(len(asked["Statements"]))],
        }

    return {**asked, "Statements": asked["Statements"][::2]}, complete


def _messages(asked: Document) -> Halved:
    failed = [
        {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": ""}
        for entry in asked["Entries"][1::2]
    ]
    now = {**asked, "Entries": asked["Entries"][::2]}
    return now, lambda answer: {**answer, "Failed": [*answer.get("Failed", ()), *failed]}


def _bus_entries(asked: Document) -> Halved:
    refused = [{"ErrorCode": "ThrottlingException", "ErrorMessage": ""} for _ in asked["Entries"][1:]]

    def complete(answer: Document) -> Document:
        return {**answer, "FailedEntryCount": len(refused), "Entries": [*answer["Entries"], *refused]}

    return {**asked, "Entries": asked["Entries"][:1]}, complete


IN_PART: dict[str, Callable[[Document], Halved]] = {
    "BatchGetItem": _reads,
    "BatchExecuteStatement": _statements,
    "SendMessageBatch": _messages,
    "ChangeMessageVisibilityBatch": _messages,
    "PutEvents": _bus_entries,
}

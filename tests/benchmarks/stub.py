"""What the benchmarks run against, in a process of its own on another core: AWS reduced to its answers, and receivers.

`python -m tests.benchmarks.stub` prints its ports and serves until its standard input closes. All sides are raw asyncio
protocols, so that the process under test is what limits a run.
"""

import asyncio
import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.certificates import CertificateAuthority

PLAIN_KEY = bytes(range(32))
PAGE = 4000  # items a page of a query
HEADERS_15 = b"".join(b"X-Header-%02d: value-%032d\r\n" % (n, n) for n in range(15))
Answer = tuple[bytes, float, bool]  # the response, seconds until it comes, whether the connection ends with it


class Http(asyncio.Protocol):
    """Just enough HTTP/1.1 for boto3, aiohttp and httpx: bodies with a length, connections that are kept."""

    def __init__(self, answer: Callable[[bytes, bytes], Answer], opened: Callable[[], object] = int) -> None:
        self._answer = answer
        self._opened = opened
        self._buffer = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came, and has shaken hands where the port wants that."""
        self._transport = transport
        self._opened()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            length = _content_length(head)
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            response, delay, closes = self._answer(head, body)
            if delay:
                asyncio.get_running_loop().call_later(delay, self._reply, response, closes)
            else:
                self._reply(response, closes)

    def _reply(self, response: bytes, closes: bool) -> None:
        self._transport.write(response)
        if closes:
            self._transport.close()


def _content_length(head: bytes) -> int:
    lines = (line for line in head.split(b"\r\n")[1:] if line[:15].lower() == b"content-length:")
    return int(next(lines, b"content-length:0")[15:])


class Aws:
    """DynamoDB, SQS, KMS and EventBridge as one endpoint, which answers after `delay` seconds and counts calls."""

    def __init__(self, receivers: "Receivers") -> None:
        self._receivers = receivers
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.queries: dict[str, list[dict[str, Any]]] = {}
        self.calls: dict[str, int] = {}
        self.delay = 0.0

    def answer(self, head: bytes, body: bytes) -> Answer:
        """One call."""
        target = next(line for line in head.split(b"\r\n") if line[:13].lower() == b"x-amz-target:")
        operation = target.rpartition(b".")[2].decode()
        self.calls[operation] = self.calls.get(operation, 0) + 1
        answered = json.dumps(getattr(self, f"_{operation}")(json.loads(body))).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n" % len(
            answered
        )
        return head + answered, self.delay, False

    def _BatchGetItem(self, request: dict[str, Any]) -> dict[str, Any]:
        table, wanted = next(iter(request["RequestItems"].items()))
        found = (self.items.get((key["pk"]["S"], key["sk"]["S"])) for key in wanted["Keys"])
        return {"Responses": {table: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _GetItem(self, request: dict[str, Any]) -> dict[str, Any]:
        item = self.items.get((request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]))
        return {} if item is None else {"Item": item}

    def _BatchExecuteStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Responses": [{} for _ in request["Statements"]]}

    def _BatchWriteItem(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"UnprocessedItems": {}}

    def _Query(self, request: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, dict[str, str]] = request.get("ExpressionAttributeValues", {})
        items = next((self.queries[each["S"]] for each in values.values() if each.get("S") in self.queries), [])
        start = int(request.get("ExclusiveStartKey", {}).get("position", {}).get("N", 0))
        end = min(len(items), start + min(request.get("Limit", PAGE), PAGE))
        more = {"LastEvaluatedKey": {"position": {"N": str(end)}}} if end < len(items) else {}
        return {"Items": items[start:end], "Count": end - start, **more}

    def _PutItem(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _UpdateItem(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Attributes": {"taken": {"N": "1"}}} if "ReturnValues" in request else {}

    _TransactWriteItems = _PutItem

    def _DescribeTable(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Table": {"TableName": request["TableName"], "TableStatus": "ACTIVE"}}

    def _SendMessageBatch(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Successful": [{"Id": each["Id"], "MessageId": "m"} for each in request["Entries"]]}

    def _ChangeMessageVisibilityBatch(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]]}

    def _Decrypt(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"Plaintext": base64.b64encode(PLAIN_KEY).decode(), "KeyId": "k"}

    def _PutEvents(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in request["Entries"]]}

    # ---- the benchmark's own controls

    def _Seed(self, request: dict[str, Any]) -> dict[str, Any]:
        self.items.update({(item["pk"]["S"], item["sk"]["S"]): item for item in request.get("items", ())})
        self.queries.update(request.get("queries", {}))
        self.delay = request.get("delay", self.delay)
        return {}

    def _Calls(self, _request: dict[str, Any]) -> dict[str, Any]:
        calls, self.calls = self.calls, {}
        return calls

    def _Arrivals(self, _request: dict[str, Any]) -> dict[str, Any]:
        arrivals, self._receivers.arrivals = self._receivers.arrivals, {}
        return arrivals

    def _Connections(self, _request: dict[str, Any]) -> dict[str, Any]:
        connections, self._receivers.connections = self._receivers.connections, 0
        return {"count": connections}


class Receivers:
    """POST /<latency in ms>/<bytes of body>/<1 for 15 headers>; when the first byte of each event came."""

    def __init__(self) -> None:
        self.arrivals: dict[str, float] = {}
        self.connections = 0  # of the port with names

    def opened(self) -> None:
        """One more connection."""
        self.connections += 1

    def kept(self, head: bytes, _body: bytes) -> Answer:
        """The connection stays."""
        return self._answer(head, closes=False)

    def closed(self, head: bytes, _body: bytes) -> Answer:
        """The connection ends with the answer: the next request makes a new one."""
        return self._answer(head, closes=True)

    def _answer(self, head: bytes, *, closes: bool) -> Answer:
        now = time.monotonic()
        _, found, rest = head.partition(b"\r\nwebhook-id: ")
        if found:
            self.arrivals[rest.partition(b"\r\n")[0].decode()] = now
        _, latency, size, rich = head.split(b" ", 2)[1].split(b"/")[:4]
        extra = (HEADERS_15 if rich == b"1" else b"") + (b"Connection: close\r\n" if closes else b"")
        body = b"x" * int(size)
        response = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (extra, len(body), body)
        return response, int(latency) / 1000, closes


async def serve(folder: Path) -> None:
    """Ports on loopback: AWS, a receiver that keeps connections, one with TLS that closes them, one with TLS and names
    below hooks.test that keeps them; and the authority that signed both certificates. Until the input closes."""
    loop = asyncio.get_running_loop()
    receivers = Receivers()
    aws = Aws(receivers)
    authority = CertificateAuthority(folder)
    certificates = folder / "authority.pem"
    certificates.write_bytes(authority.pem)
    tls, named = authority.server_context("127.0.0.1"), authority.server_context("*.hooks.test")
    servers = [
        await loop.create_server(lambda: Http(aws.answer), "127.0.0.1", 0),
        await loop.create_server(lambda: Http(receivers.kept), "127.0.0.1", 0),
        await loop.create_server(lambda: Http(receivers.closed), "127.0.0.1", 0, ssl=tls),
        await loop.create_server(lambda: Http(receivers.kept, receivers.opened), "127.0.0.1", 0, ssl=named),
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    sys.stdout.write(" ".join(map(str, [*ports, certificates])) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(serve(Path(name)))

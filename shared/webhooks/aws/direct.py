"""Calls of DynamoDB, SQS, KMS and Secrets Manager without the layers that botocore puts around each of its calls.

Shapes, hooks, signers and sessions took nine tenths of their CPU, and importing botocore with its clients half of a
cold start: a process that meets no trouble never does. Whatever does not plainly succeed (an error, throttling, a
broken connection) is repeated with botocore's client, which knows what to retry and what to raise. What was carried out
before its answer got lost is repeated there as it is in botocore's own retries.
"""

import base64
import contextlib
import functools
import json
import logging
import os
import random
import select
import socket
import ssl
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from webhooks.aws.place import Place
from webhooks.aws.sigv4 import Signer

_CONDITION = "ConditionalCheckFailedException"  # an answer like another, and no trouble
_CANCELLED = "TransactionCanceledException"  # so is this, which names conditions
_THROTTLED = (b"Throttl", b"ThroughputExceeded", b"RequestLimitExceeded")
_CONNECT_S, _READ_S = 1, 3  # botocore asks again, which takes 10 s at worst
_JITTER_S = 0.1  # before botocore's own repeats, of which the first comes at once
_LINE_BYTES, _HEADERS = 65_536, 100  # of an answer, at most

logger = logging.getLogger(__name__)

Post = Callable[[str, bytes], bytes | None]


class _Direct:
    """A client whose calls are botocore's, except those that a class below makes itself.

    `make_client` makes botocore's client when it is first needed. `post` takes an operation's name and its request as
    JSON, and gives the answer's body, that a condition did not hold included, or None without success.
    """

    SERVICE: ClassVar[str]  # as botocore and signatures name it
    TARGET: ClassVar[str]  # what x-amz-target begins with
    JSON: ClassVar[str] = "1.0"

    def __init__(self, make_client: Callable[[], Any], post: Post) -> None:
        self._make_client = make_client
        self._post = post

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._client, name)

    @functools.cached_property
    def _client(self) -> Any:  # noqa: ANN401
        return self._make_client()

    def _answer(self, operation: str, request: dict[str, Any]) -> Any:  # noqa: ANN401
        body = self._post(operation, _encode(request).encode())
        try:
            return None if body is None else json.loads(body)
        except ValueError:
            return None


class DirectDynamoDB(_Direct):
    """A client of DynamoDB for items whose binary attributes are at their top level, as ours are."""

    SERVICE = "dynamodb"
    TARGET = "DynamoDB_20120810"

    def batch_get_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("BatchGetItem", request)
        if answer is None:
            return self._client.batch_get_item(**request)
        for items in answer["Responses"].values():
            _decode(items)
        return answer

    def query(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("Query", request)
        if answer is None:
            return self._client.query(**request)
        _decode(answer.get("Items", ()))
        return answer

    def batch_execute_statement(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name, for writes only."""
        answer = self._answer("BatchExecuteStatement", request)
        return self._client.batch_execute_statement(**request) if answer is None else answer

    def put_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name, for answers without attributes."""
        answer = self._answer("PutItem", request)
        return self._client.put_item(**request) if answer is None else _unless_refused(answer, "PutItem")

    def update_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name, for answers without binary attributes."""
        answer = self._answer("UpdateItem", request)
        return self._client.update_item(**request) if answer is None else _unless_refused(answer, "UpdateItem")

    def transact_write_items(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        request.setdefault("ClientRequestToken", str(uuid.uuid4()))  # by which a repeat is no second transaction
        answer = self._answer("TransactWriteItems", request)
        if answer is None:
            return self._client.transact_write_items(**request)
        return _unless_refused(answer, "TransactWriteItems")


class DirectSqs(_Direct):
    """A client of SQS for messages whose attributes are strings, as ours are."""

    SERVICE = "sqs"
    TARGET = "AmazonSQS"

    def send_message_batch(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("SendMessageBatch", request)
        return self._client.send_message_batch(**request) if answer is None else answer

    def change_message_visibility_batch(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("ChangeMessageVisibilityBatch", request)
        return self._client.change_message_visibility_batch(**request) if answer is None else answer


class DirectKms(_Direct):
    """A client of KMS."""

    SERVICE = "kms"
    TARGET = "TrentService"
    JSON = "1.1"

    def decrypt(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("Decrypt", request)
        if answer is None:
            return self._client.decrypt(**request)
        return {**answer, "Plaintext": base64.b64decode(answer["Plaintext"])}


class DirectSecretsManager(_Direct):
    """A client of Secrets Manager for secrets that are text."""

    SERVICE = "secretsmanager"
    TARGET = "secretsmanager"
    JSON = "1.1"

    def get_secret_value(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("GetSecretValue", request)
        return self._client.get_secret_value(**request) if answer is None else answer


class SignedPost:
    """Requests of a kind of direct client to where AWS is, over connections that are kept."""

    def __init__(self, kind: type[_Direct], place: Place) -> None:
        self._target = kind.TARGET
        self._hands_on_traces = kind.SERVICE == "sqs"
        self._endpoint = _Endpoint(place.endpoint_url)
        self._signer = Signer(kind.SERVICE, place.region, self._endpoint.host, f"application/x-amz-json-{kind.JSON}")
        self._credentials = place.credentials

    def __call__(self, operation: str, body: bytes) -> bytes | None:
        """The answer's body; None, and a line in the log, for anything but success."""
        try:
            status, answer = self._endpoint.post(self._headers(operation, body), body)
        except (OSError, BotoCoreError) as exc:
            logger.warning("%s is left to botocore: %r", operation, exc)
            return None
        if status == 200 or (status == 400 and (_CONDITION.encode() in answer or _CANCELLED.encode() in answer)):
            return answer
        logger.warning("%s is left to botocore: status %d", operation, status)
        if any(word in answer for word in _THROTTLED):
            time.sleep(random.uniform(0, _JITTER_S))  # noqa: S311 - those who are throttled together come back apart
        return None

    def _headers(self, operation: str, body: bytes) -> dict[str, str]:
        headers = self._signer.headers(f"{self._target}.{operation}", body, self._credentials(), time.time())
        headers["user-agent"] = "pyairtable-webhooks/1.0"
        # As botocore does for all its calls. SQS hands it to those who receive the message (AWS X-Ray Developer Guide,
        # "Amazon SQS and AWS X-Ray"); of a trace that nobody records nothing has to be known.
        trace = os.environ.get("_X_AMZN_TRACE_ID", "")
        if self._hands_on_traces and "Sampled=1" in trace:
            headers["x-amzn-trace-id"] = trace
        return headers


class _Endpoint:
    """An AWS endpoint by its URL. Its connections are kept, and each serves one thread at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc  # as it is signed: botocore writes no port that is the scheme's own
        self._is_tls = parts.scheme == "https"
        self._name = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._idle: deque[_Connection] = deque()
        weakref.finalize(self, _close, self._idle)

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError."""
        connection = self._kept() or self._new()
        try:
            status, content, is_kept = connection.post(headers, body)
        except BaseException:
            connection.close()
            raise
        if is_kept:
            self._idle.append(connection)
        else:
            connection.close()
        return status, content

    def _kept(self) -> "_Connection | None":
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()
                # The other side may have closed it: at once, or while this process was frozen.
                if not connection.has_something():
                    return connection
                connection.close()
        return None

    def _new(self) -> "_Connection":
        sock = socket.create_connection((self._name, self._port), timeout=_CONNECT_S)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._is_tls:
                sock = self._tls.wrap_socket(sock, server_hostname=self._name)
            sock.settimeout(_READ_S)
        except BaseException:
            sock.close()
            raise
        return _Connection(sock)

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        bundle = os.environ.get("AWS_CA_BUNDLE")
        if not bundle:
            import certifi

            bundle = certifi.where()
        return ssl.create_default_context(cafile=bundle)


class _Connection:
    """HTTP/1.1 as AWS speaks it: an answer has a length or comes in chunks. What else comes is an OSError, so that
    botocore asks again. http.client takes five times the CPU, most of it for headers that nobody reads, and 15 ms to be
    imported."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = sock.makefile("rb")
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def has_something(self) -> bool:
        """Whether something came that nobody asked for, the other side's end included."""
        return bool(self._poll.poll(0))

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes, bool]:
        """Status and body of the answer, and whether the connection can be used again. Raises OSError."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"POST / HTTP/1.1\r\n{lines}accept-encoding: identity\r\ncontent-length: {len(body)}\r\n\r\n"
        self._sock.sendall(head.encode("latin-1") + body)
        version, _, status = self._line().partition(b" ")
        told = self._headers()
        try:
            if version != b"HTTP/1.1":
                raise ValueError
            if told.get(b"transfer-encoding", b"").lower() == b"chunked":
                content = self._chunks()
            else:
                content = self._exactly(int(told[b"content-length"]))
            return int(status[:3]), content, told.get(b"connection", b"").lower() != b"close"
        except (ValueError, KeyError) as exc:
            raise OSError(f"no answer of HTTP/1.1 with a length: {version!r}") from exc

    def close(self) -> None:
        """Close it."""
        self._read.close()
        self._sock.close()

    def _line(self) -> bytes:
        line = self._read.readline(_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise OSError("the answer broke off")
        return line.rstrip()

    def _headers(self) -> dict[bytes, bytes]:
        told: dict[bytes, bytes] = {}
        for _ in range(_HEADERS):
            name, colon, value = self._line().partition(b":")
            if not colon:
                return told
            told[name.lower()] = value.strip()
        raise OSError("the answer has too many headers")

    def _exactly(self, length: int) -> bytes:
        content = self._read.read(length)
        if len(content) != length:
            raise OSError("the answer broke off")
        return content

    def _chunks(self) -> bytes:
        content: list[bytes] = []
        while length := int(self._line().partition(b";")[0], 16):
            content.append(self._exactly(length))
            self._line()
        self._headers()  # trailers, and the end
        return b"".join(content)


def _unless_refused(answer: dict[str, Any], operation: str) -> dict[str, Any]:
    kind = answer.get("__type")
    if kind is None:
        return answer
    response: Any = {  # both names of the text are in use
        **answer,
        "Error": {"Code": kind.rpartition("#")[2], "Message": answer.get("message", answer.get("Message", ""))},
    }
    raise ClientError(response, operation)


def _decode(items: Iterable[dict[str, Any]]) -> None:
    for item in items:
        for value in item.values():
            if "B" in value:
                value["B"] = base64.b64decode(value["B"])


def _close(connections: Iterable[_Connection]) -> None:
    for each in connections:
        each.close()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_encode = json.JSONEncoder(separators=(",", ":"), default=_base64).encode

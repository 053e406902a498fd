"""The hot path's calls of DynamoDB and SQS without the layers that botocore puts around each of its calls.

Shapes, hooks, signers and sessions took nine tenths of their CPU.
Whatever does not plainly succeed (an error, throttling, a broken connection) is repeated with botocore's client, which
knows what to retry and what to raise. What was carried out before its answer got lost is
repeated there as it is in botocore's own retries.
"""

import base64
import contextlib
import functools
import json
import logging
import os
import random
import socket
import ssl
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path
from urllib3.util.wait import wait_for_read

from webhooks.aws.sigv4 import Signer

_PROXIES = ("HTTPS_PROXY", "https_proxy")  # only botocore's own session finds the way out through one
_TARGETS = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
_CONDITION = "ConditionalCheckFailedException"  # an answer like another, and no trouble
_THROTTLED = (b"Throttl", b"ThroughputExceeded", b"RequestLimitExceeded")
_CONNECT_S, _READ_S = 1, 3  # botocore asks again, which takes 10 s at worst
_JITTER_S = 0.1  # before botocore's own repeats, of which the first comes at once

logger = logging.getLogger(__name__)

Post = Callable[[str, bytes], bytes | None]


def direct(client: Any, credentials: Any, service: type["DirectDynamoDB | DirectSqs"]) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """The client, with the hot path's calls made directly where that comes to the same.

    `credentials` are a boto3 session's.
    """
    if credentials is None or any(map(os.environ.get, _PROXIES)):
        return client
    return service(client, SignedPost(client.meta, credentials.get_frozen_credentials))


class _Direct:
    """A client whose calls are botocore's, except those that a class below makes itself.

    `post` takes an operation's name and its request as JSON, and gives the answer's body, that a condition did not hold
    included, or None without success.
    """

    def __init__(self, client: Any, post: Post) -> None:  # noqa: ANN401
        self._client = client
        self._post = post

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._client, name)

    def _answer(self, operation: str, request: dict[str, Any]) -> Any:  # noqa: ANN401
        body = self._post(operation, json.dumps(request, default=_base64, separators=(",", ":")).encode())
        try:
            return None if body is None else json.loads(body)
        except ValueError:
            return None


class DirectDynamoDB(_Direct):
    """A client of DynamoDB for items whose binary attributes are at their top level, as ours are."""

    def batch_get_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("BatchGetItem", request)
        if answer is None:
            return self._client.batch_get_item(**request)
        for items in answer["Responses"].values():
            for item in items:
                for value in item.values():
                    if "B" in value:
                        value["B"] = base64.b64decode(value["B"])
        return answer

    def batch_execute_statement(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name, for writes only."""
        answer = self._answer("BatchExecuteStatement", request)
        return self._client.batch_execute_statement(**request) if answer is None else answer

    def update_item(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name, for answers without binary attributes."""
        answer = self._answer("UpdateItem", request)
        if answer is None:
            return self._client.update_item(**request)
        if "__type" in answer:
            raise ClientError({"Error": {"Code": _CONDITION, "Message": answer.get("message", "")}}, "UpdateItem")
        return answer


class DirectSqs(_Direct):
    """A client of SQS for messages whose attributes are strings, as ours are."""

    def send_message_batch(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("SendMessageBatch", request)
        return self._client.send_message_batch(**request) if answer is None else answer

    def change_message_visibility_batch(self, **request: Any) -> Any:  # noqa: ANN401
        """Like botocore's method of that name."""
        answer = self._answer("ChangeMessageVisibilityBatch", request)
        return self._client.change_message_visibility_batch(**request) if answer is None else answer


class SignedPost:
    """Requests to a client's endpoint over connections that are kept; `meta` is the client's."""

    def __init__(self, meta: Any, credentials: Callable[[], Any]) -> None:  # noqa: ANN401
        self._service: str = meta.service_model.service_name
        self._endpoint = _Endpoint(meta.endpoint_url)
        self._signer = Signer(self._service, meta.region_name, self._endpoint.host)
        self._credentials = credentials

    def __call__(self, operation: str, body: bytes) -> bytes | None:
        """The answer's body; None, and a line in the log, for anything but success."""
        try:
            status, answer = self._endpoint.post(self._headers(operation, body), body)
        except (OSError, HTTPException, BotoCoreError) as exc:
            logger.warning("%s is left to botocore: %r", operation, exc)
            return None
        if status == 200 or (status == 400 and _CONDITION.encode() in answer):
            return answer
        logger.warning("%s is left to botocore: status %d", operation, status)
        if any(word in answer for word in _THROTTLED):
            time.sleep(random.uniform(0, _JITTER_S))  # noqa: S311 - those who are throttled together come back apart
        return None

    def _headers(self, operation: str, body: bytes) -> dict[str, str]:
        target = f"{_TARGETS[self._service]}.{operation}"
        headers = self._signer.headers(target, body, self._credentials(), time.time())
        headers["user-agent"] = "pyairtable-webhooks/1.0"
        # As botocore does for all its calls. SQS hands it to those who receive the message (AWS X-Ray Developer Guide,
        # "Amazon SQS and AWS X-Ray"); of a trace that nobody records nothing has to be known.
        trace = os.environ.get("_X_AMZN_TRACE_ID", "")
        if self._service == "sqs" and "Sampled=1" in trace:
            headers["x-amzn-trace-id"] = trace
        return headers


class _Endpoint:
    """An AWS endpoint by its URL. Its connections are kept, and each serves one thread at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc  # as it is signed: botocore writes no port that is the scheme's own
        self._address = (parts.hostname or "", parts.port)
        self._is_tls = parts.scheme == "https"
        self._idle: deque[HTTPConnection] = deque()
        weakref.finalize(self, _close, self._idle)

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError and HTTPException."""
        connection = self._kept() or self._new()
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return status, content

    def _kept(self) -> HTTPConnection | None:
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()
                # The other side may have closed it: at once, or while this process was frozen.
                if connection.sock is not None and not wait_for_read(connection.sock, timeout=0):
                    return connection
                connection.close()
        return None

    def _new(self) -> HTTPConnection:
        if self._is_tls:
            connection = HTTPSConnection(*self._address, timeout=_CONNECT_S, context=self._tls)
        else:
            connection = HTTPConnection(*self._address, timeout=_CONNECT_S)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.sock.settimeout(_READ_S)
        except BaseException:
            connection.close()
            raise
        return connection

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True))


def _close(connections: Iterable[HTTPConnection]) -> None:
    for each in connections:
        each.close()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()

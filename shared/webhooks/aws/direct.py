"""The hot path's calls of DynamoDB and SQS without the layers that botocore puts around each of its calls.

Shapes, hooks and sessions took two thirds of their CPU: 1.9 ms a call instead of 0.7.
Signing is botocore's own. Whatever does not plainly succeed (an error, throttling, a broken connection) is repeated
with botocore's client, which knows what to retry and what to raise. What was carried out before its answer got lost is
repeated there as it is in botocore's own retries.
"""

import base64
import functools
import json
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path

_PROXIES = ("HTTPS_PROXY", "https_proxy")  # only botocore's own session finds the way out through one
_TARGETS = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
_CONNECTIONS = 10
_CONDITION = "ConditionalCheckFailedException"  # an answer like another, and no trouble
_TIMEOUT = urllib3.Timeout(connect=1, read=3)  # botocore asks again, which takes 10 s at worst
_KEPT_ALIVE = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]

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
        self._url: str = meta.endpoint_url
        self._region: str = meta.region_name
        self._credentials = credentials

    def __call__(self, operation: str, body: bytes) -> bytes | None:
        """The answer's body; None, and a line in the log, for anything but success."""
        try:
            answer = self._pool.urlopen(
                "POST", "/", body, self._signed(operation, body), redirect=False, assert_same_host=False
            )
            if answer.status == 200 or (answer.status == 400 and _CONDITION.encode() in answer.data):
                return answer.data
            cause = f"status {answer.status}"
        except (urllib3.exceptions.HTTPError, BotoCoreError) as exc:
            cause = repr(exc)
        logger.warning("%s is left to botocore: %s", operation, cause)
        return None

    @functools.cached_property
    def _pool(self) -> urllib3.HTTPConnectionPool:
        authorities = os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True)
        settings: dict[str, Any] = {"ca_certs": authorities} if self._url.startswith("https:") else {}
        return urllib3.connection_from_url(
            self._url, maxsize=_CONNECTIONS, timeout=_TIMEOUT, retries=False, socket_options=_KEPT_ALIVE, **settings
        )

    def _signed(self, operation: str, body: bytes) -> dict[str, str]:
        headers = {
            "X-Amz-Target": f"{_TARGETS[self._service]}.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "User-Agent": "pyairtable-webhooks/1.0",
        }
        # As botocore does for all its calls. SQS hands it to those who receive the message (AWS X-Ray Developer Guide,
        # "Amazon SQS and AWS X-Ray"); of a trace that nobody records nothing has to be known.
        trace = os.environ.get("_X_AMZN_TRACE_ID", "")
        if self._service == "sqs" and "Sampled=1" in trace:
            headers["X-Amzn-Trace-Id"] = trace
        request = AWSRequest("POST", f"{self._url}/", headers, body)
        SigV4Auth(self._credentials(), self._service, self._region).add_auth(request)
        return dict(request.headers.items())


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()

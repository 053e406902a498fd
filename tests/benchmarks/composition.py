"""Our functions as Lambda has them: environment, context, table items, and the module of the handler."""

import asyncio
import base64
import importlib.util
import json
import os
import ssl
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from functions.sender import composition as sender_function
from tests.benchmarks.measuring import PROJECT, Stub
from tests.benchmarks.stub import PLAIN_KEY
from webhooks.aws.clients import Clients
from webhooks.batch_log import Handler
from webhooks.egress.policy import EgressPolicy
from webhooks.egress.transport import HttpTransport
from webhooks.egress.transport.resolver import Resolver
from webhooks.ids import new_id
from webhooks.messages import DeliveryMessage
from webhooks.models.signing_key import SealedKeys, SigningKey
from webhooks.models.webhook import Sealed
from webhooks.request.signed_request import sealed_text
from webhooks.request.signing_keys import keys_text
from webhooks.runtime import settle
from webhooks.settings import SenderSettings

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
Item = dict[str, Any]


class Context:
    """Lambda's."""

    function_name = memory_limit_in_mb = "bench"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 60_000


def configure(stub: Stub) -> None:
    """What every process that speaks to the stub's AWS needs, and the functions' own settings."""
    queue = f"{stub.endpoint}/000000000000"
    os.environ.update(
        AWS_ENDPOINT_URL=stub.endpoint, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y",
        AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true", POWERTOOLS_SERVICE_NAME="webhooks",
        TABLE_NAME="webhooks", EVENT_BUS_NAME="bus", DATA_KEY_ID="k", STAGE="local", AUTH_MODE="jwt",
        DELIVERY_QUEUE_URL=f"{queue}/delivery", DEAD_LETTER_QUEUE_URL=f"{queue}/dead", JOBS_QUEUE_URL=f"{queue}/jobs",
        INGEST_QUEUE_URL=f"{queue}/ingest", INGEST_DEAD_LETTER_QUEUE_URL=f"{queue}/ingest-dead",
        SENDER_FUNCTION_NAME="sender", EGRESS_ALLOW_HTTP="true", EGRESS_ALLOWED_NETWORKS="127.0.0.0/8",
        EGRESS_PORTS="1-65535", TENANT_RATE_LIMIT="0", HOST_REQUESTS_PER_SECOND="10000000",  # all to one host
    )  # fmt: skip


def load(name: str) -> Any:
    """A function's module."""
    folder = PROJECT / "functions" / name
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(f"bench_{name}", folder / "app.py")
    if spec is None or spec.loader is None:
        raise LookupError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sender(authority: str, resolver: Resolver | None = None) -> Handler:
    """The sender's handler as functions/sender/app.py has it built, trusting the stub's authority instead of the public
    ones."""
    settings = SenderSettings.read(os.environ)
    tls = ssl.create_default_context(cafile=authority)
    transport = HttpTransport(EgressPolicy.from_settings(settings), tls=tls, resolver=resolver)
    logger = Logger(service="webhooks", level=settings.log_level)
    handler = sender_function.build(settings, Clients(), transport, asyncio.new_event_loop(), logger)
    settle()
    return handler


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def seed_webhooks(stub: Stub, urls: Sequence[str], **changes: Mapping[str, Any]) -> list[str]:
    """Webhooks of user 789 in workspace 456, and the wrapped data key; returns their ids."""
    ids = [new_id("wh", now_ms()) for _ in urls]
    items = [_webhook(each, url) | changes for each, url in zip(ids, urls, strict=True)]
    wrapped = {"B": base64.b64encode(b"wrapped").decode()}
    data_key = {"pk": {"S": "datakey"}, "sk": {"S": "datakey"}, "wrapped": wrapped}
    stub.control("Seed", items=[*items, data_key, _signing_keys()])
    return ids


def _sealed(text: str, context: str) -> Item:
    sealed = AESGCM(PLAIN_KEY).encrypt(b"0" * 12, text.encode(), context.encode())
    return {"B": base64.b64encode(b"\x01" + b"0" * 12 + sealed).decode()}


def _signing_keys() -> Item:
    keys = SealedKeys(b"", 1)
    sealed = _sealed(keys_text([SigningKey(b"0" * 32, 1)]), keys.context)
    return {"pk": {"S": "signingkeys"}, "sk": {"S": "signingkeys"}, "sealed": sealed, "version": {"N": "1"}}


def _webhook(webhook_id: str, url: str) -> Item:
    return {
        "pk": {"S": webhook_id}, "sk": {"S": "webhook"}, "user_id": {"N": "789"}, "workspace_id": {"N": "456"},
        "name": {"S": "n"}, "url": {"S": url}, "description": {"S": ""}, "metadata": {"S": "{}"},
        "header_names": {"S": "[]"}, "sealed": _sealed(sealed_text(Sealed(SECRET)), f"789|{webhook_id}|1"),
        "sealed_version": {"N": "1"}, "max_retries": {"N": "9"}, "timeout_seconds": {"N": "15"},
        "status": {"S": "active"}, "version": {"N": "1"}, "created_at_ms": {"N": "1"}, "updated_at_ms": {"N": "1"},
    }  # fmt: skip


def delivery_record(message: DeliveryMessage) -> dict[str, Any]:
    """A delivery message as Lambda hands it over."""
    return {
        "messageId": message.event_id, "receiptHandle": "r", "body": message.body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(now_ms())},
        "messageAttributes": {"meta": {"stringValue": message.meta(), "dataType": "String"}},
    }  # fmt: skip


def ingest_record(message_id: str, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A message of the api's on the ingest queue."""
    return {
        "messageId": message_id, "receiptHandle": "r", "body": json.dumps({"token": message_id, "events": events}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(now_ms())}, "messageAttributes": {},
    }  # fmt: skip


def bus_record(name: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """EventBridge's envelope of an event on the ingest queue, as its rule puts it there."""
    envelope = {
        "version": "0", "id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)), "detail-type": event["type"],
        "source": "pyairtable", "account": "000000000000", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1", "resources": [], "detail": event,
    }  # fmt: skip
    return {**ingest_record(name, []), "body": json.dumps(envelope)}

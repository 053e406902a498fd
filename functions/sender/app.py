"""Lambda: delivery messages become HTTP requests, and their outcomes are recorded. Also makes test deliveries."""

import asyncio
import gc
import os
import random
import secrets
import time
from logging import INFO
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import client, credentials
from webhooks.aws.kms import KmsSecretBox
from webhooks.aws.sqs import Queue, SqsDeliveries
from webhooks.batch_log import SENDER, BatchLog, Context, oldest_ms
from webhooks.delivery import circuit_breaker
from webhooks.delivery.admission import Admission, SenderPolicy
from webhooks.delivery.conclusion import Conclusion
from webhooks.delivery.dispatcher import Sender
from webhooks.delivery.endpoint_health import EndpointHealth
from webhooks.delivery.test_send import TestSender
from webhooks.egress.policy import EgressPolicy
from webhooks.egress.transport import HttpTransport
from webhooks.errors import Unavailable
from webhooks.messages import failures, received_deliveries
from webhooks.request.signed_request import RequestSigner
from webhooks.settings import SenderSettings
from webhooks.store.data_key import DataKeyStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.direct import direct
from webhooks.store.disabling import WebhookDisabler
from webhooks.store.duplicates import Duplicates
from webhooks.store.dynamo import DynamoTable
from webhooks.store.schema import COUNTER_SHARDS
from webhooks.store.states import StateStore

DAY_MS = 86_400_000


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = SenderSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
sqs = client("sqs")
table = DynamoTable(direct(client("dynamodb"), credentials()), settings.table_name)
store = DeliveryContextStore(table, settings.retention_ms, now_ms)
states = StateStore(table)
data_keys = DataKeyStore(table)
box = KmsSecretBox(client("kms"), data_keys.load, data_keys.store_if_absent, settings.data_key_id)
signer = RequestSigner(box, prefix=settings.header_prefix, user_agent=settings.user_agent)
transport = HttpTransport(
    EgressPolicy.from_settings(
        ports=settings.egress_ports,
        allow_http=settings.egress_allow_http,
        networks=settings.egress_allowed_networks,
        own_hosts=settings.own_hosts,
        dns64_prefixes=settings.egress_dns64_prefixes,
    )
)
dead_letters = SqsDeliveries(Queue(sqs, settings.dead_letter_queue_url))
policy = SenderPolicy(settings.retry_base_seconds, settings.max_wait_days * DAY_MS)
conclusion = Conclusion(
    store,
    states,
    SqsDeliveries(Queue(sqs, settings.delivery_queue_url)),
    dead_letters,
    EndpointHealth(states, WebhookDisabler(table), circuit_breaker.Policy()),
    now_ms=now_ms,
)
sender = Sender(
    store,
    Admission(states, policy, now_ms=now_ms),
    transport,
    signer,
    conclusion,
    policy,
    now_ms=now_ms,
    random=random.random,
)
test_events = TestSender(store, transport, signer, now_ms=now_ms)
loop = asyncio.new_event_loop()  # one for the life of the process: the connection pool lives in it
duplicates = Duplicates(table, secrets.randbelow(COUNTER_SHARDS))
batch_log = BatchLog(SENDER, now_ms=now_ms)
gc.freeze()  # what was made so far stays, so there is no use in looking through it
gc.set_threshold(10_000)  # nor in looking for cycles at every 700th object: that took a tenth of a batch's CPU


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """SQS batch in, ids of the messages that stay out; or {"test": {"webhook_id", "event"}} in, a TestResult out."""
    logger.append_keys(function_request_id=context.aws_request_id)
    if "test" in event:
        test = event["test"]
        result = loop.run_until_complete(test_events.send_test(test["webhook_id"], test["event"]))
        logger.info("test delivery", extra={"webhook_id": test["webhook_id"], "succeeded": result.succeeded})
        return result.model_dump(mode="json")
    batch, unreadable = received_deliveries(event["Records"])
    report = loop.run_until_complete(sender.deliver(batch))
    for each in unreadable:
        logger.error("unreadable message", extra={"message_id": each.message_id, "reason": each.reason})
    try:
        dead_letters.pass_on(unreadable)
    except Unavailable:
        logger.exception("unreadable messages stay in the queue")
        report.again.update(each.message_id for each in unreadable)
    batch_log.line(
        "batch sent",
        context,
        **{**report.counts(), "steps": _steps(report.steps)},
        unreadable=len(unreadable),
        oldest_ms=oldest_ms(event["Records"], now_ms()),
    )
    duplicates.note("delivery", report.dropped)
    return failures(report.again)


def _steps(steps: list[str]) -> list[str] | None:
    return steps if logger.log_level <= INFO else None

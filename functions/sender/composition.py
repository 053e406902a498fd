"""The sender put together: what it is made of, and what a batch goes through."""

import asyncio
from logging import INFO
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import Clients
from webhooks.aws.kms import KmsSecretBox
from webhooks.aws.sqs import Queue, SqsDeliveries
from webhooks.batch_log import SENDER, BatchLog, Context, Handler, oldest_ms
from webhooks.delivery import circuit_breaker
from webhooks.delivery.admission import Admission, SenderPolicy
from webhooks.delivery.conclusion import Conclusion
from webhooks.delivery.dispatcher import Sender, Transport
from webhooks.delivery.endpoint_health import EndpointHealth
from webhooks.delivery.host_limit import HostLimit, HostPolicy
from webhooks.delivery.test_send import TestSender
from webhooks.errors import Unavailable
from webhooks.messages import failures, received_deliveries
from webhooks.request.signed_request import RequestSigner
from webhooks.request.signing_keys import SigningKeys
from webhooks.runtime import MACHINE, Runtime
from webhooks.settings import SenderSettings
from webhooks.store.data_key import DataKeyStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.disabling import WebhookDisabler
from webhooks.store.duplicates import Duplicates
from webhooks.store.dynamo import DynamoTable
from webhooks.store.host_counts import HostCountStore
from webhooks.store.schema import counter_shard
from webhooks.store.signing_keys import SigningKeyReader
from webhooks.store.states import StateStore

DAY_MS = 86_400_000


def build(
    settings: SenderSettings,
    clients: Clients,
    transport: Transport,
    loop: asyncio.AbstractEventLoop,
    logger: Logger,
    runtime: Runtime = MACHINE,
) -> Handler:
    """The handler. `loop` serves the process for all its life: the transport's connections live in it."""
    now_ms, sleep = runtime.now_ms, runtime.sleep
    table = DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep)
    store, states = DeliveryContextStore(table, settings.retention_ms, now_ms), StateStore(table)
    data_keys = DataKeyStore(table)
    box = KmsSecretBox(clients.kms, data_keys.load, data_keys.store_if_absent, settings.data_key_id)
    keys = SigningKeys(SigningKeyReader(table), box)
    signer = RequestSigner(box, keys, prefix=settings.header_prefix, user_agent=settings.user_agent)
    dead_letters = SqsDeliveries(Queue(clients.hot_sqs, settings.dead_letter_queue_url, sleep=sleep))
    policy = SenderPolicy(
        settings.retry_base_seconds,
        settings.max_wait_days * DAY_MS,
        settings.slow_attempts_per_tenant,
        settings.static_egress,
        settings.keep_success_answers,
    )
    deliveries = SqsDeliveries(Queue(clients.hot_sqs, settings.delivery_queue_url, sleep=sleep))
    health = EndpointHealth(states, WebhookDisabler(table), circuit_breaker.Policy())
    conclusion = Conclusion(store, states, deliveries, dead_letters, health, now_ms=now_ms)
    host_policy = HostPolicy(settings.host_requests_per_second, settings.sender_maximum_concurrency)
    hosts = HostLimit(HostCountStore(table), host_policy, now_ms=now_ms)
    admission = Admission(states, policy, hosts, now_ms=now_ms)
    sender = Sender(
        store,
        admission,
        transport,
        signer,
        conclusion,
        policy,
        deliveries,
        health,
        now_ms=now_ms,
        random=runtime.random,
    )
    test_sender = TestSender(store, transport, signer, static_egress=settings.static_egress, now_ms=now_ms)
    duplicates = Duplicates(table, counter_shard(runtime.random()))
    batch_log = BatchLog(
        SENDER,
        now_ms=now_ms,
        detailed=logger.log_level <= INFO,
        function=settings.metrics_function,
        write=runtime.write,
    )

    def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
        """SQS batch in, ids to receive again out; or {"test": {"webhook_id", "event", "body"?}} in, a TestResult
        out."""
        logger.append_keys(function_request_id=context.aws_request_id)
        return send_test(event["test"]) if "test" in event else send_batch(event["Records"], context)

    def send_test(test: dict[str, Any]) -> dict[str, Any]:
        sent = test_sender.send_test(test["webhook_id"], test["event"], test.get("body"))
        result = loop.run_until_complete(sent)
        logger.info("test delivery", extra={"webhook_id": test["webhook_id"], "succeeded": result.succeeded})
        return result.model_dump(mode="json")

    def send_batch(records: list[dict[str, Any]], context: Context) -> dict[str, Any]:
        batch, unreadable = received_deliveries(records)
        deadline_ms = now_ms() + context.get_remaining_time_in_millis()
        report = loop.run_until_complete(sender.deliver(batch, deadline_ms))
        report.unreadable += len(unreadable)
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
            **report.counts(),
            steps=report.steps,
            oldest_ms=oldest_ms(records, now_ms()),
        )
        duplicates.note("delivery", report.dropped)
        return failures(report.again)

    return handler

"""Lambda: messages of the dead-letter queue become dead letters; replay jobs send dead letters again."""

import json
import os
import time
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import client
from webhooks.aws.eventbridge import EventBridgeBus
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsJobs
from webhooks.batch_log import REPLAY, REPLAY_JOBS, BatchLog
from webhooks.errors import Unavailable
from webhooks.messages import failures, received_deliveries
from webhooks.recovery.dead_letter_writer import DeadLetterWriter
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_jobs import ReplayJobs
from webhooks.recovery.replay_source import ReplaySource
from webhooks.settings import ReplaySettings
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.missed import MissedStore
from webhooks.store.replay_jobs import ReplayJobStore

MARGIN_MS = 15_000  # left of the function's timeout when a job stops and goes on in the next invocation


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = ReplaySettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
sqs = client("sqs")
table = DynamoTable(client("dynamodb"), settings.table_name)
store = DeliveryContextStore(table, settings.retention_ms, now_ms)
letters = DeadLetterStore(table, settings.retention_ms, now_ms)
publisher = EventBridgeBus(partial(client, "events"), settings.event_bus_name, settings.event_source)
dead_letter_writer = DeadLetterWriter(store, letters, publisher, now_ms=now_ms)
jobs = ReplayJobs(
    ReplayJobStore(table, settings.retention_ms, now_ms),
    ReplaySource(letters, MissedStore(table, now_ms)),
    Replayer(store, letters, SqsDeliveries(Queue(sqs, settings.delivery_queue_url)), now_ms=now_ms),
    SqsJobs(Queue(sqs, settings.jobs_queue_url)),
    now_ms=now_ms,
)
burial_log = BatchLog(REPLAY, now_ms=now_ms)
jobs_log = BatchLog(REPLAY_JOBS, now_ms=now_ms)
jobs_queue_name = settings.jobs_queue_url.rsplit("/", 1)[-1]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own class
    """SQS batch of either queue in, ids of the messages to receive again out."""
    logger.append_keys(function_request_id=context.aws_request_id)
    records: list[dict[str, Any]] = event["Records"]
    if records[0]["eventSourceARN"].rsplit(":", 1)[-1] == jobs_queue_name:
        return failures(_run_jobs(records, context))
    return failures(_bury(records, context))


def _run_jobs(records: list[dict[str, Any]], context: Any) -> list[str]:  # noqa: ANN401
    deadline_ms = now_ms() + context.get_remaining_time_in_millis() - MARGIN_MS
    failed: list[str] = []
    for record in records:
        try:
            job = jobs.run(json.loads(record["body"])["job_id"], deadline_ms)
        except (Unavailable, ValueError, KeyError, TypeError):
            logger.exception("job message stays in the queue", extra={"message_id": record["messageId"]})
            failed.append(record["messageId"])
            continue
        if job is not None:
            progress = {"replayed": job.replayed, "total": job.total, "status": job.status}
            logger.info("replay job", extra={"job_id": job.job_id, "webhook_id": job.webhook_id, **progress})
    jobs_log.line("jobs run", context, jobs=len(records), failed=len(failed))
    return failed


def _bury(records: list[dict[str, Any]], context: Any) -> list[str]:  # noqa: ANN401
    batch, unreadable = received_deliveries(records)
    try:
        for each in unreadable:
            logger.error("unreadable message", extra={"message_id": each.message_id, "reason": each.reason})
            letters.keep_unreadable(each.message_id, each.record["body"], each.meta, each.reason)
        buried = dead_letter_writer.bury(batch)
    except Unavailable:
        logger.exception("batch returned to the queue")
        burial_log.line("dead letters kept", context, received=len(records), failed=len(records))
        return [record["messageId"] for record in records]
    burial_log.line(
        "dead letters kept", context, received=len(records), buried=buried, unreadable=len(unreadable), failed=0
    )
    return []

"""Lambda: each minute, what waits outside SQS goes back in when its time has come."""

import os
import time
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws import client
from webhooks.queue import Queue, SqsDeliveries
from webhooks.release import Release
from webhooks.settings import ReleaseSettings
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore
from webhooks.store.waiting import DUE_SHARDS, WaitingStore

MARGIN_MS = 10_000  # left of the function's timeout when draining stops until the next minute


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = ReleaseSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
table = DynamoTable(client("dynamodb"), settings.table_name)
release = Release(
    WaitingStore(table, settings.retention_ms, now_ms),
    StateStore(table),
    SqsDeliveries(Queue(client("sqs"), settings.delivery_queue_url)),
    shards=DUE_SHARDS,
    now_ms=now_ms,
)


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own class
    """Schedule in, what was released out."""
    report = release.run(now_ms() + context.get_remaining_time_in_millis() - MARGIN_MS)
    logger.info("run", extra=asdict(report))
    return asdict(report)

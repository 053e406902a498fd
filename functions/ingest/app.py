"""Lambda: events from the ingest queue become delivery messages."""

import os
import secrets
import time
from dataclasses import asdict
from logging import INFO
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import client, credentials
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsIngest
from webhooks.batch_log import INGEST, BatchLog, Context, oldest_ms
from webhooks.events.ingestion import Ingestion
from webhooks.matching.route_cache import RouteCache
from webhooks.messages import failures, received_text
from webhooks.settings import IngestSettings
from webhooks.store.direct import direct
from webhooks.store.duplicates import Duplicates
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.routes import RouteStore
from webhooks.store.schema import COUNTER_SHARDS


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = IngestSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
sqs = client("sqs")
table = DynamoTable(direct(client("dynamodb"), credentials()), settings.table_name)
ingestion = Ingestion(
    RouteCache(RouteStore(table)),
    EventStore(table, settings.retention_ms),
    SqsDeliveries(Queue(sqs, settings.delivery_queue_url)),
    SqsIngest(Queue(sqs, settings.ingest_queue_url)),
    SqsIngest(Queue(sqs, settings.ingest_dead_letter_queue_url)),
    event_types=settings.event_types,
    now_ms=now_ms,
)
duplicates = Duplicates(table, secrets.randbelow(COUNTER_SHARDS))
batch_log = BatchLog(INGEST, now_ms=now_ms)


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """SQS batch in, ids of the messages to receive again out."""
    logger.append_keys(function_request_id=context.aws_request_id)
    report = ingestion.ingest([received_text(record) for record in event["Records"]])
    batch_log.line(
        "batch ingested",
        context,
        **{
            **asdict(report),
            "failed": len(report.failed),
            "steps": _steps(report.steps),
        },
        oldest_ms=oldest_ms(event["Records"], now_ms()),
    )
    duplicates.note("event", report.duplicates)
    return failures(report.failed)


def _steps(steps: list[str]) -> list[str] | None:
    return steps if logger.log_level <= INFO else None

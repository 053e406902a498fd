"""Lambda: events from the ingest queue become delivery messages."""

import os
import time
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws import client
from webhooks.ingestion import Ingestion
from webhooks.messages import failures, received_text
from webhooks.queue import Queue, SqsDeliveries, SqsIngest
from webhooks.route_cache import RouteCache
from webhooks.settings import IngestSettings
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.routes import RouteStore

settings = IngestSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
sqs = client("sqs")
table = DynamoTable(client("dynamodb"), settings.table_name)
ingestion = Ingestion(
    RouteCache(RouteStore(table)),
    EventStore(table, settings.retention_ms),
    SqsDeliveries(Queue(sqs, settings.delivery_queue_url)),
    SqsIngest(Queue(sqs, settings.ingest_queue_url)),
    SqsIngest(Queue(sqs, settings.ingest_dead_letter_queue_url)),
    event_types=settings.event_types,
    now_ms=lambda: time.time_ns() // 1_000_000,
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """SQS batch in, ids of the messages to receive again out."""
    report = ingestion.ingest([received_text(record) for record in event["Records"]])
    logger.info("batch ingested", extra={**asdict(report), "failed": len(report.failed)})
    return failures(report.failed)

"""Ingest put together: what it is made of, and what a batch goes through."""

from logging import INFO
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import Clients
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsIngest
from webhooks.batch_log import INGEST, BatchLog, Context, Handler, oldest_ms
from webhooks.events.fan_out import FanOut
from webhooks.events.ingestion import Ingestion
from webhooks.matching.route_cache import RouteCache
from webhooks.messages import failures, received_text
from webhooks.runtime import MACHINE, Runtime
from webhooks.settings import IngestSettings
from webhooks.store.duplicates import Duplicates
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.pulls import PullStore
from webhooks.store.repeats import RepeatStore
from webhooks.store.routes import RouteStore
from webhooks.store.schema import counter_shard


def build(
    settings: IngestSettings,
    clients: Clients,
    logger: Logger,
    runtime: Runtime = MACHINE,
) -> Handler:
    """The handler."""
    now_ms, sleep = runtime.now_ms, runtime.sleep
    table = DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep)
    ingest_queue = SqsIngest(Queue(clients.hot_sqs, settings.ingest_queue_url, sleep=sleep))
    ingestion = Ingestion(
        RouteCache(RouteStore(table)),
        EventStore(table, settings.retention_ms, settings.event_ms, listed=settings.list_events),
        RepeatStore(table, settings.retention_ms),
        FanOut(
            SqsDeliveries.of(
                clients.hot_sqs, settings.delivery_queue_url, settings.static_delivery_queue_url, sleep=sleep
            ),
            PullStore(table, settings.retention_ms, now_ms),
            ingest_queue,
            now_ms,
        ),
        ingest_queue,
        SqsIngest(Queue(clients.hot_sqs, settings.ingest_dead_letter_queue_url, sleep=sleep)),
        event_types=settings.event_types,
        now_ms=now_ms,
        cpu_seconds=runtime.cpu_seconds,
        random=runtime.random,
    )
    duplicates = Duplicates(table, counter_shard(runtime.random()))
    batch_log = BatchLog(INGEST, now_ms=now_ms, detailed=logger.log_level <= INFO, write=runtime.write)

    def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
        """SQS batch in, ids of the messages to receive again out."""
        logger.append_keys(function_request_id=context.aws_request_id)
        deadline_ms = now_ms() + context.get_remaining_time_in_millis()
        report = ingestion.ingest([received_text(record) for record in event["Records"]], deadline_ms)
        batch_log.line(
            "batch ingested",
            context,
            **report.counts(),
            steps=report.steps,
            oldest_ms=oldest_ms(event["Records"], now_ms()),
        )
        duplicates.note("event", report.duplicates)
        duplicates.note("conflict", report.conflicts)
        return failures(report.failed)

    return handler

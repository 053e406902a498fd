"""Replay put together: what it is made of, and what messages of its two queues go through."""

import json
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import Clients
from webhooks.aws.eventbridge import EventBridgeBus
from webhooks.aws.sqs import Queue, SqsDeliveries, SqsJobs
from webhooks.batch_log import REPLAY, REPLAY_JOBS, BatchLog, Context, Handler
from webhooks.messages import failures, received_deliveries
from webhooks.recovery.dead_letter_writer import DeadLetterWriter
from webhooks.recovery.erasure_jobs import ErasureJobs
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_jobs import ReplayJobs
from webhooks.recovery.replay_source import ReplaySource
from webhooks.runtime import MACHINE, Runtime
from webhooks.settings import ReplaySettings
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.erasing import TenantStore
from webhooks.store.erasures import ErasureStore
from webhooks.store.missed import MissedStore
from webhooks.store.pulls import PullStore
from webhooks.store.replay_jobs import ReplayJobStore

MARGIN_MS = 15_000  # left of the function's timeout when a job stops and goes on in the next invocation


def build(
    settings: ReplaySettings,
    clients: Clients,
    logger: Logger,
    runtime: Runtime = MACHINE,
) -> Handler:
    """The handler."""
    now_ms, sleep = runtime.now_ms, runtime.sleep
    table = DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep)
    store = DeliveryContextStore(table, settings.retention_ms, now_ms)
    letters = DeadLetterStore(table, settings.retention_ms, now_ms)
    publisher = EventBridgeBus(lambda: clients.events, settings.event_bus_name, settings.event_source)
    dead_letter_writer = DeadLetterWriter(store, letters, publisher, now_ms=now_ms)
    deliveries = SqsDeliveries.of(
        clients.hot_sqs, settings.delivery_queue_url, settings.static_delivery_queue_url, sleep=sleep
    )
    jobs_queue = SqsJobs(Queue(clients.hot_sqs, settings.jobs_queue_url, sleep=sleep))
    erasures = ErasureJobs(
        ErasureStore(table, now_ms),
        TenantStore(table, store, settings.retention_ms, now_ms),
        jobs_queue,
        now_ms=now_ms,
    )
    jobs = ReplayJobs(
        ReplayJobStore(table, settings.retention_ms, now_ms),
        ReplaySource(letters, MissedStore(table, now_ms), store),
        Replayer(store, letters, deliveries, PullStore(table, settings.retention_ms, now_ms), now_ms=now_ms),
        jobs_queue,
        now_ms=now_ms,
    )
    burial_log = BatchLog(REPLAY, now_ms=now_ms, write=runtime.write)
    jobs_log = BatchLog(REPLAY_JOBS, now_ms=now_ms, write=runtime.write)
    jobs_queue_name = settings.jobs_queue_url.rsplit("/", 1)[-1]

    def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
        """SQS batch of either queue in, ids of the messages to receive again out."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records: list[dict[str, Any]] = event["Records"]
        if records[0]["eventSourceARN"].rsplit(":", 1)[-1] == jobs_queue_name:
            return failures(run_jobs(records, context))
        return failures(bury(records, context))

    def run_jobs(records: list[dict[str, Any]], context: Context) -> list[str]:
        deadline_ms = now_ms() + context.get_remaining_time_in_millis() - MARGIN_MS
        failed: list[str] = []
        for record in records:
            try:
                run_job(json.loads(record["body"]), deadline_ms)
            except Exception:  # whatever one job brings out must not cost the others anything
                logger.exception("job message stays in the queue", extra={"message_id": record["messageId"]})
                failed.append(record["messageId"])
        jobs_log.line("jobs run", context, jobs=len(records), failed=len(failed))
        return failed

    def run_job(message: dict[str, Any], deadline_ms: int) -> None:
        if "erase" in message:
            erasure = erasures.run(message["erase"], deadline_ms)
            if erasure is not None:
                progress = {"items_read": erasure.looked_at, "items_erased": erasure.items, "status": erasure.status}
                logger.info("erasure", extra={"tenant": erasure.scope, **progress})
            return
        job = jobs.run(message["job_id"], deadline_ms)
        if job is not None:
            progress = {"replayed": job.replayed, "total": job.total, "status": job.status}
            logger.info("replay job", extra={"job_id": job.job_id, "webhook_id": job.webhook_id, **progress})

    def bury(records: list[dict[str, Any]], context: Context) -> list[str]:
        batch, unreadable = received_deliveries(records)
        report = dead_letter_writer.bury(batch, unreadable)
        counts = {"buried": report.buried, "lost": report.lost, "unreadable": report.unreadable}
        burial_log.line("dead letters kept", context, received=len(records), **counts, failed=len(report.again))
        return list(report.again)

    return handler

"""Lambda: each minute, what waits outside SQS goes back in when its time has come."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import client, credentials
from webhooks.aws.sqs import Queue, SqsDeliveries
from webhooks.batch_log import RELEASE, BatchLog
from webhooks.delivery.release import Release
from webhooks.errors import Unavailable
from webhooks.settings import ReleaseSettings
from webhooks.statistics.counts import PARKED, by_reason
from webhooks.store.direct import direct
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore
from webhooks.store.statistics import StatisticsReader
from webhooks.store.waiting import DUE_SHARDS, WaitingStore

MARGIN_MS = 10_000  # left of the function's timeout when draining stops until the next minute
THREADS = 8  # boto3's clients keep ten connections
CIRCUITS_COUNTED = 1_000


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = ReleaseSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
table = DynamoTable(direct(client("dynamodb"), credentials()), settings.table_name)
release = Release(
    WaitingStore(table, settings.retention_ms, now_ms),
    StateStore(table),
    SqsDeliveries(Queue(client("sqs"), settings.delivery_queue_url)),
    shards=DUE_SHARDS,
    now_ms=now_ms,
    each=ThreadPoolExecutor(THREADS).map,
)
statistics = StatisticsReader(table)
run_log = BatchLog(RELEASE, now_ms=now_ms)


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own class
    """Schedule in, what was released out."""
    logger.append_keys(function_request_id=context.aws_request_id)
    report = release.run(now_ms() + context.get_remaining_time_in_millis() - MARGIN_MS)
    run_log.line("run", context, **{**asdict(report), "out_of_time": int(report.out_of_time)}, **_gauges())
    return asdict(report)


def _gauges() -> dict[str, int]:
    """What stands at this minute, for the alarms; nothing when it cannot be read now."""
    try:
        waiting = by_reason(statistics.service(), PARKED)
        circuits = statistics.circuits(CIRCUITS_COUNTED)
    except Unavailable as exc:
        logger.warning("gauges are left out", extra={"cause": str(exc)})
        return {}
    held = sum(max(0, count) for reason, count in waiting.items() if reason not in ("retry", "paused"))
    return {"open_circuits": len(circuits), "waiting_deliveries": held}

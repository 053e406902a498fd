"""Lambda: the table's stream becomes statistics, counters and operational events."""

import os
import random
import secrets
import time
from dataclasses import asdict
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import client
from webhooks.aws.eventbridge import EventBridgeBus
from webhooks.batch_log import ROLLUP, BatchLog, Context
from webhooks.messages import failures
from webhooks.settings import RollupSettings
from webhooks.statistics.rollup import Rollup
from webhooks.store.dynamo import DynamoTable
from webhooks.store.schema import COUNTER_SHARDS
from webhooks.store.statistics import StatisticsStore
from webhooks.store.stream import stream_records


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


settings = RollupSettings.read(os.environ)
logger = Logger(service="webhooks", level=settings.log_level)
rollup = Rollup(
    StatisticsStore(
        DynamoTable(client("dynamodb"), settings.table_name),
        shard=secrets.randbelow(COUNTER_SHARDS),
        retention_ms=settings.retention_ms,
        now_ms=now_ms,
    ),
    EventBridgeBus(partial(client, "events"), settings.event_bus_name, settings.event_source),
    sleep=time.sleep,
    random=random.random,
    now_ms=now_ms,
)
batch_log = BatchLog(ROLLUP, now_ms=now_ms)


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """A batch of the stream in; where to begin again out, when not all could be counted."""
    logger.append_keys(function_request_id=context.aws_request_id)
    records, unreadable = stream_records(event["Records"])
    report = rollup.add_up(records)
    batch_log.line("batch added up", context, received=len(event["Records"]), unreadable=unreadable, **asdict(report))
    return failures([] if report.failed_from is None else [report.failed_from])

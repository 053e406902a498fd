"""Rollup put together: what it is made of, and what a batch goes through."""

from dataclasses import asdict
from logging import DEBUG
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import Clients
from webhooks.aws.eventbridge import EventBridgeBus
from webhooks.batch_log import ROLLUP, BatchLog, Context, Handler
from webhooks.errors import Unavailable
from webhooks.messages import failures
from webhooks.runtime import MACHINE, Runtime
from webhooks.settings import RollupSettings
from webhooks.statistics.rollup import Rollup
from webhooks.store.beats import Beats
from webhooks.store.dynamo import DynamoTable
from webhooks.store.schema import counter_shard
from webhooks.store.statistics import StatisticsStore
from webhooks.store.stream import newest_beat, stream_records


def build(
    settings: RollupSettings,
    clients: Clients,
    logger: Logger,
    runtime: Runtime = MACHINE,
) -> Handler:
    """The handler."""
    now_ms, sleep = runtime.now_ms, runtime.sleep
    rollup = Rollup(
        StatisticsStore(
            DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep),
            shard=counter_shard(runtime.random()),
            retention_ms=settings.retention_ms,
            now_ms=now_ms,
        ),
        EventBridgeBus(lambda: clients.events, settings.event_bus_name, settings.event_source),
        sleep=sleep,
        random=runtime.random,
        now_ms=now_ms,
    )
    beats = Beats(DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep))
    batch_log = BatchLog(ROLLUP, now_ms=now_ms, write=runtime.write)

    def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
        """A batch of the stream in; where to begin again out, when not all could be counted."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records, unreadable = stream_records(event["Records"])
        report = rollup.add_up(records)
        if report.failed_from is None:
            pass_on(newest_beat(event["Records"]))
        if unreadable or report.failed_from is not None or logger.log_level <= DEBUG:  # Lambda's metrics count the rest
            received = len(event["Records"])
            batch_log.line("batch added up", context, received=received, unreadable=unreadable, **asdict(report))
        return failures([] if report.failed_from is None else [report.failed_from])

    def pass_on(beat: int | None) -> None:
        try:
            if beat is not None:
                beats.note("rollup", beat)
        except Unavailable as exc:  # the next minute brings another
            logger.warning("a beat is left out", extra={"cause": str(exc)})

    return handler

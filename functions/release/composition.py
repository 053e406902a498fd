"""Release put together: what it is made of, and what a run does."""

from dataclasses import asdict
from typing import Any

from aws_lambda_powertools import Logger

from webhooks.aws.clients import Clients
from webhooks.aws.sqs import SqsDeliveries
from webhooks.batch_log import RELEASE, BatchLog, Context, Handler
from webhooks.delivery.host_limit import HostPolicy
from webhooks.delivery.release import Mapper, Release
from webhooks.errors import Unavailable
from webhooks.runtime import MACHINE, Runtime
from webhooks.settings import ReleaseSettings
from webhooks.statistics.counts import PARKED, by_reason
from webhooks.store.beats import Beats, lags_ms
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore
from webhooks.store.statistics import StatisticsReader
from webhooks.store.waiting import DUE_SHARDS, WaitingStore

MARGIN_MS = 10_000  # left of the function's timeout when draining stops until the next minute
CIRCUITS_COUNTED = 1_000


def build(
    settings: ReleaseSettings,
    clients: Clients,
    logger: Logger,
    *,
    each: Mapper = map,
    runtime: Runtime = MACHINE,
) -> Handler:
    """The handler. `each` is a `map` that may work on several shards and rooms at once."""
    now_ms, sleep = runtime.now_ms, runtime.sleep
    table = DynamoTable(clients.hot_dynamodb, settings.table_name, sleep=sleep)
    release = Release(
        WaitingStore(table, settings.retention_ms, now_ms),
        StateStore(table),
        SqsDeliveries.of(clients.hot_sqs, settings.delivery_queue_url, settings.static_delivery_queue_url, sleep=sleep),
        shards=DUE_SHARDS,
        slow_places=settings.slow_attempts_per_tenant,
        hosts=HostPolicy(settings.host_requests_per_second),
        static_egress=settings.static_delivery_queue_url is not None,
        now_ms=now_ms,
        each=each,
    )
    statistics = StatisticsReader(table)
    beats = Beats(table)
    run_log = BatchLog(RELEASE, now_ms=now_ms, write=runtime.write)

    def handler(_event: dict[str, Any], context: Context) -> dict[str, Any]:
        """Schedule in, what was released out."""
        logger.append_keys(function_request_id=context.aws_request_id)
        report = release.run(now_ms() + context.get_remaining_time_in_millis() - MARGIN_MS)
        run_log.line("run", context, **{**asdict(report), "out_of_time": int(report.out_of_time)}, **gauges())
        return asdict(report)

    def gauges() -> dict[str, int]:
        """What stands at this minute, for the alarms, and a mark of it for rollup; nothing when that fails now."""
        try:
            waiting = by_reason(statistics.service(), PARKED)
            circuits = statistics.circuits(CIRCUITS_COUNTED)
            lags = lags_ms(beats.read(), now_ms())
            beats.note("release", now_ms())
        except Unavailable as exc:
            logger.warning("gauges are left out", extra={"cause": str(exc)})
            return {}
        held = sum(max(0, count) for reason, count in waiting.items() if reason not in ("retry", "paused"))
        return {"open_circuits": len(circuits), "waiting_deliveries": held, "rollup_lag_ms": lags.get("rollup", 0)}

    return handler

"""Lambda's event source mapping for the table's stream: shards in order, batches that come again, whole or in part."""

from typing import TYPE_CHECKING, Any

from tests.fakes.dynamo_table import FakeTable
from tests.fakes.functions import COMPOSITIONS, Handler, Services
from tests.fakes.stream_source import Record, lambda_record
from tests.simulation.engine import Engine
from tests.simulation.scenario import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.scheduler import Fiber

SHARDS = 2
BATCH = 100
HAZARD_RATE = 0.02


class Streams:
    """One process for each shard. All records of a partition key are in one shard."""

    def __init__(self, engine: Engine, services: Services, table: FakeTable) -> None:
        self._engine = engine
        self._services = services
        self._table = table
        self._pending: list[list[Record]] = [[] for _ in range(SHARDS)]
        self._parked: dict[int, Fiber] = {}

    def notice(self) -> None:
        """Something was written."""
        for shard, fiber in list(self._parked.items()):
            del self._parked[shard]
            self._engine.scheduler.wake(fiber, self._engine.clock.ms + self._engine.rng.randrange(500, 5_000))

    def is_quiet(self) -> bool:
        """Everything is counted."""
        self._read()
        return not any(self._pending)

    def work(self, shard: int) -> None:
        """Called by the shard's fiber."""
        handler: Handler | None = None
        size = BATCH
        while True:
            self._read()
            if not self._pending[shard]:
                self._park(shard)
                continue
            if self._engine.hits("stream_stalled", "rollup", HAZARD_RATE / 10):
                self._engine.scheduler.sleep_ms(self._engine.rng.randrange(MINUTE, 90 * MINUTE))
            if self._engine.hits("stream_moved", "rollup", HAZARD_RATE):
                size = self._engine.rng.randrange(1, 30)
            if self._engine.hits("recycled", "rollup", HAZARD_RATE):
                handler = None
            handler = handler or COMPOSITIONS["rollup"](self._engine.services_for(self._services, "rollup"))
            batch = self._pending[shard][:size]
            done, died = self._hand_over(handler, batch)
            handler = None if died else handler
            del self._pending[shard][:done]
            size = BATCH if done else max(1, len(batch) // 2)  # BisectBatchOnFunctionError
            if done < len(batch):
                self._engine.scheduler.sleep_ms(self._engine.rng.randrange(200, 5_000))

    def _hand_over(self, handler: Handler, batch: list[Record]) -> tuple[int, bool]:
        """How many records need not come again, and whether the process is gone."""
        answers: list[Mapping[str, Any]] = []
        if not self._engine.alive("rollup", lambda: answers.append(handler({"Records": batch})), 0):
            return 0, True
        failed = [each["itemIdentifier"] for each in answers[0]["batchItemFailures"]]
        if failed:
            return [record["dynamodb"]["SequenceNumber"] for record in batch].index(failed[0]), False
        if self._engine.hits("stream_repeated", "rollup", HAZARD_RATE):
            return self._engine.rng.randrange(len(batch)), False
        return len(batch), False

    def _park(self, shard: int) -> None:
        fiber = self._engine.scheduler.current
        if fiber is None:
            raise RuntimeError("outside of any fiber")
        self._parked[shard] = fiber
        self._engine.scheduler.park()

    def _read(self) -> None:
        for change in self._table.stream:
            if (record := lambda_record(change)) is not None:
                self._pending[sum(change.key[0].encode()) % SHARDS].append(record)
        self._table.stream.clear()

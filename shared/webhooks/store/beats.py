"""A mark that release leaves each minute and rollup passes on, which tells how far behind both are."""

from collections.abc import Mapping
from typing import Literal

from webhooks.store import schema
from webhooks.store.attributes import number, read_int
from webhooks.store.dynamo import DynamoTable

Beating = Literal["release", "rollup"]
STAGES: tuple[Beating, ...] = ("release", "rollup")


class Beats:
    """When release ran last, and which of these moments rollup has come to, in epoch milliseconds."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def note(self, stage: Beating, at_ms: int) -> None:
        """Keep the stage's last one. Raises Unavailable."""
        self._table.update(_key(stage), "SET beat_ms = :at", values={":at": number(at_ms)})

    def read(self) -> Mapping[Beating, int]:
        """Each stage's last one; a stage that never ran has none. Raises Unavailable."""
        found = self._table.get_many([_key(stage) for stage in STAGES])
        return {stage: read_int(item, "beat_ms") for stage in STAGES if (item := found.get(_key(stage)))}


def lags_ms(beats: Mapping[Beating, int], now_ms: int) -> Mapping[Beating, int]:
    """How long ago release ran, and how far rollup is behind release; a stage of which nothing is known is absent.

    Rollup's is 0 or a minute while all is well, since it has nothing to pass on between two of release's.
    """
    if (released := beats.get("release")) is None:
        return {}
    lags: dict[Beating, int] = {"release": max(0, now_ms - released)}
    if (passed_on := beats.get("rollup")) is not None:
        lags["rollup"] = max(0, released - passed_on)
    return lags


def _key(stage: Beating) -> tuple[str, str]:
    return schema.COUNTERS_PK, schema.beat_sk(stage)

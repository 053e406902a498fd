"""Rollup: what the table's stream tells is added up, off the way that deliveries take."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.counting import (
    CircuitChange,
    HistoryRecord,
    HourKey,
    HourUpdate,
    LooseRecord,
    Marks,
    StreamRecord,
    WindowUpdate,
    fold,
    fold_loose,
    parts,
    service_counts,
)
from webhooks.errors import Unavailable
from webhooks.statistics import Counts

RACES = 6

logger = logging.getLogger(__name__)


class StatisticsStore(Protocol):
    """Where the sums are kept. Everything may raise Unavailable."""

    def marks(self, keys: Sequence[HourKey]) -> Mapping[HourKey, Marks]:
        """The marks of these hours; hours without statistics are absent. Consistent."""
        ...

    def windows(self, windows: Sequence[int]) -> Mapping[int, frozenset[bytes]]:
        """The tokens that are counted, by window. Consistent."""
        ...

    def commit(self, hours: Sequence[HourUpdate], windows: Sequence[WindowUpdate], service: Counts) -> bool:
        """All of it or nothing; False when somebody else changed one of them since it was read."""
        ...

    def note_circuit(self, change: CircuitChange) -> None:
        """Keep the list of circuits that are not closed; what is older than what it holds changes nothing."""
        ...


@dataclass(slots=True)
class RollupReport:
    """What one batch came to. `failed_from` is the sequence number of the first record that is to come again."""

    records: int = 0
    counted: int = 0  # less than `records` where some had nothing to count, or were counted before
    failed_from: str | None = None


class Rollup:
    """The use case of functions/rollup."""

    def __init__(self, store: StatisticsStore, *, sleep: Callable[[float], None], random: Callable[[], float]) -> None:
        self._store = store
        self._sleep = sleep
        self._random = random

    def add_up(self, records: Sequence[StreamRecord]) -> RollupReport:
        """Count a batch of one shard of the stream, in its order, up to the first that cannot be counted now."""
        report = RollupReport(records=len(records))
        for part in parts(records):
            try:
                report.counted += self._count_history([each for each in part if isinstance(each, HistoryRecord)])
                report.counted += self._count_loose([each for each in part if isinstance(each, LooseRecord)])
            except Unavailable as exc:
                logger.warning("records from %s on are to come again: %s", part[0].sequence, exc)
                report.failed_from = part[0].sequence
                break
        return report

    def _count_history(self, records: Sequence[HistoryRecord]) -> int:
        keys = list(dict.fromkeys((each.webhook_id, hour) for each in records for hour in each.hours))
        if not keys:
            return 0

        def attempt() -> tuple[bool, int]:
            updates, counted = fold(records, self._store.marks(keys))
            return not updates or self._store.commit(updates, (), service_counts(updates)), counted

        return self._until_nobody_interferes(attempt)

    def _count_loose(self, records: Sequence[LooseRecord]) -> int:
        latest = {each.circuit.webhook_id: each.circuit for each in records if each.circuit is not None}
        for circuit in latest.values():
            self._store.note_circuit(circuit)
        counting = [each for each in records if each.counts]
        if not counting:
            return 0

        def attempt() -> tuple[bool, int]:
            stored = self._store.windows(sorted({each.window for each in counting}))
            updates, service, fresh = fold_loose(counting, stored)
            return not updates or self._store.commit((), updates, service), fresh

        return self._until_nobody_interferes(attempt)

    def _until_nobody_interferes(self, attempt: Callable[[], tuple[bool, int]]) -> int:
        """Other shards write the same items. What seems refused may also be done, its answer lost: the next look at
        the marks tells."""
        cause = Unavailable("others keep changing the same statistics")
        for turn in range(RACES):
            if turn:
                self._sleep(0.02 * 2**turn * self._random())
            try:
                done, counted = attempt()
            except Unavailable as exc:
                cause = exc
                continue
            if done:
                return counted
        raise cause

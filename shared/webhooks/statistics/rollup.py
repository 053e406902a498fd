"""Rollup: adds up and publishes what the table's stream tells, off the path of deliveries."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.delivery.endpoint_state import disabled_at_ms
from webhooks.errors import Unavailable
from webhooks.models.webhook import Webhook
from webhooks.operational_events import EventPublisher, OperationalEvent
from webhooks.statistics.counts import Counts
from webhooks.statistics.exactly_once import (
    CircuitChange,
    HistoryRecord,
    HourKey,
    HourUpdate,
    Marks,
    StatusChange,
    StreamRecord,
    UnorderedRecord,
    WindowUpdate,
    fold,
    fold_unordered,
    parts,
    service_counts,
    total_counts,
)
from webhooks.statistics.transitions import Transition
from webhooks.times import rfc3339

RACES = 6
OWNERS_KEPT = 50_000

logger = logging.getLogger(__name__)


class StatisticsStore(Protocol):
    """Where the sums are kept. Everything may raise Unavailable."""

    def marks(self, keys: Sequence[HourKey]) -> Mapping[HourKey, Marks]:
        """The marks of these hours; hours without statistics are absent. Consistent."""
        ...

    def windows(self, windows: Sequence[int]) -> Mapping[int, frozenset[bytes]]:
        """The tokens that are counted, by window. Consistent."""
        ...

    def owners(self, webhook_ids: Collection[str]) -> Mapping[str, str]:
        """The owners of webhooks; those that are gone are absent."""
        ...

    def commit(self, hours: Sequence[HourUpdate], windows: Sequence[WindowUpdate], service: Counts) -> bool:
        """All of it or nothing, and the hours of the webhooks' owners with it; False when somebody else changed one
        since it was read."""
        ...

    def webhooks(self, webhook_ids: Collection[str]) -> Mapping[str, Webhook]:
        """Webhooks as they are now; those that are gone are absent."""
        ...

    def note_circuit(self, change: CircuitChange, owner: str | None) -> None:
        """Keep the lists of circuits that are not closed, the service's and the owner's; an older change than theirs
        has no effect."""
        ...

    def note_status(self, change: StatusChange) -> None:
        """Keep the owner's list of webhooks that are not active, in the same way."""
        ...


@dataclass(slots=True)
class RollupReport:
    """What one batch came to. `failed_from` is the sequence number of the first record that is to come again."""

    records: int = 0
    counted: int = 0  # less than `records` where some had nothing to count, or were counted before
    failed_from: str | None = None


class Rollup:
    """The use case of functions/rollup."""

    def __init__(
        self,
        store: StatisticsStore,
        publisher: EventPublisher,
        *,
        sleep: Callable[[float], None],
        random: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._now_ms = now_ms
        self._sleep = sleep
        self._random = random
        self._owners: dict[str, str] = {}

    def add_up(self, records: Sequence[StreamRecord]) -> RollupReport:
        """Count a batch of one shard of the stream, in its order, up to the first that cannot be counted now; and tell
        what happened to webhooks. A record that comes again is not counted again."""
        report = RollupReport(records=len(records))
        for part in parts(records):
            try:
                self._list_troubles(part)
                report.counted += self._until_nobody_interferes(lambda part=part: self._count(part))
            except Unavailable as exc:
                logger.warning("records from %s on are to come again: %s", part[0].sequence, exc)
                report.failed_from = part[0].sequence
                break
        told = [each for each in records if isinstance(each, UnorderedRecord) and each.transitions]
        try:
            self._publish([transitions for each in told for transitions in each.transitions])
        except Unavailable as exc:
            logger.warning("what happened to %d webhooks is to be told again: %s", len(told), exc)
            report.failed_from = min(filter(None, (told[0].sequence, report.failed_from)), key=int)
        return report

    def _publish(self, transitions: Sequence[Transition]) -> None:
        """To those who subscribed to it. A webhook that is gone has nobody to be told."""
        if not transitions:
            return
        webhooks = self._store.webhooks({each.webhook_id for each in transitions})
        told = [_operational_event(each, webhook) for each in transitions if (webhook := webhooks.get(each.webhook_id))]
        self._publisher.publish(told, self._now_ms())

    def _list_troubles(self, records: Sequence[StreamRecord]) -> None:
        unordered = [each for each in records if isinstance(each, UnorderedRecord)]
        circuits = {each.circuit.webhook_id: each.circuit for each in unordered if each.circuit}
        owners = self._owners_of(circuits)
        for circuit in circuits.values():
            self._store.note_circuit(circuit, owners.get(circuit.webhook_id))
        for status in {each.status.webhook_id: each.status for each in unordered if each.status}.values():
            self._store.note_status(status)

    def _owners_of(self, webhook_ids: Collection[str]) -> Mapping[str, str]:
        """A webhook's owner never changes: it is asked for once."""
        if len(self._owners) > OWNERS_KEPT:
            self._owners.clear()
        if unknown := {each for each in webhook_ids if each not in self._owners}:
            self._owners.update(self._store.owners(unknown))
        return self._owners

    def _count(self, records: Sequence[StreamRecord]) -> tuple[bool, int]:
        """Whether it is done, and how many records were new."""
        history = [each for each in records if isinstance(each, HistoryRecord)]
        unordered = [each for each in records if isinstance(each, UnorderedRecord) and each.counts]
        keys = list(dict.fromkeys((each.webhook_id, hour) for each in history for hour in each.hours))
        windows = sorted({each.window for each in unordered})
        owners = self._owners_of({webhook_id for webhook_id, _ in keys})
        hour_updates, new = fold(history, self._store.marks(keys) if keys else {}, owners)
        window_updates, service, new_loose = fold_unordered(unordered, self._store.windows(windows) if windows else {})
        if not hour_updates and not window_updates:
            return True, 0
        counts = total_counts([service_counts(hour_updates), service])
        return self._store.commit(hour_updates, window_updates, counts), new + new_loose

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


def _operational_event(transitions: Transition, webhook: Webhook) -> OperationalEvent:
    data = dict(transitions.data)
    if transitions.event_type == "webhook.failing":
        end_ms = disabled_at_ms(webhook, transitions.failing_since_ms)
        data["disabled_at"] = None if end_ms is None else rfc3339(end_ms)
    return OperationalEvent(
        transitions.event_type, webhook.webhook_id, webhook.user_id, webhook.workspace_id, data, transitions.event_id
    )

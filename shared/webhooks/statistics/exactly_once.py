"""Stream records, each counted once however often it comes.

A record is counted in the same transaction that notes it as counted, so that a repeat finds the note. What the note is
depends on where the record comes from (decision record 0013):

- Deliveries and dead letters: all records of one partition key come in order, and a webhook's history has four
  partition keys. So its hourly statistics keep the last sequence number of each: what is not beyond it is a repeat.
- An owner's hours and what waits for its webhooks take part in the transaction of those webhooks' hours, and so need no
  note of their own.
- Events and webhooks have a partition key each, too many to keep a number for: their records are noted one by one, six
  bytes each, in an item for every two seconds, which is forgotten when the stream has forgotten them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from webhooks.statistics.counts import DEAD_LETTERS, DEFERRED, FAILURE, PARKED, ByHour, Counts, HourCounts
from webhooks.statistics.transitions import Transition

# A transaction takes 100 items (DynamoDB API Reference, TransactWriteItems): one is the service's counter, and an hour
# may come with an hour and a counter of its owner's.
HOURS_A_COMMIT = 33
WINDOW_SECONDS = 2  # 400 KB an item hold the tokens of 33,000 events a second
TOKEN_BYTES = 6

HourKey = tuple[str, int]  # (webhook id, the hour's start in epoch milliseconds)
OwnerHour = tuple[str, int]  # (owner, the hour's start)
Marks = Mapping[int, int]  # history shard -> the last sequence number that is counted
CircuitState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """A stream record of a delivery or a dead letter, in the history partition `shard` of its webhook."""

    sequence: str
    webhook_id: str
    shard: int
    hours: ByHour


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """A webhook's circuit changed. `revision` grows with every such write."""

    webhook_id: str
    state: CircuitState
    revision: int


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A webhook's status changed. `version` grows with every change of it."""

    webhook_id: str
    owner: str
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class UnorderedRecord:
    """A stream record of an event, a webhook or its state. `token` tells it from others of its `window`."""

    sequence: str
    window: int
    token: bytes
    counts: Counts
    circuit: CircuitChange | None = None
    status: StatusChange | None = None
    transitions: tuple[Transition, ...] = ()


StreamRecord = HistoryRecord | UnorderedRecord


@dataclass(slots=True)
class HourUpdate:
    """What is to be added to one hour of a webhook; holds if its marks are still `before` for the shards of `marks`.

    `owner` is the webhook's, None where nobody knows it any more."""

    key: HourKey
    before: Marks
    owner: str | None = None
    marks: dict[int, int] = field(default_factory=dict[int, int])
    added: HourCounts = field(default_factory=HourCounts)
    last_success_ms: dict[int, int] = field(default_factory=dict[int, int])  # by shard, as each shard knows it
    last_failure_ms: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def is_troubled(self) -> bool:
        """Whether it tells that something failed or had to wait."""
        names = (*self.added.counts, *self.added.service)
        return any(name == DEAD_LETTERS or name.startswith((f"{FAILURE}#", f"{DEFERRED}#")) for name in names)


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    """The tokens of a window with the new ones; holds if `before` is still what is stored."""

    window: int
    before: frozenset[bytes]
    tokens: frozenset[bytes]


def fold(
    records: Sequence[HistoryRecord], marks: Mapping[HourKey, Marks], owners: Mapping[str, str]
) -> tuple[list[HourUpdate], int]:
    """The updates that count what is beyond the marks, and of how many records they are. `owners` by webhook.

    The mark is kept by hour and not by webhook: a record may add to two hours, and both in one transaction or in two.
    """
    updates: dict[HourKey, HourUpdate] = {}
    counted = 0
    for record in records:
        sequence = int(record.sequence)
        fresh = False
        for hour, added in record.hours.items():
            key = (record.webhook_id, hour)
            before = marks.get(key, {})
            if sequence <= before.get(record.shard, -1):
                continue
            fresh = True
            update = updates.setdefault(key, HourUpdate(key, before, owners.get(key[0])))
            update.marks[record.shard] = max(sequence, update.marks.get(record.shard, -1))
            update.added.add(added)
            for last, at_ms in (
                (update.last_success_ms, added.last_success_ms),
                (update.last_failure_ms, added.last_failure_ms),
            ):
                if at_ms:
                    last[record.shard] = max(at_ms, last.get(record.shard, 0))
        counted += fresh
    return list(updates.values()), counted


def service_counts(updates: Sequence[HourUpdate]) -> Counts:
    """The service's counters take what the webhooks' hours take, in the same transaction, and so once as well."""
    return total_counts(counts for update in updates for counts in (update.added.counts, update.added.service))


def owner_counts(updates: Sequence[HourUpdate]) -> Mapping[OwnerHour, Counts]:
    """What the owners' hours take of their webhooks'."""
    return _by_owner(updates, lambda update: update.key[1], lambda update: update.added.counts)


def parked_counts(updates: Sequence[HourUpdate]) -> Mapping[str, Counts]:
    """By how much there waits more or less for the webhooks of each owner, by reason; without those of no change."""
    found = _by_owner(
        updates,
        lambda _: 0,
        lambda update: {n: count for n, count in update.added.service.items() if n.startswith(f"{PARKED}#")},
    )
    return {owner: counts for (owner, _), counts in found.items() if any(counts.values())}


def _by_owner(
    updates: Sequence[HourUpdate], hour_of: Callable[[HourUpdate], int], counts_of: Callable[[HourUpdate], Counts]
) -> dict[OwnerHour, Counts]:
    parts: dict[OwnerHour, list[Counts]] = {}
    for update in updates:
        if update.owner is not None:
            parts.setdefault((update.owner, hour_of(update)), []).append(counts_of(update))
    return {key: total_counts(each) for key, each in parts.items()}


def total_counts(parts: Iterable[Counts]) -> Counts:
    """All of them added up, numbers below zero included."""
    total: Counter[str] = Counter()
    for counts in parts:
        for name, count in counts.items():
            total[name] += count
    return total


def fold_unordered(
    records: Sequence[UnorderedRecord], stored: Mapping[int, frozenset[bytes]]
) -> tuple[list[WindowUpdate], Counts, int]:
    """The updates that note what is new, its counts, and of how many records they are."""
    fresh = [each for each in records if each.token not in stored.get(each.window, ())]
    updates = [_window_update(window, fresh, stored) for window in sorted({each.window for each in fresh})]
    return updates, total_counts(each.counts for each in fresh), len(fresh)


def _window_update(
    window: int, fresh: Sequence[UnorderedRecord], stored: Mapping[int, frozenset[bytes]]
) -> WindowUpdate:
    before = stored.get(window, frozenset[bytes]())
    return WindowUpdate(window, before, before | {each.token for each in fresh if each.window == window})


def parts(records: Sequence[StreamRecord]) -> Iterator[Sequence[StreamRecord]]:
    """Runs of records whose statistics fit one transaction."""
    start = 0
    touched: set[object] = set()
    for index, record in enumerate(records):
        own = _touched(record)
        if touched and len(touched | own) > HOURS_A_COMMIT:
            yield records[start:index]
            start, touched = index, set[object]()
        touched |= own
    if start < len(records):
        yield records[start:]


def _touched(record: StreamRecord) -> set[object]:
    if isinstance(record, HistoryRecord):
        return {(record.webhook_id, hour) for hour in record.hours}
    return {record.window} if record.counts else set()

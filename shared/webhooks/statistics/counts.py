"""What a change of a stored item means for the counts.

Pure: the item before and after goes in, increments come out. Counts are plain numbers by short name, as they are
stored and added up: `successes`, `failure#<reason>`, `time#<bucket>` and so on. A change is counted by what it adds, so
that a record that was written five times counts each of its attempts once.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from webhooks.ids import time_of
from webhooks.models.delivery import NEVER_RECORDED, Attempt, DeliveryRecord, Waiting
from webhooks.models.event import EventRecord
from webhooks.models.webhook import WebhookStatus

HOUR_MS = 3_600_000
# Upper ends of the histogram's buckets, in milliseconds; one more holds what took longer.
BUCKETS_MS: tuple[int, ...] = (
    5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000,
    1500, 2000, 3000, 5000, 7500, 10_000, 15_000, 20_000, 30_000,
)  # fmt: skip

DELIVERIES = "deliveries"
SUCCESSES = "successes"
UNKNOWN = "unknown"
DEAD_LETTERS = "dead"
DURATION_MS = "time"
FAILURE = "failure"  # with #<reason>, as the following have theirs
DURATION = "time"
# Of the whole service only:
LOST = "lost"
INITIATION_MS = "initiation"
INITIATION = "initiation"
PARKED = "parked"
DEFERRED = "deferred"
EVENTS = "events"
QUEUED = "queued"
MISSED = "missed"
SKIPPED = "skipped"
WEBHOOKS = "webhooks"
DUPLICATES = "duplicates"  # with #event, #delivery or #conflict
WRITE_UNITS = "units"  # with #event, #delivery or #dead_letter

# Receivers answer with what they like; a reason of its own is for the codes that say something.
NAMED_STATUS_CODES = frozenset(
    {301, 302, 303, 304, 307, 308}
    | {400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 423, 425, 429, 451}
    | {500, 501, 502, 503, 504, 505, 507, 508, 520, 521, 522, 523, 524, 525, 526, 530}
)

Counts = Mapping[str, int]


@dataclass(slots=True)
class HourCounts:
    """What one change adds to one hour of a webhook (`counts`) and, beyond that, to the whole service."""

    counts: Counter[str] = field(default_factory=Counter[str])
    service: Counter[str] = field(default_factory=Counter[str])
    last_success_ms: int = 0
    last_failure_ms: int = 0

    def add(self, other: "HourCounts") -> None:
        """Take in another change of the same hour."""
        _merge(self.counts, other.counts)
        _merge(self.service, other.service)
        self.last_success_ms = max(self.last_success_ms, other.last_success_ms)
        self.last_failure_ms = max(self.last_failure_ms, other.last_failure_ms)


ByHour = Mapping[int, HourCounts]  # by the hour's start, epoch milliseconds


def hour_of(time_ms: int) -> int:
    """The start of the hour (UTC) that a time lies in."""
    return time_ms - time_ms % HOUR_MS


def delivery_counts(before: DeliveryRecord | None, after: DeliveryRecord, written_at_ms: int) -> ByHour:
    """What one write of a delivery's record adds: a delivery to the hour of its event, an attempt to the hour in which
    it started, waiting to the hour of the write."""
    hours: dict[int, HourCounts] = {}
    accepted_ms = time_of(after.delivery_id)
    if before is None:
        _at(hours, accepted_ms).counts[DELIVERIES] += 1
    seen = len(before.attempts) if before else 0
    for attempt in after.attempts[seen:]:
        hour = _at(hours, attempt.started_at_ms)
        _count_attempt(hour, attempt)
        # neither held back for its webhook nor sent anew after its record had expired
        is_straight = (before is None or before.generation == 1) and after.cycle_started_at_ms == accepted_ms
        if attempt.number == 1 and is_straight:
            _count_initiation(hour, attempt.started_at_ms - accepted_ms)
    was, now = before.waiting if before else None, after.waiting
    if was != now:
        service = _at(hours, written_at_ms).service
        if was is not None:
            service[f"{PARKED}#{waiting_reason(was)}"] -= 1
        if now is not None:
            service[f"{PARKED}#{waiting_reason(now)}"] += 1
            service[f"{DEFERRED}#{waiting_reason(now)}"] += 1
    return hours


def dead_letter_counts(generation_before: int | None, generation: int, dead_at_ms: int, reason: str) -> ByHour:
    """One for each time that a delivery died; marking a dead letter as replayed adds nothing. It is lost when neither
    its receiver nor its owner is the reason."""
    if generation_before is not None and generation <= generation_before:
        return {}
    lost = Counter({LOST: 1} if reason == NEVER_RECORDED else {})
    return {hour_of(dead_at_ms): HourCounts(Counter({DEAD_LETTERS: 1}), lost)}


def event_counts(record: EventRecord) -> Counter[str]:
    """What a recorded event adds: its dispositions, one for each webhook. A continuation's page is no further event."""
    counts = Counter({EVENTS: 0 if record.page else 1, QUEUED: len(record.queued)})
    for _, reason in record.missed:
        counts[f"{MISSED}#{reason}"] += 1
    for reason, count in record.skipped_counts.items():
        counts[f"{SKIPPED}#{reason}"] += count
    return Counter({name: count for name, count in counts.items() if count})


def write_units_at(hours: ByHour, item: str, units: int, written_at_ms: int) -> ByHour:
    """The same, and the write units that the write took, in the hour of it."""
    with_units = dict(hours)
    _at(with_units, written_at_ms).service[f"{WRITE_UNITS}#{item}"] += units
    return with_units


def webhook_counts(before: WebhookStatus | None, after: WebhookStatus | None) -> Counter[str]:
    """What a change of a webhook's status does to the number of webhooks in each; deleted ones are not counted."""
    counts: Counter[str] = Counter()
    if before != after:
        for status, step in ((before, -1), (after, 1)):
            if status not in (None, "deleted"):
                counts[f"{WEBHOOKS}#{status}"] += step
    return counts


def failure_reason(attempt: Attempt) -> str:
    """The stable reason of a failed attempt: `http_503`, `timeout`; codes that say nothing by themselves by class."""
    code = attempt.status_code
    if code is None:
        return attempt.error_code or "unknown"
    if code in NAMED_STATUS_CODES:
        return f"http_{code}"
    return f"http_{code // 100}xx" if 100 <= code < 600 else "http_other"


def waiting_reason(waiting: Waiting) -> str:
    """Why a delivery waits: `retry` by time, else what keeps it in its webhook's room."""
    return "retry" if waiting.kind == "due" else waiting.reason


def bucket_of(duration_ms: int) -> int:
    """The index of the bucket that a duration falls in."""
    return bisect_left(BUCKETS_MS, duration_ms)


def histogram(counts: Counts, name: str) -> tuple[int, ...]:
    """The buckets that are counted under `name#<index>`, each with its own number."""
    return tuple(counts.get(f"{name}#{index}", 0) for index in range(len(BUCKETS_MS) + 1))


def by_reason(counts: Counts, name: str) -> dict[str, int]:
    """What is counted under `name#<reason>`, by reason, the most frequent first."""
    found = ((key.partition("#")[2], count) for key, count in counts.items() if key.startswith(f"{name}#"))
    return dict(sorted(found, key=lambda each: (-each[1], each[0])))


def percentile(buckets: Sequence[int], share: float) -> int | None:
    """Milliseconds within which this share (0..1) of durations lies, interpolated within its bucket; None without any.

    What took longer than the last bucket counts as that bucket's end.
    """
    rank = share * sum(buckets)
    if rank <= 0:
        return None
    below = 0
    for index, count in enumerate(buckets[:-1]):
        if below + count >= rank:
            start = BUCKETS_MS[index - 1] if index else 0
            return round(start + (BUCKETS_MS[index] - start) * (rank - below) / count)
        below += count
    return BUCKETS_MS[-1]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The counts of a webhook's hour or of a longer time, made readable."""

    counts: Counts = field(default_factory=dict[str, int])
    last_success_ms: int | None = None
    last_failure_ms: int | None = None

    @classmethod
    def total(cls, parts: Iterable["Statistics"]) -> "Statistics":
        """Several hours added up."""
        counts: Counter[str] = Counter()
        successes: list[int] = []
        failures: list[int] = []
        for part in parts:
            _merge(counts, part.counts)
            successes += [part.last_success_ms] if part.last_success_ms else []
            failures += [part.last_failure_ms] if part.last_failure_ms else []
        return cls(counts, max(successes, default=None), max(failures, default=None))

    @property
    def deliveries(self) -> int:
        """Deliveries whose events were accepted in this time, and that have been taken up."""
        return self.counts.get(DELIVERIES, 0)

    @property
    def successes(self) -> int:
        """Attempts that the receiver took."""
        return self.counts.get(SUCCESSES, 0)

    @property
    def failure_reasons(self) -> dict[str, int]:
        """Failed attempts by reason, the most frequent first."""
        return by_reason(self.counts, FAILURE)

    @property
    def failures(self) -> int:
        """Attempts that failed."""
        return sum(self.failure_reasons.values())

    @property
    def attempts(self) -> int:
        """Attempts whose outcome is known."""
        return self.successes + self.failures

    @property
    def unknown(self) -> int:
        """Attempts that were cut off: they may have been sent."""
        return self.counts.get(UNKNOWN, 0)

    @property
    def dead_letters(self) -> int:
        """Deliveries given up."""
        return self.counts.get(DEAD_LETTERS, 0)

    @property
    def success_rate(self) -> float | None:
        """Successes of all attempts with a known outcome, 0..1; None without any."""
        return self.successes / self.attempts if self.attempts else None

    def percentile(self, share: float) -> int | None:
        """Milliseconds within which this share (0..1) of all attempts with a known outcome ended; None without any."""
        return percentile(histogram(self.counts, DURATION), share)


def _at(hours: dict[int, HourCounts], time_ms: int) -> HourCounts:
    hour = hour_of(time_ms)
    found = hours.get(hour)
    if found is None:
        found = hours[hour] = HourCounts()
    return found


def _count_attempt(hour: HourCounts, attempt: Attempt) -> None:
    if attempt.outcome == "unknown":
        hour.counts[UNKNOWN] += 1
        return
    ended_ms = attempt.started_at_ms + attempt.duration_ms
    if attempt.outcome == "success":
        hour.counts[SUCCESSES] += 1
        hour.last_success_ms = max(hour.last_success_ms, ended_ms)
    else:
        hour.counts[f"{FAILURE}#{failure_reason(attempt)}"] += 1
        hour.last_failure_ms = max(hour.last_failure_ms, ended_ms)
    hour.counts[DURATION_MS] += attempt.duration_ms
    hour.counts[f"{DURATION}#{bucket_of(attempt.duration_ms)}"] += 1


def _count_initiation(hour: HourCounts, waited_ms: int) -> None:
    """From an event's acceptance to the first request: what the whole pipeline before the receiver took."""
    hour.service[INITIATION_MS] += max(0, waited_ms)
    hour.service[f"{INITIATION}#{bucket_of(waited_ms)}"] += 1


def _merge(into: Counter[str], counts: Counts) -> None:
    for name, count in counts.items():  # `+=` would drop what is negative
        into[name] += count

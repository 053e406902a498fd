"""What a job may send again: a webhook's dead letters, and the events that it missed while it was inactive or failed.

Both are read in parts, each in order of time from behind a position, so that a job can go on where it stopped. A missed
delivery is given as the dead letter that it would have become.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.errors import Conflict
from webhooks.ids import HISTORY_SHARDS, delivery_id, first_of, time_of
from webhooks.models.delivery import DeadLetter
from webhooks.models.event import EventRecord
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.recovery.failure_causes import USED_UP, reason_of

PAGE = 100
MISSED = "missed"  # as a reason: whatever was missed, for whichever status


@dataclass(frozen=True, slots=True)
class MissedEvent:
    """An event that some webhook missed. `position` is its place in the list; `record` is None once it has expired."""

    position: str
    record: EventRecord | None
    body: bytes = b""  # of the event, whichever page of its webhooks this is


class DeadLetterStore(Protocol):
    """A webhook's dead letters."""

    def page(
        self, webhook_id: str, shard: int, after: str | None, limit: int, *, with_body: bool = True
    ) -> Sequence[DeadLetter]:
        """Dead letters of one shard after a delivery id, in order. Raises Unavailable."""
        ...


class MissedStore(Protocol):
    """Events that webhooks missed."""

    def page(
        self,
        scope: str,
        shard: int,
        after: str | None,
        limit: int,
        *,
        from_ms: int,
        to_ms: int,
        elsewhere: bool,
        with_body: bool = True,
    ) -> Sequence[MissedEvent]:
        """Events of one shard accepted within that time, after a position, in order. Raises Unavailable.

        `elsewhere`: those of the scope's user that were published in some workspace.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """Dead letters and missed events, part by part."""

    letters: DeadLetterStore
    missed: MissedStore

    def page(
        self, job: ReplayJob, part: int, after: str | None, limit: int, *, with_body: bool = True
    ) -> tuple[list[DeadLetter], str | None]:
        """What the job selects, and the position to go on behind: None at the end of the part. Raises Unavailable."""
        if is_missed(part):
            return self._missed(job, part, after, limit, with_body)
        selection = job.selection
        if after is None and selection.from_ms is not None:
            after = first_of("dlv", selection.from_ms)
        found = self.letters.page(job.webhook_id, part, after, limit, with_body=with_body)
        is_over = not found or (selection.to_ms is not None and time_of(found[-1].delivery_id) > selection.to_ms)
        return [each for each in found if _selects(job, each)], None if is_over else found[-1].delivery_id

    def _missed(
        self, job: ReplayJob, part: int, after: str | None, limit: int, with_body: bool
    ) -> tuple[list[DeadLetter], str | None]:
        selection = job.selection
        latest_ms = job.created_at_ms if selection.to_ms is None else min(selection.to_ms, job.created_at_ms)
        found = self.missed.page(
            job.scope,
            part % HISTORY_SHARDS,
            after,
            limit,
            from_ms=selection.from_ms or 0,
            to_ms=latest_ms,
            elsewhere=part >= 2 * HISTORY_SHARDS,
            with_body=with_body,
        )
        letters = [letter for each in found if (letter := _missed_by(job, each, with_body)) is not None]
        return letters, found[-1].position if found else None


def parts_of(job: ReplayJob) -> int:
    """How many parts a job has. A webhook without a workspace gets its user's events from all workspaces."""
    if not job.with_missed:
        return HISTORY_SHARDS
    return (3 if job.scope.startswith("user:") else 2) * HISTORY_SHARDS


def is_missed(part: int) -> bool:
    """Whether the part holds what was missed, and not dead letters."""
    return part >= HISTORY_SHARDS


def count(
    source: ReplaySource,
    job: ReplayJob,
    is_to_send: Callable[[Sequence[DeadLetter]], int],
    examine: int | None = None,
) -> tuple[int, bool]:
    """How many there are to send, and whether that is all of them: no more than `examine` are looked at."""
    total, pages = 0, 0
    for part in range(parts_of(job)):
        after: str | None = None
        while True:
            if examine is not None and pages * PAGE >= examine:
                return total, False
            letters, after = source.page(job, part, after, PAGE, with_body=False)
            pages += 1
            fresh = [letter for letter in letters if not letter.is_processed]
            total += is_to_send(fresh) if is_missed(part) else len(fresh)
            if after is None:
                break
    return total, True


def sendable(webhook: Webhook | None) -> Webhook:
    """The webhook, when it takes deliveries or will on its resume. Raises Conflict for any other."""
    if webhook is None or webhook.status == "deleted":
        raise Conflict("the webhook is deleted; there is nowhere to send this")
    if webhook.status in ("inactive", "failed"):
        raise Conflict(f"the webhook is {webhook.status}; set its status to active first")
    return webhook


def is_for_reason(wanted: str | None, failure_reason: str, cause: str) -> bool:
    """Whether a reason, or a cause, admits a dead letter: as it stands, as its cause, or less exactly."""
    plain = failure_reason.removeprefix(USED_UP)
    return wanted in (None, failure_reason, plain, cause, reason_of(cause))


def _selects(job: ReplayJob, letter: DeadLetter) -> bool:
    selection: ReplaySelection = job.selection
    accepted_ms = time_of(letter.delivery_id)
    return (
        letter.dead_at_ms <= job.created_at_ms  # what this very job sent and died again is not its business
        and (not selection.delivery_ids or letter.delivery_id in selection.delivery_ids)
        and is_for_reason(selection.reason, letter.failure_reason, letter.cause)
        and selection.event_type in (None, letter.event_type)
        and (selection.from_ms is None or accepted_ms >= selection.from_ms)
        and (selection.to_ms is None or accepted_ms <= selection.to_ms)
    )


def _missed_by(job: ReplayJob, event: MissedEvent, with_body: bool) -> DeadLetter | None:
    record = event.record
    if record is None or (with_body and not event.body):  # its payload is not kept any more
        return None
    reason = dict(record.missed).get(job.webhook_id)
    if reason is None or job.selection.reason not in (None, MISSED, reason):
        return None
    if job.selection.event_type not in (None, record.event_type):
        return None
    return DeadLetter(
        delivery_id=delivery_id(record.accepted_at_ms, record.scope, record.event_id, job.webhook_id),
        webhook_id=job.webhook_id,
        owner=job.owner,
        event_id=record.event_id,
        event_type=record.event_type,
        scope=record.scope,
        generation=1,
        status="abandoned",
        failure_reason=reason,
        attempt_count=0,
        last_status_code=None,
        last_error_code=None,
        dead_at_ms=record.accepted_at_ms,
        body=event.body,
        trace=record.trace,
    )

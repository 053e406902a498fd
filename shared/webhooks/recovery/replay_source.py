"""What a job may send again: dead letters of one webhook or of many, and the events that one missed while it was
inactive or failed.

All are read in parts, each in an order from behind a position, so that a job can go on where it stopped. A missed
delivery is given as the dead letter that it would have become.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.delivery.ports import DeliveryContexts
from webhooks.errors import Conflict
from webhooks.ids import HISTORY_SHARDS, delivery_id, first_of, time_of
from webhooks.models.delivery import DeadLetter
from webhooks.models.event import EventRecord
from webhooks.models.replay import Across, ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.recovery.failure_causes import USED_UP, reason_of

PAGE = 100
READS = 25  # of targets' letters in one page: many targets may have few letters, or none any more
MISSED = "missed"  # as a reason: whatever was missed, for whichever status


@dataclass(frozen=True, slots=True)
class MissedEvent:
    """An event that some webhook missed. `position` is its place in the list; `record` is None once it has expired."""

    position: str
    record: EventRecord | None
    body: bytes = b""  # of the event, whichever page of its webhooks this is


class DeadLetterStore(Protocol):
    """Dead letters. Each raises Unavailable."""

    def page(
        self, webhook_id: str, shard: int, after: str | None, limit: int, *, with_body: bool = True
    ) -> Sequence[DeadLetter]:
        """A webhook's dead letters of one shard after a delivery id, in order."""
        ...

    def get(self, ids: Sequence[tuple[str, str]], *, with_body: bool = True) -> Mapping[str, DeadLetter]:
        """Dead letters by delivery id, from (webhook id, delivery id). Consistent."""
        ...

    def listed(
        self, owner: str | None, shard: int, after: str | None, limit: int
    ) -> tuple[Sequence[DeadLetter], str | None]:
        """An owner's, or everybody's (None), of one shard behind a delivery id, in order and without bodies, and where
        to go on: None at the end. From an index that may lag."""
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
class Found:
    """A page of what a job selects, and the position to go on behind: None at the end of the part.

    `left_out`: dead letters besides, whose webhooks take nothing now, or cannot be read.
    """

    letters: list[DeadLetter]
    after: str | None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there are to send, of how many webhooks. Not exact: there are more than these."""

    total: int
    is_exact: bool
    left_out: int
    webhooks: int


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """Dead letters and missed events, part by part."""

    letters: DeadLetterStore
    missed: MissedStore
    contexts: DeliveryContexts

    def page(self, job: ReplayJob, part: int, after: str | None, limit: int, *, with_body: bool = True) -> Found:
        """A page of one part. Raises Unavailable."""
        across = job.selection.across
        if across is not None:
            if across.targets:
                letters, after = self._of_targets(job, across, after, limit, with_body)
            else:
                letters, after = self._of_all(job, across, part, after, limit, with_body)
            return self._sendable(across, letters, after)
        if is_missed(part):
            return self._missed(job, part, after, limit, with_body)
        selection = job.selection
        if after is None and selection.from_ms is not None:
            after = first_of("dlv", selection.from_ms)
        found = self.letters.page(job.webhook_id, part, after, limit, with_body=with_body)
        is_over = not found or (selection.to_ms is not None and time_of(found[-1].delivery_id) > selection.to_ms)
        return Found([each for each in found if _selects(job, each)], None if is_over else found[-1].delivery_id)

    def _of_targets(
        self, job: ReplayJob, across: Across, after: str | None, limit: int, with_body: bool
    ) -> tuple[list[DeadLetter], str | None]:
        """From one target to the next, until the page is full. The position is (target, shard or 0, behind what)."""
        found: list[DeadLetter] = []
        at, shard, behind = _place_of(after)
        for _ in range(READS):
            if at == len(across.targets):
                return found, None
            target, room = across.targets[at], limit - len(found)
            of_target = replace(job, webhook_id=target.webhook_id)
            if target.delivery_ids:
                begin = int(behind or 0)
                ids = [(target.webhook_id, each) for each in target.delivery_ids[begin : begin + room]]
                got = self.letters.get(ids, with_body=with_body).values()
                some = [each for each in got if _selects(of_target, each)]
                behind = str(begin + room) if begin + room < len(target.delivery_ids) else None
                shard = HISTORY_SHARDS - 1
            else:
                one = replace(of_target, selection=replace(job.selection, across=None))
                page = self.page(one, shard, behind, room, with_body=with_body)
                some = [each for each in page.letters if _is_for_one_of(target.reasons, each)]
                behind = page.after
            found += some
            if behind is None:
                at, shard = (at + 1, 0) if shard == HISTORY_SHARDS - 1 else (at, shard + 1)
            if len(found) >= limit:
                break
        return found, None if at == len(across.targets) else f"{at}|{shard}|{behind or ''}"

    def _of_all(
        self, job: ReplayJob, across: Across, part: int, after: str | None, limit: int, with_body: bool
    ) -> tuple[list[DeadLetter], str | None]:
        selection = job.selection
        if after is None and selection.from_ms is not None:
            after = first_of("dlv", selection.from_ms)
        found, last = self.letters.listed(across.owner, part, after, limit)
        if last is not None and selection.to_ms is not None and time_of(last) > selection.to_ms:
            last = None
        chosen = [each for each in found if _selects(job, each)]
        fresh = [(each.webhook_id, each.delivery_id) for each in chosen if not each.is_processed]
        if with_body and fresh:
            whole = self.letters.get(fresh)
            chosen = [
                whole.get(each.delivery_id, each) for each in chosen if each.is_processed or each.delivery_id in whole
            ]
        return chosen, last

    def _sendable(self, across: Across, letters: Sequence[DeadLetter], after: str | None) -> Found:
        """Without those of webhooks that whoever began the job does not see, or that take nothing: they cost the
        others nothing."""
        fresh = {each.webhook_id for each in letters if not each.is_processed}
        context = self.contexts.around((each, None) for each in sorted(fresh))
        mine = {key for key in fresh if _is_of(across, context.webhooks.get(key))}
        takes = {key for key in mine if context.readable(key) and _takes(context.webhooks.get(key))}
        chosen = [each for each in letters if each.is_processed or each.webhook_id in takes]
        return Found(chosen, after, sum(not each.is_processed and each.webhook_id in mine - takes for each in letters))

    def _missed(self, job: ReplayJob, part: int, after: str | None, limit: int, with_body: bool) -> Found:
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
        return Found(letters, found[-1].position if found else None)


def parts_of(job: ReplayJob) -> int:
    """How many parts a job has. A webhook without a workspace gets its user's events from all workspaces."""
    across = job.selection.across
    if across is not None and across.targets:
        return 1
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
) -> Counted:
    """How many there are to send: no more than `examine` are looked at."""
    total, pages, left_out, webhooks = 0, 0, 0, set[str]()
    for part in range(parts_of(job)):
        after: str | None = None
        while True:
            if examine is not None and pages * PAGE >= examine:
                return Counted(total, False, left_out, len(webhooks))
            found = source.page(job, part, after, PAGE, with_body=False)
            pages, after, left_out = pages + 1, found.after, left_out + found.left_out
            fresh = [letter for letter in found.letters if not letter.is_processed]
            total += is_to_send(fresh) if is_missed(part) else len(fresh)
            webhooks |= {letter.webhook_id for letter in fresh}
            if after is None:
                break
    return Counted(total, True, left_out, len(webhooks))


def _place_of(position: str | None) -> tuple[int, int, str | None]:
    at, shard, behind = (position or "0|0|").split("|", 2)
    return int(at), int(shard), behind or None


def _is_of(across: Across, webhook: Webhook | None) -> bool:
    """Whether the webhook is among those that are meant, and that whoever began the job sees. None: it is gone, or
    cannot be read."""
    if webhook is None:
        return across.workspace_id is None and across.workspaces is None
    workspace_id = None if webhook.workspace_id is None else str(webhook.workspace_id)
    return (
        across.owner in (None, webhook.owner)
        and across.workspace_id in (None, workspace_id)
        and (across.workspaces is None or workspace_id is None or workspace_id in across.workspaces)
    )


def _is_for_one_of(reasons: Iterable[str], letter: DeadLetter) -> bool:
    wanted = tuple(reasons) or (None,)
    return any(is_for_reason(each, letter.failure_reason, letter.cause) for each in wanted)


def _takes(webhook: Webhook | None) -> bool:
    try:
        sendable(webhook)
    except Conflict:
        return False
    return True


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
    if record is None or not record.is_whole or (with_body and not event.body):  # its payload is not kept
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

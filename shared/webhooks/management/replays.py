"""Replay jobs: starting and listing them, how far one has come, and stopping it."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.access.idempotency_keys import IdempotencyRecord, Once
from webhooks.access.slots import Slots, SlotStore
from webhooks.errors import Conflict, NotAllowed, NotFound, TooManyRequests, Unavailable
from webhooks.ids import is_id, time_of
from webhooks.management.audit import AuditLog
from webhooks.management.changes import of_seen, remembered
from webhooks.management.paging import Page, page_of
from webhooks.management.ports import History, JobQueue, JobStore
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.replay import ENDED, MAKING_MS, MANY, JobStatus, ReplayJob

UNTOUCHED_MS = 3_600_000  # a job that works writes a checkpoint each minute; this one lost its message
BEGINS_AFTER_SECONDS = 1  # so that it is kept when its message comes, which finds nothing before
RETRY_AFTER_SECONDS = 30
ROUNDS = 5  # a run of the job writes its checkpoints meanwhile


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs: those that every given part admits."""

    webhook_id: str | None = None
    status: JobStatus | None = None

    def admits(self, job: ReplayJob) -> bool:
        """Whether the job is meant."""
        return self.webhook_id in (None, job.webhook_id) and self.status in (None, job.status)


class IdempotencyRecords(Protocol):
    """What idempotency keys were used for. Raises Unavailable."""

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the caller's key was used for, unless that has expired. Consistent."""
        ...

    def remember(self, record: IdempotencyRecord, before: str | None, now_ms: int) -> bool:
        """Note what a key is used for, where it was used for nothing, or for `before`; False otherwise."""
        ...


class JobStarter:
    """Starts jobs, as many of one owner at once as there are slots for; with an idempotency key, one for the key."""

    def __init__(
        self,
        jobs: JobStore,
        queue: JobQueue,
        slots: SlotStore,
        keys: IdempotencyRecords,
        *,
        at_most: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._jobs = jobs
        self._queue = queue
        self._now_ms = now_ms
        self.slots = Slots(store=slots, kind="replays", most=at_most, ended=self._ended)

    def earlier(self, caller: Caller, once: Once | None) -> ReplayJob | None:
        """The job that an earlier request with the same key began. Raises Conflict for a key used for something else,
        and Unavailable: also while that request may be at it."""
        record = self._record(caller, once)
        if record is None:
            return None
        job = self._jobs.get(record.webhook_id)
        if job is None and self._now_ms() - time_of(record.webhook_id) <= MAKING_MS:
            raise Unavailable(f"{record.webhook_id} is being made")
        return job

    def _record(self, caller: Caller, once: Once | None) -> IdempotencyRecord | None:
        record = None if once is None else self._keys.idempotency_record(caller.owner, once.key, self._now_ms())
        if once is not None and record is not None:
            once.check(record.fingerprint)
        return record

    def start(self, job: ReplayJob, caller: Caller, once: Once | None = None) -> ReplayJob:
        """Have the job done in the background, or give the one that the same key has begun. Raises TooManyRequests,
        Conflict and Unavailable.

        The message goes first: without its job it is dropped, while a job without its message would stay `pending`.
        """
        slot = self._take_slot(job)
        wanted = remembered(caller, once, job.job_id, self._now_ms())
        if wanted is not None:
            before = self._record(caller, once)  # of a request that died before its job was kept, or of nobody
            if before is not None and self._jobs.get(before.webhook_id) is not None:
                before = None
            if not self._keys.remember(wanted, before and before.webhook_id, self._now_ms()):
                with suppress(Unavailable):
                    self.slots.free(job.owner, slot, job.job_id)
                if (made := self.earlier(caller, once)) is not None:
                    return made
                raise Unavailable("another request with this Idempotency-Key is under way")
        self._queue.go_on(job, BEGINS_AFTER_SECONDS)
        self._jobs.create(job)
        return job

    @contextmanager
    def rehearsal(self, job: ReplayJob) -> Generator[None]:
        """A slot for as long as a job is only looked at. Raises TooManyRequests and Unavailable."""
        slot = self._take_slot(job)
        try:
            yield
        finally:
            with suppress(Unavailable):  # as a job that was never kept, it loses its slot by itself
                self.slots.free(job.owner, slot, job.job_id)

    def _take_slot(self, job: ReplayJob) -> int:
        slot = self.slots.take(job.owner, job.job_id)
        if slot is None:
            raise TooManyRequests(
                f"{self.slots.most} replays and recoveries of this owner are under way, which is the most there may "
                "be: wait for one to end, or cancel one",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        return slot

    def _ended(self, job_ids: Collection[str]) -> Collection[str]:
        now_ms, jobs = self._now_ms(), self._jobs.some(job_ids)
        gone = {each for each in job_ids if each not in jobs and now_ms - time_of(each) > MAKING_MS}
        return gone | {
            job.job_id for job in jobs.values() if job.status in ENDED or now_ms - job.updated_at_ms > UNTOUCHED_MS
        }


@dataclass(frozen=True, slots=True)
class Replays:
    """The use cases. Each raises NotFound for a job that the caller does not see, and Unavailable."""

    jobs: JobStore
    history: History
    audit: AuditLog

    def page(
        self, caller: Caller, owner: str | None, selection: Selection, behind: str | None, limit: int
    ) -> Page[ReplayJob]:
        """The caller's jobs, newest first; for admins everybody's, or one owner's. Raises NotAllowed."""
        if not caller.is_admin and owner not in (None, caller.owner):
            raise NotAllowed("only admins see the replays of others")
        whose = owner if caller.is_admin else caller.owner
        found = self._of_seen(caller, self.jobs.newest(whose, behind))
        return page_of(found, selection.admits, lambda job: job.job_id, limit=limit)

    def names(self, jobs: Sequence[ReplayJob]) -> Mapping[str, str]:
        """Names of the jobs' webhooks by their ids; those that are gone for good are absent."""
        found = self.history.webhooks(list({job.webhook_id for job in jobs if job.webhook_id != MANY}))
        return {webhook_id: webhook.name for webhook_id, webhook in found.items()}

    def get(self, caller: Caller, job_id: str) -> ReplayJob:
        """How far a replay has come."""
        job = self.jobs.get(job_id) if is_id("rpl", job_id) else None
        if job is None or not any(self._of_seen(caller, [job])):
            raise NotFound(f"there is no replay {job_id[:64]}")
        return job

    def _of_seen(self, caller: Caller, jobs: Iterable[ReplayJob]) -> Iterator[ReplayJob]:
        return of_seen(caller, jobs, self.history.webhooks, lambda job: _is_its_own(caller, job))

    def cancel(self, caller: Caller, job_id: str) -> ReplayJob:
        """Stop a job before its next page; what it has sent stays sent. Raises Conflict when it has ended otherwise."""
        job = self.get(caller, job_id)
        if job.webhook_id == MANY:
            self.audit.note_of(caller, "replay.cancelled", job.owner, job_id)
        elif (webhook := self.history.webhooks([job.webhook_id]).get(job.webhook_id)) is not None:
            self.audit.note(caller, Deed("replay.cancelled", job_id), webhook)
        for _ in range(ROUNDS):
            job = self.get(caller, job_id)
            if job.status == "cancelled":
                return job
            if job.status in ENDED:
                raise Conflict(f"this replay has {job.status} already")
            # conditional on the step that was read: a run that gets further first is asked once more
            if (saved := self.jobs.checkpoint(job, replace(job, status="cancelled"))) is not None:
                return saved
        raise Unavailable(f"{job_id} makes progress faster than it can be stopped")


def _is_its_own(caller: Caller, job: ReplayJob) -> bool:
    """Whether the caller began this job of many webhooks, and is still a member wherever it may send."""
    across = job.selection.across
    if across is None or across.workspaces is None or job.owner != caller.owner:
        return False
    return all(map(caller.is_in_workspace, across.workspaces))

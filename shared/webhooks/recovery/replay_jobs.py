"""Replay jobs: many dead letters, and what a webhook missed, sent again page by page and at a rate."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from webhooks.errors import Conflict, Unavailable
from webhooks.ids import is_id, time_of
from webhooks.models.replay import ENDED, MAKING_MS, ReplayJob
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_source import PAGE, ReplaySource, count, is_missed, parts_of

SLICE_MS = 2_000  # of work in one run; then the jobs that wait have their turn
COUNTED = 20_000  # dead letters and events that are looked at before a job begins: it has to begin within its run
DELAY_LIMIT_SECONDS = 60  # messages of a rate-limited job are spread over at most this, then it goes on in a later run


class JobStore(Protocol):
    """Replay jobs."""

    def get(self, job_id: str) -> ReplayJob | None:
        """Consistent read."""
        ...

    def checkpoint(self, before: ReplayJob, after: ReplayJob) -> ReplayJob | None:
        """Store the next step of a job; None when another run got there first."""
        ...


class JobQueue(Protocol):
    """Where jobs wait for their next run."""

    def go_on(self, job: ReplayJob, delay_seconds: int) -> None:
        """Run the job again after that many seconds. Raises Unavailable."""
        ...


class ReplayJobs:
    """Runs replay jobs, one page in each step."""

    def __init__(
        self,
        jobs: JobStore,
        source: ReplaySource,
        replayer: Replayer,
        queue: JobQueue,
        *,
        now_ms: Callable[[], int],
        counted: int = COUNTED,
    ) -> None:
        self._jobs = jobs
        self._source = source
        self._replayer = replayer
        self._queue = queue
        self._now_ms = now_ms
        self._counted = counted

    def run(self, job_id: str, deadline_ms: int) -> ReplayJob | None:
        """Go on with a job from its last checkpoint until it is done or its turn is over; None when there is none.

        A turn takes SLICE_MS and the page under way, and never goes on after `deadline_ms`.

        Raises Unavailable: the message comes again and finds the last checkpoint. So too when another run has got
        further. That run may hold this very message, received twice, and could die with nothing left to carry on.
        """
        job = self._jobs.get(job_id)
        if job is None and is_id("rpl", job_id) and self._now_ms() - time_of(job_id) < MAKING_MS:
            raise Unavailable(f"{job_id} is not kept yet")  # its message goes before it
        if job is None or job.status in ENDED:
            return job
        if job.selection.more:  # sending what it leaves out would be worse than waiting
            raise Unavailable(f"{job_id} selects by {sorted(job.selection.more)}, which this version does not know")
        until_ms = min(deadline_ms, self._now_ms() + SLICE_MS)
        while True:
            try:
                advanced, sent = self._page(job)
            except Conflict as exc:
                if job.selection.across is not None:  # one of its webhooks takes nothing any more: the next run sees it
                    self._queue.go_on(job, 1)
                    return job
                advanced, sent = replace(job, status="failed", error=str(exc)), 0
            saved = self._jobs.checkpoint(job, advanced)
            if saved is None:
                raise Unavailable(f"another run of {job_id} has got further")
            if saved.status in ENDED:
                return saved
            job = saved
            wait_seconds = int(sent / job.rate_per_second)
            if wait_seconds or self._now_ms() >= until_ms:
                self._queue.go_on(job, min(wait_seconds, DELAY_LIMIT_SECONDS))
                return job

    def _page(self, job: ReplayJob) -> tuple[ReplayJob, int]:
        if job.total is None:  # a step of its own: once something is sent again, there is less to count
            counted = count(self._source, job, self._replayer.outstanding, self._counted)
            return replace(job, total=counted.total, status="running"), 0
        size = max(1, min(PAGE, int(job.rate_per_second * DELAY_LIMIT_SECONDS)))
        found = self._source.page(job, job.shard, job.after, size)
        chosen, after = found.letters, found.after
        fresh = [letter for letter in chosen if not letter.is_processed]
        delays = [int(position / job.rate_per_second) for position in range(len(fresh))]
        if is_missed(job.shard):
            sent = self._replayer.send(fresh, delays=delays)
        else:
            sent = self._replayer.replay(fresh, job.job_id, delays=delays)
        # After a crash between marking and the checkpoint, this page's letters are already marked as ours.
        ours = sum(1 for letter in chosen if letter.processed_by == job.job_id)
        job = replace(job, replayed=job.replayed + sent + ours, skipped=job.skipped + len(fresh) - sent)
        job = replace(job, left_out=job.left_out + found.left_out)
        job = replace(job, total=max(job.total or 0, job.replayed))  # a count that ended at COUNTED is overtaken
        if after is not None:
            return replace(job, after=after), sent
        if job.shard + 1 < parts_of(job):
            return replace(job, shard=job.shard + 1, after=None), sent
        return replace(job, status="completed"), sent

"""Replay jobs: listing them, how far one has come, and stopping it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from webhooks.errors import Conflict, NotAllowed, NotFound, Unavailable
from webhooks.ids import is_id
from webhooks.management.paging import Page, page_of
from webhooks.management.ports import History, JobStore
from webhooks.models.caller import Caller
from webhooks.models.replay import ENDED, JobStatus, ReplayJob

ROUNDS = 5  # a run of the job writes its checkpoints meanwhile


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs: those that every given part admits."""

    webhook_id: str | None = None
    status: JobStatus | None = None

    def admits(self, job: ReplayJob) -> bool:
        """Whether the job is meant."""
        return self.webhook_id in (None, job.webhook_id) and self.status in (None, job.status)


@dataclass(frozen=True, slots=True)
class Replays:
    """The use cases. Each raises NotFound for a job that the caller does not see, and Unavailable."""

    jobs: JobStore
    history: History

    def page(
        self, caller: Caller, owner: str | None, selection: Selection, behind: str | None, limit: int
    ) -> Page[ReplayJob]:
        """The caller's jobs, newest first; for admins everybody's, or one owner's. Raises NotAllowed."""
        if not caller.is_admin and owner not in (None, caller.owner):
            raise NotAllowed("only admins see the replays of others")
        whose = owner if caller.is_admin else caller.owner
        return page_of(self.jobs.newest(whose, behind), selection.admits, lambda job: job.job_id, limit=limit)

    def names(self, jobs: Sequence[ReplayJob]) -> Mapping[str, str]:
        """Names of the jobs' webhooks by their ids; those that are gone for good are absent."""
        found = self.history.webhooks(list({job.webhook_id for job in jobs}))
        return {webhook_id: webhook.name for webhook_id, webhook in found.items()}

    def get(self, caller: Caller, job_id: str) -> ReplayJob:
        """How far a replay has come."""
        job = self.jobs.get(job_id) if is_id("rpl", job_id) else None
        if job is None or not (caller.is_admin or job.owner == caller.owner):
            raise NotFound(f"there is no replay {job_id[:64]}")
        return job

    def cancel(self, caller: Caller, job_id: str) -> ReplayJob:
        """Stop a job before its next page; what it has sent stays sent. Raises Conflict when it has ended otherwise."""
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

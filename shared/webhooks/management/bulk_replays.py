"""Sending dead letters of many webhooks again, as one job: chosen ones, or all that have something in common."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from webhooks.access.idempotency_keys import Once
from webhooks.errors import Invalid, NotAllowed, NotFound
from webhooks.ids import is_id, new_id
from webhooks.management.audit import AuditLog
from webhooks.management.changes import sees
from webhooks.management.ports import History
from webhooks.management.replays import JobStarter
from webhooks.models.caller import Caller
from webhooks.models.replay import MANY, Across, ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_source import Counted, ReplaySource, count

EXAMINED = 20_000  # dead letters that an estimate looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReplays:
    """The use case. Raises NotFound for a webhook that the caller does not see, NotAllowed for an owner or a workspace
    of others, Invalid, TooManyRequests and Unavailable.

    `selection.across` says whose dead letters are meant, as far as the caller asks for that.
    """

    history: History
    source: ReplaySource
    replayer: Replayer
    starter: JobStarter
    audit: AuditLog
    now_ms: Callable[[], int]

    def estimate(self, caller: Caller, selection: ReplaySelection, rate_per_second: float) -> tuple[Counted, int]:
        """What `start` would send now, and the seconds that it takes at this rate."""
        job, _ = self._job(caller, selection, rate_per_second)
        with self.starter.rehearsal(job):
            counted = count(self.source, job, self.replayer.outstanding, EXAMINED)
        return counted, math.ceil(counted.total / rate_per_second)

    def start(
        self, caller: Caller, selection: ReplaySelection, rate_per_second: float, once: Once | None = None
    ) -> ReplayJob:
        """Begin to send it all, in the background. What belongs to a webhook that takes nothing stays as it is."""
        job, owners = self._job(caller, selection, rate_per_second)
        if (begun := self.starter.earlier(caller, once)) is not None:
            return begun
        for owner in owners:
            self.audit.note_of(caller, "replay.started", owner, job.job_id)
        return self.starter.start(job, caller, once)

    def _job(
        self, caller: Caller, selection: ReplaySelection, rate_per_second: float
    ) -> tuple[ReplayJob, Sequence[str]]:
        """The job, and in whose audit logs it is noted: theirs whose webhooks are named, else whoever's it asks for."""
        asked = selection.across or Across()
        if not asked.targets and selection.reason is None and selection.from_ms is None:
            raise Invalid.at("reason", "give targets, a reason, or the time from which to replay")
        if selection.to_ms is not None and (selection.from_ms or 0) > selection.to_ms:
            raise Invalid.at("from", "must not be after `to`")
        webhooks = self._named(caller, asked)
        owners = sorted({each.owner for each in webhooks}) or [asked.owner or caller.owner]
        now_ms = self.now_ms()
        job = ReplayJob(
            job_id=new_id("rpl", now_ms),
            webhook_id=MANY,
            owner=caller.owner,  # whose place among the jobs under way it takes
            selection=replace(selection, across=_within(caller, asked, webhooks)),
            rate_per_second=rate_per_second,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        return job, owners

    def _named(self, caller: Caller, asked: Across) -> list[Webhook]:
        ids = [each.webhook_id for each in asked.targets]
        found = self.history.webhooks([each for each in ids if is_id("wh", each)])
        for each in ids:
            if each not in found or found[each].status == "deleted" or not sees(caller, found[each]):
                raise NotFound(f"there is no webhook {each[:64]}")
        return list(found.values())


def _within(caller: Caller, asked: Across, webhooks: Sequence[Webhook]) -> Across:
    """What is asked for, within what the caller sees."""
    if caller.is_admin:
        return asked
    if asked.owner not in (None, caller.owner):
        raise NotAllowed("only admins replay the dead letters of others")
    if asked.workspace_id is not None and not caller.is_in_workspace(asked.workspace_id):
        raise NotAllowed(f"you are not a member of workspace {asked.workspace_id[:64]}")
    workspaces = {str(each.workspace_id) for each in webhooks if each.workspace_id is not None}
    if asked.workspace_id is not None:
        workspaces = {asked.workspace_id}
    elif not asked.targets:
        workspaces = set(caller.workspace_ids)
    return replace(asked, owner=caller.owner, workspaces=tuple(sorted(workspaces)))

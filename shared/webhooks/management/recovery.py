"""Recovery: sends what a webhook did not get in some period, once it takes deliveries again.

That is what was given up, and what was never queued because the webhook was inactive or failed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from webhooks.access.idempotency_keys import Once
from webhooks.errors import Invalid
from webhooks.ids import new_id
from webhooks.management.audit import AuditLog
from webhooks.management.changes import ManagementStore, find
from webhooks.management.replays import JobStarter
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_source import ReplaySource, count, sendable

EXAMINED = 20_000  # dead letters and events that an estimate looks at


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a recovery would send, and how long that takes at its rate. Not exact: there are more than these."""

    count: int
    is_exact: bool
    duration_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The use case. Raises NotFound for a webhook that the caller does not see, Invalid, and Unavailable."""

    store: ManagementStore
    source: ReplaySource
    replayer: Replayer
    starter: JobStarter
    audit: AuditLog
    now_ms: Callable[[], int]

    def estimate(self, caller: Caller, webhook_id: str, selection: ReplaySelection, rate_per_second: float) -> Estimate:
        """What `start` would send now; also for a webhook that takes no deliveries yet. Raises TooManyRequests."""
        webhook = find(self.store, caller, webhook_id)
        job = self._job(webhook, selection, rate_per_second)
        with self.starter.rehearsal(job):
            counted = count(self.source, job, self.replayer.outstanding, EXAMINED)
        slower = min(rate_per_second, webhook.rate_limit_rps or math.inf)
        return Estimate(counted.total, counted.is_exact, math.ceil(counted.total / slower))

    def start(
        self,
        caller: Caller,
        webhook_id: str,
        selection: ReplaySelection,
        rate_per_second: float,
        once: Once | None = None,
    ) -> ReplayJob:
        """Begin to send it all, in the background. Raises Conflict for a webhook that is inactive or failed."""
        webhook = find(self.store, caller, webhook_id)
        if (begun := self.starter.earlier(caller, once)) is not None:
            return begun
        webhook = sendable(webhook)
        job = self._job(webhook, selection, rate_per_second)
        self.audit.note(caller, Deed("recovery.started", job.job_id), webhook)
        return self.starter.start(job, caller, once)

    def _job(self, webhook: Webhook, selection: ReplaySelection, rate_per_second: float) -> ReplayJob:
        if selection.from_ms is None and selection.reason is None:
            raise Invalid.at("from", "give the time from which to recover, or a reason")
        if selection.to_ms is not None and (selection.from_ms or 0) > selection.to_ms:
            raise Invalid.at("from", "must not be after `to`")
        now_ms = self.now_ms()
        return ReplayJob(
            job_id=new_id("rpl", now_ms),
            webhook_id=webhook.webhook_id,
            owner=webhook.owner,
            selection=selection,
            rate_per_second=rate_per_second,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            with_missed=True,
            scope=webhook.scope,
        )

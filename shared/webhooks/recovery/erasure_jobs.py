"""Erasing a tenant, a little in each run, so that its neighbours notice nothing.

First its webhooks are taken out of service and what was published before is refused: nothing new begins. When what was
under way has ended, the whole table is read once, since events and keys of requests stand in no list. Every step can be
repeated.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.errors import Unavailable
from webhooks.models.erasure import Erasure

SETTLING_MS = 120_000  # senders and ingest run for at most 60 s; SQS shows a message again within 60 s
SLICE_MS = 2_000  # of work in one run
MOST_LOOKED_AT = 8_000  # items read in one run: some 400 read units a second, of a partition's 3,000
MOST_CHANGED = 1_000  # items written in one run
PAUSE_SECONDS = 1


class Erasures(Protocol):
    """The list of the erased."""

    def get(self, scope: str) -> Erasure | None:
        """Consistent read. Raises Unavailable."""
        ...

    def refuse_events(self, erasure: Erasure) -> None:
        """Have ingest drop what was published in the tenant's scope up to the request. Raises Unavailable."""
        ...

    def checkpoint(self, before: Erasure, after: Erasure) -> Erasure | None:
        """Store the next step; None when another run got there first. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What one page came to. `after` is where the next one begins, None at the end."""

    after: str | None
    looked_at: int = 0
    changed: int = 0
    webhooks: int = 0
    ended: int = 0
    unreadable: int = 0


class TenantData(Protocol):
    """The table. Each may be repeated, and may raise Unavailable. What cannot be read is left out and counted."""

    def retire(self, erasure: Erasure, after: str | None) -> Progress:
        """Take some of its webhooks out of service, without secrets and name."""
        ...

    def erase(self, erasure: Erasure, after: str | None) -> Progress:
        """Read a page of the table and erase what is the tenant's."""
        ...

    def erase_sums(self, erasure: Erasure) -> Progress:
        """Erase the sums over its webhooks."""
        ...


class ErasureQueue(Protocol):
    """Where erasures wait for their next run."""

    def go_on_erasing(self, scope: str, delay_seconds: int = 0) -> None:
        """Run it again after that many seconds. Raises Unavailable."""
        ...


class ErasureJobs:
    """Runs erasures, one page in each step."""

    def __init__(self, erasures: Erasures, data: TenantData, queue: ErasureQueue, *, now_ms: Callable[[], int]) -> None:
        self._erasures = erasures
        self._data = data
        self._queue = queue
        self._now_ms = now_ms

    def run(self, scope: str, deadline_ms: int) -> Erasure | None:
        """Go on from the last checkpoint for one turn; None when there is no such erasure.

        Raises Unavailable: the message comes again and finds the last checkpoint. So too when another run has got
        further: that one may hold this very message, and could die with nothing left to carry on.
        """
        erasure = self._erasures.get(scope)
        if erasure is None or erasure.status == "completed":
            return erasure
        until_ms = min(deadline_ms, self._now_ms() + SLICE_MS)
        looked_at = changed = 0
        while looked_at < MOST_LOOKED_AT and changed < MOST_CHANGED and self._now_ms() < until_ms:
            if (wait_ms := erasure.begins_at_ms - self._now_ms()) > 0:
                self._queue.go_on_erasing(scope, -(-wait_ms // 1000))
                return erasure
            progress = self._step(erasure)
            looked_at += progress.looked_at
            changed += progress.changed
            saved = self._erasures.checkpoint(erasure, self._advanced(erasure, progress))
            if saved is None:
                raise Unavailable(f"another run of the erasure of {scope} has got further")
            erasure = saved
            if erasure.status == "completed":
                return erasure
        self._queue.go_on_erasing(scope, PAUSE_SECONDS)
        return erasure

    def _step(self, erasure: Erasure) -> Progress:
        if erasure.stage == "table":
            return self._data.erase(erasure, erasure.after)
        if erasure.stage == "sums":
            return self._data.erase_sums(erasure)
        if erasure.after is None:
            self._erasures.refuse_events(erasure)
        return self._data.retire(erasure, erasure.after)

    def _advanced(self, erasure: Erasure, progress: Progress) -> Erasure:
        now_ms = self._now_ms()
        after = replace(
            erasure,
            status="running",
            after=progress.after,
            webhooks=erasure.webhooks + progress.webhooks,
            ended=erasure.ended + progress.ended,
            items=erasure.items + progress.changed,
            looked_at=erasure.looked_at + progress.looked_at,
            unreadable=erasure.unreadable + progress.unreadable,
        )
        if progress.after is not None:
            return after
        if erasure.stage == "webhooks":
            return replace(after, stage="table", begins_at_ms=now_ms + SETTLING_MS)
        if erasure.stage == "table":  # rollup may still be adding up what was ended just now
            return replace(after, stage="sums", begins_at_ms=now_ms + SETTLING_MS)
        return replace(after, status="completed", completed_at_ms=now_ms)

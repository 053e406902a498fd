"""Replay: what the dead-letter queue holds becomes a dead letter, and a dead letter becomes a delivery again.

Every step can be repeated: a dead letter is kept once per generation, a replay sends the next generation and then
marks, and a job goes on from its last checkpoint.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from webhooks.announcements import Announcement, Announcer
from webhooks.attempt_detail import AttemptDetail
from webhooks.errors import Conflict, Unavailable
from webhooks.event_types import OPERATIONAL_EVENT_TYPES
from webhooks.ids import HISTORY_SHARDS, time_of
from webhooks.lifecycle import begin, given_up, restarted
from webhooks.messages import DeliveryMessage, Received, group_of, message_of
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.models.webhook import Webhook
from webhooks.webhook_state import Loaded

PAGE = 100
DELAY_LIMIT_SECONDS = 60  # messages of a rate-limited job are spread over at most this, then it goes on in a later run
NEVER_RECORDED = "received_too_often"  # redriven by SQS itself: the sender crashed on it, again and again

logger = logging.getLogger(__name__)


class DeliveryStore(Protocol):
    """Records and webhooks as replay needs them."""

    def around(self, ids: Iterable[tuple[str, str | None]]) -> Loaded:
        """Webhooks, states and records, consistently. Raises Unavailable."""
        ...

    def save(
        self, changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]], details: Sequence[AttemptDetail] = ()
    ) -> Sequence[bool]:
        """Conditional writes. Raises Unavailable."""
        ...


class DeadLetterStore(Protocol):
    """Dead letters as replay needs them."""

    def bury(self, letter: DeadLetter) -> bool:
        """False when this generation of it is kept already."""
        ...

    def page(self, webhook_id: str, shard: int, after: str | None, limit: int) -> Sequence[DeadLetter]:
        """Dead letters of one shard after a delivery id, in order."""
        ...

    def get(self, ids: Sequence[tuple[str, str]]) -> Mapping[str, DeadLetter]:
        """By (webhook id, delivery id)."""
        ...

    def mark_processed(self, letter: DeadLetter, by: str) -> bool:
        """Note that it was sent again."""
        ...


class JobStore(Protocol):
    """Replay jobs."""

    def get(self, job_id: str) -> ReplayJob | None:
        """Consistent read."""
        ...

    def checkpoint(self, before: ReplayJob, after: ReplayJob) -> ReplayJob | None:
        """None when another run has got there first."""
        ...


class DeliveryQueue(Protocol):
    """Where deliveries go back to."""

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        """(message, delay in seconds): all of them, or Unavailable."""
        ...


class JobQueue(Protocol):
    """Where jobs wait for their next run."""

    def go_on(self, job_id: str, delay_seconds: int) -> None:
        """Raises Unavailable."""
        ...


class Undertaker:
    """Turns messages of the dead-letter queue into dead letters."""

    def __init__(
        self, store: DeliveryStore, letters: DeadLetterStore, announcer: Announcer, *, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._letters = letters
        self._announcer = announcer
        self._now_ms = now_ms

    def bury(self, batch: Sequence[Received[DeliveryMessage]]) -> int:
        """Keep what is really dead; returns how many dead letters are new. Raises Unavailable: repeat the batch."""
        loaded = self._store.around((each.message.webhook_id, each.message.delivery_id) for each in batch)
        buried = [letter for each in batch if (letter := self._bury(each.message, loaded)) is not None]
        announcements = [
            Announcement(
                "delivery.dead_lettered",
                letter.webhook_id,
                webhook.user_id,
                webhook.workspace_id,
                {"delivery_id": letter.delivery_id, "event_id": letter.event_id, "reason": letter.failure_reason},
            )
            for letter in buried
            if (webhook := loaded.webhooks.get(letter.webhook_id)) is not None
            and letter.event_type not in OPERATIONAL_EVENT_TYPES
        ]
        if announcements:
            self._announcer.announce(announcements, self._now_ms())
        return len(buried)

    def _bury(self, message: DeliveryMessage, loaded: Loaded) -> DeadLetter | None:
        stored = loaded.records.get(message.delivery_id)
        record = stored or begin(message)
        if message.generation < record.generation or record.status == "delivered":
            return None  # sent again, or through, since
        if record.status not in ("failed", "abandoned") or message.generation > record.generation:
            reason = message.reason or NEVER_RECORDED
            dead = given_up(replace(record, generation=message.generation), "failed", reason)
            dead = replace(dead, revision=record.revision + 1)
            if not self._store.save([(stored, dead)])[0]:
                raise Unavailable("the delivery's record changed meanwhile")
            record = dead
        webhook = loaded.webhooks.get(message.webhook_id)
        last = next((a for a in reversed(record.attempts) if a.outcome == "failure"), None)
        letter = DeadLetter(
            delivery_id=record.delivery_id,
            webhook_id=record.webhook_id,
            owner=webhook.owner if webhook else "",
            event_id=record.event_id,
            event_type=record.event_type,
            scope=record.scope,
            generation=record.generation,
            status=record.status,
            failure_reason=record.reason or message.reason or NEVER_RECORDED,
            attempt_count=record.attempt_count,
            last_status_code=last.status_code if last else None,
            last_error_code=last.error_code if last else None,
            dead_at_ms=self._now_ms(),
            body=message.body.encode(),
        )
        return letter if self._letters.bury(letter) else None


class Replayer:
    """Sends dead letters again, one by one or as a job."""

    def __init__(
        self, store: DeliveryStore, letters: DeadLetterStore, queue: DeliveryQueue, *, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._letters = letters
        self._queue = queue
        self._now_ms = now_ms

    def replay(self, letters: Sequence[DeadLetter], by: str, *, delays: Sequence[int] = ()) -> int:
        """Send all with a new cycle of attempts; returns how many went out. Raises Unavailable, Conflict.

        One that is delivered by now is only marked.
        """
        loaded = self._store.around((letter.webhook_id, letter.delivery_id) for letter in letters)
        now_ms = self._now_ms()
        outgoing: list[tuple[DeliveryMessage, int]] = []
        marks: list[tuple[DeliveryRecord | None, DeliveryRecord]] = []
        for position, letter in enumerate(letters):
            webhook = sendable(loaded.webhooks.get(letter.webhook_id))
            stored = loaded.records.get(letter.delivery_id)
            if stored is not None and (stored.status == "delivered" or stored.generation > letter.generation):
                continue
            again = restarted(stored or _from_letter(letter), now_ms)
            again = replace(again, revision=(stored.revision if stored else 0) + 1)
            body = letter.body.decode()
            outgoing.append((message_of(again, group_of(webhook.owner), body), delays[position] if delays else 0))
            marks.append((stored, again))
        self._queue.send(outgoing)
        self._store.save(marks)
        for letter in letters:
            self._letters.mark_processed(letter, by)
        return len(outgoing)

    def send_again(self, record: DeliveryRecord, webhook: Webhook | None, body: str) -> DeliveryRecord:
        """A manual retry of a delivery in any state, at once and as a new cycle. Raises Unavailable, Conflict."""
        webhook = sendable(webhook)
        again = replace(restarted(record, self._now_ms()), revision=record.revision + 1)
        self._queue.send([(message_of(again, group_of(webhook.owner), body), 0)])
        self._store.save([(record if record.revision else None, again)])
        return again


class ReplayJobs:
    """Runs replay jobs, a page a step."""

    def __init__(
        self,
        jobs: JobStore,
        letters: DeadLetterStore,
        replayer: Replayer,
        queue: JobQueue,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._jobs = jobs
        self._letters = letters
        self._replayer = replayer
        self._queue = queue
        self._now_ms = now_ms

    def run(self, job_id: str, deadline_ms: int) -> ReplayJob | None:
        """Go on with a job from its last checkpoint until it is done or time is up; None when another run has it.

        Raises Unavailable: the message comes again and finds the last checkpoint.
        """
        job = self._jobs.get(job_id)
        if job is None or job.status in ("completed", "failed"):
            return job
        while True:
            try:
                advanced, sent = self._page(job)
            except Conflict as exc:
                advanced, sent = replace(job, status="failed", error=str(exc)), 0
            saved = self._jobs.checkpoint(job, advanced)
            if saved is None or saved.status in ("completed", "failed"):
                return saved
            job = saved
            wait_seconds = int(sent / job.rate_per_second)
            if wait_seconds or self._now_ms() >= deadline_ms:
                self._queue.go_on(job.job_id, min(wait_seconds, DELAY_LIMIT_SECONDS))
                return job

    def _page(self, job: ReplayJob) -> tuple[ReplayJob, int]:
        if job.total is None:
            job = replace(job, total=self._count(job), status="running")
        size = max(1, min(PAGE, int(job.rate_per_second * DELAY_LIMIT_SECONDS)))
        letters = self._letters.page(job.webhook_id, job.shard, job.after, size)
        chosen = [letter for letter in letters if _selected(letter, job)]
        fresh = [letter for letter in chosen if not letter.is_processed]
        delays = [int(position / job.rate_per_second) for position in range(len(fresh))]
        sent = self._replayer.replay(fresh, job.job_id, delays=delays)
        # After a crash between marking and the checkpoint, this page's letters are already marked as ours.
        ours = sum(1 for letter in chosen if letter.processed_by == job.job_id)
        job = replace(job, replayed=job.replayed + sent + ours, skipped=job.skipped + len(fresh) - sent)
        if letters:
            return replace(job, after=letters[-1].delivery_id), sent
        if job.shard + 1 < HISTORY_SHARDS:
            return replace(job, shard=job.shard + 1, after=None), sent
        return replace(job, status="completed"), sent

    def _count(self, job: ReplayJob) -> int:
        count = 0
        for shard in range(HISTORY_SHARDS):
            after: str | None = None
            while letters := self._letters.page(job.webhook_id, shard, after, PAGE * 10):
                count += sum(1 for letter in letters if _selected(letter, job) and not letter.is_processed)
                after = letters[-1].delivery_id
        return count


def _selected(letter: DeadLetter, job: ReplayJob) -> bool:
    selection: ReplaySelection = job.selection
    accepted_ms = time_of(letter.delivery_id)
    return (
        letter.dead_at_ms <= job.created_at_ms  # what this very job sent and died again is not its business
        and (not selection.delivery_ids or letter.delivery_id in selection.delivery_ids)
        and selection.reason in (None, letter.failure_reason)
        and selection.event_type in (None, letter.event_type)
        and (selection.from_ms is None or accepted_ms >= selection.from_ms)
        and (selection.to_ms is None or accepted_ms <= selection.to_ms)
    )


def sendable(webhook: Webhook | None) -> Webhook:
    """The webhook, when it takes deliveries or will on its resume. Raises Conflict for any other."""
    if webhook is None or webhook.status == "deleted":
        raise Conflict("the webhook is deleted; there is nowhere to send this")
    if webhook.status in ("inactive", "failed"):
        raise Conflict(f"the webhook is {webhook.status}; set its status to active first")
    return webhook


def _from_letter(letter: DeadLetter) -> DeliveryRecord:
    return DeliveryRecord(
        delivery_id=letter.delivery_id,
        webhook_id=letter.webhook_id,
        event_id=letter.event_id,
        event_type=letter.event_type,
        scope=letter.scope,
        generation=letter.generation,
    )

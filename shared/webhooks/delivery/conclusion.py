"""Conclude: every outcome is recorded, then what follows from it is done, and only then does its message go."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from webhooks.delivery import retry
from webhooks.delivery.attempt_detail import AttemptDetail
from webhooks.delivery.endpoint_health import AttemptOutcome, EndpointHealth, Tally, tally_of
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.delivery.job import Job, SendReport
from webhooks.delivery.lifecycle import begin
from webhooks.delivery.ports import DeliveryQueue, EndpointStates
from webhooks.delivery.receive_decision import Advance, Attempted, Leave, Park, advance
from webhooks.errors import Unavailable
from webhooks.event_types import OPERATIONAL_EVENT_TYPES
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.keeping import is_whole

RACES = 5

logger = logging.getLogger(__name__)


class DeliveryRecords(Protocol):
    """Delivery records as concluding needs them."""

    def get(self, ids: Sequence[tuple[str, str]]) -> Mapping[str, DeliveryRecord]:
        """Records by (webhook id, delivery id), keyed by delivery id. Raises Unavailable."""
        ...

    def save(
        self, changes: Sequence[tuple[DeliveryRecord, DeliveryRecord]], details: Sequence[AttemptDetail] = ()
    ) -> Sequence[bool | None]:
        """Conditional writes; False: the stored revision is another. None: AWS did not take this one.

        Raises Unavailable where it takes none.
        """
        ...

    def drop_letter_payload(self, webhook_id: str, delivery_id: str) -> None:
        """Take the payload out of a dead letter that was delivered since. Raises Unavailable."""
        ...


class RetryQueue(Protocol):
    """The queue that a message came from."""

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Show messages again after seconds. Raises Unavailable."""
        ...


class Conclusion:
    """What follows when each job of a batch has its decision."""

    def __init__(
        self,
        records: DeliveryRecords,
        states: EndpointStates,
        queue: RetryQueue,
        dead_letters: DeliveryQueue,
        health: EndpointHealth,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._records = records
        self._states = states
        self._queue = queue
        self._dead_letters = dead_letters
        self._health = health
        self._now_ms = now_ms

    def conclude(self, jobs: Sequence[Job], states: Mapping[str, EndpointState], report: SendReport) -> None:
        """Record outcomes and act on them. Never raises when AWS fails: the messages concerned stay in the queue."""
        advances = self._record(jobs, report)
        self._note_health([job for job, _ in advances], states)
        self._bury([(job, done) for job, done in advances if done.then == "dead_letter"], report)
        self._forget([job for job, done in advances if _is_to_be_forgotten(job, done)], report)
        again = [(job, done) for job, done in advances if done.then == "again"]
        report.again.update(job.received.message_id for job, _ in again)
        self._postpone(again)
        for job, done in advances:
            _count(job, done, report)

    def _record(self, jobs: Sequence[Job], report: SendReport) -> list[tuple[Job, Advance]]:
        """Write every outcome; one that lost a race is decided again from what is stored now."""
        settled: list[tuple[Job, Advance]] = []
        writer = secrets.token_hex(3)
        for _ in range(RACES):
            advances = [(job, done) for job in jobs if (done := self._advance(job, writer, report)) is not None]
            saved, jobs = self._save(advances, report)
            settled += saved
            if not jobs:
                return settled
        report.give_back([job.received for job in jobs], Unavailable("their records kept changing"))
        return settled

    def _advance(self, job: Job, writer: str, report: SendReport) -> Advance | None:
        try:
            return advance(job.base, job.received, job.decision or Leave(), now_ms=self._now_ms(), writer=writer)
        except Exception as exc:  # what one delivery brings out must not leave the others unrecorded
            logger.exception("what became of delivery %s could not be decided", job.message.delivery_id)
            report.give_back([job.received], exc)
            return None

    def _save(
        self, advances: Sequence[tuple[Job, Advance]], report: SendReport
    ) -> tuple[list[tuple[Job, Advance]], list[Job]]:
        """What is written, and the jobs whose record somebody else has changed, with that record."""
        settled = [(job, done) for job, done in advances if done.record is None]
        writes = [(job, done, done.record) for job, done in advances if done.record is not None]
        try:
            saved = self._records.save(
                [(job.base, record) for job, _, record in writes],
                [done.detail for _, done, _ in writes if done.detail is not None],
            )
        except Unavailable as exc:
            report.give_back([job.received for job, _, _ in writes], exc)
            return settled, []
        settled += [(job, done) for (job, done, _), ok in zip(writes, saved, strict=True) if ok]
        undone = [job.received for (job, _, _), ok in zip(writes, saved, strict=True) if ok is None]
        report.give_back(undone, Unavailable("their outcome was not taken"))
        doubtful = [each for each, ok in zip(writes, saved, strict=True) if ok is False]
        try:
            fresh = self._records.get([(job.message.webhook_id, job.message.delivery_id) for job, _, _ in doubtful])
        except Unavailable as exc:
            report.give_back([job.received for job, _, _ in doubtful], exc)
            return settled, []
        lost: list[Job] = []
        for job, done, record in doubtful:
            stored = fresh.get(job.message.delivery_id)
            if stored == record:  # it is this very write, whose answer was lost
                settled.append((job, done))
            else:
                job.base = stored or begin(job.message)
                lost.append(job)
        return settled, lost

    def _note_health(self, jobs: Sequence[Job], states: Mapping[str, EndpointState]) -> None:
        attempts: dict[str, list[tuple[Job, Attempted]]] = {}
        for job in jobs:
            if isinstance(job.decision, Attempted):
                attempts.setdefault(job.message.webhook_id, []).append((job, job.decision))
        for webhook_id, group in attempts.items():
            webhook = group[0][0].webhook
            tally = _tally(group, self._now_ms())
            if webhook is None:
                continue
            try:
                # The probe's lease was written after the batch was read.
                state = self._states.get(webhook_id) if tally.probe else states.get(webhook_id, EndpointState())
                self._health.note(webhook, state, tally, self._now_ms())
            except Unavailable as exc:
                logger.warning("the health of %s is not up to date: %s", webhook_id, exc)
            except Exception:  # a state that cannot be read: what was sent is recorded, and has to go on
                logger.exception("the health of %s is not up to date", webhook_id)

    def _bury(self, dead: Sequence[tuple[Job, Advance]], report: SendReport) -> None:
        """To the dead-letter queue, then off this one. The record says so already: a repeat comes here again."""
        try:
            self._dead_letters.send([(job.message.given_up(_reason(job, done)), 0) for job, done in dead])
        except Unavailable as exc:
            report.give_back([job.received for job, _ in dead], exc)

    def _forget(self, delivered: Sequence[Job], report: SendReport) -> None:
        """Their dead letters lose the payload before their messages go: a repeat comes here again."""
        for job in delivered:
            try:
                self._records.drop_letter_payload(job.message.webhook_id, job.message.delivery_id)
            except Unavailable as exc:
                report.give_back([job.received], exc)

    def _postpone(self, again: Sequence[tuple[Job, Advance]]) -> None:
        try:
            self._queue.postpone([(job.received.receipt_handle, _seconds(done.visible_in_ms)) for job, done in again])
        except Unavailable as exc:
            logger.warning("%d retries left to the queue's own visibility timeout: %s", len(again), exc)


def _is_to_be_forgotten(job: Job, done: Advance) -> bool:
    """Whether it was delivered, its payload is kept no longer than that, and it may have a dead letter from before."""
    return (
        not is_whole(job.message.keeping) and (done.record or job.base).status == "delivered" and job.base.revision > 0
    )


def _count(job: Job, done: Advance, report: SendReport) -> None:
    report.steps.append(f"{job.message.delivery_id} {job.message.event_id} {_outcome(job, done)}")
    if isinstance(job.decision, Attempted):
        report.delivered += job.decision.classification.kind == "delivered"
        report.failed_attempts += job.decision.classification.kind != "delivered"
    report.parked += isinstance(job.decision, Park)
    report.dropped += isinstance(job.decision, Leave)
    report.given_up += done.then == "dead_letter"
    if done.record is not None:
        noted = done.record.attempts[len(job.base.attempts) :]
        report.unknown += sum(attempt.outcome == "unknown" for attempt in noted)


def _outcome(job: Job, done: Advance) -> str:
    decision, record = job.decision, done.record
    if isinstance(decision, Attempted) and decision.classification.kind == "delivered":
        return "delivered"
    if done.then == "dead_letter":
        return f"given_up:{_reason(job, done)}"
    if done.then == "again":
        return f"again_in:{_seconds(done.visible_in_ms)}s"
    if record is not None and record.waiting is not None:
        return f"waits:{record.waiting.reason}"
    return "left"


def _tally(group: Sequence[tuple[Job, Attempted]], now_ms: int) -> Tally:
    outcomes = [
        AttemptOutcome(
            succeeded=decision.classification.kind == "delivered",
            took_ms=decision.exchange.duration_ms,
            overloaded=decision.classification.overloaded,
            too_many=decision.exchange.status_code == 429,
            asked_ms=retry.retry_after_ms(decision.exchange.retry_after, now_ms),
        )
        for _, decision in group
        if decision.classification.reached_out
    ]
    return tally_of(
        outcomes,
        probe=any(job.probe for job, _ in group),
        gone=any(decision.classification.gone for _, decision in group),
        silent=all(job.message.event_type in OPERATIONAL_EVENT_TYPES for job, _ in group),
    )


def _reason(job: Job, done: Advance) -> str:
    return (done.record or job.base).reason or "unknown"


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // 1000))

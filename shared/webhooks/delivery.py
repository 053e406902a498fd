"""Delivery: prepare, send, conclude.

One read for the whole batch, all attempts at once, one conditional statement an outcome. An endpoint's failure is a
recorded outcome; only what we could not do ourselves sends a message back to the queue unrecorded.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from webhooks import circuit_breaker, rate_limit, retry
from webhooks.announcements import Announcement, Announcer
from webhooks.attempt_detail import AttemptDetail
from webhooks.errors import Unavailable, WebhooksError
from webhooks.event_types import OPERATIONAL_EVENT_TYPES
from webhooks.gate import Gate, gate
from webhooks.lifecycle import AttemptPolicy, begin, is_early, is_expired, standing, take_up
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.delivery import DeliveryRecord, Waiting
from webhooks.models.exchange import Exchange, HttpRequest
from webhooks.models.webhook import Webhook
from webhooks.signed_request import RequestSigner
from webhooks.steps import Advance, Attempted, GiveUp, Leave, Park, Postpone, Step, advance
from webhooks.verdict import judge
from webhooks.webhook_health import HealthKeeper, Tally, tally_of
from webhooks.webhook_state import Loaded, WebhookState

RACES = 5
LEASE_MARGIN_MS = 15_000  # beyond the attempt's own deadline, until another sender may probe

logger = logging.getLogger(__name__)


class DeliveryStore(Protocol):
    """The table as the sender needs it."""

    def load(self, messages: Sequence[DeliveryMessage]) -> Loaded:
        """Webhooks, states and records of a batch, consistently. Raises Unavailable."""
        ...

    def get(self, ids: Sequence[tuple[str, str]]) -> Mapping[str, DeliveryRecord]:
        """Records by (webhook id, delivery id), keyed by delivery id. Raises Unavailable."""
        ...

    def save(
        self, changes: Sequence[tuple[DeliveryRecord | None, DeliveryRecord]], details: Sequence[AttemptDetail] = ()
    ) -> Sequence[bool]:
        """Conditional writes; False: the stored revision is another. Raises Unavailable."""
        ...


class StateStore(Protocol):
    """Webhook states as the sender needs them."""

    def get(self, webhook_id: str) -> WebhookState:
        """Consistent read. Raises Unavailable."""
        ...

    def save_health(self, webhook_id: str, before: WebhookState, after: WebhookState) -> bool:
        """False when somebody was faster."""
        ...

    def save_rate(self, webhook_id: str, before_tat_ms: int | None, tat_ms: int) -> bool:
        """False when somebody was faster."""
        ...

    def wake(self, webhook_id: str, at_ms: int, now_ms: int) -> None:
        """Have release look at the webhook's waiting room at that time. Raises Unavailable."""
        ...


class DeliveryQueue(Protocol):
    """The delivery queue as the sender needs it."""

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Show messages again after seconds. Raises Unavailable."""
        ...


class DeadLetterQueue(Protocol):
    """Where deliveries go that are given up."""

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        """All of them, or Unavailable."""
        ...


class Transport(Protocol):
    """Sends one request; an endpoint's failure is a result."""

    async def send(self, request: HttpRequest, pool: str = "") -> Exchange:
        """Connections are shared only within a pool: the webhook's owner."""
        ...


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """The deployment's settings of delivery."""

    retry_base_seconds: float
    max_age_ms: int


@dataclass(slots=True)
class SendReport:
    """What one batch came to. `again`: ids of messages that stay in the queue."""

    again: set[str] = field(default_factory=set[str])
    received: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    given_up: int = 0
    parked: int = 0
    dropped: int = 0
    returned: int = 0  # through our own faults
    unknown: int = 0


@dataclass(slots=True)
class _Job:
    received: Received[DeliveryMessage]
    stored: DeliveryRecord | None
    webhook: Webhook | None
    step: Step | None = None
    probe: bool = False

    @property
    def message(self) -> DeliveryMessage:
        return self.received.message

    def is_to_be_sent(self, report: SendReport) -> bool:
        return self.step is None and self.received.message_id not in report.again


class Sender:
    """The use case of functions/sender."""

    def __init__(
        self,
        store: DeliveryStore,
        states: StateStore,
        queue: DeliveryQueue,
        dead_letters: DeadLetterQueue,
        transport: Transport,
        signer: RequestSigner,
        health: HealthKeeper,
        announcer: Announcer,
        policy: SenderPolicy,
        *,
        now_ms: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._states = states
        self._queue = queue
        self._dead_letters = dead_letters
        self._transport = transport
        self._signer = signer
        self._health = health
        self._announcer = announcer
        self._policy = policy
        self._now_ms = now_ms
        self._random = random

    async def deliver(self, batch: Sequence[Received[DeliveryMessage]]) -> SendReport:
        """Bring a batch of deliveries one step further each."""
        report = SendReport(received=len(batch))
        try:
            loaded = self._store.load([received.message for received in batch])
        except Unavailable as exc:
            logger.warning("batch returned to the queue: %s", exc)
            report.again.update(received.message_id for received in batch)
            report.returned = len(batch)
            return report
        jobs = self._prepare(batch, loaded, report)
        await asyncio.gather(
            *(self._attempt(job, job.webhook, report) for job in jobs if job.webhook and job.is_to_be_sent(report))
        )
        self._conclude([job for job in jobs if job.step is not None], loaded, report)
        return report

    # ---- prepare

    def _prepare(self, batch: Sequence[Received[DeliveryMessage]], loaded: Loaded, report: SendReport) -> list[_Job]:
        jobs = [
            _Job(
                received,
                loaded.records.get(received.message.delivery_id),
                loaded.webhooks.get(received.message.webhook_id),
            )
            for received in batch
        ]
        by_webhook: dict[str, list[_Job]] = {}
        for job in jobs:
            by_webhook.setdefault(job.message.webhook_id, []).append(job)
        for webhook_id, group in by_webhook.items():
            try:
                self._admit(group, loaded.states.get(webhook_id, WebhookState()))
            except Unavailable as exc:
                self._return(group, exc, report)
        return jobs

    def _admit(self, group: Sequence[_Job], state: WebhookState) -> None:
        """Decide for one webhook's messages which are sent now (`step` stays None) and what becomes of the others."""
        now_ms = self._now_ms()
        webhook = group[0].webhook
        passage = gate(webhook, state, now_ms)
        candidates = [job for job in group if not self._settled(job, passage, now_ms)]
        if webhook is None or passage.kind == "closed" or not candidates:
            return
        if passage.kind == "probe":
            passage = self._probe(webhook, state, candidates[0], now_ms)
            candidates = candidates[1:] if candidates[0].probe else candidates
        if passage.kind == "open":
            passage, candidates = self._reserve(webhook, state, candidates, now_ms)
        if candidates and passage.kind == "room":
            # The wake-up comes first: a crash in between leaves one too many, never a room that nobody looks into.
            if (
                state.wake_at_ms is None
                or state.wake_at_ms > passage.wake_at_ms
                or now_ms - state.touched_at_ms > 60_000
            ):
                self._states.wake(webhook.webhook_id, passage.wake_at_ms, now_ms)
            for job in candidates:
                job.step = Park(Waiting("room", passage.wake_at_ms, passage.reason))

    def _settled(self, job: _Job, passage: Gate, now_ms: int) -> bool:
        base = job.stored or begin(job.message)
        if standing(base, job.message) != "live":
            job.step = Leave()
        elif passage.kind == "closed":
            job.step = GiveUp(passage.reason)
        else:
            record = take_up(base, job.received, now_ms)
            if is_expired(record, self._attempt_policy(job.webhook), now_ms):
                job.step = GiveUp("expired")
            elif is_early(record, now_ms):
                job.step = Postpone((record.next_attempt_at_ms or now_ms) - now_ms)
        return job.step is not None

    def _probe(self, webhook: Webhook, state: WebhookState, job: _Job, now_ms: int) -> Gate:
        """One sender wins the lease and sends one delivery; all others wait for its result."""
        lease_ms = webhook.timeout_seconds * 1000 + LEASE_MARGIN_MS
        taken = replace(state, circuit=circuit_breaker.take_probe(state.circuit, now_ms, lease_ms))
        job.probe = self._states.save_health(webhook.webhook_id, state, taken)
        return Gate("room", "circuit_open", now_ms + lease_ms)

    def _reserve(
        self, webhook: Webhook, state: WebhookState, candidates: list[_Job], now_ms: int
    ) -> tuple[Gate, list[_Job]]:
        """Take places in the webhook's rate for a whole batch; returns who has to wait, and until when."""
        wanting = [job for job in candidates if not job.message.reserved]
        if webhook.rate_limit_rps is None or not wanting:
            return Gate("open"), []
        tat_ms = state.rate_tat_ms
        retry_at_ms = now_ms + 1000
        for _ in range(RACES):
            reservation = rate_limit.reserve(
                tat_ms, len(wanting), rate_per_second=webhook.rate_limit_rps, burst=None, now_ms=now_ms
            )
            retry_at_ms = reservation.retry_at_ms
            if not reservation.granted:
                break
            if self._states.save_rate(webhook.webhook_id, tat_ms, reservation.tat_ms):
                return Gate("room", "rate_limited", retry_at_ms), wanting[reservation.granted :]
            tat_ms = self._states.get(webhook.webhook_id).rate_tat_ms
        return Gate("room", "rate_limited", retry_at_ms), wanting

    # ---- send

    async def _attempt(self, job: _Job, webhook: Webhook, report: SendReport) -> None:
        now_ms = self._now_ms()
        number = (job.stored.attempt_count if job.stored else 0) + 1
        try:
            request = self._signer.request(
                webhook, job.message, attempt=number, now_ms=now_ms, timeout_seconds=webhook.timeout_seconds
            )
        except WebhooksError as exc:
            self._return([job], exc, report)
            return
        exchange = await self._transport.send(request, webhook.owner)
        base = take_up(job.stored or begin(job.message), job.received, now_ms)
        wished_ms = retry.retry_after_ms(_header(exchange, "retry-after"), self._now_ms())
        delay_ms = retry.next_delay_ms(
            base.attempts_in_cycle + 1,
            wished_ms,
            base_seconds=self._policy.retry_base_seconds,
            random=self._random(),
        )
        job.step = Attempted(exchange, judge(exchange), delay_ms, self._attempt_policy(webhook))
        if exchange.internal_detail:
            logger.info(
                "attempt failed", extra={"delivery_id": job.message.delivery_id, "detail": exchange.internal_detail}
            )

    # ---- conclude

    def _conclude(self, jobs: Sequence[_Job], loaded: Loaded, report: SendReport) -> None:
        try:
            advances = self._record(jobs, report)
        except Unavailable as exc:
            self._return(jobs, exc, report)
            return
        announcements = self._note_health(jobs, loaded)
        self._bury([(job, done) for job, done in advances if done.then == "dead_letter"], report)
        again = [(job, done) for job, done in advances if done.then == "again"]
        report.again.update(job.received.message_id for job, _ in again)
        self._tell(again, announcements)
        self._count(advances, report)

    def _record(self, jobs: Sequence[_Job], report: SendReport) -> list[tuple[_Job, Advance]]:
        """Write every outcome; one that lost a race is decided again from what is stored now."""
        settled: list[tuple[_Job, Advance]] = []
        open_jobs = list(jobs)
        for _ in range(RACES):
            advances = [self._advance(job) for job in open_jobs]
            writes = [(job, done, done.record) for job, done in zip(open_jobs, advances, strict=True) if done.record]
            saved = self._store.save(
                [(job.stored, record) for job, _, record in writes],
                [done.detail for _, done, _ in writes if done.detail is not None],
            )
            doubtful = [job for (job, _, _), ok in zip(writes, saved, strict=True) if not ok]
            fresh = self._store.get([(job.message.webhook_id, job.message.delivery_id) for job in doubtful])
            lost: list[_Job] = []
            for job, done in zip(open_jobs, advances, strict=True):
                stored = fresh.get(job.message.delivery_id)
                # What is stored may be this very write, its answer lost on the way.
                if any(job is each for each in doubtful) and stored != done.record:
                    job.stored = stored
                    lost.append(job)
                else:
                    settled.append((job, done))
            if not lost:
                return settled
            open_jobs = lost
        self._return(open_jobs, Unavailable("the record kept changing"), report)
        return settled

    def _advance(self, job: _Job) -> Advance:
        return advance(job.stored, job.received, job.step or Leave(), now_ms=self._now_ms())

    def _note_health(self, jobs: Sequence[_Job], loaded: Loaded) -> list[Announcement]:
        groups: dict[str, list[tuple[_Job, Attempted]]] = {}
        for job in jobs:
            if isinstance(job.step, Attempted):
                groups.setdefault(job.message.webhook_id, []).append((job, job.step))
        announcements: list[Announcement] = []
        for webhook_id, group in groups.items():
            webhook = group[0][0].webhook
            if webhook is None:
                continue
            state = loaded.states.get(webhook_id, WebhookState())
            tally = _tally(group, self._now_ms())
            try:
                # The probe's lease was written since the batch was read.
                current = self._states.get(webhook_id) if tally.probe else state
                announcements += self._health.note(webhook, current, tally, self._now_ms())
            except Unavailable as exc:
                logger.warning("the health of %s is not up to date: %s", webhook_id, exc)
        return announcements

    def _bury(self, dead: Sequence[tuple[_Job, Advance]], report: SendReport) -> None:
        """To the dead-letter queue, then off this one. The record says so already: a repeat comes here again."""
        try:
            self._dead_letters.send([(job.message.given_up(_reason(job, done)), 0) for job, done in dead])
        except Unavailable as exc:
            self._return([job for job, _ in dead], exc, report)

    def _tell(self, again: Sequence[tuple[_Job, Advance]], announcements: Sequence[Announcement]) -> None:
        try:
            self._queue.postpone([(job.received.receipt_handle, _seconds(done.visible_in_ms)) for job, done in again])
            if announcements:
                self._announcer.announce(announcements, self._now_ms())
        except Unavailable as exc:
            logger.warning("left to the queue's own visibility timeout, or not announced: %s", exc)

    def _count(self, advances: Sequence[tuple[_Job, Advance]], report: SendReport) -> None:
        for job, done in advances:
            if isinstance(job.step, Attempted):
                report.delivered += job.step.verdict.kind == "delivered"
                report.failed_attempts += job.step.verdict.kind != "delivered"
            report.parked += isinstance(job.step, Park)
            report.dropped += isinstance(job.step, Leave)
            report.given_up += done.then == "dead_letter"
            if done.record is not None:
                before = job.stored.attempts if job.stored else ()
                fresh = done.record.attempts[len(before) :]
                report.unknown += sum(attempt.outcome == "unknown" for attempt in fresh)

    def _return(self, jobs: Sequence[_Job], cause: Exception, report: SendReport) -> None:
        logger.warning("%d messages returned to the queue: %s", len(jobs), cause)
        report.again.update(job.received.message_id for job in jobs)
        report.returned += len(jobs)

    def _attempt_policy(self, webhook: Webhook | None) -> AttemptPolicy:
        max_retries = webhook.max_retries if webhook else 0
        return AttemptPolicy(max_retries + 1, self._policy.max_age_ms)


def _tally(group: Sequence[tuple[_Job, Attempted]], now_ms: int) -> Tally:
    outcomes: list[tuple[bool, int]] = []
    for _, step in group:
        if step.verdict.reached_out:
            wished_ms = retry.retry_after_ms(_header(step.exchange, "retry-after"), now_ms)
            overloaded = step.verdict.overloaded
            asked_ms = wished_ms or retry.BASE_SECONDS * 1000 if step.exchange.status_code == 429 else wished_ms or -1
            outcomes.append((step.verdict.kind == "delivered", round(asked_ms) if overloaded else 0))
    return tally_of(
        outcomes,
        probe=any(job.probe for job, _ in group),
        gone=any(step.verdict.gone for _, step in group),
        silent=all(job.message.event_type in OPERATIONAL_EVENT_TYPES for job, _ in group),
    )


def _reason(job: _Job, done: Advance) -> str:
    record = done.record or job.stored
    return (record.reason if record else None) or "unknown"


def _header(exchange: Exchange, name: str) -> str | None:
    return next((value for key, value in exchange.response_headers if key.lower() == name), None)


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // 1000))

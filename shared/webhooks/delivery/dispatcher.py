"""Delivery: prepare, send, conclude.

One read for the whole batch, all attempts at once, one conditional statement an outcome. An endpoint's failure is a
recorded outcome; only what we could not do ourselves sends a message back to the queue unrecorded.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from webhooks.delivery import retry
from webhooks.delivery.admission import Admission, SenderPolicy
from webhooks.delivery.bulkhead import SLOW_MS
from webhooks.delivery.classification import Classification, classify
from webhooks.delivery.conclusion import Conclusion
from webhooks.delivery.endpoint_health import EndpointHealth
from webhooks.delivery.endpoint_state import DeliveryContext, EndpointState
from webhooks.delivery.hand_back import MOST_COPIES, Queue, delay_seconds, hand_back
from webhooks.delivery.job import Job, SendReport
from webhooks.delivery.lifecycle import attempts_used, begin
from webhooks.delivery.ports import Transport
from webhooks.delivery.receive_decision import Attempted, Leave, Postpone
from webhooks.errors import PoisonMessage, Unavailable, WebhooksError
from webhooks.messages import DeliveryMessage, Received
from webhooks.models.exchange import Exchange
from webhooks.models.webhook import Webhook
from webhooks.request.signed_request import RequestSigner

RECORDING_MS = 25_000  # what recording a batch takes at worst, with what goes before and after it

logger = logging.getLogger(__name__)


class BatchStore(Protocol):
    """The table as a batch begins."""

    def load(self, messages: Sequence[DeliveryMessage]) -> DeliveryContext:
        """Webhooks, states and records of a batch, consistently. Raises Unavailable."""
        ...


class Sender:
    """The use case of functions/sender."""

    def __init__(
        self,
        store: BatchStore,
        admission: Admission,
        transport: Transport,
        signer: RequestSigner,
        conclusion: Conclusion,
        policy: SenderPolicy,
        queue: Queue,
        health: EndpointHealth,
        *,
        now_ms: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._admission = admission
        self._transport = transport
        self._signer = signer
        self._conclusion = conclusion
        self._policy = policy
        self._queue = queue
        self._health = health
        self._now_ms = now_ms
        self._random = random

    async def deliver(self, batch: Sequence[Received[DeliveryMessage]], deadline_ms: int) -> SendReport:
        """Bring each delivery of a batch one step further. What cannot be recorded before the deadline is not begun."""
        report = SendReport(received=len(batch))
        await self._deliver(batch, deadline_ms, report)
        hand_back(self._queue, report, self._random)
        return report

    async def _deliver(self, batch: Sequence[Received[DeliveryMessage]], deadline_ms: int, report: SendReport) -> None:
        try:
            context = self._store.load([received.message for received in batch])
        except Unavailable as exc:
            report.give_back(batch, exc, untouched=True)
            return
        jobs, groups = self._sort(batch, context, report)
        asking = [group for group in groups if self._asks(group, context)]
        at_once = self._admit([group for group in groups if group not in asking] if asking else groups, context, report)
        under_way = self._begin(self._in_time(at_once, deadline_ms, report), report)
        jobs += at_once
        if asking:
            admitted = await self._admit_beside(under_way, asking, context, report)
            under_way |= self._begin(self._in_time(admitted, deadline_ms, report), report)
            jobs += admitted
        await self._wait(under_way, context)
        self._conclusion.conclude([job for job in jobs if job.decision is not None], context.states, report)

    def _in_time(self, jobs: Sequence[Job], deadline_ms: int, report: SendReport) -> list[Job]:
        """Those to be sent whose attempts, as long as they may take, leave time to record them."""
        left_ms = deadline_ms - self._now_ms() - RECORDING_MS
        to_send = [job for job in jobs if job.webhook and not job.decision]
        late = [job for job in to_send if job.webhook and job.webhook.timeout_seconds * 1000 > left_ms]
        if late:
            report.give_back(
                [job.received for job in late], Unavailable("the invocation's time is nearly over"), untouched=True
            )
        return [job for job in to_send if job not in late] if late else to_send

    def _sort(
        self, batch: Sequence[Received[DeliveryMessage]], context: DeliveryContext, report: SendReport
    ) -> tuple[list[Job], list[list[Job]]]:
        """What is decided already, and what is to be admitted, webhook by webhook."""
        by_webhook: dict[str, list[Job]] = {}
        decided: list[Job] = []
        met: set[tuple[str, int]] = set()
        busy: list[Received[DeliveryMessage]] = []
        for received in batch:
            message = received.message
            if not context.readable(message.webhook_id, message.delivery_id):
                report.unreadable += 1  # nobody can say what became of it: it is not sent
                if (
                    received.receive_count > 1 and message.delivery_id not in context.unreadable
                ):  # its receives are noted
                    base = context.records.get(message.delivery_id) or begin(message)
                    later_ms = delay_seconds(received.receive_count, self._random()) * 1000
                    decided.append(Job(received, base, None, Postpone(later_ms)))
                    continue
                cause = PoisonMessage(f"what is stored of {message.webhook_id} cannot be read by this version")
                report.give_back([received], cause, untouched=message.handed_back < MOST_COPIES)
                continue
            if not context.was_read(message.webhook_id, message.delivery_id):
                busy.append(received)
                continue
            base = context.records.get(message.delivery_id) or begin(message)
            job = Job(received, base, context.webhooks.get(message.webhook_id))
            if (message.delivery_id, message.generation) in met:  # a copy: the first carries the delivery on
                job.decision = Leave()
                decided.append(job)
                continue
            met.add((message.delivery_id, message.generation))
            by_webhook.setdefault(message.webhook_id, []).append(job)
        report.give_back(busy, Unavailable("their partition of the table is too busy"), untouched=True)
        return decided, [*by_webhook.values()]

    def _asks(self, group: Sequence[Job], context: DeliveryContext) -> bool:
        """Whether admitting it, or signing for it, takes calls."""
        webhook = group[0].webhook
        if webhook is not None and self._signer.lacks_keys(webhook, self._now_ms()):
            return True
        try:
            return self._admission.asks(group, context.states.get(group[0].message.webhook_id, EndpointState()))
        except Exception:  # admitting it brings out the same, and costs the others nothing
            return True

    def _admit(self, groups: Sequence[list[Job]], context: DeliveryContext, report: SendReport) -> list[Job]:
        admitted: list[Job] = []
        self._signer.prepare([webhook for group in groups if (webhook := group[0].webhook)], self._now_ms())
        for group in groups:
            webhook_id = group[0].message.webhook_id
            try:
                self._admission.admit(group, context.states.get(webhook_id, EndpointState()))
                admitted += group
            except Unavailable as exc:
                report.give_back([job.received for job in group], exc, untouched=True)
            except Exception as exc:  # what one webhook brings out must not cost the others anything
                logger.exception("webhook %s could not be judged", webhook_id)
                for job in group:
                    report.give_back([job.received], exc, untouched=job.message.handed_back < MOST_COPIES)
        return admitted

    def _begin(self, jobs: Sequence[Job], report: SendReport) -> dict["asyncio.Task[None]", Webhook]:
        """All attempts at once."""
        return {asyncio.create_task(self._send(job, job.webhook, report)): job.webhook for job in jobs if job.webhook}

    async def _admit_beside(
        self, under_way: Collection[object], groups: Sequence[list[Job]], context: DeliveryContext, report: SendReport
    ) -> list[Job]:
        """What one webhook has to ask for keeps no other waiting: attempts have begun, and go on meanwhile."""
        if not under_way:
            return self._admit(groups, context, report)
        await asyncio.sleep(0)
        return await asyncio.get_running_loop().run_in_executor(None, self._admit, groups, context, report)

    async def _wait(self, under_way: Mapping["asyncio.Task[None]", Webhook], context: DeliveryContext) -> None:
        """Webhooks whose attempts take long are noted while they do: others' batches begin."""
        if not under_way:
            return
        _, slow = await asyncio.wait(under_way, timeout=SLOW_MS / 1000)
        if slow:
            webhooks = {under_way[task].webhook_id: under_way[task] for task in slow}
            # Beside the attempts, and nobody waits for it: what hangs here may cost no outcome its recording.
            asyncio.get_running_loop().run_in_executor(None, self._note_slow, [*webhooks.values()], context.states)
        for task in under_way:
            await task

    def _note_slow(self, webhooks: Sequence[Webhook], states: Mapping[str, EndpointState]) -> None:
        for webhook in webhooks:
            try:
                self._health.note_slow(webhook, states.get(webhook.webhook_id, EndpointState()))
            except Unavailable as exc:
                logger.warning("webhook %s and those after it are not noted as slow: %s", webhook.webhook_id, exc)
                return
            except Exception:  # it is advice: a fault of ours may cost no attempt anything
                logger.exception("webhook %s is not noted as slow", webhook.webhook_id)

    async def _send(self, job: Job, webhook: Webhook, report: SendReport) -> None:
        now_ms = self._now_ms()
        number = job.base.attempt_count + 1
        try:
            request = self._signer.request(
                webhook, job.message, attempt=number, now_ms=now_ms, timeout_seconds=webhook.timeout_seconds
            )
            exchange = await self._transport.send(request, webhook.owner)
        except WebhooksError as exc:
            report.give_back([job.received], exc)
            return
        except Exception as exc:  # a fault of ours that one receiver brings out must not cost the others anything
            logger.exception("delivery %s could not be attempted", job.message.delivery_id)
            report.give_back([job.received], exc)
            return
        classification = classify(exchange)
        delay_ms = self._delay_ms(job, exchange) if classification.kind == "retry" else 0
        if classification.kind == "delivered" and not self._policy.keeps_answers:
            exchange = exchange.without_answer()
        job.decision = Attempted(exchange, classification, delay_ms, self._policy.attempts(webhook))
        if classification.kind != "delivered":
            _log_failure(job, number, exchange, classification, delay_ms)

    def _delay_ms(self, job: Job, exchange: Exchange) -> int:
        return retry.next_delay_ms(
            attempts_used(job.base, job.message) + 1,
            retry.retry_after_ms(exchange.retry_after, self._now_ms()),
            base_seconds=self._policy.retry_base_seconds,
            random=self._random(),
        )


def _log_failure(job: Job, number: int, exchange: Exchange, classification: Classification, delay_ms: int) -> None:
    """All ids that lead to it and on from it, and the exact cause; nothing of what was sent or answered."""
    message = job.message
    logger.info(
        "attempt failed",
        extra={
            "delivery_id": message.delivery_id,
            "event_id": message.event_id,
            "event_type": message.event_type,
            "webhook_id": message.webhook_id,
            "message_id": job.received.message_id,
            "receive_count": job.received.receive_count,
            "generation": message.generation,
            "attempt": number,
            "reason": classification.reason,
            "status_code": exchange.status_code,
            "duration_ms": exchange.duration_ms,
            "retry_in_ms": delay_ms if classification.kind == "retry" else None,
            "detail": exchange.internal_detail or exchange.remark,
        },
    )

"""Prepare: which of a webhook's messages are sent now, and what becomes of the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from webhooks.delivery import bulkhead, circuit_breaker, rate_limit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.delivery.host_limit import BUSY_HOST, HostLimit
from webhooks.delivery.job import Job
from webhooks.delivery.lifecycle import AttemptPolicy, is_early_by, is_expired, standing
from webhooks.delivery.ports import EndpointStates
from webhooks.delivery.receive_decision import GiveUp, Leave, Park, Postpone
from webhooks.delivery.send_gate import SendGate, gate_of
from webhooks.egress.hosts import host_of
from webhooks.models.delivery import Waiting
from webhooks.models.webhook import Webhook

RACES = 5
LEASE_MARGIN_MS = 15_000  # beyond the attempt's own deadline, until another sender may probe
TOUCH_MS = 60_000  # a room is touched at most so often; release forgets none that was touched within five minutes


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """The deployment's settings of delivery."""

    retry_base_seconds: float
    max_age_ms: int
    slow_places: int = 25  # attempts at one owner's slow receivers at once
    static_egress: bool = False  # whether requests leave from static addresses
    keeps_answers: bool = True  # of deliveries that succeed; those of failed attempts are kept in any case

    def attempts(self, webhook: Webhook | None) -> AttemptPolicy:
        """How long a webhook's deliveries are tried."""
        return AttemptPolicy((webhook.max_retries if webhook else 0) + 1, self.max_age_ms)


class Admission:
    """Decides for one webhook at a time. A message that it leaves undecided is to be sent."""

    def __init__(
        self, states: EndpointStates, policy: SenderPolicy, hosts: HostLimit, *, now_ms: Callable[[], int]
    ) -> None:
        self._states = states
        self._policy = policy
        self._hosts = hosts
        self._now_ms = now_ms

    def asks(self, group: Sequence[Job], state: EndpointState) -> bool:
        """Whether `admit` takes calls for these: for places, a probe, a host or a room."""
        webhook = group[0].webhook
        gate = self._gate(webhook, state, self._now_ms())
        if webhook is None or gate.kind == "closed":
            return False
        if gate.kind != "open" or webhook.rate_limit_rps is not None or state.latency_ms:
            return True
        return not self._hosts.has(host_of(webhook.url), webhook.owner, len(group))

    def admit(self, group: Sequence[Job], state: EndpointState) -> None:
        """All messages of a batch for one webhook, with its state as read. Raises Unavailable."""
        now_ms = self._now_ms()
        webhook = group[0].webhook
        gate = self._gate(webhook, state, now_ms)
        waiting = [job for job in group if not self._settle(job, gate, now_ms)]
        if webhook is None or gate.kind == "closed" or not waiting:
            return
        if gate.kind == "probe":
            if self._to_host(webhook, 1):
                gate, waiting = self._probe(webhook, state, waiting, now_ms)
            else:
                gate = self._busy_host()
        elif gate.kind == "open":
            going = waiting
            gate, waiting = self._reserve(webhook, state, going, now_ms)
            if waiting:
                late = set(map(id, waiting))
                going = [job for job in going if id(job) not in late]
            if state.latency_ms:
                going = self._pace(webhook, state, going, now_ms)
            if busy := going[self._to_host(webhook, len(going)) :]:
                self._park(busy, webhook.webhook_id, state, self._busy_host(), now_ms)
        if waiting:
            self._park(waiting, webhook.webhook_id, state, gate, now_ms)

    def _gate(self, webhook: Webhook | None, state: EndpointState, now_ms: int) -> SendGate:
        return gate_of(webhook, state, now_ms, static_egress=self._policy.static_egress)

    def _settle(self, job: Job, gate: SendGate, now_ms: int) -> bool:
        if standing(job.base, job.message) != "live":
            job.decision = Leave()
        elif gate.kind == "closed":
            job.decision = GiveUp(gate.reason)
        elif is_expired(job.base, job.message, self._policy.attempts(job.webhook), now_ms):
            job.decision = GiveUp("expired")
        elif early_ms := is_early_by(job.base, job.message, now_ms):
            job.decision = Postpone(early_ms)
        return job.decision is not None

    def _to_host(self, webhook: Webhook, wanted: int) -> int:
        """How many requests may go to the webhook's host now."""
        return self._hosts.take(host_of(webhook.url), webhook.owner, wanted)

    def _busy_host(self) -> SendGate:
        return SendGate("room", BUSY_HOST, self._hosts.until_ms())

    def _probe(
        self, webhook: Webhook, state: EndpointState, waiting: Sequence[Job], now_ms: int
    ) -> tuple[SendGate, Sequence[Job]]:
        """One sender wins the lease and sends one delivery; all others wait for its result."""
        lease_ms = webhook.timeout_seconds * 1000 + LEASE_MARGIN_MS
        taken = replace(state, circuit=circuit_breaker.take_probe(state.circuit, now_ms, lease_ms))
        waiting[0].probe = self._states.save_health(webhook.webhook_id, state, taken)
        return SendGate("room", "circuit_open", now_ms + lease_ms), waiting[1:] if waiting[0].probe else waiting

    def _reserve(
        self, webhook: Webhook, state: EndpointState, waiting: Sequence[Job], now_ms: int
    ) -> tuple[SendGate, Sequence[Job]]:
        """Take places in the webhook's rate for the whole batch at once; returns who has to wait, and until when."""
        wanting = [job for job in waiting if not _is_reserved(job)]
        if webhook.rate_limit_rps is None or not wanting:
            return SendGate("open"), ()
        tat_ms = state.rate_tat_ms
        wake_at_ms = now_ms
        for _ in range(RACES):
            reservation = rate_limit.reserve(
                tat_ms, len(wanting), rate_per_second=webhook.rate_limit_rps, burst=None, now_ms=now_ms
            )
            wake_at_ms = reservation.retry_at_ms
            if not reservation.granted:
                break
            if self._states.save_rate(webhook.webhook_id, tat_ms, reservation.tat_ms):
                return SendGate("room", "rate_limited", wake_at_ms), wanting[reservation.granted :]
            tat_ms = self._states.get(webhook.webhook_id).rate_tat_ms
        return SendGate("room", "rate_limited", wake_at_ms), wanting

    def _pace(self, webhook: Webhook, state: EndpointState, going: Sequence[Job], now_ms: int) -> Sequence[Job]:
        """Take places among those of the owner's slow receivers; returns who got one. The others wait."""
        wanting = [job for job in going if not _is_reserved(job)]
        granted, wake_at_ms = 0, now_ms
        for _ in range(RACES if wanting else 0):
            tat_ms = self._states.pace(webhook.owner)
            reservation = bulkhead.reserve(
                tat_ms, len(wanting), latency_ms=state.latency_ms, places=self._policy.slow_places, now_ms=now_ms
            )
            wake_at_ms = reservation.retry_at_ms
            if not reservation.granted or self._states.save_pace(webhook.owner, tat_ms, reservation.tat_ms):
                granted = reservation.granted
                break
        if late := wanting[granted:]:
            self._park(late, webhook.webhook_id, state, SendGate("room", "slow_receivers", wake_at_ms), now_ms)
            return [job for job in going if job.decision is None]
        return going

    def _park(self, jobs: Sequence[Job], webhook_id: str, state: EndpointState, gate: SendGate, now_ms: int) -> None:
        # The wake-up comes first: a crash in between leaves one too many, never a room that nobody looks into.
        planned = state.wake_at_ms is not None and state.wake_at_ms <= gate.wake_at_ms
        if not planned or now_ms - state.touched_at_ms > TOUCH_MS:
            self._states.wake(webhook_id, gate.wake_at_ms, now_ms)
        for job in jobs:
            job.decision = Park(Waiting("room", gate.wake_at_ms, gate.reason))


def _is_reserved(job: Job) -> bool:
    """A place that release reserved is for one attempt: the retry of that message takes one of its own."""
    return job.message.reserved and job.received.receive_count == 1

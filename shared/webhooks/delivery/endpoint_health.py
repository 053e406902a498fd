"""What a batch's attempts do to their webhook: circuit, slow-down, and disabling after 410 or five dead days."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.delivery import bulkhead, circuit_breaker
from webhooks.delivery.endpoint_state import EndpointState, disabled_at_ms
from webhooks.delivery.ports import EndpointStates
from webhooks.delivery.send_gate import GENTLE_MS, SLOWED_MS
from webhooks.models.webhook import Webhook

RACES = 5  # writers of one webhook's state; a count lost after so many lost races changes nothing that lasts


class WebhookDisabler(Protocol):
    """Changes a webhook's status together with its routes."""

    def disable(self, webhook: Webhook, reason: str, now_ms: int) -> bool:
        """Status failed, with the reason; False when it was not active any more, or changed meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """The attempts of a batch at one webhook, added up. `slow_ms`: how long its receiver asked to be left alone."""

    successes: int = 0
    failures: int = 0
    probe: bool = False
    slow_ms: int = 0
    gone: bool = False
    silent: bool = False  # only operational events were delivered
    mean_ms: int = 0  # what the attempts took


class EndpointHealth:
    """Writes nothing for a webhook that only succeeds."""

    def __init__(self, states: EndpointStates, switch: WebhookDisabler, policy: circuit_breaker.Policy) -> None:
        self._states = states
        self._switch = switch
        self._policy = policy

    def note(self, webhook: Webhook, state: EndpointState, tally: Tally, now_ms: int) -> None:
        """Bring the webhook's state up to date. Rollup tells its owner of it. Raises Unavailable."""
        before = state
        for _ in range(RACES):
            after = self._after(before, tally, now_ms)
            if after is before or self._states.save_health(webhook.webhook_id, before, after):
                self._follow_up(webhook, before, after, tally, now_ms)
                return
            before = self._states.get(webhook.webhook_id)

    def note_slow(self, webhook: Webhook, before: EndpointState) -> None:
        """Attempts are under way after `SLOW_MS`: what comes next keeps to the owner's places. Raises Unavailable.

        How long they will take is not known yet, so it is taken to be as long as they may.
        """
        for _ in range(RACES):
            after = replace(before, latency_ms=webhook.timeout_seconds * 1000)
            if before.latency_ms or self._states.save_health(webhook.webhook_id, before, after):
                return
            before = self._states.get(webhook.webhook_id)

    def _after(self, state: EndpointState, tally: Tally, now_ms: int) -> EndpointState:
        circuit = state.circuit
        if tally.probe and circuit.state == "half_open" and tally.successes + tally.failures:
            circuit = circuit_breaker.probe_result(circuit, tally.failures == 0, now_ms, self._policy)
        elif tally.successes or tally.failures:
            circuit = circuit_breaker.record(
                circuit, successes=tally.successes, failures=tally.failures, now_ms=now_ms, policy=self._policy
            )
        action = circuit_breaker.streak_action(circuit, now_ms)
        if action in ("warn_24h", "warn_96h"):
            circuit = circuit_breaker.warned(circuit, action)
        slow_until_ms = max(state.slow_until_ms, now_ms + tally.slow_ms) if tally.slow_ms else state.slow_until_ms
        latency_ms = state.latency_ms
        if tally.successes or tally.failures:
            closes = circuit.state == "closed" and state.circuit.state != "closed"  # what was slow before is over
            latency_ms = bulkhead.estimated(0 if closes else latency_ms, tally.mean_ms)
        if circuit is state.circuit and slow_until_ms == state.slow_until_ms and latency_ms == state.latency_ms:
            return state
        gentle_until_ms = slow_until_ms + GENTLE_MS if tally.slow_ms else state.gentle_until_ms
        return replace(
            state,
            circuit=circuit,
            slow_until_ms=slow_until_ms,
            gentle_until_ms=gentle_until_ms,
            latency_ms=latency_ms,
            silent=tally.silent,
        )

    def _follow_up(
        self, webhook: Webhook, before: EndpointState, after: EndpointState, tally: Tally, now_ms: int
    ) -> None:
        if (after.circuit.state == "closed" and before.circuit.state != "closed") or (
            before.latency_ms and not after.latency_ms
        ):
            self._states.wake(webhook.webhook_id, now_ms, now_ms)
        end_ms = disabled_at_ms(webhook, after.circuit.failing_since_ms)
        due = end_ms is not None and now_ms >= end_ms
        if tally.gone:
            self._switch.disable(webhook, "gone", now_ms)
        elif due and circuit_breaker.streak_action(after.circuit, now_ms) == "disable":
            self._switch.disable(webhook, "failing_for_five_days", now_ms)


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """What one attempt that reached out says about its receiver. `asked_ms`: its Retry-After."""

    succeeded: bool
    took_ms: int = 0
    overloaded: bool = False
    too_many: bool = False
    asked_ms: int | None = None


def tally_of(outcomes: Sequence[AttemptOutcome], *, probe: bool, gone: bool, silent: bool) -> Tally:
    """A single 429, or overload in half of at least three attempts, slows the webhook down."""
    successes = sum(outcome.succeeded for outcome in outcomes)
    overloads = [outcome for outcome in outcomes if outcome.overloaded]
    slow = any(outcome.too_many for outcome in overloads) or (
        len(overloads) >= 3 and 2 * len(overloads) >= len(outcomes)
    )
    slow_ms = max((outcome.asked_ms or SLOWED_MS for outcome in overloads), default=0) if slow else 0
    mean_ms = sum(outcome.took_ms for outcome in outcomes) // max(1, len(outcomes))
    return Tally(successes, len(outcomes) - successes, probe, slow_ms, gone, silent, mean_ms)

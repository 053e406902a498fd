from dataclasses import replace

import pytest

from tests.fakes.world import World
from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.delivery.send_gate import PAUSED_POLL_MS, gate_of
from webhooks.models.webhook import Webhook, WebhookStatus

NOW = 1_760_000_000_000
OPEN = Circuit("open", open_until_ms=NOW + 5_000)
HALF_OPEN = Circuit("half_open", probe_until_ms=NOW + 7_000)


@pytest.fixture(scope="module")
def webhook() -> Webhook:
    return World().owners.register()


def test_an_active_webhook_of_good_health_is_sent_to(webhook: Webhook) -> None:
    assert gate_of(webhook, EndpointState(), NOW).kind == "open"


@pytest.mark.parametrize(
    ("status", "reason"),
    [("deleted", "webhook_deleted"), ("inactive", "webhook_inactive"), ("failed", "webhook_disabled")],
)
def test_a_webhook_that_takes_nothing_closes_the_gate(webhook: Webhook, status: WebhookStatus, reason: str) -> None:
    gate = gate_of(replace(webhook, status=status), EndpointState(), NOW)
    assert (gate.kind, gate.reason) == ("closed", reason)


def test_a_webhook_that_is_no_more_closes_the_gate() -> None:
    assert gate_of(None, EndpointState(), NOW).reason == "webhook_deleted"


def test_a_paused_webhook_s_deliveries_wait_whatever_its_circuit_says(webhook: Webhook) -> None:
    gate = gate_of(replace(webhook, status="paused"), EndpointState(circuit=OPEN), NOW)
    assert (gate.kind, gate.reason, gate.wake_at_ms) == ("room", "paused", NOW + PAUSED_POLL_MS)


def test_an_open_circuit_sends_to_the_room_until_a_probe_is_due(webhook: Webhook) -> None:
    gate = gate_of(webhook, EndpointState(circuit=OPEN), NOW)
    assert (gate.kind, gate.reason, gate.wake_at_ms) == ("room", "circuit_open", NOW + 5_000)
    assert gate_of(webhook, EndpointState(circuit=OPEN), NOW + 5_000).kind == "probe"


def test_a_probe_under_way_keeps_the_others_waiting_until_its_lease_ends(webhook: Webhook) -> None:
    gate = gate_of(webhook, EndpointState(circuit=HALF_OPEN), NOW)
    assert (gate.kind, gate.wake_at_ms) == ("room", NOW + 7_000)
    assert gate_of(webhook, EndpointState(circuit=HALF_OPEN), NOW + 7_000).kind == "probe"


def test_a_receiver_that_asked_for_quiet_gets_it(webhook: Webhook) -> None:
    gate = gate_of(webhook, EndpointState(slow_until_ms=NOW + 1), NOW)
    assert (gate.kind, gate.reason, gate.wake_at_ms) == ("room", "slowed_down", NOW + 1)
    assert gate_of(webhook, EndpointState(slow_until_ms=NOW), NOW).kind == "open"

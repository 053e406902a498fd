"""The circuit breaker of one webhook, and the streak of failures that ends in disabling it.

closed: everything is sent, and attempts are counted while failures stand in the window. open: nothing is sent, no
attempt is spent. half_open: one probe is under way, under a lease that expires should its sender die.

Every function gives a new `Circuit` or the same object; the same object means that there is nothing to write. Times are
epoch milliseconds.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

_DAY_MS = 24 * 60 * 60 * 1000
WARN_24H_MS = _DAY_MS
WARN_96H_MS = 4 * _DAY_MS
DISABLE_MS = 5 * _DAY_MS
ENOUGH = 4  # successes for each failure, with which a circuit is far from opening


@dataclass(frozen=True, slots=True)
class Policy:
    """When a circuit opens, and for how long: `open_base_ms`, doubled at each further opening up to `open_cap_ms`."""

    window_ms: int = 60_000
    min_attempts: int = 10
    failure_rate: float = 0.5
    open_base_ms: int = 30_000
    open_cap_ms: int = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Circuit:
    """The live state of one webhook's endpoint. The default is that of a webhook that has never failed."""

    state: Literal["closed", "open", "half_open"] = "closed"
    window_started_ms: int = 0
    successes: int = 0
    failures: int = 0
    open_until_ms: int = 0  # kept after closing: an opening soon after it is a further one
    times_opened: int = 0
    probe_until_ms: int = 0
    failing_since_ms: int | None = None  # the first failure since the last success
    warned_hours: int = 0  # of the present streak: 0, 24 or 96
    more: tuple[Any, ...] = ()  # what a newer version has stored behind these: kept as it is


def record(circuit: Circuit, *, successes: int, failures: int, now_ms: int, policy: Policy) -> Circuit:
    """Count a batch's attempts; may open a closed circuit.

    Successes alone change nothing while no failure stands in the window, or `ENOUGH` of them do for each failure: a
    webhook that is healthy, or nearly so, costs no write.
    Late results of attempts that were under way when the circuit opened count for the streak only.
    """
    if successes + failures == 0:
        return circuit
    circuit = _with_streak(circuit, succeeded=successes > 0, now_ms=now_ms)
    if circuit.state != "closed":
        return circuit
    current = circuit.failures > 0 and now_ms - circuit.window_started_ms < policy.window_ms
    if failures == 0 and (not current or circuit.successes >= ENOUGH * max(circuit.failures, policy.min_attempts)):
        return circuit
    counted = replace(
        circuit,
        window_started_ms=circuit.window_started_ms if current else now_ms,
        successes=successes + (circuit.successes if current else 0),
        failures=failures + (circuit.failures if current else 0),
    )
    attempts = counted.successes + counted.failures
    if attempts < policy.min_attempts or counted.failures < policy.failure_rate * attempts:
        return counted
    # A circuit that has just been closed by its probe and fails again goes on where it was.
    soon = now_ms - circuit.open_until_ms < policy.open_cap_ms
    return _opened(counted, circuit.times_opened if soon else 0, now_ms, policy)


def may_send(circuit: Circuit, now_ms: int) -> Literal["yes", "no", "probe"]:
    """Whether deliveries may be sent now; "probe" means one, after `take_probe` has been stored."""
    match circuit.state:
        case "closed":
            return "yes"
        case "open":
            return "no" if now_ms < circuit.open_until_ms else "probe"
        case "half_open":
            return "no" if now_ms < circuit.probe_until_ms else "probe"


def take_probe(circuit: Circuit, now_ms: int, lease_ms: int) -> Circuit:
    """Claim the one probe until the lease ends. Raises `ValueError` unless `may_send` says "probe"."""
    if may_send(circuit, now_ms) != "probe":
        raise ValueError("no probe may be sent now")
    return replace(circuit, state="half_open", probe_until_ms=now_ms + lease_ms)


def probe_result(circuit: Circuit, succeeded: bool, now_ms: int, policy: Policy) -> Circuit:
    """Close the circuit after a good probe; open it for longer after a bad one.

    A result that comes after its lease counts too. Only a bad one is an ordinary late failure if the circuit is open
    again, or was closed by another probe.
    """
    if succeeded and circuit.state == "closed":
        return record(circuit, successes=1, failures=0, now_ms=now_ms, policy=policy)
    if circuit.state != "half_open" and not succeeded:
        return record(circuit, successes=0, failures=1, now_ms=now_ms, policy=policy)
    circuit = _with_streak(circuit, succeeded=succeeded, now_ms=now_ms)
    if succeeded:
        return replace(
            circuit,
            state="closed",
            window_started_ms=0,
            successes=0,
            failures=0,
            open_until_ms=now_ms,
            probe_until_ms=0,
        )
    return _opened(circuit, circuit.times_opened, now_ms, policy)


def streak_action(circuit: Circuit, now_ms: int) -> Literal["warn_24h", "warn_96h", "disable"] | None:
    """What is due after this long with nothing but failures: a warning not yet given, or after five days the end."""
    if circuit.failing_since_ms is None:
        return None
    lasted_ms = now_ms - circuit.failing_since_ms
    if lasted_ms >= DISABLE_MS:
        return "disable"
    if lasted_ms >= WARN_96H_MS:
        return "warn_96h" if circuit.warned_hours < 96 else None
    if lasted_ms >= WARN_24H_MS:
        return "warn_24h" if circuit.warned_hours < 24 else None
    return None


def warned(circuit: Circuit, action: Literal["warn_24h", "warn_96h"]) -> Circuit:
    """The circuit with the warning noted, so that it is given once a streak."""
    return replace(circuit, warned_hours=24 if action == "warn_24h" else 96)


def _with_streak(circuit: Circuit, *, succeeded: bool, now_ms: int) -> Circuit:
    if succeeded:
        return circuit if circuit.failing_since_ms is None else replace(circuit, failing_since_ms=None, warned_hours=0)
    return circuit if circuit.failing_since_ms is not None else replace(circuit, failing_since_ms=now_ms)


def _opened(circuit: Circuit, times_before: int, now_ms: int, policy: Policy) -> Circuit:
    interval_ms = min(policy.open_base_ms << min(times_before, 32), policy.open_cap_ms)
    return replace(
        circuit,
        state="open",
        window_started_ms=0,
        successes=0,
        failures=0,
        open_until_ms=now_ms + interval_ms,
        times_opened=times_before + 1,
        probe_until_ms=0,
    )

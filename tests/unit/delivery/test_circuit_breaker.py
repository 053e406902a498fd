from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.delivery.circuit_breaker import (
    Circuit,
    Policy,
    may_send,
    probe_result,
    record,
    streak_action,
    take_probe,
    warned,
)

NOW = 1_700_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
POLICY = Policy()


def after(circuit: Circuit, *, ok: int = 0, bad: int = 0, at: int = NOW) -> Circuit:
    return record(circuit, successes=ok, failures=bad, now_ms=at, policy=POLICY)


def opened(at: int = NOW) -> Circuit:
    return after(Circuit(), bad=10, at=at)


def test_success_on_a_healthy_webhook_gives_the_same_object_so_nothing_is_written() -> None:
    healthy = Circuit()
    assert after(healthy, ok=100) is healthy
    assert after(healthy) is healthy


def test_success_after_the_window_has_passed_gives_the_same_object_once_the_streak_is_over() -> None:
    recovered = after(after(Circuit(), bad=1), ok=1)
    assert after(recovered, ok=5, at=NOW + MINUTE) is recovered


def test_successes_count_while_failures_stand_in_the_window() -> None:
    circuit = after(after(Circuit(), bad=4), ok=6, at=NOW + 1_000)
    assert (circuit.state, circuit.successes, circuit.failures) == ("closed", 6, 4)
    assert after(circuit, bad=2, at=NOW + 2_000).state == "open"


def test_four_successes_for_each_failure_are_enough_and_no_further_ones_are_written() -> None:
    nearly_healthy = after(after(Circuit(), bad=1), ok=39)
    assert after(nearly_healthy, ok=1).successes == 40
    enough = after(nearly_healthy, ok=1)
    assert after(enough, ok=100) is enough
    worse = after(enough, bad=10)
    assert after(worse, ok=1).successes == 41


def test_the_first_success_after_a_streak_is_written_however_many_there_were_before() -> None:
    enough = after(after(after(Circuit(), bad=1), ok=40), bad=1)
    assert enough.failing_since_ms == NOW
    assert after(enough, ok=1).failing_since_ms is None


@pytest.mark.parametrize("answers", [[1] * 19 + [0], [1, 1, 1, 1, 0], [1, 1, 0], [1] * 30 + [0] * 9])
def test_a_receiver_that_mostly_answers_keeps_its_circuit_closed(answers: list[int]) -> None:
    circuit = after(Circuit(), ok=9, bad=1)
    for at, good in enumerate(answers * 50):
        circuit = after(circuit, ok=good, bad=1 - good, at=NOW + at * 10)
        assert circuit.state == "closed"


def test_an_outage_after_many_successes_opens_it_at_forty_failures() -> None:
    circuit = after(after(Circuit(), bad=1), ok=10)
    for _ in range(1_000):
        circuit = after(circuit, ok=10)
    assert after(circuit, bad=38).state == "closed"
    assert after(circuit, bad=39).state == "open"


@pytest.mark.parametrize(
    ("ok", "bad", "state"), [(0, 9, "closed"), (0, 10, "open"), (5, 5, "open"), (6, 5, "closed"), (90, 10, "closed")]
)
def test_it_opens_at_half_failures_among_ten_attempts_or_more(ok: int, bad: int, state: str) -> None:
    assert after(Circuit(), ok=ok, bad=bad).state == state


def test_failures_of_an_earlier_window_are_forgotten() -> None:
    circuit = after(after(Circuit(), bad=9), bad=9, at=NOW + MINUTE)
    assert (circuit.state, circuit.failures) == ("closed", 9)
    assert after(after(Circuit(), bad=9), bad=1, at=NOW + MINUTE - 1).state == "open"


def test_an_open_circuit_sends_nothing_for_30_seconds_and_then_one_probe() -> None:
    circuit = opened()
    assert may_send(Circuit(), NOW) == "yes"
    assert may_send(circuit, NOW + 29_999) == "no"
    assert may_send(circuit, NOW + 30_000) == "probe"
    probing = take_probe(circuit, NOW + 30_000, lease_ms=20_000)
    assert probing.state == "half_open"
    assert may_send(probing, NOW + 49_999) == "no"


def test_a_probe_whose_sender_died_can_be_taken_again() -> None:
    probing = take_probe(opened(), NOW + 30_000, lease_ms=20_000)
    assert may_send(probing, NOW + 50_000) == "probe"
    assert take_probe(probing, NOW + 50_000, lease_ms=20_000).probe_until_ms == NOW + 70_000


@pytest.mark.parametrize("circuit", [Circuit(), opened(), take_probe(opened(), NOW + 30_000, 20_000)])
def test_there_is_no_second_probe(circuit: Circuit) -> None:
    with pytest.raises(ValueError, match="no probe"):
        take_probe(circuit, NOW + 1_000, lease_ms=20_000)


def test_a_good_probe_closes_and_ends_the_streak() -> None:
    closed = probe_result(take_probe(opened(), NOW + 30_000, 20_000), True, NOW + 31_000, POLICY)
    assert (closed.state, closed.failing_since_ms, closed.successes, closed.failures) == ("closed", None, 0, 0)
    assert after(closed, ok=1, at=NOW + 32_000) is closed


def test_bad_probes_double_the_wait_up_to_15_minutes() -> None:
    circuit, waits, now = opened(), [], NOW
    for _ in range(8):
        waits.append(circuit.open_until_ms - now)
        now = circuit.open_until_ms
        circuit = probe_result(take_probe(circuit, now, 20_000), False, now, POLICY)
    assert [wait // 1000 for wait in waits] == [30, 60, 120, 240, 480, 900, 900, 900]
    assert circuit.failing_since_ms == NOW


def test_failing_again_soon_after_a_good_probe_goes_on_with_longer_waits() -> None:
    closed = probe_result(take_probe(opened(), NOW + 30_000, 20_000), True, NOW + 31_000, POLICY)
    soon, late = NOW + 2 * MINUTE, NOW + HOUR
    assert after(closed, bad=10, at=soon).open_until_ms == soon + 60_000
    assert after(closed, bad=10, at=late).open_until_ms == late + 30_000


def test_late_results_leave_an_open_circuit_open_and_count_for_the_streak() -> None:
    circuit = opened()
    assert after(circuit, bad=5, at=NOW + 1) is circuit
    assert after(circuit, ok=1, at=NOW + 1) == replace(circuit, failing_since_ms=None)


def test_a_late_bad_probe_does_not_reopen_what_another_probe_closed() -> None:
    closed = probe_result(take_probe(opened(), NOW + 30_000, 20_000), True, NOW + 31_000, POLICY)
    late = probe_result(closed, False, NOW + 32_000, POLICY)
    assert (late.state, late.failures) == ("closed", 1)


def test_a_late_good_probe_closes_what_another_probe_opened() -> None:
    circuit = take_probe(opened(), NOW + 30_000, 20_000)
    again = probe_result(circuit, False, NOW + 51_000, POLICY)
    assert probe_result(again, True, NOW + 52_000, POLICY).state == "closed"
    assert probe_result(again, False, NOW + 52_000, POLICY) is again


def test_the_streak_starts_at_the_first_failure_and_ends_at_any_success() -> None:
    circuit = after(after(Circuit(), bad=1), bad=1, at=NOW + HOUR)
    assert circuit.failing_since_ms == NOW
    assert after(circuit, ok=1, bad=3, at=NOW + 2 * HOUR).failing_since_ms is None


def test_a_streak_warns_once_at_24_hours_once_at_96_and_disables_after_five_days() -> None:
    circuit, actions = after(Circuit(), bad=1), []
    for hour in range(125):
        action = streak_action(circuit, NOW + hour * HOUR)
        if action is not None:
            actions.append((hour, action))
        if action in ("warn_24h", "warn_96h"):
            circuit = warned(circuit, action)
    assert actions[:3] == [(24, "warn_24h"), (96, "warn_96h"), (120, "disable")]


def test_a_new_streak_warns_anew() -> None:
    circuit = warned(after(Circuit(), bad=1), "warn_24h")
    again = after(after(circuit, ok=1, at=NOW + 30 * HOUR), bad=1, at=NOW + 31 * HOUR)
    assert streak_action(again, NOW + 54 * HOUR) is None
    assert streak_action(again, NOW + 55 * HOUR) == "warn_24h"


def test_a_webhook_that_does_not_fail_is_left_alone() -> None:
    assert streak_action(Circuit(), NOW) is None


_steps = st.lists(
    st.tuples(st.integers(0, 20 * MINUTE), st.integers(0, 12), st.integers(0, 12), st.booleans(), st.booleans()),
    max_size=40,
)


@given(_steps)
def test_whatever_happens_a_circuit_never_stays_shut_for_good(
    steps: list[tuple[int, int, int, bool, bool]],
) -> None:
    circuit, now = Circuit(), NOW
    for pause, ok, bad, returns, good in steps:
        now += pause
        match may_send(circuit, now):
            case "yes":
                circuit = after(circuit, ok=ok, bad=bad, at=now)
            case "probe":
                circuit = take_probe(circuit, now, 20_000)
                circuit = probe_result(circuit, good, now, POLICY) if returns else circuit
            case "no":
                circuit = after(circuit, bad=bad, at=now)
        assert (circuit.failing_since_ms or 0) <= now
        assert may_send(circuit, now + POLICY.open_cap_ms) != "no"


def test_a_good_probe_that_comes_after_another_closed_the_circuit_is_an_ordinary_success() -> None:
    closed = after(Circuit(), bad=3)
    assert probe_result(closed, True, NOW, POLICY) == after(closed, ok=1)

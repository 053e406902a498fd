"""What attempts do to their webhook's state, over the fake table."""

from dataclasses import replace

from tests.fakes.clock import Clock
from tests.fakes.dynamo import FakeDynamoDB
from webhooks.delivery.circuit_breaker import DISABLE_MS, Circuit, Policy
from webhooks.delivery.endpoint_health import AttemptOutcome, EndpointHealth, Tally, tally_of
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.models.webhook import Webhook
from webhooks.statistics.transitions import of_state
from webhooks.store.dynamo import DynamoTable
from webhooks.store.states import StateStore

NOW = 1_760_000_000_000
WEBHOOK = Webhook(
    "wh_1", 7, 1, "n", "https://x.example/", "", {}, (), b"", 1, 9, 15, None, "active", None, 1, 0, 0
)  # fmt: skip


class Switch:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def disable(self, webhook: Webhook, reason: str, now_ms: int) -> bool:
        self.reasons.append(reason)
        return True


class Bench:
    def __init__(self) -> None:
        self.states = StateStore(DynamoTable(FakeDynamoDB(Clock(NOW), "t"), "t"))
        self.switch = Switch()
        self.keeper = EndpointHealth(self.states, self.switch, Policy())

    def note(self, tally: Tally, now_ms: int = NOW, webhook: Webhook = WEBHOOK) -> list[str]:
        """What there is to tell of it."""
        before = self.states.get("wh_1")
        self.keeper.note(webhook, before, tally, now_ms)
        return [news.event_type for news in of_state("wh_1", before, self.states.get("wh_1"), now_ms)]


def test_a_webhook_that_only_succeeds_costs_no_write() -> None:
    bench = Bench()
    assert bench.note(Tally(successes=10)) == []
    assert bench.states.get("wh_1").revision == 0


def test_enough_failures_open_the_circuit_and_say_so_once() -> None:
    bench = Bench()
    assert bench.note(Tally(failures=10)) == ["webhook.circuit_opened"]
    assert bench.note(Tally(failures=10)) == []
    assert bench.states.get("wh_1").circuit.state == "open"


def test_a_count_of_somebody_else_is_added_to_and_not_overwritten() -> None:
    bench = Bench()
    stale = bench.states.get("wh_1")
    bench.note(Tally(failures=4))
    bench.keeper.note(WEBHOOK, stale, Tally(failures=3), NOW)
    assert bench.states.get("wh_1").circuit.failures == 7


def test_a_good_probe_closes_the_circuit_and_wakes_the_room() -> None:
    bench = Bench()
    half_open = EndpointState(circuit=Circuit("half_open", probe_until_ms=NOW + 5))
    bench.states.save_health("wh_1", EndpointState(), half_open)
    assert bench.note(Tally(successes=1, probe=True)) == ["webhook.recovered"]
    state = bench.states.get("wh_1")
    assert (state.circuit.state, state.wake_at_ms) == ("closed", NOW)


def test_a_bad_probe_opens_the_circuit_for_longer_and_is_no_news() -> None:
    bench = Bench()
    half_open = EndpointState(circuit=Circuit("half_open", times_opened=1, probe_until_ms=NOW + 5))
    bench.states.save_health("wh_1", EndpointState(), half_open)
    assert bench.note(Tally(failures=1, probe=True)) == []
    assert bench.states.get("wh_1").circuit.open_until_ms == NOW + 60_000


def test_a_probe_that_reached_nobody_closes_nothing() -> None:
    bench = Bench()
    half_open = EndpointState(circuit=Circuit("half_open", probe_until_ms=NOW + 5))
    bench.states.save_health("wh_1", EndpointState(), half_open)
    assert bench.note(Tally(probe=True)) == []
    assert bench.states.get("wh_1").circuit.state == "half_open"


def test_410_disables_at_once() -> None:
    bench = Bench()
    bench.note(Tally(failures=1, gone=True))
    assert bench.switch.reasons == ["gone"]


def test_five_days_of_failures_disable_and_four_do_not() -> None:
    bench = Bench()
    bench.note(Tally(failures=1))
    bench.note(Tally(failures=1), NOW + DISABLE_MS - 1)
    assert not bench.switch.reasons
    bench.note(Tally(failures=1), NOW + DISABLE_MS)
    assert bench.switch.reasons == ["failing_for_five_days"]


def test_the_owner_s_resume_starts_the_five_days_anew() -> None:
    bench = Bench()
    bench.note(Tally(failures=1))
    resumed = replace(WEBHOOK, updated_at_ms=NOW + DISABLE_MS)
    bench.note(Tally(failures=1), NOW + DISABLE_MS + 5, resumed)
    assert not bench.switch.reasons


def test_a_webhook_that_hears_of_operational_events_only_announces_nothing() -> None:
    assert Bench().note(Tally(failures=10, silent=True)) == []


def test_one_429_or_overload_in_half_of_three_slows_down() -> None:
    good, overload = AttemptOutcome(True), AttemptOutcome(False, overloaded=True)
    too_many = AttemptOutcome(False, overloaded=True, too_many=True, asked_ms=30_000)
    flags = {"probe": False, "gone": False, "silent": False}
    assert tally_of([good] * 9 + [too_many], **flags).slow_ms == 30_000
    assert tally_of([overload] * 2, **flags).slow_ms == 0
    assert tally_of([overload] * 3 + [good] * 3, **flags).slow_ms > 0
    assert tally_of([overload] * 3 + [good] * 4, **flags).slow_ms == 0


def test_a_slow_down_is_never_shortened() -> None:
    bench = Bench()
    bench.note(Tally(failures=1, slow_ms=60_000))
    bench.note(Tally(failures=1, slow_ms=1_000))
    assert bench.states.get("wh_1").slow_until_ms == NOW + 60_000


def test_a_day_and_four_days_of_failures_are_told_once_each_before_the_end_comes() -> None:
    bench, hour_ms = Bench(), 3_600_000
    bench.note(Tally(failures=1))
    told = [
        (hours, event_type)
        for hours in (*range(1, 130, 3), 130)
        for event_type in bench.note(Tally(failures=1), NOW + hours * hour_ms)
    ]
    assert told == [(25, "webhook.failing"), (97, "webhook.failing")]
    assert set(bench.switch.reasons) == {"failing_for_five_days"}

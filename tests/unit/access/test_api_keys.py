"""API keys: their form, whose they are, and when they end."""

import secrets
import statistics
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.conftest import Figure
from webhooks.access.api_keys import KEPT_MS, MAX_KEPT, USED_MS, KeyChecks, digest, new_key, start_of, verify
from webhooks.errors import Unauthenticated, Unavailable
from webhooks.models.api_key import ApiKey
from webhooks.models.caller import Caller

NOW = 1_760_000_000_000
DAY_MS = 86_400_000


@dataclass
class Keys:
    """Keys by id, and what was asked."""

    by_id: dict[str, ApiKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)
    unavailable: bool = False
    writable: bool = True

    def get(self, key_id: str) -> ApiKey | None:
        if self.unavailable:
            raise Unavailable("DynamoDB: no")
        self.asked.append(key_id)
        return self.by_id.get(key_id)

    def used(self, key: ApiKey, at_ms: int) -> None:
        if not self.writable:
            raise Unavailable("DynamoDB: no")
        self.uses.append(at_ms)
        self.by_id[key.key_id] = replace(key, last_used_at_ms=at_ms)

    def make(self) -> tuple[ApiKey, str]:
        key_id, text = new_key(NOW)
        made = ApiKey(key_id, 7, "mine", ("webhooks",), ("77",), digest(text), NOW, NOW + DAY_MS)
        self.by_id[key_id] = made
        return made, text


@dataclass
class Moment:
    now_ms: int = NOW

    def __call__(self) -> int:
        return self.now_ms


def refused(checks: KeyChecks, caller: Caller) -> bool:
    try:
        checks.admit(caller)
    except Unauthenticated:
        return True
    return False


def test_a_key_is_known_by_its_prefix_names_itself_and_says_who_calls() -> None:
    keys = Keys()
    made, text = keys.make()
    assert text.startswith(start_of(made.key_id))
    assert len(text) == 80
    assert verify(text, keys, NOW).caller == Caller(7, frozenset({"77"}), frozenset({"webhooks"}), made.key_id)


def test_what_is_kept_of_a_key_does_not_hold_it() -> None:
    keys = Keys()
    made, text = keys.make()
    assert text[31:].encode() not in made.digest
    assert text[31:] not in repr(made)


def test_a_thousand_made_up_keys_are_refused_and_damaged_ones_ask_nobody(figure: Figure) -> None:
    keys = Keys()
    made, text = keys.make()
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    damaged = [text[:at] + alphabet[alphabet.index(text[at]) - 1] + text[at + 1 :] for at in range(5, len(text))]
    damaged += ["pyak_", text[:-1], text + "0", text.upper(), text + "\n", f" {text}", "pyak_" + "é" * 75]
    for each in damaged:
        with pytest.raises(Unauthenticated, match="damaged"):
            verify(each, keys, NOW)
    assert keys.asked == []
    made_up = [_signed(start_of(made.key_id) + _random(43)) for _ in range(500)]  # the right id
    made_up += [_signed("pyak_" + _random(26 + 43)) for _ in range(1_000 - len(made_up))]
    accepted = 0
    for each in made_up:
        with pytest.raises(Unauthenticated, match="no such"):
            accepted += verify(each, keys, NOW) is not None
    assert accepted == 0
    figure(f"API keys: {len(made_up):,} made up and {len(damaged)} damaged, {accepted} accepted")


def test_the_time_that_a_refusal_takes_tells_nothing(figure: Figure) -> None:
    keys = Keys()
    made, text = keys.make()
    kinds = {
        "unknown id": [_signed("pyak_" + _random(69)) for _ in range(400)],
        "wrong secret": [_signed(start_of(made.key_id) + _random(43)) for _ in range(400)],
        "all but the last": [_signed(text[:73] + each) for each in _random(400) if each != text[73]],
    }
    taken: dict[str, list[int]] = {kind: [] for kind in kinds}
    for turn in range(380):
        for kind, guesses in kinds.items():  # by turns, so that other load is the same for all
            began = time.perf_counter_ns()
            with pytest.raises(Unauthenticated):
                verify(guesses[turn % len(guesses)], keys, NOW)
            taken[kind].append(time.perf_counter_ns() - began)
    medians = {kind: statistics.median(each) / 1000 for kind, each in taken.items()}
    assert max(medians.values()) < 2 * min(medians.values())
    figure("API keys refused in (median us): " + ", ".join(f"{kind} {us:.1f}" for kind, us in medians.items()))


def test_an_unknown_id_goes_through_the_same_steps_as_a_wrong_secret() -> None:
    keys = Keys()
    made, _ = keys.make()

    def steps(guess: str) -> list[str]:
        found: list[str] = []

        def note(_frame: object, kind: str, called: Any) -> None:
            if kind == "c_call":
                found.append(called.__name__)

        sys.setprofile(note)
        try:
            verify(guess, keys, NOW)
        except Unauthenticated:
            pass
        finally:
            sys.setprofile(None)
        return found

    unknown = steps(_signed("pyak_" + _random(69)))
    assert "compare_digest" in unknown
    assert unknown == steps(_signed(start_of(made.key_id) + _random(43)))


def test_an_expired_key_is_refused() -> None:
    keys = Keys()
    made, text = keys.make()
    verify(text, keys, made.expires_at_ms - 1)
    with pytest.raises(Unauthenticated, match="expired"):
        verify(text, keys, made.expires_at_ms)


def test_a_revoked_key_is_refused_within_five_seconds_by_every_process() -> None:
    keys, moment = Keys(), Moment()
    made, _ = keys.make()
    processes = [KeyChecks(keys, now_ms=moment) for _ in range(3)]
    assert not any(refused(each, made.caller) for each in processes)
    moment.now_ms += KEPT_MS - 1
    del keys.by_id[made.key_id]
    processes[0].forget(made.key_id)
    assert [refused(each, made.caller) for each in processes] == [True, False, False]
    moment.now_ms += 1
    assert all(refused(each, made.caller) for each in processes)


def test_a_key_is_read_once_in_five_seconds_and_a_revoked_one_too() -> None:
    keys, moment = Keys(), Moment()
    made, _ = keys.make()
    checks = KeyChecks(keys, now_ms=moment)
    for _ in range(100):
        checks.admit(made.caller)
    assert len(keys.asked) == 1
    gone = replace(made, key_id=new_key(NOW)[0]).caller
    assert all(refused(checks, gone) for _ in range(100))
    assert len(keys.asked) == 2


def test_a_key_expires_between_two_reads() -> None:
    keys, moment = Keys(), Moment(NOW + DAY_MS - 1)
    made, _ = keys.make()
    checks = KeyChecks(keys, now_ms=moment)
    assert not refused(checks, made.caller)
    moment.now_ms += 1
    assert refused(checks, made.caller)
    assert len(keys.asked) == 1


def test_callers_without_a_key_cost_nothing() -> None:
    keys = Keys(unavailable=True)
    KeyChecks(keys, now_ms=Moment()).admit(Caller(7, frozenset(), frozenset({"webhooks"})))
    assert keys.asked == []


def test_whether_a_key_was_revoked_is_not_guessed_when_the_table_does_not_answer() -> None:
    keys, moment = Keys(), Moment()
    made, _ = keys.make()
    checks = KeyChecks(keys, now_ms=moment)
    checks.admit(made.caller)
    keys.unavailable = True
    checks.admit(made.caller)
    moment.now_ms += KEPT_MS
    with pytest.raises(Unavailable):
        checks.admit(made.caller)


def test_its_last_use_is_noted_to_the_hour_and_never_in_the_way() -> None:
    keys, moment = Keys(), Moment()
    made, _ = keys.make()
    checks = KeyChecks(keys, now_ms=moment)
    for _ in range(0, 2 * USED_MS, KEPT_MS):
        checks.admit(made.caller)
        moment.now_ms += KEPT_MS
    assert keys.uses == [NOW, NOW + USED_MS]
    keys.writable = False
    moment.now_ms += USED_MS
    checks.admit(made.caller)


def test_a_process_remembers_a_bounded_number_of_keys() -> None:
    checks = KeyChecks(Keys(), now_ms=Moment())
    for _ in range(MAX_KEPT + 10):
        refused(checks, Caller(7, frozenset(), frozenset(), new_key(NOW)[0]))
    assert len(checks._kept) == MAX_KEPT


def _random(characters: int) -> str:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(characters))


def _signed(text: str) -> str:
    """With the checksum, which whoever makes keys up can compute."""
    from webhooks.access.api_keys import _checksum

    return text + _checksum(text)

"""The show of `make run` and `make demo`, which is a check of the main job from end to end."""

import io
import re
from collections.abc import Iterator

import pytest

from localstack.demo import show as showing
from localstack.demo import signatures
from localstack.demo.receiver import Arrival, Receiver
from localstack.demo.screen import Screen
from localstack.demo.show import Show
from localstack.emulator import LocalStackError
from localstack.stack import LocalStack
from webhooks.event_types import DEFAULT_EVENT_TYPES

BOTH_WAYS = 2 * len(DEFAULT_EVENT_TYPES)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


def test_the_show_delivers_all_types_both_ways_and_replays_what_failed(stack: LocalStack, receiver: Receiver) -> None:
    terminal = io.StringIO()
    with Show(stack.running, receiver, Screen(terminal), user_id=9001, workspace_id=9002) as show:
        show.perform()
        show.tidy()
    shown = terminal.getvalue()
    for event_type in DEFAULT_EVENT_TYPES:
        assert shown.count(f"X-PyAirtable-Event-Type: {event_type}") >= 2
    shown_deliveries = BOTH_WAYS + 4  # and the failing webhook's three failures and its replay
    verified = shown.count("standardwebhooks verified  plain HMAC verified")
    assert verified == shown.count("webhook-signature: v1,") == shown_deliveries
    assert "WRONG" not in shown
    assert '"reason": "filtered"' in shown
    assert "attempts_used_up:http_500" in shown
    assert re.search(r"attempt 4  \S+  success, 204", shown)


class Oblivious(Receiver):
    """Answers, and remembers nothing."""

    def arrivals(self, path: str) -> list[Arrival]:
        return []


def test_the_show_says_so_when_nothing_arrives(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "PATIENCE_SECONDS", 1)
    with (
        Oblivious() as receiver,
        Show(stack.running, receiver, Screen(io.StringIO()), user_id=9003, workspace_id=9004) as show,
    ):
        missing = rf"{BOTH_WAYS} of {BOTH_WAYS} deliveries did not come: .*record.created .eventbridge."
        with pytest.raises(LocalStackError, match=missing):
            show.perform()
        show.tidy()


def test_a_delivery_that_was_changed_on_its_way_verifies_in_neither_scheme() -> None:
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,AAAA",
        "X-PyAirtable-Timestamp": "1700000000",
        "X-PyAirtable-Signature": "sha256=00",
    }
    arrival = Arrival(0.0, "/", tuple(headers.items()), b"{}", 204)
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    assert not signatures.by_library(secret, arrival)
    assert not signatures.by_hand(secret, arrival)

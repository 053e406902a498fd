"""What a batch could not handle comes again: soon at first, then later each time, spread, and counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from webhooks.delivery.admission import SenderPolicy
from webhooks.delivery.dispatcher import Sender
from webhooks.delivery.endpoint_state import DeliveryContext
from webhooks.delivery.hand_back import (
    LONGEST_SECONDS,
    MOST_COPIES,
    SOONEST_SECONDS,
    SPREAD_SECONDS,
    delay_seconds,
    hand_back,
)
from webhooks.delivery.job import SendReport
from webhooks.errors import Unavailable
from webhooks.ids import new_id
from webhooks.messages import DeliveryMessage, Received

NOW = 1_800_000_000_000
MESSAGE = DeliveryMessage(new_id("dlv", NOW), new_id("wh", NOW), "e1", "record.created", "ws:1", "g", "{}", NOW)


@dataclass
class Queue:
    """Keeps what it is asked for."""

    sent: list[tuple[DeliveryMessage, int]] = field(default_factory=list[tuple[DeliveryMessage, int]])
    postponed: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        self.sent += messages

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        self.postponed += delays


def received(receive_count: int = 1, **changes: Any) -> Received[DeliveryMessage]:
    return Received(replace(MESSAGE, **changes), "m1", "r1", receive_count, NOW)


def test_it_comes_again_soon_and_spread_and_later_each_time_up_to_the_visibility_timeout() -> None:
    assert (delay_seconds(1, 0.0), delay_seconds(1, 1.0)) == (SOONEST_SECONDS, SOONEST_SECONDS + SPREAD_SECONDS)
    longer = [delay_seconds(times, 0.5) for times in range(1, 40)]
    assert longer == sorted(longer)
    assert longer[9] > 5 * longer[0]
    assert longer[-1] == LONGEST_SECONDS


def test_a_copy_knows_how_many_there_were_before_it() -> None:
    queue, report = Queue(), SendReport()
    report.give_back([received(handed_back=6)], Unavailable("no"), untouched=True)
    hand_back(queue, report, lambda: 0.0)
    assert queue.sent == [(replace(MESSAGE, handed_back=7), delay_seconds(7, 0.0))]
    assert not report.again


def test_what_was_received_before_or_may_have_been_sent_is_no_copy() -> None:
    for receive_count, untouched in ((2, True), (1, False)):
        queue, report = Queue(), SendReport()
        report.give_back([received(receive_count)], Unavailable("no"), untouched=untouched)
        hand_back(queue, report, lambda: 0.0)
        assert (queue.sent, queue.postponed) == ([], [("r1", delay_seconds(receive_count, 0.0))])
        assert report.again == {"m1"}


async def judged(context: DeliveryContext, admit: Any, message: Received[DeliveryMessage]) -> Queue:
    """What a sender hands back of one message."""
    queue = Queue()
    parts: dict[str, Any] = {
        "store": SimpleNamespace(load=lambda _messages: context),
        "admission": SimpleNamespace(admit=admit),
        "transport": None,
        "signer": SimpleNamespace(lacks_keys=lambda *_: False, prepare=lambda *_: None),
        "conclusion": SimpleNamespace(conclude=lambda _jobs, _states, _report: None),
        "health": None,
        "queue": queue,
    }
    sender = Sender(**parts, policy=SenderPolicy(5, 1), now_ms=lambda: NOW, random=lambda: 0.0)
    await sender.deliver([message], NOW + 60_000)
    return queue


async def test_a_fault_of_ours_is_handed_back_so_often_and_counted_as_receives_from_then_on() -> None:
    def admit(_group: object, _state: object) -> None:
        raise ZeroDivisionError

    context = DeliveryContext({}, {}, {})
    assert len((await judged(context, admit, received(handed_back=MOST_COPIES - 1))).sent) == 1
    last = await judged(context, admit, received(handed_back=MOST_COPIES))
    assert (last.sent, len(last.postponed)) == ([], 1)


async def test_what_lies_on_a_busy_partition_comes_again() -> None:
    context = DeliveryContext({}, {}, {}, unread=frozenset({MESSAGE.webhook_id}))
    assert len((await judged(context, lambda *_: None, received())).sent) == 1

"""Deliveries that a batch could not handle come again soon, and not when the queue's visibility timeout has passed.

A receive that is not accounted for in the record stands for an attempt that may have been cut off. One that certainly
made no request must not: at the first receive a copy of the message takes its place, and the receives begin anew.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from webhooks.delivery.job import SendReport
from webhooks.errors import Unavailable
from webhooks.messages import DeliveryMessage

SOONEST_SECONDS = 5
SPREAD_SECONDS = 15  # what an outage has gathered must not come all at once
GROWTH = 1.3  # an outage of a minute costs no more than another one, one of hours a try every few minutes
LONGEST_SECONDS = 370  # the queue's own visibility timeout
MOST_COPIES = 100  # for a fault of ours, some nine hours: then receives count, and the dead-letter queue ends it

logger = logging.getLogger(__name__)


class Queue(Protocol):
    """The queue that the messages came from."""

    def send(self, messages: Iterable[tuple[DeliveryMessage, int]]) -> None:
        """Send all, each with its delay in seconds. Raises Unavailable."""
        ...

    def postpone(self, delays: Sequence[tuple[str, int]]) -> None:
        """Show messages again after seconds. Raises Unavailable."""
        ...


def hand_back(queue: Queue, report: SendReport, random: Callable[[], float]) -> None:
    """Have what the report gives back come again: soon, spread, and later each time. Never raises.

    What SQS does not take is left to the visibility timeout.
    """
    first = [each for each in report.untouched if each.receive_count == 1]
    copied = {each.message_id for each in first}
    later = [each for each in [*report.untouched, *report.doubtful] if each.message_id not in copied]
    try:
        if first:
            copies = [replace(each.message, handed_back=each.message.handed_back + 1) for each in first]
            queue.send([(copy, delay_seconds(copy.handed_back, random())) for copy in copies])
            report.again -= copied
        if later:
            queue.postpone([(each.receipt_handle, delay_seconds(each.receive_count, random())) for each in later])
    except Unavailable as exc:
        logger.warning("%d messages are left to their visibility timeout: %s", len(report.again), exc)


def delay_seconds(times: int, random: float) -> int:
    """When a message comes again that has come so many times; `random` is from 0 to 1."""
    spread = (SOONEST_SECONDS + SPREAD_SECONDS * random) * GROWTH ** min(times - 1, 20)
    return int(min(spread, LONGEST_SECONDS))

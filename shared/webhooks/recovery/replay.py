"""Replay: a dead letter, or what a webhook missed, becomes a delivery again.

Every step can be repeated: a replay sends the next generation and then marks.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from webhooks.delivery.endpoint_state import DeliveryContext
from webhooks.delivery.lifecycle import is_erased, restarted
from webhooks.delivery.ports import DeliveryContexts, DeliveryQueue
from webhooks.errors import Conflict, Unavailable
from webhooks.ids import time_of
from webhooks.messages import DeliveryMessage, group_of, message_of
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.keeping import days_of
from webhooks.models.pull import PullEntry
from webhooks.models.webhook import Webhook
from webhooks.recovery.replay_source import sendable

CLAIMED_MS = 30_000  # a manual retry that has come to nothing by then may be made anew
APPENDING_MS = 20_000
_AGAIN = "again:"  # in front of its time, in `writer`

logger = logging.getLogger(__name__)


class DeadLetterStore(Protocol):
    """Dead letters as replay needs them."""

    def mark_processed(self, letter: DeadLetter, by: str) -> bool:
        """Note that it was sent again."""
        ...


class PullLog(Protocol):
    """What pull webhooks have to read."""

    def append(self, entries: Sequence[PullEntry], until_ms: int) -> Sequence[bool]:
        """Record each behind all that can have been read; whether it is. Nothing is begun after `until_ms`."""
        ...


class Replayer:
    """Sends dead letters again, one by one or as a job."""

    def __init__(
        self,
        store: DeliveryContexts,
        letters: DeadLetterStore,
        queue: DeliveryQueue,
        pulls: PullLog,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._letters = letters
        self._queue = queue
        self._pulls = pulls
        self._now_ms = now_ms

    def replay(self, letters: Sequence[DeadLetter], by: str, *, delays: Sequence[int] = ()) -> int:
        """Send all with a new cycle of attempts; returns how many went out. Raises Unavailable, Conflict.

        A letter that is delivered by now is only marked.
        """
        sent, known = self._send(letters, delays)
        for letter in known:
            self._letters.mark_processed(letter, by)
        return sent

    def send(self, letters: Sequence[DeadLetter], *, delays: Sequence[int] = ()) -> int:
        """The same without marking, for missed events, which have no dead letter."""
        return self._send(letters, delays)[0]

    def _send(self, letters: Sequence[DeadLetter], delays: Sequence[int]) -> tuple[int, list[DeadLetter]]:
        """How many went out, and those of which it is known what became of them: the others stay as they are."""
        context = self._loaded(letters)
        now_ms = self._now_ms()
        outgoing: list[tuple[DeliveryMessage, int]] = []
        marks: list[tuple[DeliveryRecord | None, DeliveryRecord]] = []
        read: list[PullEntry] = []
        for position, letter in enumerate(letters):
            if not context.readable(letter.webhook_id):
                raise Unavailable(f"webhook {letter.webhook_id} cannot be read by this version")
            webhook = sendable(context.webhooks.get(letter.webhook_id))
            if not (letter.body and _is_outstanding(letter, context)):
                continue
            if webhook.kind == "pull":
                read.append(_to_be_read(letter))
                continue
            stored = context.records.get(letter.delivery_id)
            again = restarted(stored or _from_letter(letter), now_ms)
            again = replace(again, revision=(stored.revision if stored else 0) + 1)
            body = letter.body.decode()
            message = message_of(again, group_of(webhook.owner), body, static_egress=webhook.static_egress)
            outgoing.append((message, delays[position] if delays else 0))
            marks.append((stored, again))
        if read and not all(self._pulls.append(read, now_ms + APPENDING_MS)):
            raise Unavailable("not all can be read by pull yet")
        self._queue.send(outgoing)
        if outgoing:
            logger.info("sent again", extra={"delivery_ids": [message.delivery_id for message, _ in outgoing]})
        self._store.save(marks)
        return len(outgoing) + len(read), [
            each for each in letters if context.readable(each.webhook_id, each.delivery_id)
        ]

    def outstanding(self, letters: Sequence[DeadLetter]) -> int:
        """How many of them would go out: those neither delivered nor sent again since. Raises Unavailable."""
        context = self._loaded(letters)
        return sum(_is_outstanding(letter, context) for letter in letters)

    def _loaded(self, letters: Sequence[DeadLetter]) -> DeliveryContext:
        return self._store.around((letter.webhook_id, letter.delivery_id) for letter in letters)

    def send_again(self, record: DeliveryRecord, webhook: Webhook | None, body: str) -> DeliveryRecord:
        """A manual retry of a delivery in any state, at once and as a new cycle.

        One at a time: raises Conflict while another one is under way. Raises Unavailable.
        """
        webhook = sendable(webhook)
        if webhook.kind == "pull":
            raise Conflict("a pull webhook is sent nothing: replay the dead letter, and its consumers read it")
        now_ms = self._now_ms()
        if _is_being_sent_again(record, now_ms):
            raise Conflict("this delivery is just being sent again: wait for the outcome")
        # The claim changes nothing else, so a crash behind it leaves the delivery as it was.
        claimed = replace(record, revision=record.revision + 1, writer=f"{_AGAIN}{now_ms}")
        (saved,) = self._store.save([(record if record.revision else None, claimed)])
        if saved is None:
            raise Unavailable("the delivery could not be claimed")
        if not saved:
            raise Conflict("this delivery has just changed, maybe because it is being sent again: look at it first")
        again = replace(restarted(claimed, now_ms), revision=claimed.revision + 1)
        try:
            message = message_of(again, group_of(webhook.owner), body, static_egress=webhook.static_egress)
            self._queue.send([(message, 0)])
        except Unavailable:
            self._store.save([(claimed, replace(record, revision=claimed.revision + 1))])
            raise
        logger.info("sent again", extra={"delivery_ids": [record.delivery_id]})
        self._store.save([(claimed, again)])
        return again


def _is_being_sent_again(record: DeliveryRecord, now_ms: int) -> bool:
    """Whether a manual retry has claimed it and no outcome was written since."""
    claimed_at = record.writer.removeprefix(_AGAIN)
    return claimed_at != record.writer and now_ms - int(claimed_at) < CLAIMED_MS


def _is_outstanding(letter: DeadLetter, context: DeliveryContext) -> bool:
    if not context.readable(letter.webhook_id, letter.delivery_id):
        return False
    stored = context.records.get(letter.delivery_id)
    if stored is None:
        return True
    return stored.status != "delivered" and stored.generation <= letter.generation and not is_erased(stored)


def _to_be_read(letter: DeadLetter) -> PullEntry:
    return PullEntry(
        webhook_id=letter.webhook_id,
        delivery_id=letter.delivery_id,
        event_id=letter.event_id,
        event_type=letter.event_type,
        scope=letter.scope,
        accepted_at_ms=time_of(letter.delivery_id),
        days=days_of(letter.keeping),
    )


def _from_letter(letter: DeadLetter) -> DeliveryRecord:
    return DeliveryRecord(
        delivery_id=letter.delivery_id,
        webhook_id=letter.webhook_id,
        event_id=letter.event_id,
        event_type=letter.event_type,
        scope=letter.scope,
        generation=letter.generation,
        trace=letter.trace,
        keeping=letter.keeping,
    )

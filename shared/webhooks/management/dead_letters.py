"""Dead letters: listing them, and sending one or many again."""

from collections.abc import Callable
from dataclasses import dataclass

from webhooks.access.idempotency_keys import Once
from webhooks.errors import Conflict, NotAllowed, NotFound
from webhooks.ids import is_id, new_id
from webhooks.management.audit import AuditLog
from webhooks.management.changes import ManagementStore, find, of_seen
from webhooks.management.paging import Page, TimeRange, page_of
from webhooks.management.ports import History, Letters
from webhooks.management.replays import JobStarter
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.delivery import DeadLetter
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.recovery.replay import Replayer
from webhooks.recovery.replay_source import is_for_reason, sendable

MAX_PAGE_BYTES = 1_000_000  # payloads of a page: API Gateway and Lambda end at a few MB, and JSON escapes


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters: those that every given part admits. `owner`: in a list of many webhooks, whose."""

    is_processed: bool | None = None
    reason: str | None = None
    event_type: str | None = None
    owner: str | None = None

    def admits(self, letter: DeadLetter) -> bool:
        """Whether the dead letter is meant."""
        return (
            self.is_processed in (None, letter.is_processed)
            and is_for_reason(self.reason, letter.failure_reason, letter.cause)
            and self.event_type in (None, letter.event_type)
        )


def owner_asked(caller: Caller, owner: str | None) -> str | None:
    """Whose dead letters are asked for; None for everybody's. Raises NotAllowed."""
    if caller.is_admin:
        return owner
    if owner not in (None, caller.owner):
        raise NotAllowed("only admins see the dead letters of others")
    return caller.owner


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterManagement:
    """The use cases. Each raises NotFound for what the caller does not see, and Unavailable."""

    store: ManagementStore
    history: History
    letters: Letters
    replayer: Replayer
    starter: JobStarter
    audit: AuditLog
    now_ms: Callable[[], int]

    def page(
        self, caller: Caller, webhook_id: str | None, selection: Selection, time_range: TimeRange, limit: int
    ) -> Page[DeadLetter]:
        """Dead letters of one webhook, or of all that the caller sees, newest first; fewer where they are large.

        Raises NotAllowed for those of an owner whom the caller is not.
        """
        if webhook_id is not None:
            found = self.history.dead_letters(find(self.store, caller, webhook_id).webhook_id, time_range)
        else:
            owned = self.history.dead_letters_of(owner_asked(caller, selection.owner), time_range)
            found = of_seen(caller, owned, self.history.webhooks)
        return page_of(
            found,
            selection.admits,
            lambda letter: letter.delivery_id,
            limit=limit,
            weight_of=lambda letter: len(letter.body),
            max_weight=MAX_PAGE_BYTES,
        )

    def replay(self, caller: Caller, webhook_id: str, dead_letter_id: str) -> DeadLetter:
        """Send a dead letter again with a new cycle of attempts; returns it as it is afterwards.

        Raises Conflict when there is nothing to send: it is delivered by now or on its way again, or the webhook takes
        nothing while it is inactive or failed. One that was sent again and died again can be replayed again.
        """
        webhook = find(self.store, caller, webhook_id)
        letter = self._letter(webhook_id, dead_letter_id)
        if not letter.body:
            raise Conflict("the payload of this dead letter is no longer kept: it has been delivered since")
        self.audit.note(caller, Deed("dead_letter.replayed", dead_letter_id), webhook)
        if not self.replayer.replay([letter], "manual"):
            raise Conflict("this delivery has been delivered since, or is being sent again already")
        return self._letter(webhook_id, dead_letter_id)

    def replay_many(
        self,
        caller: Caller,
        webhook_id: str,
        selection: ReplaySelection,
        rate_per_second: float,
        once: Once | None = None,
    ) -> ReplayJob:
        """Begin to send a webhook's dead letters again, those that are not processed yet, in the background.

        Raises Conflict for a webhook that is inactive or failed.
        """
        webhook = find(self.store, caller, webhook_id)
        if (begun := self.starter.earlier(caller, once)) is not None:
            return begun
        webhook = sendable(webhook)
        now_ms = self.now_ms()
        job = ReplayJob(
            job_id=new_id("rpl", now_ms),
            webhook_id=webhook_id,
            owner=webhook.owner,
            selection=selection,
            rate_per_second=rate_per_second,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        self.audit.note(caller, Deed("replay.started", job.job_id), webhook)
        return self.starter.start(job, caller, once)

    def _letter(self, webhook_id: str, dead_letter_id: str) -> DeadLetter:
        ids = [(webhook_id, dead_letter_id)] if is_id("dlv", dead_letter_id) else []
        letter = self.letters.get(ids).get(dead_letter_id)
        if letter is None:
            raise NotFound(f"there is no dead letter {dead_letter_id[:64]}")
        return letter

"""The audit log: who did what to which webhook, subscription, delivery or key, when, and from where.

What changes the table is written with its entry, in one transaction. What only sets something off, such as a replay,
has its entry written right before: one that cannot be written stops it, and one whose deed fails after all stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from webhooks.errors import NotAllowed
from webhooks.management.paging import Page, TimeRange, page_of
from webhooks.models.audit import AuditEntry, Deed, entry
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook


class AuditEntries(Protocol):
    """Where entries are kept. Raises Unavailable."""

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry. Repeating it is harmless."""
        ...

    def entries(self, owner: str | None, time_range: TimeRange) -> Iterator[AuditEntry]:
        """Of one owner, or of everybody (None), newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: those that every given part admits."""

    webhook_id: str | None = None
    action: str | None = None
    actor: str | None = None
    key_id: str | None = None

    def admits(self, one: AuditEntry) -> bool:
        """Whether the entry is meant."""
        asked = (self.webhook_id, self.action, self.actor, self.key_id)
        has = (one.webhook_id, one.action, one.actor, one.key_id)
        return all(each in (None, other) for each, other in zip(asked, has, strict=True))


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The use cases. Each raises Unavailable."""

    log: AuditEntries
    now_ms: Callable[[], int]

    def note(self, caller: Caller, deed: Deed, webhook: Webhook) -> None:
        """Keep what the caller is about to do."""
        self.log.add(deed.by(caller, webhook, self.now_ms()))

    def note_of(self, caller: Caller, action: str, owner: str, target: str) -> None:
        """The same of what belongs to no webhook."""
        self.log.add(entry(caller, action, owner, target, self.now_ms()))

    def page(
        self, caller: Caller, owner: str | None, wanted: Wanted, time_range: TimeRange, limit: int
    ) -> Page[AuditEntry]:
        """What was done to the caller's things, newest first; for admins everybody's, or one owner's.

        What belongs to a workspace's webhook is seen while the caller is a member. Raises NotAllowed.
        """
        if not caller.is_admin and owner not in (None, caller.owner):
            raise NotAllowed("only admins see the audit log of others")
        return page_of(
            self.log.entries(owner if caller.is_admin else caller.owner, time_range),
            lambda each: wanted.admits(each) and _sees(caller, each),
            lambda each: each.entry_id,
            limit=limit,
        )


def _sees(caller: Caller, one: AuditEntry) -> bool:
    return caller.is_admin or one.workspace_id is None or caller.is_in_workspace(one.workspace_id)

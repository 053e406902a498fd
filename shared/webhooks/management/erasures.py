"""Erasing what is kept of a tenant, or of one event."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from webhooks.access.callers import MAX_ID_CHARACTERS
from webhooks.delivery.lifecycle import unsent
from webhooks.errors import Invalid, NotFound
from webhooks.management.api_keys import ApiKeyManagement
from webhooks.management.audit import AuditLog
from webhooks.management.events import EventHistory
from webhooks.management.paging import Page
from webhooks.models.caller import Caller
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.erasure import Erasure
from webhooks.models.event import EventRecord

UNTOUCHED_MS = 15 * 60_000  # one that works writes a checkpoint every few minutes; this one lost its message
_KINDS = {"user": "user", "workspace": "ws"}


class ErasureList(Protocol):
    """The list of the erased. Raises Unavailable."""

    def get(self, scope: str) -> Erasure | None:
        """Consistent read."""
        ...

    def all(self, behind: str | None = None) -> Iterator[Erasure]:
        """In the order of their scopes, those behind one. Consistent."""
        ...

    def refuse_events(self, erasure: Erasure) -> None:
        """Have ingest drop what was published in the tenant's scope up to the request."""
        ...

    def start(self, before: Erasure | None, erasure: Erasure) -> bool:
        """Note it in the place of an earlier one; False when somebody else has changed that meanwhile."""
        ...


class ErasureQueue(Protocol):
    """Has replay work on an erasure. Raises Unavailable."""

    def go_on_erasing(self, scope: str, delay_seconds: int = 0) -> None:
        """Soon."""
        ...


class EventPayloads(Protocol):
    """Where events keep their payloads. Raises Unavailable."""

    def erase_payload(self, event_id: str, scope: str) -> None:
        """Remove it and keep the record."""
        ...


class DeliveryPayloads(Protocol):
    """Where deliveries keep their payloads. Raises Unavailable."""

    def erase(self, ids: Sequence[tuple[str, str]], absent: Mapping[str, DeliveryRecord] | None = None) -> int:
        """Erase those of deliveries by (webhook id, delivery id), and end what is not finished.

        `absent`: the records of those that have none yet.
        """
        ...


@dataclass(frozen=True, slots=True)
class TenantErasures:
    """The use cases of whoever may erase tenants."""

    erasures: ErasureList
    queue: ErasureQueue
    api_keys: ApiKeyManagement
    audit: AuditLog
    now_ms: Callable[[], int]

    def start(self, caller: Caller, tenant: str) -> Erasure:
        """Erase what there is of a tenant, `user:<id>` or `workspace:<id>`. Raises Invalid, Unavailable.

        A user's API keys are revoked at once. Asked again it has what came since erased, too; while it is under way, it
        only shows how far it has come.
        """
        scope, now_ms = scope_of_tenant(tenant), self.now_ms()
        before = self.erasures.get(scope)
        if before is None or before.status == "completed":
            kind, _, identifier = scope.partition(":")
            owner = identifier if kind == "user" else caller.owner
            self.audit.note_of(caller, "tenant.erased", owner, tenant)
            if kind == "user":
                self.api_keys.revoke_all(caller, owner)
            erasure = Erasure(scope, requested_at_ms=now_ms, requested_by=caller.owner, updated_at_ms=now_ms)
            if not self.erasures.start(before, erasure):
                return self.get(tenant)  # somebody else asks for the same just now
            self.erasures.refuse_events(erasure)
            self.queue.go_on_erasing(scope)
            return self.get(tenant)
        if before.status == "pending" or now_ms - before.updated_at_ms > UNTOUCHED_MS:
            self.queue.go_on_erasing(scope)
        return before

    def get(self, tenant: str) -> Erasure:
        """How far it has come. Raises Invalid, NotFound, Unavailable."""
        erasure = self.erasures.get(scope_of_tenant(tenant))
        if erasure is None:
            raise NotFound(f"{tenant[:64]} was never erased")
        return erasure

    def page(self, behind: str | None, limit: int) -> Page[Erasure]:
        """The list of the erased. Raises Unavailable."""
        found = list(islice(self.erasures.all(behind), limit + 1))
        return Page(found[:limit], found[limit - 1].scope if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class EventErasure:
    """The use case of DELETE /events/:event_id."""

    history: EventHistory
    events: EventPayloads
    deliveries: DeliveryPayloads
    audit: AuditLog

    def erase(self, caller: Caller, event_id: str, user_id: str | None, workspace_id: str | None) -> None:
        """Erase an event's payload wherever it is kept; what waits to be sent is abandoned.

        Admins and the platform may, and a user for what it has published. Repeating it does no harm. Raises NotFound,
        Invalid when several events are meant, and Unavailable: repeat it.
        """
        pages = self.history.pages(event_id, user_id, workspace_id, lambda record: _may_erase(caller, record))
        self.audit.note_of(caller, "event.erased", caller.owner, event_id)
        self.events.erase_payload(event_id, pages[0].scope)
        for page in pages:
            records = {
                each.delivery_id: each for each in (unsent(pages[0], webhook_id) for webhook_id in page.wanted_by)
            }
            ids = [(record.webhook_id, record.delivery_id) for record in records.values()]
            self.deliveries.erase(ids, records)


def scope_of_tenant(tenant: str) -> str:
    """`user:42` or `workspace:7` as scopes have it. Raises Invalid."""
    kind, _, identifier = tenant.partition(":")
    if kind not in _KINDS or not 0 < len(identifier) <= MAX_ID_CHARACTERS or "|" in identifier:
        raise Invalid.at("tenant_id", "must be user:<id> or workspace:<id>", "wrong_form")
    return f"{_KINDS[kind]}:{identifier}"


def tenant_of_scope(scope: str) -> str:
    """The same the other way round."""
    kind, _, identifier = scope.partition(":")
    return f"{'workspace' if kind == 'ws' else kind}:{identifier}"


def _may_erase(caller: Caller, record: EventRecord) -> bool:
    if caller.is_admin or caller.may("events:write:any"):
        return True
    is_member = record.workspace_id is None or caller.is_in_workspace(record.workspace_id)
    return record.publisher == "user" and str(record.user_id) == caller.owner and is_member

"""Reading a webhook's events instead of being sent them: in one order, page by page, from where a consumer has come to.

A cursor is sealed to its webhook, so it can be handed from one process to another and not be made up. It stands for a
place in time, also where nothing happened: one that is older than what is kept says that something may be gone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, Protocol

from webhooks.errors import Conflict, FieldError, Invalid, InvalidCursor, NotFound, TooManyRequests
from webhooks.ids import TIME_CHARACTERS, beginning_of, time_in
from webhooks.management.audit import AuditLog
from webhooks.management.changes import ManagementStore, find
from webhooks.management.cursors import Cursors
from webhooks.management.ports import EventRecords
from webhooks.management.test_events import RETRY_AFTER_SECONDS, UnderWay
from webhooks.messages import DeliveryMessage, group_of
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.event import EventRecord
from webhooks.models.pull import LAG_MS, PUSH_LAG_MS, Consumer, PullEntry
from webhooks.models.webhook import Webhook
from webhooks.request.signed_request import RequestSigner
from webhooks.times import rfc3339

MAX_CONSUMERS = 100  # of a webhook
MAX_WAIT_SECONDS = 20  # API Gateway ends a request at 29 s
POLL_SECONDS = 1
A_READ = 10  # events, of up to 256 KB each
# Of bodies in one page. As JSON in ASCII they may become three times as much, and Lambda answers with 6 MB at most.
MAX_PAGE_BYTES = 1_500_000


class Pulls(Protocol):
    """What there is to read, and how far consumers are. Raises Unavailable."""

    def entries(self, webhook_id: str, after: str, until_ms: int) -> Iterator[PullEntry]:
        """A pull webhook's, recorded up to that time, behind a position, in order. Consistent."""
        ...

    def deliveries(self, webhook_id: str, after: str, until_ms: int) -> Iterator[PullEntry]:
        """A push webhook's deliveries with a record, by acceptance."""
        ...

    def consumers(self, webhook_id: str) -> Sequence[Consumer]:
        """All of a webhook's. Consistent."""
        ...

    def consumer(self, webhook_id: str, name: str) -> Consumer | None:
        """One of them. Consistent."""
        ...

    def commit(self, webhook_id: str, consumer: Consumer, *, new: bool) -> bool:
        """Put one forward, or make a `new` one. False where there is none, or one that is further."""
        ...

    def forget(self, webhook_id: str, name: str) -> None:
        """Remove one, if it is there."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: behind a cursor, where a consumer has come to, or at a time. Without any at the oldest kept."""

    after: str | None = None
    consumer: str | None = None
    from_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PulledEvent:
    """An event as it would be sent, signed now. `body` None: `missing` says why."""

    entry: PullEntry
    cursor: str
    recorded_at_ms: int
    headers: dict[str, str]
    body: str | None
    missing: Literal["not_kept", "gone"] | None


@dataclass(frozen=True, slots=True)
class PulledPage:
    """Some events, and the cursor to go on with. `retry_after_seconds`: a wait was asked for, and no place was free."""

    items: list[PulledEvent]
    next_cursor: str
    has_more: bool
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class CommittedConsumer:
    """A consumer, and the cursor that it goes on with."""

    consumer: Consumer
    cursor: str
    reached_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulling:
    """The use cases. Each raises NotFound for a webhook that the caller does not see, and Unavailable."""

    store: ManagementStore
    pulls: Pulls
    events: EventRecords
    signer: RequestSigner
    cursors: Cursors
    under_way: UnderWay
    audit: AuditLog
    retention_ms: int
    now_ms: Callable[[], int]
    sleep: Callable[[float], None]

    def read(self, caller: Caller, webhook_id: str, start: Start, limit: int, wait_seconds: int) -> PulledPage:
        """The next events, oldest first; waits for one where there is none, if a place to wait is free.

        Raises Invalid, InvalidCursor, and Conflict while a pull webhook is paused.
        """
        webhook = self._readable(caller, webhook_id)
        position = self._position(webhook, start)
        page = self._page(webhook, position, limit)
        if page.items or not wait_seconds:
            return page
        try:
            with self.under_way.lease(webhook.owner):
                ends_ms = self.now_ms() + wait_seconds * 1000
                while (left_ms := ends_ms - self.now_ms()) > 0:
                    self.sleep(min(POLL_SECONDS, left_ms / 1000))
                    if next(self._entries(webhook, position, self._until_ms(webhook)), None) is not None:
                        break
                # its secret or its status may have changed meanwhile
                return self._page(self._readable(caller, webhook_id), position, limit)
        except TooManyRequests:
            return replace(page, retry_after_seconds=RETRY_AFTER_SECONDS)

    def consumers(self, caller: Caller, webhook_id: str) -> list[CommittedConsumer]:
        """A webhook's consumers by name; without those that have committed nothing for as long as events are kept."""
        webhook = find(self.store, caller, webhook_id)
        return [self._committed(webhook, each) for each in self.pulls.consumers(webhook_id)]

    def commit(self, caller: Caller, webhook_id: str, name: str, cursor: str) -> CommittedConsumer:
        """Have a consumer go on behind a cursor from now on; where it is further already, that stays.

        Raises InvalidCursor, and Conflict for more consumers than a webhook may have.
        """
        webhook = find(self.store, caller, webhook_id)
        wanted = Consumer(name, self._opened(webhook, cursor, "cursor"), self.now_ms())
        if not self.pulls.commit(webhook_id, wanted, new=False):
            present = self.pulls.consumer(webhook_id, name)
            if present is not None:
                return self._committed(webhook, present)
            if len(self.pulls.consumers(webhook_id)) >= MAX_CONSUMERS:
                raise Conflict(f"this webhook has {MAX_CONSUMERS} consumers, as many as there may be: delete one first")
            self.pulls.commit(webhook_id, wanted, new=True)
        return self._committed(webhook, wanted)

    def forget(self, caller: Caller, webhook_id: str, name: str) -> None:
        """Remove a consumer: its name begins anew. Raises NotFound."""
        webhook = find(self.store, caller, webhook_id)
        if self.pulls.consumer(webhook_id, name) is None:
            raise NotFound(f"there is no consumer {name} with a commit")
        self.audit.note(caller, Deed("consumer.deleted", name), webhook)
        self.pulls.forget(webhook_id, name)

    def _readable(self, caller: Caller, webhook_id: str) -> Webhook:
        webhook = find(self.store, caller, webhook_id)
        if webhook.kind == "pull" and webhook.status == "paused":
            raise Conflict("the webhook is paused: what comes meanwhile is kept, and can be read once it is active")
        return webhook

    def _position(self, webhook: Webhook, start: Start) -> str:
        places = {"after": start.after, "consumer": start.consumer, "from": start.from_ms}
        given = [name for name, value in places.items() if value is not None]
        if len(given) > 1:
            raise Invalid.at(given[1], f"says where to begin, as {given[0]} does: give one of them")
        oldest = beginning_of(self.now_ms() - self.retention_ms)
        if start.after is not None:
            position = self._opened(webhook, start.after, "after")
        elif start.consumer is not None:
            committed = self.pulls.consumer(webhook.webhook_id, start.consumer)
            position = oldest if committed is None else committed.position
        else:
            return oldest if start.from_ms is None else max(oldest, beginning_of(max(0, start.from_ms)))
        if position[:TIME_CHARACTERS] < oldest:
            raise Invalid.at(
                "after" if start.after is not None else "consumer",
                f"stands at {rfc3339(time_in(position))}, and events are not kept that long: some may be gone. Leave "
                "it out to begin with the oldest that is kept, or name a time with from. Delete a consumer to reset it",
            )
        return position

    def _opened(self, webhook: Webhook, cursor: str, field: str) -> str:
        try:
            position = self.cursors.open(cursor, caller="", listing=_listing(webhook))
        except InvalidCursor as exc:
            message = "is not a cursor of this webhook's events: use one from an answer, or leave it out"
            raise InvalidCursor(f"{field}: {message}", [FieldError(field, message)]) from exc
        return position or ""

    def _sealed(self, webhook: Webhook, position: str) -> str:
        return self.cursors.seal(position, caller="", listing=_listing(webhook))

    def _committed(self, webhook: Webhook, consumer: Consumer) -> CommittedConsumer:
        return CommittedConsumer(consumer, self._sealed(webhook, consumer.position), time_in(consumer.position))

    def _until_ms(self, webhook: Webhook) -> int:
        return self.now_ms() - (LAG_MS if webhook.kind == "pull" else PUSH_LAG_MS)

    def _entries(self, webhook: Webhook, after: str, until_ms: int) -> Iterator[PullEntry]:
        read = self.pulls.entries if webhook.kind == "pull" else self.pulls.deliveries
        return read(webhook.webhook_id, after, until_ms)

    def _page(self, webhook: Webhook, after: str, limit: int) -> PulledPage:
        until_ms = self._until_ms(webhook)  # before anything is read
        found = self._entries(webhook, after, until_ms)
        items: list[PulledEvent] = []
        weight = 0
        position = max(after, beginning_of(until_ms + 1))
        while some := list(islice(found, min(A_READ, limit - len(items)))):
            for each in self._signed(webhook, some):
                weight += len((each.body or "").encode())
                if items and weight > MAX_PAGE_BYTES:
                    return PulledPage(items, items[-1].cursor, has_more=True)
                items.append(each)
            if len(items) == limit:
                has_more = next(found, None) is not None
                return PulledPage(items, items[-1].cursor, has_more)
        return PulledPage(items, self._sealed(webhook, position), has_more=False)

    def _signed(self, webhook: Webhook, entries: Sequence[PullEntry]) -> Iterator[PulledEvent]:
        now_ms = self.now_ms()
        keys = {each.position: (each.event_id, each.scope, 0) for each in entries}
        records = self.events.get(list(dict.fromkeys(keys.values())), now_ms)
        self.signer.prepare([webhook], now_ms)
        for each in entries:
            record = records.get(keys[each.position])
            body = record.body.decode() if record is not None and record.body and record.is_whole else None
            yield PulledEvent(
                entry=each,
                cursor=self._sealed(webhook, each.position),
                recorded_at_ms=time_in(each.position),
                headers={} if body is None else self.signer.headers(webhook, _message(each, record, body), now_ms),
                body=body,
                missing=None if body is not None else "gone" if record is None or record.is_whole else "not_kept",
            )


def _message(entry: PullEntry, record: EventRecord | None, body: str) -> DeliveryMessage:
    return DeliveryMessage(
        delivery_id=entry.delivery_id,
        webhook_id=entry.webhook_id,
        event_id=entry.event_id,
        event_type=entry.event_type,
        scope=entry.scope,
        group=group_of(entry.webhook_id),
        body=body,
        trace="" if record is None else record.trace,
    )


def _listing(webhook: Webhook) -> str:
    return f"pull|{webhook.webhook_id}"

"""Test deliveries, made at once by the sender: it alone can open secrets and reach receivers."""

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from webhooks.access.slots import EVERYBODY, Kind, Slots, SlotStore
from webhooks.errors import Conflict, Invalid, TooManyRequests, Unavailable
from webhooks.event_types import TEST_EVENT_TYPE
from webhooks.ids import new_id
from webhooks.management.audit import AuditLog
from webhooks.management.changes import ManagementStore, find
from webhooks.management.ports import TestDeliveries
from webhooks.management.requests import SendTest
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.test_result import TestResult
from webhooks.times import rfc3339

LEASE_MS = 30_000  # API Gateway, and the api's own timeout, end a request at 29 s
RETRY_AFTER_SECONDS = 5
NAMES: Mapping[Kind, str] = {"tests": "test deliveries", "polls": "long polls"}


class UnderWay:
    """How many of one kind may be under way at once: of one owner, and of all together.

    Each keeps a process of the api busy for up to 20 s, and a test delivery one of the sender. Whoever is let in holds
    a lease, which ends by itself should the process die.
    """

    def __init__(
        self,
        store: SlotStore,
        kind: Literal["tests", "polls"],
        *,
        per_owner: int,
        in_all: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._now_ms = now_ms
        self.own = Slots(store=store, kind=kind, most=per_owner, ended=self._ended)
        self.everybodys = Slots(store=store, kind=kind, most=in_all, ended=self._ended)

    @contextmanager
    def lease(self, owner: str) -> Generator[None]:
        """For one of them. Raises TooManyRequests and Unavailable."""
        holder = f"{self._now_ms() + LEASE_MS}:{new_id('evt', self._now_ms())}"
        with (
            _slot(self.own, owner, holder, "of this owner"),
            _slot(self.everybodys, EVERYBODY, holder, "of all owners together"),
        ):
            yield

    def _ended(self, holders: Collection[str]) -> Collection[str]:
        now_ms = self._now_ms()
        return [each for each in holders if int(each.partition(":")[0]) <= now_ms]


@contextmanager
def _slot(slots: Slots, owner: str | None, holder: str, whose: str) -> Generator[None]:
    slot = slots.take(owner, holder)
    if slot is None:
        raise TooManyRequests(
            f"{slots.most} {NAMES[slots.kind]} {whose} are under way, which is the most there may be: "
            "wait for an answer to one; each ends within 20 seconds",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    try:
        yield
    finally:
        with suppress(Unavailable):  # the lease ends by itself
            slots.free(owner, slot, holder)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestEvents:
    """The use case."""

    store: ManagementStore
    sender: TestDeliveries
    under_way: UnderWay
    audit: AuditLog
    event_types: Collection[str]
    static_egress: bool = False  # whether the deployment has static addresses to deliver from
    now_ms: Callable[[], int]

    def send(self, caller: Caller, webhook_id: str, request: SendTest) -> TestResult:
        """Send a test event, made up or as asked for. Raises NotFound, Invalid, Conflict, TooManyRequests,
        and Unavailable."""
        webhook = find(self.store, caller, webhook_id)
        if webhook.kind == "pull":
            raise Conflict("a pull webhook is sent nothing: publish an event, and GET /webhooks/:id/events")
        if request.event_type != TEST_EVENT_TYPE and request.event_type not in self.event_types:
            raise Invalid.at(
                "event_type", f"is not an event type; known are {', '.join(sorted(self.event_types))}", "not_allowed"
            )
        if webhook.static_egress and not self.static_egress:
            raise Conflict(
                "this deployment has no static addresses to deliver from any more: set static_egress to false, or ask "
                "whoever runs the service"
            )
        self.audit.note(caller, Deed("webhook.tested"), webhook)
        now_ms = self.now_ms()
        payload: dict[str, object] = {
            "id": new_id("evt", now_ms),
            "type": request.event_type,
            "resource_id": None,
            "workspace_id": webhook.workspace_id,
            "user_id": webhook.user_id,
            "timestamp": rfc3339(now_ms),
            "data": request.data or {"message": f"A test of the webhook {webhook.name}"},
            "metadata": {"test": True},
        }
        with self.under_way.lease(webhook.owner):
            return self.sender.send_test(webhook.webhook_id, payload, static_egress=webhook.static_egress)

"""In-memory stand-ins for the ports of the management side; the store passes the tests of the real one."""

import base64
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from webhooks.access.idempotency_keys import IdempotencyRecord
from webhooks.errors import Unavailable, Undecryptable
from webhooks.management.changes import Change
from webhooks.matching.filter_budget import FilterUse
from webhooks.matching.route_rows import RouteRow
from webhooks.models.audit import AuditEntry
from webhooks.models.event import Event
from webhooks.models.subscription import Subscription
from webhooks.models.test_result import SentRequest, TestResult
from webhooks.models.webhook import Webhook
from webhooks.payload import dumps


@dataclass
class MemoryManagementStore:
    """Webhooks, subscriptions, route rows and idempotency keys. `interferences`: commits that fail as if raced."""

    webhooks_by_id: dict[str, Webhook] = field(default_factory=dict)
    subscriptions_by_webhook: dict[str, dict[str, Subscription]] = field(default_factory=dict)
    rows: dict[tuple[str, str, str], RouteRow] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    keys: dict[tuple[str, str], IdempotencyRecord] = field(default_factory=dict)
    interferences: int = 0
    audit: Callable[[AuditEntry], object] = lambda entry: None

    def webhook(self, webhook_id: str) -> Webhook | None:
        return self.webhooks_by_id.get(webhook_id)

    def some(self, webhook_ids: Sequence[str]) -> Mapping[str, Webhook]:
        return {each: self.webhooks_by_id[each] for each in webhook_ids if each in self.webhooks_by_id}

    def webhooks(self, owner: str | None, *, after: str | None, limit: int) -> tuple[Sequence[Webhook], str | None]:
        chosen = sorted(
            (
                each
                for each in self.webhooks_by_id.values()
                if each.status != "deleted"
                and (owner is None or each.owner == owner)
                and (after is None or each.webhook_id < after)
            ),
            key=lambda each: each.webhook_id,
            reverse=True,
        )
        return chosen[:limit], chosen[limit - 1].webhook_id if len(chosen) > limit else None

    def amount(self, owner: str) -> int:
        return sum(each.owner == owner and each.status != "deleted" for each in self.webhooks_by_id.values())

    def filter_use(self, scope: str) -> FilterUse:
        found = [each for each in self.webhooks_by_id.values() if each.scope == scope]
        return FilterUse(sum(each.filter_bytes for each in found), sum(each.filter_searches for each in found))

    def subscriptions(self, webhook_id: str, *, whole: bool = False) -> Sequence[Subscription]:
        return [each for _, each in sorted(self.subscriptions_by_webhook.get(webhook_id, {}).items())]

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        found = self.keys.get((caller, key))
        return found if found is not None and found.expires_at_ms > now_ms else None

    def remember(self, record: IdempotencyRecord, before: str | None, now_ms: int) -> bool:
        found = self.idempotency_record(record.caller, record.key, now_ms)
        if found is not None and found.webhook_id != before:
            return False
        self.keys[record.caller, record.key] = record
        return True

    def commit(self, change: Change, now_ms: int) -> bool:
        present = self.webhooks_by_id.get(change.webhook.webhook_id)
        if self.interferences:
            self.interferences -= 1
            return False
        if _version(present) != _version(change.before):
            return False
        room = sys.maxsize if change.at_most is None else change.at_most
        if change.before is None and self.amount(change.webhook.owner) >= room:
            return False
        if change.budget is not None:
            used, more = self.filter_use(change.webhook.scope), change.more_filters
            if more.bytes > 0 and used.bytes + more.bytes > change.budget.bytes:
                return False
            if more.searches > 0 and used.searches + more.searches > change.budget.searches:
                return False
        remember = change.remember
        if remember is not None:
            if self.idempotency_record(remember.caller, remember.key, now_ms) is not None:
                return False
            self.keys[remember.caller, remember.key] = remember
        if change.audit is not None:
            self.audit(change.audit)
        webhook_id = change.webhook.webhook_id
        self.webhooks_by_id[webhook_id] = change.webhook
        kept = self.subscriptions_by_webhook.setdefault(webhook_id, {})
        kept.update({each.subscription_id: each for each in change.put})
        for subscription_id in change.delete:
            del kept[subscription_id]
        for row in change.routes.put:
            self.rows[row.scope, row.pattern, row.webhook_id] = row
        for row in change.routes.delete:
            del self.rows[row.scope, row.pattern, row.webhook_id]
        for pattern in change.routes.patterns:
            place = change.webhook.scope, pattern
            self.versions[place] = self.versions.get(place, 0) + 1
        return True


@dataclass
class MemoryRequestCounts:
    """What was taken, and how often it was asked; or unavailable."""

    taken: dict[tuple[str, int], int] = field(default_factory=dict)
    calls: int = 0
    unavailable: bool = False

    def take(self, owner: str, window: int, amount: int, expires_at_ms: int) -> int:
        self.calls += 1
        if self.unavailable:
            raise Unavailable("DynamoDB: no")
        self.taken[owner, window] = self.taken.get((owner, window), 0) + amount
        return self.taken[owner, window]


@dataclass
class MemorySlots:
    """Slots by kind and owner."""

    taken: dict[tuple[str, str | None], dict[int, str]] = field(default_factory=dict)

    def holders(self, kind: str, owner: str | None) -> Mapping[int, str]:
        return dict(self.taken.get((kind, owner), {}))

    def take(self, kind: str, owner: str | None, slot: int, before: str | None, holder: str) -> bool:
        slots = self.taken.setdefault((kind, owner), {})
        if slots.get(slot) != before:
            return False
        slots[slot] = holder
        return True

    def free(self, kind: str, owner: str | None, slot: int, holder: str) -> None:
        slots = self.taken.get((kind, owner), {})
        if slots.get(slot) == holder:
            del slots[slot]


class PlainBox:
    """Seals without encrypting, bound to the context all the same."""

    def seal(self, plaintext: str, *, context: str) -> bytes:
        return b"sealed:" + base64.b64encode(json.dumps([context, plaintext]).encode())

    def key_for(self, purpose: str) -> bytes:
        return f"the key for {purpose}".encode()

    def open(self, sealed: bytes, *, context: str) -> str:
        try:
            bound_to, plaintext = json.loads(base64.b64decode(sealed.removeprefix(b"sealed:"), validate=True))
        except ValueError as exc:
            raise Undecryptable("damaged") from exc
        if bound_to != context:
            raise Undecryptable("bound to something else")
        return plaintext


@dataclass
class MemoryIngest:
    """Takes events, or is unavailable."""

    published: list[tuple[list[Event], str]] = field(default_factory=list)
    unavailable: bool = False

    def publish(self, events: Sequence[Event], token: str) -> None:
        if self.unavailable:
            raise Unavailable("SQS: no")
        self.published.append((list(events), token))


@dataclass
class EchoSender:
    """Answers trials as a receiver that always says 200."""

    tried: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    static: list[str] = field(default_factory=list)  # webhooks that were tried from static addresses

    def send_test(self, webhook_id: str, payload: Mapping[str, object], *, static_egress: bool = False) -> TestResult:
        self.tried.append((webhook_id, payload))
        self.static += [webhook_id] * static_egress
        request = SentRequest(headers={"Content-Type": "application/json"}, body=dumps(payload))
        return TestResult(succeeded=True, status_code=200, duration_ms=12, event_id=str(payload["id"]), request=request)


def _version(webhook: Webhook | None) -> tuple[int, int] | None:
    return None if webhook is None else (webhook.version, webhook.routes_version)

"""What the pages are looked at with: webhooks that do well and badly, a past of some days, events, dead letters."""

import math
import random
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.support.receiver import answer
from tests.support.service import Document, Service, User, event, eventually

HOUR_MS = 3_600_000
BUCKETS = {"fast": 4, "usual": 6, "slow": 9}  # of webhooks.statistics.BUCKETS_MS


@dataclass(frozen=True, slots=True)
class Estate:
    """A user's webhooks by what they are like, and one delivery, event and dead letter to look at."""

    owner: User
    webhooks: Mapping[str, Document]
    event_id: str
    delivered: Document
    failed: Document


@dataclass(frozen=True, slots=True)
class Crowd:
    """An owner of so many webhooks, one of which, `busy`, has had so many deliveries."""

    owner: User
    busy: Document
    webhooks: int
    deliveries: int

    def __str__(self) -> str:
        return f"{self.webhooks:,} webhooks and {self.deliveries:,} deliveries"


def crowd(service: Service, webhooks: int, deliveries: int) -> Crowd:
    """Leaves room for one more webhook below `webhooks`, since 1,000 are all that an owner may have."""
    owner, path = service.user(), service.path()
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(
            lambda number: owner.register(service.receiver.url("/other"), "table.deleted", name=f"Webhook {number}"),
            range(webhooks - 2),
        ):
            pass
    busy = owner.register(service.receiver.url(path), "record.created", name="The busy one")
    for _ in range(0, deliveries, 100):
        assert owner.post("/events", {"events": [event() for _ in range(100)]}).status_code == 202
    eventually(lambda: len(service.receiver.requests(path)), lambda seen: seen >= deliveries, timeout=900, every=1)
    return Crowd(owner, busy, webhooks, deliveries)


def make(service: Service, owner: User, *, past: bool = True) -> Estate:
    """Through the API, save for the past, which only the table can be given."""
    receiver = service.receiver
    paths = {
        "orders": service.path(answer(200, b'{"received": true}', [("Content-Type", "application/json")])),
        "crm": service.path(answer(503, b'{"error": "maintenance"}', [("Content-Type", "application/json")])),
        "audit": service.path(answer(200)),
        "legacy": service.path(answer(410, b"gone")),
    }
    webhooks = {
        "orders": owner.register(
            receiver.url(paths["orders"]),
            "record.*",
            name="Orders to the warehouse",
            description="Every change of an order, for the pickers' screens.",
            headers={"Authorization": "Bearer warehouse-token"},
            metadata={"team": "fulfilment"},
        ),
        "crm": owner.register(receiver.url(paths["crm"]), "record.created", name="CRM sync", max_retries=1),
        "audit": owner.register(receiver.url(paths["audit"]), "*", name="Audit trail", rate_limit_rps=20),
        "legacy": owner.register(receiver.url(paths["legacy"]), "user.joined", name="Old onboarding"),
    }
    owner.post(
        f"/webhooks/{webhooks['orders']['id']}/subscriptions",
        {
            "event_type": "table.updated",
            "filters": {"conditions": {"operator": "and", "rules": [
                {"field": "status", "operator": "equals", "value": "open"},
                {"field": "amount", "operator": "greater_than", "value": 1000},
            ]}},
        },
    )  # fmt: skip
    if past:
        hours: dict[int, Counter[str]] = {}
        for name, busy, failing in (("orders", 140, 0.004), ("crm", 60, 0.35), ("audit", 220, 0.01)):
            for hour, counts in _live_through(service, webhooks[name]["id"], busy=busy, failing=failing).items():
                hours.setdefault(hour, Counter()).update(counts)
        _write(service, {(f"own|{owner.user_id}", f"stat#{hour:014d}#0"): counts for hour, counts in hours.items()})
    # Four, with two attempts each: with ten failures the circuit would open, and the last of them wait for its probes.
    published = [event(resource_id=f"rec_{number}", data={"fields": {"status": "open", "amount": 900 + 100 * number}})
                 for number in range(4)]  # fmt: skip
    published.append(event("user.joined"))
    answered = owner.post("/events", {"events": published})
    assert answered.status_code == 202, answered.text
    event_id = published[0]["id"]
    delivered = owner.settled(webhooks["orders"]["id"], event_id)
    failed = owner.settled(webhooks["crm"]["id"], event_id, "failed", timeout=60)
    eventually(lambda: owner.items("/dead-letters", is_processed=False), lambda found: len(found) >= 4, timeout=60)
    owner.change(webhooks["audit"]["id"], status="paused")
    return Estate(owner, webhooks, event_id, delivered, failed)


def _live_through(
    service: Service, webhook_id: str, *, busy: int, failing: float, days: int = 8
) -> Mapping[int, Mapping[str, int]]:
    """Hourly statistics as rollup writes them, of the days before now; what was written."""
    chance = random.Random(webhook_id)
    this_hour = int(time.time() * 1000) // HOUR_MS * HOUR_MS
    hours: dict[int, Mapping[str, int]] = {}
    for back in range(1, days * 24):
        hour = this_hour - back * HOUR_MS
        wave = 0.55 + 0.45 * math.sin((hour / HOUR_MS % 24 - 8) / 24 * 2 * math.pi)
        attempts = max(0, round(busy * wave * chance.uniform(0.75, 1.2)))
        failed = sum(chance.random() < failing for _ in range(attempts))
        worked = attempts - failed
        hours[hour] = {
            "deliveries": attempts,
            "successes": worked,
            "failure#http_503": failed,
            f"time#{BUCKETS['fast']}": worked // 2,
            f"time#{BUCKETS['usual']}": worked - worked // 2 - worked // 20,
            f"time#{BUCKETS['slow']}": worked // 20 + failed,
            "time": attempts * 90,
        }
    _write(service, {(f"stat|{webhook_id}", f"stat#{hour:014d}"): counts for hour, counts in hours.items()})
    return hours


def _write(service: Service, items: Mapping[tuple[str, str], Mapping[str, int]]) -> None:
    table = service.stack.outputs["TableName"]
    requests: list[dict[str, Any]] = [
        {"PutRequest": {"Item": {"pk": {"S": pk}, "sk": {"S": sk}, **_counts(counts)}}}
        for (pk, sk), counts in items.items()
    ]
    for start in range(0, len(requests), 25):
        service.client("dynamodb").batch_write_item(RequestItems={table: requests[start : start + 25]})


def _counts(counts: Mapping[str, int]) -> dict[str, Any]:
    return {f"c#{name}": {"N": str(value)} for name, value in counts.items() if value}

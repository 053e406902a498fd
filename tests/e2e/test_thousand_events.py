"""A thousand events over twenty webhooks with filters, through EventBridge: every pair is delivered once, or has its
reason. Who should get what is decided here, by code that shares nothing with the service."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.service import Document, Service, User, ids_at, new_id

EVENTS, WEBHOOKS = 1_000, 20
TYPES = ["record.created", "record.updated", "record.deleted", "table.created", "table.updated", "workspace.updated"]
STATUSES = ["pending", "paid", "shipped", "returned"]
START = datetime.fromisoformat("2024-01-01T00:00:00+00:00")

Wants = Callable[[Document], bool]


def fields_of(event: Document) -> dict[str, Any]:
    return event["data"]["fields"]


def number(event: Document, name: str) -> float | None:
    value = fields_of(event).get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def rule(field: str, operator: str, *value: object) -> Document:
    return {"field": field, "operator": operator} | ({"value": value[0]} if value else {})


def conditions(operator: str, *rules: Document) -> Document:
    return {"conditions": {"operator": operator, "rules": list(rules)}}


# (event type, resource, filters, the same by hand)
SUBSCRIPTIONS: list[tuple[str, str | None, Document | None, Wants]] = [
    ("*", None, None, lambda e: True),
    ("record.*", None, None, lambda e: True),
    ("record.created", None, None, lambda e: True),
    ("record.updated", "rec3", None, lambda e: e["resource_id"] == "rec3"),
    ("*", "rec7", None, lambda e: e["resource_id"] == "rec7"),
    ("record.created", None, {"fields": {"status": "paid"}}, lambda e: fields_of(e)["status"] == "paid"),
    (
        "record.*",
        None,
        {"fields": {"status": "paid", "urgent": True}},
        lambda e: fields_of(e)["status"] == "paid" and fields_of(e).get("urgent") is True,
    ),
    (
        "record.*",
        None,
        conditions("and", rule("amount", "greater_than", 500), rule("status", "not_equals", "returned")),
        lambda e: (number(e, "amount") or 0) > 500 and fields_of(e)["status"] != "returned",
    ),
    (
        "*",
        None,
        conditions("or", rule("amount", "less_than_or_equal", 100), rule("name", "starts_with", "Z")),
        lambda e: ((n := number(e, "amount")) is not None and n <= 100) or fields_of(e)["name"].startswith("Z"),
    ),
    (
        "table.*",
        None,
        conditions("not", rule("status", "in", ["paid", "shipped"])),
        lambda e: fields_of(e)["status"] not in ("paid", "shipped"),
    ),
    (
        "table.*",
        None,
        conditions(
            "and", conditions("or", rule("tags", "contains", "red"), rule("tags", "contains", "blue"))["conditions"]
        ),
        lambda e: "red" in fields_of(e)["tags"] or "blue" in fields_of(e)["tags"],
    ),
    ("workspace.*", None, conditions("and", rule("amount", "exists")), lambda e: "amount" in fields_of(e)),
    ("record.updated", None, conditions("and", rule("urgent", "not_exists")), lambda e: "urgent" not in fields_of(e)),
    (
        "record.*",
        None,
        conditions("and", rule("metadata.source", "equals", "import"), rule("name", "ends_with", "son")),
        lambda e: e["metadata"]["source"] == "import" and fields_of(e)["name"].endswith("son"),
    ),
    ("table.*", None, {"user_id": [11, "13"]}, lambda e: str(e["user_id"]) in ("11", "13")),
    (
        "record.*",
        None,
        {"time_range": {"start": "2024-01-10T00:00:00Z", "end": "2024-01-20T00:00:00+02:00"}},
        lambda e: "2024-01-10T00:00:00Z" <= e["timestamp"] <= "2024-01-19T22:00:00Z",
    ),
    (
        "workspace.updated",
        None,
        {"fields": {"status": "shipped"}, "user_id": [12]},
        lambda e: fields_of(e)["status"] == "shipped" and str(e["user_id"]) == "12",
    ),
    (
        "record.deleted",
        "rec1",
        {"fields": {"amount": 250}},
        lambda e: e["resource_id"] == "rec1" and number(e, "amount") == 250,
    ),
    ("record.created", None, {"fields": {"status": "lost"}}, lambda e: False),
    ("user.joined", None, None, lambda e: True),
]


def made_up_events(workspace_id: int) -> list[Document]:
    """The same in every run, save ids."""
    chance = random.Random(20240101)
    names = ["Anderson", "Zoë", "Zimmer", "Lee", "Nilsson", "Ødegård"]
    events: list[Document] = []
    for _ in range(EVENTS):
        fields: dict[str, Any] = {"status": chance.choice(STATUSES), "name": chance.choice(names)}
        fields["tags"] = chance.sample(["red", "green", "blue", "grey"], chance.randint(0, 2))
        fields |= chance.choice([{"amount": chance.randrange(0, 1_001, 50)}, {"amount": "250"}, {}])
        fields |= chance.choice([{"urgent": True}, {"urgent": 1}, {}])
        moment = START + timedelta(minutes=chance.randrange(30 * 24 * 60))
        events.append(
            {
                "id": f"evt_{new_id()}",
                "type": chance.choice(TYPES),
                "resource_id": f"rec{chance.randrange(10)}",
                "workspace_id": workspace_id,
                "user_id": chance.choice([11, 12, "13", 14]),
                "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "data": {"fields": fields},
                "metadata": {"source": chance.choice(["api", "import"])},
            }
        )
    return events


def reason_not_to_send(event: Document, subscription: tuple[str, str | None, Document | None, Wants]) -> str | None:
    """Why this subscription does not want the event, None when it does."""
    pattern, resource_id, _, wants = subscription
    prefix = pattern.removesuffix("*")
    if event["type"] != pattern and not (pattern != prefix and event["type"].startswith(prefix)):
        return "not_subscribed"
    if resource_id is not None and event["resource_id"] != resource_id:
        return "resource_mismatch"
    return None if wants(event) else "filtered"


def say(line: str) -> None:
    """Progress, to be seen with pytest's -s and beside a failure."""
    print(line, flush=True)  # noqa: T201


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_of_twenty_thousand_pairs_is_delivered_exactly_once_or_has_its_reason(service: Service) -> None:
    workspace_id = new_id()
    owner = service.user(workspace_id=workspace_id)
    paths = [service.path() for _ in SUBSCRIPTIONS]
    webhooks: list[str] = []
    for path, (event_type, resource_id, filters, _) in zip(paths, SUBSCRIPTIONS, strict=True):
        subscription = {"event_type": event_type, "resource_id": resource_id, "filters": filters}
        url = service.receiver.url(path)
        webhook = owner.register(url, workspace_id=workspace_id, subscriptions=[subscription])
        webhooks.append(webhook["id"])
    assert len(webhooks) == WEBHOOKS
    events = made_up_events(workspace_id)
    reasons = {
        (event["id"], webhook): reason_not_to_send(event, subscription)
        for event in events
        for webhook, subscription in zip(webhooks, SUBSCRIPTIONS, strict=True)
    }
    expected = Counter(pair for pair, reason in reasons.items() if reason is None)
    # the events are such that no webhook gets all of them or, save those that must, none
    shares = [sum(expected[event["id"], webhook] for event in events) for webhook in webhooks]
    assert (shares[0], shares[-2:]) == (EVENTS, [0, 0])
    assert all(0 < share < EVENTS for share in shares[1:-2])

    started = time.monotonic()
    service.put_events(events)
    say(f"{EVENTS} events published in {time.monotonic() - started:.1f} s, {expected.total()} deliveries expected")
    for path, share in zip(paths, shares, strict=True):
        service.receiver.wait_for(path, share, 100)
    elapsed = time.monotonic() - started
    say(f"all there after {elapsed:.1f} s, {expected.total() / elapsed:.0f} deliveries a second")

    told = told_of(owner, events)
    say(f"what became of every pair read after {time.monotonic() - started:.1f} s")
    received = Counter(
        (event_id, webhook)
        for webhook, path in zip(webhooks, paths, strict=True)
        for event_id in ids_at(service.receiver, path)
    )
    duplicates = {pair: count for pair, count in received.items() if count > 1}
    assert duplicates == {}
    assert received == expected
    assert told.keys() == reasons.keys()
    wrong = {
        pair: (told[pair], reason)
        for pair, reason in reasons.items()
        if told[pair] != (("delivered", None) if reason is None else ("not_queued", reason))
    }
    assert wrong == {}


def told_of(owner: User, events: list[Document]) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(status, reason) of every pair by GET /events/:id, asked again where a delivery is still being recorded."""

    def ask(event_id: str) -> dict[tuple[str, str], tuple[str, str | None]]:
        deadline = time.monotonic() + 30
        while True:
            told = owner.read(f"/events/{event_id}")
            assert told["next_cursor"] is None
            assert not any(each["evaluated_now"] for each in told["webhooks"])
            settled = all(each["status"] in ("delivered", "not_queued") for each in told["webhooks"])
            if settled or time.monotonic() > deadline:
                return {(event_id, each["webhook_id"]): (each["status"], each["reason"]) for each in told["webhooks"]}
            time.sleep(0.2)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, [event["id"] for event in events]))
    return {pair: outcome for answer in answers for pair, outcome in answer.items()}

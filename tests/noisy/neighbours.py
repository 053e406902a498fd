"""Bad neighbours. Each goes on for as long as the quiet tenant lives beside it, or until it has done its worst.

`scale` 1 is what `make noisy` does; the short form does a part of it. No neighbour minds being refused: that is what
protects the others.
"""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from typing import Any

import httpx

from tests.support.receiver import (
    Behaviour,
    answer,
    close_without_answer,
    drip_body,
    endless_body,
    endless_head,
    huge_header,
    never_answer,
    redirect,
    reset,
    retry_after,
)
from tests.support.service import Document, Service, User, event
from webhooks.delivery.circuit_breaker import Circuit

NOBODY = "http://127.0.0.1:9/"  # the discard port: nobody listens there
KB = 1024


@dataclass
class Street:
    """What a neighbour has: the service, its own user, how much to do, and when to end."""

    service: Service
    scale: float = 1.0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.user: User = self.service.user()

    def so_many(self, count: int) -> int:
        """That count at this scale, at least two."""
        return max(2, round(count * self.scale))

    def asked(self, method: str, path: str, document: Any = None) -> httpx.Response | None:
        """A request whose answer does not matter."""
        with contextlib.suppress(httpx.HTTPError):
            more = {} if document is None else {"json": document}
            return self.user.request(method, path, **more)
        return None

    def webhooks(self, count: int, url: str, **fields: Any) -> list[str]:
        """Ids of so many webhooks there; fewer where the service takes no more."""
        document = {"name": "Noisy", "url": url, "subscriptions": [{"event_type": "*"}], **fields}
        made = [self.asked("POST", "/webhooks", document) for _ in range(count)]
        return [each.json()["id"] for each in made if each is not None and each.status_code == 201]

    def publish(self, count: int, **fields: Any) -> None:
        """So many events, a hundred a request."""
        events = [event(**fields) for _ in range(count)]
        for start in range(0, count, 100):
            if not self.over.is_set():
                self.asked("POST", "/events", {"events": events[start : start + 100]})

    def at_once(self, count: int, act: Callable[[int], object], together: int = 4) -> None:
        """So many of it, a few at a time. What mostly waits may be more `together`: here all share the cores of one
        machine, and on AWS none, so that a crowd that computes would measure nothing but them."""
        with ThreadPoolExecutor(together) as pool:
            list(pool.map(lambda number: None if self.over.is_set() else act(number), range(count)))

    def again_and_again(self, act: Callable[[], object]) -> None:
        """Until it is over, four at a time."""

        def repeat(_number: int) -> None:
            while not self.over.is_set():
                act()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(repeat, range(4)))

    def put(self, queue: str, body: str, attributes: dict[str, str] | None = None) -> None:
        """A message onto a queue, past everything that checks it."""
        given = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
        self.service.client("sqs").send_message(
            QueueUrl=self.service.stack.outputs[queue], MessageBody=body, MessageAttributes=given
        )


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Begins `act` before the quiet tenant publishes. `is_short`: in the short form too.

    `at_first` is over by then. It is for processes that much at once starts: on AWS each has a machine of its own,
    and here their starts would be all that is measured.
    """

    name: str
    act: Callable[[Street], object]
    is_short: bool = False
    at_first: Callable[[Street], object] | None = None


def receives(*behaviours: Behaviour, webhooks: int = 5, events: int = 60) -> Callable[[Street], None]:
    """Webhooks of a receiver that does this, and events for all of them."""

    def act(street: Street) -> None:
        street.webhooks(webhooks, street.service.receiver.url(street.service.path(*behaviours)), timeout_seconds=30)
        street.publish(street.so_many(events))

    return act


def slow_but_well(street: Street) -> None:
    """Counts as healthy, and keeps each attempt for 25 s."""
    street.webhooks(1, street.service.receiver.url(street.service.path(answer(delay_seconds=25))), timeout_seconds=30)
    street.publish(street.so_many(300))


def tests_of_a_slow_receiver(street: Street, count: int = 40) -> None:
    """Each keeps two executions for 6 s."""
    (webhook_id, *_) = street.webhooks(1, street.service.receiver.url(street.service.path(answer(delay_seconds=6))))
    street.at_once(street.so_many(count), lambda _: street.asked("POST", f"/webhooks/{webhook_id}/test"), together=40)


def a_few_tests(street: Street) -> None:
    """More at once, of two owners, than one may have under way."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: tests_of_a_slow_receiver(each, 8), (street, Street(street.service, street.scale))))


def two_hundred_recoveries(street: Street) -> None:
    """Of one webhook, with all that it missed while it was inactive."""
    (webhook_id, *_) = street.webhooks(1, street.service.receiver.url(street.service.path()))
    street.asked("PUT", f"/webhooks/{webhook_id}", {"status": "inactive"})
    street.publish(street.so_many(300))
    street.asked("PUT", f"/webhooks/{webhook_id}", {"status": "active"})
    wanted = {"from": "2025-01-01T00:00:00Z", "rate_per_second": 100}
    street.at_once(street.so_many(200), lambda _: street.asked("POST", f"/webhooks/{webhook_id}/recover", wanted))


def long_polls(street: Street, count: int, seconds: int) -> None:
    """Of one tenant, 40 at once; who is told when to come back does so."""
    document = {"name": "Noisy", "kind": "pull", "subscriptions": [{"event_type": "table.deleted"}]}
    made = street.asked("POST", "/webhooks", document)
    if made is None or made.status_code != 201:
        raise RuntimeError("no webhook to poll")
    path = f"/webhooks/{made.json()['id']}/events?wait={seconds}"

    def poll(_number: int) -> None:
        answer = street.asked("GET", path)
        street.over.wait(float(answer.headers.get("Retry-After", 0)) if answer is not None else 1)

    street.at_once(count, poll, together=40)  # as many processes as were woken


def a_thousand_long_polls(street: Street) -> None:
    """More than there is time for: few are let in, and the others come back after 5 s."""
    long_polls(street, street.so_many(1_000), 20)


def a_few_long_polls(street: Street) -> None:
    """More at once, of two owners, than one may have under way."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: long_polls(each, 10, 5), (street, Street(street.service, street.scale))))


def a_few_wide_events(street: Street) -> None:
    """The second while ingestion has the first."""
    webhook_ids = street.webhooks(street.so_many(50), street.service.receiver.url(street.service.path()))
    for _ in range(3):
        street.publish(10)
    for each in webhook_ids:
        street.asked("DELETE", f"/webhooks/{each}")


def one_event_for_many_webhooks(street: Street) -> None:
    """A request of 1 KB that becomes a request for each webhook and event."""
    url = street.service.receiver.url(street.service.path())
    street.at_once(street.so_many(200), lambda _: street.webhooks(1, url))
    street.publish(10)


def many_searching_filters(street: Street) -> None:
    """As many as the service takes: each rule reads a whole event, and the events are large."""
    rules = [{"field": "data", "operator": "contains", "value": uuid.uuid4().hex} for _ in range(16)]
    filters = {"conditions": {"operator": "and", "rules": rules}}
    subscriptions = [{"event_type": "*", "filters": filters}]
    street.webhooks(street.so_many(50), street.service.receiver.url("/never"), subscriptions=subscriptions)
    for _ in range(street.so_many(18)):
        street.publish(1, data={"text": "x" * 250_000})


def large_filters_on_everything(street: Street) -> None:
    """200 KB of filters a webhook, on a pattern for all event types."""
    filters = {"conditions": {"operator": "in", "field": "data.a", "value": ["x" * 100] * 1_900}}
    rules = {"conditions": {"operator": "and", "rules": [filters["conditions"]]}}
    subscriptions = [{"event_type": "*", "filters": rules}]
    street.webhooks(street.so_many(20), street.service.receiver.url("/never"), subscriptions=subscriptions)
    for kind in ("table", "record"):
        for what in ("created", "updated", "deleted"):
            street.publish(5, type=f"{kind}.{what}")


def a_state_of_the_next_version(street: Street) -> None:
    """As it stands after a rollback."""
    webhook_ids = street.webhooks(3, street.service.receiver.url(street.service.path()))
    *columns, _ = astuple(Circuit())
    circuit = json.dumps([*columns, "of a newer version"])
    for webhook_id in webhook_ids:
        street.service.client("dynamodb").put_item(
            TableName=street.service.stack.outputs["TableName"],
            Item={"pk": {"S": webhook_id}, "sk": {"S": "state"}, "circuit": {"S": circuit}, "later": {"M": {}}},
        )
    street.publish(street.so_many(60))


def odd_deliveries(street: Street) -> None:
    """Messages with ids that no version ever made, or without anything that says what they are."""
    meta = {"w": "wh_x", "e": "evt_1", "t": "record.created", "s": "user:1", "o": "o", "g": 1, "c": 1_760_000_000_000}
    for _ in range(street.so_many(10)):
        for delivery_id in (f"dlv_{uuid.uuid4().hex[:25]}!", "dlv_" + "x" * 3_000, ""):
            street.put("DeliveryQueueUrl", "{}", {"meta": json.dumps({"d": delivery_id, **meta})})
        street.put("DeliveryQueueUrl", "no meta")
    street.put("DeliveryQueueUrl", "".join(uuid.uuid4().hex for _ in range(26 * KB)))


def odd_events(street: Street) -> None:
    """Messages on the ingest queue that no door of the service lets in."""
    good = event(user_id=street.user.user_id)
    for _ in range(street.so_many(10)):
        street.put("IngestQueueUrl", json.dumps({"token": "t" * 500_000, "events": [good]}))
        street.put("IngestQueueUrl", json.dumps({"time": "9999-12-31T23:59:59-2359", "detail": good}))
        street.put("IngestQueueUrl", json.dumps({"continue": {"event": "nowhere"}}))
        street.put("IngestQueueUrl", "no JSON")


def the_same_event_again_and_again(street: Street) -> None:
    """An id is published until it is over."""
    street.webhooks(1, street.service.receiver.url(street.service.path()))
    same = event()
    street.again_and_again(lambda: street.asked("POST", "/events", {"events": [same] * 50}))


def a_flood_of_events(street: Street) -> None:
    """A hundred a request, as fast as they are taken."""
    street.webhooks(1, street.service.receiver.url(street.service.path()))
    street.publish(street.so_many(2_000))


def nobody_listens(street: Street) -> None:
    """Refused connections, and names that there are not."""
    street.webhooks(10, NOBODY)
    street.webhooks(10, "http://nobody.invalid/hook")
    street.publish(street.so_many(30))


def webhooks_come_and_go(street: Street) -> None:
    """Each is paused, resumed and deleted while events arrive for it."""
    url = street.service.receiver.url(street.service.path())

    def turn() -> None:
        for webhook_id in street.webhooks(1, url):
            street.publish(1)
            for status in ("paused", "active"):
                street.asked("PUT", f"/webhooks/{webhook_id}", {"status": status})
            street.asked("DELETE", f"/webhooks/{webhook_id}")

    street.again_and_again(turn)


def reads_without_end(street: Street) -> None:
    """All lists and sums, as fast as they are answered."""
    street.webhooks(street.so_many(50), NOBODY)
    street.publish(5)
    paths = ("/overview", "/webhooks?limit=100", "/dead-letters?limit=100", "/dead-letters/groups", "/replays")
    street.again_and_again(lambda: [street.asked("GET", path) for path in paths])


def wrong_requests(street: Street) -> None:
    """What is refused costs something too."""
    wrong: Sequence[Document] = [{"events": [{"type": "x" * 10_000}] * 100}, {}, {"events": []}]
    street.again_and_again(lambda: [street.asked("POST", "/events", each) for each in wrong])


NEIGHBOURS = (
    Neighbour("a receiver that answers 200 after 25 s", slow_but_well),
    Neighbour("test deliveries to a receiver that takes 6 s", tests_of_a_slow_receiver, at_first=a_few_tests),
    Neighbour("1,000 long polls", a_thousand_long_polls, at_first=a_few_long_polls),
    Neighbour("200 recoveries of one webhook", two_hundred_recoveries),
    Neighbour("one event for many webhooks of one host", one_event_for_many_webhooks, at_first=a_few_wide_events),
    Neighbour("filters that read whole events of 250 KB", many_searching_filters),
    Neighbour("200 KB of filters on every event type", large_filters_on_everything),
    Neighbour("a webhook's state of the next version", a_state_of_the_next_version),
    Neighbour("delivery messages that nobody can read", odd_deliveries, is_short=True),
    Neighbour("ingest messages that nobody can read", odd_events, is_short=True),
    Neighbour("the same event again and again", the_same_event_again_and_again),
    Neighbour("a flood of events", a_flood_of_events),
    Neighbour("receivers that are not there", nobody_listens),
    Neighbour("receivers that never answer", receives(never_answer())),
    Neighbour("receivers that reset or close", receives(reset(), close_without_answer())),
    Neighbour("receivers that answer a byte at a time", receives(drip_body(0.05))),
    Neighbour("receivers whose answer never ends", receives(endless_body(), endless_head(), huge_header())),
    Neighbour("receivers that fail", receives(answer(500), answer(503))),
    Neighbour("receivers that ask to be left alone", receives(retry_after(3))),
    Neighbour("receivers that want nothing more", receives(answer(410), redirect("/elsewhere"))),
    Neighbour("webhooks that come and go", webhooks_come_and_go),
    Neighbour("reads without end", reads_without_end),
    Neighbour("wrong requests without end", wrong_requests),
)

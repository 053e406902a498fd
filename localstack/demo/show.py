"""The performance: events come out as signed deliveries; a receiver fails, and gets its delivery after all."""

import itertools
import json
import socket
import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from localstack.demo import signatures
from localstack.demo.client import Client
from localstack.demo.receiver import Arrival, Receiver
from localstack.demo.screen import Screen, as_json
from localstack.emulator import LocalStackError
from localstack.running import Running
from webhooks.event_types import DEFAULT_EVENT_TYPES

USER_ID = 123
WORKSPACE_ID = 456
GOOD_PATH, FAILING_PATH = "/urgent", "/failing"
MARK = {"made_by": "demo"}
URGENT = {"fields": {"priority": "high"}}
DOOMED = {"fields": {"priority": "doomed"}}
RETRIES = 2
PATIENCE_SECONDS = 45


class Show:
    """One performance on a stack that runs, with a receiver that listens. Raises LocalStackError where it fails."""

    def __init__(
        self,
        running: Running,
        receiver: Receiver,
        screen: Screen | None = None,
        *,
        user_id: int = USER_ID,
        workspace_id: int = WORKSPACE_ID,
    ) -> None:
        self._client = Client(running, user_id, workspace_id)
        self._ids = {"workspace_id": workspace_id, "user_id": user_id}
        self._receiver = receiver
        self._screen = screen or Screen()
        self._secrets: dict[str, str] = {}
        receiver.on_arrival = self._arrived

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def perform(self) -> None:
        """All of it. The first webhook stays, so that whatever its owner publishes next is seen to arrive."""
        started = time.monotonic()
        self.tidy()
        webhook = self._register_urgent()
        expected, held_back = self._publish_all_types()
        self._watch_arrivals(expected)
        self._explain(held_back, webhook)
        failing, letter = self._fail()
        self._replay(failing, letter)
        self._screen.heading(f"All of it as it should be ({time.monotonic() - started:.0f} s)")

    def tidy(self) -> None:
        """Delete the webhooks of this show, and of former ones whose receivers are gone."""
        for webhook in self._client.get("/webhooks?limit=100")["items"]:
            url = str(webhook["url"])
            if webhook["metadata"] == MARK and (url.startswith(f"{self._receiver.url}/") or not _listens(url)):
                self._client.delete(f"/webhooks/{webhook['id']}")

    # ---- the main job

    def _register_urgent(self) -> dict[str, Any]:
        self._screen.heading("1. A webhook on a local receiver, subscribed to all events whose priority is high")
        return self._register("Demo: urgent", GOOD_PATH, filters=URGENT, max_retries=9)

    def _publish_all_types(self) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """The events that must arrive, by id, and the one that must not."""
        self._screen.heading(
            f"2. Events of all {len(DEFAULT_EVENT_TYPES)} types through EventBridge, all of them over HTTP, "
            "and one without urgency"
        )
        on_bus = [self._event(name, "high", source="eventbridge") for name in DEFAULT_EVENT_TYPES]
        over_http = [self._event(name, "high", source="http") for name in DEFAULT_EVENT_TYPES]
        held_back = self._event("record.updated", "low", source="http")
        taken = self._client.put_events(on_bus)
        self._screen.line(f"EventBridge took {taken}")
        accepted = self._client.post("/events", {"events": [*over_http, held_back]})["accepted"]
        self._screen.line(f"POST /api/v1/events took {accepted}")
        return {event["id"]: event for event in (*on_bus, *over_http)}, held_back

    def _watch_arrivals(self, expected: dict[str, dict[str, Any]]) -> None:
        self._screen.heading("3. What the receiver gets, and whether the signatures verify")
        with self._screen.waiting(f"waiting for {len(expected)} deliveries"):
            arrivals = self._receiver.wait_for(GOOD_PATH, lambda some: _ids(some) >= set(expected), PATIENCE_SECONDS)
        if missing := set(expected) - _ids(arrivals):
            types = sorted(f"{expected[each]['type']} ({expected[each]['metadata']['source']})" for each in missing)
            raise LocalStackError(f"{len(missing)} of {len(expected)} deliveries did not come: {', '.join(types)}")
        if stray := _ids(arrivals) - set(expected):
            raise LocalStackError(f"these should not have come: {', '.join(sorted(stray))}")
        self._check_signatures(arrivals)
        for arrival in arrivals:
            event = expected[arrival.header("webhook-id")]
            if json.loads(arrival.body) != event:
                raise LocalStackError(f"the body is not the event {as_json(event)}: {arrival.body.decode()}")

    def _explain(self, held_back: dict[str, Any], webhook: dict[str, Any]) -> None:
        self._screen.heading("4. What became of the one without urgency: nothing was sent, and the reason is recorded")

        def ours(answer: dict[str, Any]) -> dict[str, Any]:
            found: list[dict[str, Any]] = [each for each in answer["webhooks"] if each["webhook_id"] == webhook["id"]]
            return found[0] if found else {}

        path = f"/events/{held_back['id']}"
        answer = self._client.eventually(path, lambda each: bool(ours(each)), "the event's record", PATIENCE_SECONDS)
        self._screen.line(f"GET /api/v1{path}")
        self._screen.note(as_json(ours(answer)))
        if (ours(answer)["status"], ours(answer)["reason"]) != ("not_queued", "filtered"):
            raise LocalStackError("the filter should have held this event back")
        if held_back["id"] in _ids(self._receiver.arrivals(GOOD_PATH)):
            raise LocalStackError("the event that the filter should hold back has arrived")

    # ---- failure

    def _fail(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """A webhook whose receiver fails, and its dead letter."""
        self._screen.heading(f"5. A receiver that answers 500: {RETRIES} retries, then a dead letter")
        self._receiver.statuses[FAILING_PATH] = 500
        webhook = self._register("Demo: failing", FAILING_PATH, filters=DOOMED, max_retries=RETRIES)
        self._client.post("/events", self._event("record.deleted", "doomed", source="http"))
        with self._screen.waiting(f"waiting for {RETRIES + 1} attempts"):
            arrivals = self._attempts(RETRIES + 1)
        gaps = ", then ".join(f"{later.at - earlier.at:.1f} s" for earlier, later in itertools.pairwise(arrivals))
        self._screen.line(f"{len(arrivals)} attempts, {gaps} apart, all of the same event")
        path = f"/webhooks/{webhook['id']}/dead-letters"
        with self._screen.waiting("waiting for the dead letter"):
            found = self._client.eventually(path, lambda each: bool(each["items"]), "a dead letter", PATIENCE_SECONDS)
        letter: dict[str, Any] = found["items"][0]
        self._screen.line(f"dead letter {letter['id']}: {letter['failure_reason']}", "yellow")
        self._screen.line(letter["explanation"])
        if letter["attempt_count"] != RETRIES + 1:
            raise LocalStackError(f"the dead letter should count {RETRIES + 1} attempts: {as_json(letter)}")
        return webhook, letter

    def _replay(self, webhook: dict[str, Any], letter: dict[str, Any]) -> None:
        self._screen.heading("6. The receiver is mended, and the dead letter replayed")
        self._receiver.statuses[FAILING_PATH] = 204
        base = f"/webhooks/{webhook['id']}"
        self._client.post(f"{base}/dead-letters/{letter['id']}/replay", {})
        with self._screen.waiting("waiting for the delivery"):
            arrivals = self._attempts(RETRIES + 2)
            delivery = self._client.eventually(
                f"{base}/deliveries/{letter['id']}",
                lambda each: each["status"] == "delivered",
                "status delivered",
                PATIENCE_SECONDS,
            )
        if arrivals[-1].status != 204:
            raise LocalStackError(f"the replay should have been answered 204: {arrivals[-1]}")
        self._screen.line(f"delivery {delivery['id']}: {delivery['status']}", "green")
        for attempt in delivery["attempts"]:
            came_to = f"{attempt['outcome']}, {attempt['status_code']} in {attempt['duration_ms']} ms"
            self._screen.line(f"  attempt {attempt['number']}  {attempt['started_at']}  {came_to}")
        self._client.delete(base)

    def _attempts(self, count: int) -> list[Arrival]:
        arrivals = self._receiver.wait_for(FAILING_PATH, lambda some: len(some) >= count, PATIENCE_SECONDS)
        if len(arrivals) < count:
            raise LocalStackError(f"{len(arrivals)} of {count} attempts came within {PATIENCE_SECONDS} s")
        if len(_ids(arrivals)) != 1:
            raise LocalStackError(f"all attempts should be of one event: {sorted(_ids(arrivals))}")
        self._check_signatures(arrivals)
        return arrivals

    # ---- both

    def _register(self, name: str, path: str, *, filters: dict[str, Any], max_retries: int) -> dict[str, Any]:
        webhook = self._client.post(
            "/webhooks",
            {
                "name": name,
                "url": self._receiver.url + path,
                "max_retries": max_retries,
                "metadata": MARK,
                "subscriptions": [{"event_type": "*", "filters": filters}],
            },
        )
        self._secrets[path] = webhook["secret"]
        self._screen.line(f"{webhook['id']} -> {webhook['url']}")
        self._screen.line(f"event type *, filter {as_json(filters)}, secret {webhook['secret'][:10]}... (shown once)")
        return webhook

    def _event(self, event_type: str, priority: str, *, source: str) -> dict[str, Any]:
        resource_id = f"rec{uuid.uuid4().hex[:8]}"
        return {
            "id": f"evt_{uuid.uuid4().hex[:20]}",
            "type": event_type,
            "resource_id": resource_id,
            **self._ids,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "data": {"id": resource_id, "fields": {"name": "John Doe", "priority": priority}},
            "metadata": {"source": source, "version": "v1"},
        }

    def _arrived(self, arrival: Arrival) -> None:
        if secret := self._secrets.get(arrival.path):
            library, hand = signatures.by_library(secret, arrival), signatures.by_hand(secret, arrival)
            self._screen.arrival(arrival, by_library=library, by_hand=hand)

    def _check_signatures(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            secret = self._secrets[arrival.path]
            if not (signatures.by_library(secret, arrival) and signatures.by_hand(secret, arrival)):
                raise LocalStackError(f"the signatures of {arrival.header('webhook-id')} do not verify")


def _ids(arrivals: Sequence[Arrival]) -> set[str]:
    return {arrival.header("webhook-id") for arrival in arrivals}


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1).close()
    except OSError:
        return False
    return True

"""The service's main job, shown: `make run` does it at its start, `make demo` against a stack that runs.

A webhook with a filter hears events of all ten types, published on the event bus and over HTTP; a receiver that fails
gets retries, its delivery becomes a dead letter, and a replay delivers it.
"""

import hashlib
import hmac
import itertools
import json
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, cast

import httpx
from rich.console import Console
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from localstack.emulator import PROJECT, LocalStackError
from localstack.receiver import Arrival, Receiver
from localstack.running import Running
from localstack.token import issuer_of
from webhooks.event_types import DEFAULT_EVENT_TYPES

USER_ID = 123
WORKSPACE_ID = 456
GOOD_PATH, FAILING_PATH = "/orders", "/failing"
MARK = {"made_by": "demo"}
FILTER = {"fields": {"priority": "high"}}
PATIENCE_SECONDS = 60

console = Console(highlight=False)


class Show:
    """One performance. `receiver` must be listening; what is registered stays until `tidy`."""

    def __init__(self, running: Running, receiver: Receiver) -> None:
        self._running = running
        self._receiver = receiver
        token = issuer_of(running.outputs, running.client("secretsmanager")).token(
            str(USER_ID), scope="webhooks events:write", workspace_ids=[str(WORKSPACE_ID)]
        )
        self._http = httpx.Client(
            base_url=f"{running.base_url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        self._secrets: dict[str, str] = {}
        self._shown = itertools.count(1)

    def perform(self) -> None:
        """All of it. Raises LocalStackError when something does not come about."""
        self.tidy()
        try:
            self._deliver()
            self._fail_and_recover()
        except TimeoutError as error:
            raise LocalStackError(f"The show stops: {error}. What the functions logged may say why.") from error

    def tidy(self) -> None:
        """Delete the webhooks of this and of former shows."""
        for webhook in self._get("/webhooks?limit=100")["items"]:
            if webhook["metadata"] == MARK:
                self._http.delete(f"/webhooks/{webhook['id']}").raise_for_status()

    def describe(self, arrival: Arrival) -> None:
        """One delivery as the receiver got it, its signatures checked."""
        secret = self._secrets.get(arrival.path)
        if secret is None:
            return
        event = json.loads(arrival.body)
        library, by_hand = _tick(_verified_by_library(secret, arrival)), _tick(_verified_by_hand(secret, arrival))
        answered = "[green]answered 204[/]" if arrival.status < 300 else f"[red]answered {arrival.status}[/]"
        attempt = arrival.headers.get("x-pyairtable-attempt", "?")
        console.print(
            f"  {next(self._shown):>2}  {event['type']:<17} {event['id']}  attempt {attempt}  "
            f"standardwebhooks {library}  plain HMAC {by_hand}  {answered}",
            soft_wrap=True,
        )

    def _deliver(self) -> None:
        _heading("1. A webhook on a local receiver, subscribed to every event whose priority is high")
        webhook = self._register("Demo: everything urgent", GOOD_PATH, max_retries=3, filters=FILTER)
        console.print(f"  {webhook['id']} -> {webhook['url']}", soft_wrap=True)
        console.print(f"  filter {json.dumps(FILTER)}, secret {webhook['secret'][:12]}... (shown once)", soft_wrap=True)

        _heading(
            "2. Events of all ten types on the event bus, the same again over HTTP, and one that the filter holds back"
        )
        types = sorted(DEFAULT_EVENT_TYPES)
        self._publish_on_bus([_event(name, "high") for name in types])
        held_back = _event("record.updated", "low")
        accepted = self._post("/events", {"events": [*(_event(name, "high") for name in types), held_back]})
        console.print(f"  EventBridge took {len(types)}, POST /api/v1/events took {accepted['accepted']}")

        _heading("3. As the receiver gets them")
        arrivals = self._receiver.wait_for(GOOD_PATH, 2 * len(types), PATIENCE_SECONDS)
        console.print("\n  The first one in full:\n")
        for name, value in arrivals[0].headers.items():
            console.print(f"    {name}: {value}", markup=False, soft_wrap=True, style="dim")
        console.print(f"\n    {arrivals[0].body.decode()}", markup=False, soft_wrap=True, style="dim")
        outcome = self._eventually(f"/events/{held_back['id']}", lambda answer: bool(answer))
        console.print(f"\n  What became of the one held back (GET /api/v1/events/{held_back['id']}):\n", soft_wrap=True)
        console.print(f"    {json.dumps(outcome)}", markup=False, soft_wrap=True, style="dim")

    def _fail_and_recover(self) -> None:
        _heading("4. A receiver that answers 500: two retries, then a dead letter")
        self._receiver.statuses[FAILING_PATH] = 500
        webhook = self._register("Demo: failing", FAILING_PATH, max_retries=2, filters={"fields": {"priority": "fail"}})
        self._post("/events", _event("record.deleted", "fail"))
        arrivals = self._receiver.wait_for(FAILING_PATH, 3, PATIENCE_SECONDS)
        gaps = ", ".join(f"{later.at - earlier.at:.1f} s" for earlier, later in itertools.pairwise(arrivals))
        console.print(f"  three attempts, {gaps} apart")
        letters = self._eventually(f"/webhooks/{webhook['id']}/dead-letters", lambda answer: bool(answer["items"]))
        letter = letters["items"][0]
        console.print(f"  dead letter {letter['id']}: {letter['failure_reason']}", soft_wrap=True)

        _heading("5. The receiver is mended, and the dead letter replayed")
        self._receiver.statuses[FAILING_PATH] = 204
        self._post(f"/webhooks/{webhook['id']}/dead-letters/{letter['id']}/replay", {})
        self._receiver.wait_for(FAILING_PATH, 4, PATIENCE_SECONDS)
        delivery = self._eventually(
            f"/webhooks/{webhook['id']}/deliveries/{letter['id']}", lambda answer: answer["status"] == "delivered"
        )
        console.print(f"  delivery {delivery['id']} is [green]{delivery['status']}[/]", soft_wrap=True)
        self._http.delete(f"/webhooks/{webhook['id']}").raise_for_status()

    def _register(self, name: str, path: str, *, max_retries: int, filters: dict[str, Any]) -> dict[str, Any]:
        webhook = self._post(
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
        return webhook

    def _publish_on_bus(self, events: Sequence[dict[str, Any]]) -> None:
        entries = [
            {
                "EventBusName": self._running.outputs["EventBusName"],
                "Source": self._running.outputs["EventSource"],
                "DetailType": event["type"],
                "Detail": json.dumps(event),
            }
            for event in events
        ]
        answer = self._running.client("events").put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            raise LocalStackError(f"EventBridge refused events: {answer['Entries']}")

    def _get(self, path: str) -> dict[str, Any]:
        return self._answer(self._http.get(path))

    def _post(self, path: str, document: object) -> dict[str, Any]:
        return self._answer(self._http.post(path, json=document))

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_error:
            request = response.request
            raise LocalStackError(f"{request.method} {request.url} answered {response.status_code}: {response.text}")
        return cast("dict[str, Any]", response.json()) if response.content else {}

    def _eventually(self, path: str, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            response = self._http.get(path)
            if response.status_code != 404 and good(self._answer(response)):
                return self._answer(response)
            if time.monotonic() > deadline:
                raise TimeoutError(f"GET {path} does not come to say what it should: {response.text}")
            time.sleep(0.2)


def _event(event_type: str, priority: str) -> dict[str, Any]:
    resource = f"rec{uuid.uuid4().hex[:8]}"
    return {
        "id": f"evt_{uuid.uuid4().hex[:20]}",
        "type": event_type,
        "resource_id": resource,
        "workspace_id": WORKSPACE_ID,
        "user_id": USER_ID,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": {"id": resource, "fields": {"name": "John Doe", "priority": priority}},
        "metadata": {"source": "demo", "version": "v1"},
    }


def _verified_by_library(secret: str, arrival: Arrival) -> bool:
    try:
        Webhook(secret).verify(arrival.body, dict(arrival.headers))
    except WebhookVerificationError:
        return False
    return True


def _verified_by_hand(secret: str, arrival: Arrival) -> bool:
    signed = arrival.headers["x-pyairtable-timestamp"].encode() + b"." + arrival.body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, arrival.headers["x-pyairtable-signature"])


def _tick(good: bool) -> str:
    return "[green]ok[/]" if good else "[red]WRONG[/]"


def _heading(text: str) -> None:
    console.print(f"\n[bold]{text}[/]\n", soft_wrap=True)


def main() -> int:
    """`make demo`: the show, and nothing of it left afterwards."""
    try:
        running = Running.read(PROJECT / ".local")
        with Receiver() as receiver:
            show = Show(running, receiver)
            receiver.on_arrival = show.describe
            try:
                show.perform()
            finally:
                show.tidy()
    except (LocalStackError, httpx.HTTPError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

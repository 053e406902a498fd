"""The deployed service as tests over HTTP see it: its users, its event bus, and a receiver to deliver to."""

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import httpx

from localstack.stack import LocalStack
from tests.support.receiver import Behaviour, ReceivedRequest, Receiver

T = TypeVar("T")
Document = dict[str, Any]
PATIENCE_SECONDS = 60.0  # a loaded machine is slow; what never comes fails a test all the same

# Far from the ids in examples, so that fresh users and workspaces have no past.
_ids = itertools.count(1_000_000)


def new_id() -> int:
    """The id of a user, or a workspace, that nothing was ever done with."""
    return next(_ids)


def eventually(
    read: Callable[[], T],
    good: Callable[[T], object] = bool,
    *,
    timeout: float = PATIENCE_SECONDS,
    every: float = 0.1,
) -> T:
    """What `read` gives once it is `good`; fails with the last of it."""
    deadline = time.monotonic() + timeout
    while not good(last := read()):
        assert time.monotonic() < deadline, f"not so within {timeout} s; the last was {last!r}"
        time.sleep(every)
    return last


def event(event_type: str = "record.created", **fields: Any) -> Document:
    """An event as publishers write it; `data` without more is a small record."""
    return {"id": f"evt_{uuid.uuid4().hex}", "type": event_type, "data": {"fields": {"status": "open"}}} | fields


def assert_problem(response: httpx.Response, status: int, name: str, *fields: str) -> Document:
    """An RFC 9457 answer of this kind, with an error for each of `fields` and no other."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].split(";")[0] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"/problems/{name}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]
    assert [each["field"] for each in problem.get("errors", [])] == list(fields), problem
    assert all(each["message"] for each in problem.get("errors", []))
    return problem


@dataclass(frozen=True, slots=True)
class User:
    """One caller of the API: /api/v1 comes before each path."""

    http: httpx.Client
    user_id: int
    headers: Mapping[str, str]

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.http.request(method, f"/api/v1{path}", headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, document: object = None, **more: Any) -> httpx.Response:
        return self.request("POST", path, **({} if document is None else {"json": document}), **more)

    def put(self, path: str, document: object, **more: Any) -> httpx.Response:
        return self.request("PUT", path, json=document, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)

    def read(self, path: str, **params: Any) -> Document:
        """The answer of a GET that works."""
        answer = self.get(path, params=params)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def items(self, path: str, **params: Any) -> list[Document]:
        """Everything in a list, page by page."""
        found: list[Document] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.read(path, **params, **cursor)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    def register(self, url: str, *event_types: str, **fields: Any) -> Document:
        """A webhook subscribed to these event types; to all when none is given."""
        subscriptions = [{"event_type": each} for each in event_types or ("*",)]
        answer = self.post("/webhooks", {"name": "Test", "url": url, "subscriptions": subscriptions} | fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def change(self, webhook_id: str, **fields: Any) -> Document:
        """A webhook with these fields changed."""
        answer = self.put(f"/webhooks/{webhook_id}", fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def outcome(self, event_id: str, webhook_id: str) -> Document:
        """What became of an event for one webhook, once it is ingested."""
        found = eventually(
            lambda: self.get(f"/events/{event_id}"),
            lambda answer: answer.status_code == 200 and _outcome(answer.json(), webhook_id),
        )
        return _outcome(found.json(), webhook_id)[0]

    def delivery(self, webhook_id: str, delivery_id: str) -> Document:
        """A delivery with all its attempts."""
        return self.read(f"/webhooks/{webhook_id}/deliveries/{delivery_id}")

    def settled(self, webhook_id: str, event_id: str, *statuses: str, timeout: float = PATIENCE_SECONDS) -> Document:
        """The delivery of an event once it has one of these statuses."""
        wanted = statuses or ("delivered",)

        def found() -> Document | None:
            listed = self.items(f"/webhooks/{webhook_id}/deliveries")
            mine = next((each for each in listed if each["event_id"] == event_id), None)
            return None if mine is None else self.delivery(webhook_id, mine["id"])

        return eventually(found, lambda one: one is not None and one["status"] in wanted, timeout=timeout) or {}


def _outcome(document: Document, webhook_id: str) -> list[Document]:
    return [each for each in document["webhooks"] if each["webhook_id"] == webhook_id]


@dataclass(frozen=True, slots=True)
class Service:
    """A running stack with a receiver beside it."""

    stack: LocalStack
    receiver: Receiver
    http: httpx.Client
    _clients: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    @contextmanager
    def of(cls, stack: LocalStack) -> Iterator[Self]:
        """The service of a stack that runs."""
        with Receiver() as receiver, httpx.Client(base_url=stack.base_url, timeout=40) as http:
            yield cls(stack, receiver, http)

    def user(self, user_id: int | None = None, workspace_id: int | None = None) -> User:
        """Somebody who names itself by X-User-ID; somebody new when no id is given."""
        user_id = new_id() if user_id is None else user_id
        workspace = {} if workspace_id is None else {"X-Workspace-ID": str(workspace_id)}
        return User(self.http, user_id, {"X-User-ID": str(user_id), **workspace})

    def bearer(
        self,
        user_id: int | None = None,
        *,
        scope: str = "webhooks events:write",
        workspace_ids: Sequence[object] = (),
    ) -> User:
        """Somebody who brings a token."""
        user_id = new_id() if user_id is None else user_id
        token = self.stack.token(user_id, scope=scope, workspace_ids=workspace_ids)
        return User(self.http, user_id, {"Authorization": f"Bearer {token}"})

    def path(self, *behaviours: Behaviour) -> str:
        """A path of its own at the receiver, which does this there (200 without anything)."""
        path = f"/{uuid.uuid4().hex}"
        if behaviours:
            self.receiver.script(path, *behaviours)
        return path

    def client(self, name: str) -> Any:
        """A boto3 client for the emulator."""
        if name not in self._clients:
            self._clients[name] = self.stack.client(name)
        return self._clients[name]

    def put_events(self, events: Sequence[Document]) -> None:
        """Publish through EventBridge, ten at a time."""
        for start in range(0, len(events), 10):
            entries = [
                self.bus_entry(json.dumps(each, ensure_ascii=False), each["type"])
                for each in events[start : start + 10]
            ]
            answer = self.client("events").put_events(Entries=entries)
            assert answer["FailedEntryCount"] == 0, answer

    def bus_entry(self, detail: str, detail_type: str) -> Document:
        """An entry of PutEvents from the platform."""
        outputs = self.stack.outputs
        return {
            "EventBusName": outputs["EventBusName"],
            "Source": outputs["EventSource"],
            "DetailType": detail_type,
            "Detail": detail,
        }

    def run_release(self) -> Document:
        """One run of the function that AWS runs each minute."""
        answer = self.client("lambda").invoke(
            FunctionName=self.stack.outputs["ReleaseFunctionName"], Qualifier="live", Payload=b"{}"
        )
        report = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, report
        return report

    def messages(self, queue_url: str, timeout: float = PATIENCE_SECONDS) -> Iterator[Document]:
        """What comes on a queue that nobody else consumes; each is deleted."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            answer = self.client("sqs").receive_message(
                QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                self.client("sqs").delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                yield message

    def left(self, queue_url: str) -> list[tuple[str, str]]:
        """(reason, body) of what lies on a queue that nobody consumes; it is deleted."""
        asked = self.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        if asked["Attributes"]["ApproximateNumberOfMessages"] == "0":
            return []
        return [
            (each.get("MessageAttributes", {}).get("reason", {}).get("StringValue", ""), each["Body"][:500])
            for each in self.messages(queue_url, timeout=1)
        ]


def body_of(request: ReceivedRequest) -> Document:
    """The event that a delivery brought."""
    return json.loads(request.body)


def ids_at(receiver: Receiver, path: str) -> list[str]:
    """The event ids that came to a path, in order."""
    return [body_of(request)["id"] for request in receiver.requests(path)]

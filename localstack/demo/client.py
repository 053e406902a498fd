"""The calls that the show makes: the API with a token, and EventBridge."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import httpx

from localstack.emulator import LocalStackError
from localstack.running import Running
from localstack.token import issuer_of

POLL_SECONDS = 0.2
NOT_FOUND = 404
PUT_EVENTS_ENTRIES = 10  # of one PutEvents request


class Client:
    """A user of the service. Raises LocalStackError with the answer to a call that fails."""

    def __init__(self, running: Running, user_id: int, workspace_id: int) -> None:
        self._running = running
        issuer = issuer_of(running.outputs, running.client("secretsmanager"))
        token = issuer.token(str(user_id), workspace_ids=[str(workspace_id)])
        self._http = httpx.Client(
            base_url=f"{running.base_url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def get(self, path: str) -> dict[str, Any]:
        """The answer's JSON."""
        return _read(self._call("GET", path))

    def post(self, path: str, document: object) -> dict[str, Any]:
        """The answer's JSON."""
        return _read(self._call("POST", path, document))

    def delete(self, path: str) -> None:
        """Without an answer."""
        _read(self._call("DELETE", path))

    def eventually(
        self, path: str, good: Callable[[dict[str, Any]], bool], what: str, timeout_seconds: float
    ) -> dict[str, Any]:
        """The first answer that is good; until then 404 counts as not yet. `what` names what is waited for."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            response = self._call("GET", path)
            if response.status_code != NOT_FOUND and good(answer := _read(response)):
                return answer
            if time.monotonic() > deadline:
                raise LocalStackError(f"{what}: not within {timeout_seconds:.0f} s. GET {path} says {response.text}")
            time.sleep(POLL_SECONDS)

    def put_events(self, events: Sequence[dict[str, Any]]) -> int:
        """Publish on the event bus as the platform does; how many EventBridge took."""
        entries = [
            {
                "EventBusName": self._running.outputs["EventBusName"],
                "Source": self._running.outputs["EventSource"],
                "DetailType": event["type"],
                "Detail": json.dumps(event),
            }
            for event in events
        ]
        bus = self._running.client("events")
        for start in range(0, len(entries), PUT_EVENTS_ENTRIES):
            answer = bus.put_events(Entries=entries[start : start + PUT_EVENTS_ENTRIES])
            if answer["FailedEntryCount"]:
                raise LocalStackError(f"EventBridge refused events: {answer['Entries']}")
        return len(entries)

    def _call(self, method: str, path: str, document: object = None) -> httpx.Response:
        try:
            return self._http.request(method, path, json=document)
        except httpx.HTTPError as error:
            raise LocalStackError(f"{method} {path}: {error!r}") from error


def _read(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        request = response.request
        raise LocalStackError(f"{request.method} {request.url} answered {response.status_code}: {response.text}")
    return cast("dict[str, Any]", response.json()) if response.content else {}

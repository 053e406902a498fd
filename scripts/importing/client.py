"""The new service's API, as the import needs it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from importing.tables import FormerWebhook, Refusal
from webhooks.payload import dumps

TRIES = 6
LONGEST_WAIT_SECONDS = 30.0
AGAIN = {429, 500, 502, 503, 504}


class ServiceError(Exception):
    """The service does not answer as it should; nothing more can be imported now."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A webhook that is in."""

    webhook_id: str
    secret: str | None


class Service:
    """Registers webhooks. Requests that may be repeated are, while the service is busy."""

    def __init__(self, url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = httpx.Client(base_url=url.rstrip("/") + "/api/v1", timeout=60)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def register(self, webhook: FormerWebhook, token: str) -> Accepted | list[Refusal]:
        """The same webhook again gives the same answer for a day. Raises ServiceError."""
        key = f"former-webhook-{quote(webhook.former_id, safe='')}"[:255]
        response = self._post(
            "/webhooks", webhook.request, {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        )
        if response.status_code == httpx.codes.CREATED.value:
            answer = response.json()
            return Accepted(answer["id"], answer.get("secret"))
        if response.status_code == httpx.codes.UNAUTHORIZED.value:
            raise ServiceError(f"The service does not accept the token of user {webhook.owner}: {_detail(response)}")
        if response.status_code in AGAIN:
            raise ServiceError(f"The service keeps answering {response.status_code}: {_detail(response)}")
        errors = cast("list[dict[str, str]]", _problem(response).get("errors") or [])
        if errors:
            return [webhook.refused(error["message"], error["field"]) for error in errors]
        return [webhook.refused(f"{response.status_code}: {_detail(response)}")]

    def _post(self, path: str, document: object, headers: dict[str, str]) -> httpx.Response:
        body, headers = dumps(document), {**headers, "Content-Type": "application/json"}
        for turn in range(TRIES):
            last = turn == TRIES - 1
            try:
                response = self._http.post(path, content=body, headers=headers)
            except httpx.TransportError as error:
                if last:
                    raise ServiceError(f"{self._http.base_url} does not answer: {error!r}") from error
                wait = 0.5 * 2**turn
            else:
                if response.status_code not in AGAIN or last:
                    return response
                asked = response.headers.get("Retry-After", "")
                wait = float(asked) if asked.isdecimal() else 0.5 * 2**turn
            self._sleep(min(wait, LONGEST_WAIT_SECONDS))
        raise AssertionError("unreachable")


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def _detail(response: httpx.Response) -> str:
    return str(_problem(response).get("detail") or response.text[:200])

"""Calls of the service. Answers stay as they came, so what a newer service adds is there and breaks nothing."""

import random
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from pyhooks.errors import Failed, NoConnection, NotFound, NotLoggedIn, PyhooksError, Refused

Json = dict[str, Any]
NO_ROUTE = "There is no such route."
RETRIES = 3
FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_LATER = (429,)  # nothing was done
_FAILED = (*_LATER, 500, 502, 503, 504)  # for what may be done twice


@dataclass(frozen=True, slots=True)
class Answer:
    """A good one: its JSON, an empty object without any, and what two headers say."""

    json: Json
    retry_after_seconds: float | None
    server_clock: float | None  # seconds since the epoch


class Api:
    """The service at a URL, called by a token or an API key. `retries`: of what does nothing twice."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        retries: int = RETRIES,
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._retries = retries
        self._http = httpx.Client(
            base_url=f"{url}/api/v1/",
            headers={"Authorization": f"Bearer {token}", "User-Agent": f"pyhooks/{own_version()}"},
            timeout=httpx.Timeout(timeout_seconds, connect=10),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: object) -> Json:
        """A GET. Raises as `call`."""
        return self.call("GET", path, params=params).json

    def post(self, path: str, document: object = None, *, keyed: bool = False) -> Json:
        """A POST, with an Idempotency-Key if it takes one. Raises as `call`."""
        headers = {"Idempotency-Key": uuid.uuid4().hex} if keyed else {}
        return self.call("POST", path, document=document, headers=headers).json

    def put(self, path: str, document: object) -> Json:
        """A PUT. Raises as `call`."""
        return self.call("PUT", path, document=document).json

    def delete(self, path: str) -> None:
        """A DELETE. Raises as `call`."""
        self.call("DELETE", path)

    def items(self, path: str, most: int | None = None, **params: object) -> Iterator[Json]:
        """Everything in a list, page by page; `most` of it. Raises as `call`."""
        left = most
        while left is None or left > 0:
            page = self.get(path, limit=100 if left is None else min(100, left), **params)
            found = cast("list[Json]", page.get("items", []))[:left]
            yield from found
            left = None if left is None else left - len(found)
            params["cursor"] = page.get("next_cursor")
            if params["cursor"] is None:
                return

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        document: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Ask until there is an answer, where that does nothing twice. `path` is below /api/v1.

        Raises NotLoggedIn, NotFound, Refused, NoConnection, and Failed for what the service fails at.
        """
        request = self._http.build_request(
            method,
            path.lstrip("/"),
            params={name: cast("str", value) for name, value in (params or {}).items() if value is not None},
            json=document,
            content=content,
            headers={"Content-Type": "application/json", **(headers or {})} if content else headers,
            timeout=httpx.USE_CLIENT_DEFAULT if timeout_seconds is None else timeout_seconds,
        )
        is_harmless = method != "POST" or "Idempotency-Key" in request.headers
        done = 0
        while True:
            wait = min(FIRST_WAIT_SECONDS * 2**done, _LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if done >= self._retries or not (is_harmless or never_sent):
                    raise NoConnection(f"No answer from {self.url}: {_in_words(error)}") from error
            else:
                asked = _seconds(response) or 0.0
                again = response.status_code in (_FAILED if is_harmless else _LATER)
                if not again or done >= self._retries or asked > _LONGEST_WAIT_SECONDS:
                    return self._read(response)
                wait = max(wait, asked)
            time.sleep(wait)
            done += 1

    def _read(self, response: httpx.Response) -> Answer:
        try:
            found: object = response.json() if response.content else {}
        except ValueError:
            found = None
        if response.is_success and isinstance(found, dict):
            return Answer(cast("Json", found), _seconds(response), clock_of(response))
        if response.is_success or response.is_redirect:
            raise Failed(f"{self.url} does not answer as the service does ({response.status_code}). Is it its URL?")
        problem = cast("Json", found) if isinstance(found, dict) else {}
        raise self._error(response, problem)

    def _error(self, response: httpx.Response, problem: Json) -> PyhooksError:
        status, asked = response.status_code, f"{response.request.method} {response.request.url.path}"
        said = str(problem.get("detail") or problem.get("message") or f"{status} {response.reason_phrase}")
        fields = [f"\n  {each.get('field')}: {each.get('message')}" for each in problem.get("errors") or ()]
        if len(fields) > 1:  # a single one is the detail
            said += "".join(fields)
        trace = f" (request {problem['request_id']})" if status >= 500 and problem.get("request_id") else ""
        if status == 401:
            return NotLoggedIn(f"The key for {self.url} is not valid, or not any more. Run: pyhooks login")
        if status == 403:
            return NotLoggedIn(f"The key does not allow this: {said}")
        if status == 405 or (status == 404 and (not problem or said == NO_ROUTE)):
            return NotFound(
                f"{self.url} has no {asked}: its service is older than this command, or the URL is not the service's."
            )
        if status == 404:
            return NotFound(said)
        if status < 500 and status != 429:
            return Refused(said)
        return Failed(f"The service {'asks to wait' if status == 429 else 'failed'}: {said}{trace}")


def at(*parts: str) -> str:
    """A path of these parts, each of which may hold anything."""
    return "/".join(quote(each, safe="") for each in parts)


def clock_of(response: httpx.Response) -> float | None:
    """When the server answered, by its own clock, in seconds since the epoch. It tells whole seconds."""
    try:
        return parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


def own_version() -> str:
    """This package's."""
    try:
        return version("pyairtable-webhooks-cli")
    except PackageNotFoundError:
        return "0"


def _seconds(response: httpx.Response) -> float | None:
    given = response.headers.get("retry-after", "")
    return float(given) if given.isdecimal() else None


def _in_words(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    if isinstance(error, httpx.ConnectError):
        return "nothing listens there" if "refused" in str(error) else str(error)
    return "the connection broke"

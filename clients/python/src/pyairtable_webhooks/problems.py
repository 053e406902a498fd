"""Answers that are errors, as exceptions.

ApiError
├── BadRequest          400
├── Unauthorized        401
├── Forbidden           403
├── NotFound            404
├── Conflict            409
├── VersionConflict     412, for If-Match
├── TooLarge            413
├── ValidationFailed    422: `errors` has each wrong field
├── TooManyRequests     429: `retry_after_seconds`
└── ServerError         5xx
    └── Unavailable     503
"""

from dataclasses import dataclass
from typing import Any, cast

import httpx


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field: where, what would be right, and a stable code."""

    field: str
    message: str
    code: str


class ApiError(Exception):
    """The service refused a request, or failed at it. What never got an answer raises httpx.TransportError instead."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after_seconds: float | None = None) -> None:
        self.status = status
        self.type = str(problem.get("type", "about:blank"))
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.request_id = str(problem.get("request_id", ""))
        self.errors = [
            FieldProblem(str(each.get("field")), str(each.get("message")), str(each.get("code", "invalid")))
            for each in problem.get("errors") or ()
        ]
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{status} {self.title}: {self.detail} (request {self.request_id})")


class BadRequest(ApiError):
    """The request is not well-formed."""


class Unauthorized(ApiError):
    """There is no valid token or API key."""


class Forbidden(ApiError):
    """The caller may not do this."""


class NotFound(ApiError):
    """It does not exist, or is somebody else's."""


class Conflict(ApiError):
    """The present state of things does not allow it."""


class VersionConflict(ApiError):
    """Somebody changed it since the version of If-Match."""


class TooLarge(ApiError):
    """The body has too many bytes."""


class ValidationFailed(ApiError):
    """Fields are wrong: `errors` says which."""


class TooManyRequests(ApiError):
    """More than may be asked for; `retry_after_seconds` says how long to wait."""


class ServerError(ApiError):
    """The service failed."""


class Unavailable(ServerError):
    """Something that the service stands on did not answer."""


_KINDS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: VersionConflict,
    413: TooLarge,
    422: ValidationFailed,
    429: TooManyRequests,
    503: Unavailable,
}


def error_of(response: httpx.Response) -> ApiError:
    """The exception for an answer that is an error."""
    try:
        found: object = response.json()
    except ValueError:
        found = None
    problem = cast("dict[str, Any]", found) if isinstance(found, dict) else {"detail": response.text[:200]}
    kind = _KINDS.get(response.status_code, ServerError if response.status_code >= 500 else ApiError)
    return kind(response.status_code, problem, retry_after_seconds(response))


def retry_after_seconds(response: httpx.Response) -> float | None:
    """What Retry-After says. The service gives seconds."""
    given = response.headers.get("retry-after", "")
    return float(given) if given.isdecimal() else None

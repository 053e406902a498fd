"""Errors as callers see them: RFC 9457, one table from our exceptions to status and type."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from webhooks.errors import (
    Conflict,
    FieldError,
    Invalid,
    NotAllowed,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    VersionConflict,
    WebhooksError,
)
from webhooks.faults import in_words

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: `name` makes the stable type `/problems/<name>`."""

    status: HTTPStatus
    name: str
    title: str


BAD_REQUEST = Kind(HTTPStatus.BAD_REQUEST, "bad-request", "Bad request")
METHOD_NOT_ALLOWED = Kind(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
UNSUPPORTED_MEDIA_TYPE = Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
NOT_FOUND = Kind(HTTPStatus.NOT_FOUND, "not-found", "Not found")
VALIDATION = Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "validation", "Validation failed")
LOOP = Kind(HTTPStatus.BAD_REQUEST, "loop", "Loop")
INTERNAL_ERROR = Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Internal error")

KINDS: dict[type[WebhooksError], Kind] = {
    Invalid: VALIDATION,
    Unauthenticated: Kind(HTTPStatus.UNAUTHORIZED, "unauthorized", "Unauthorized"),
    NotAllowed: Kind(HTTPStatus.FORBIDDEN, "forbidden", "Forbidden"),
    NotFound: NOT_FOUND,
    Conflict: Kind(HTTPStatus.CONFLICT, "conflict", "Conflict"),
    VersionConflict: Kind(HTTPStatus.PRECONDITION_FAILED, "version-conflict", "Version conflict"),
    TooLarge: Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "Too large"),
    TooManyRequests: Kind(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
    Unavailable: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
}
_HEADERS: dict[HTTPStatus, dict[str, str | list[str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
_INDEX = re.compile(r"\.(\d+)(?=\.|$)")


class Refused(Exception):
    """A request that is refused for its form, whatever it asks for."""

    def __init__(self, kind: Kind, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.headers = headers or {}


def problem(
    kind: Kind,
    detail: str,
    *,
    request_id: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response[str]:
    """The answer to a request that failed."""
    body: dict[str, object] = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status.value,
        "detail": detail,
        "request_id": request_id,
    }
    if errors:
        body["errors"] = [{"field": shown(error.field), "message": error.message} for error in errors]
    return Response(
        status_code=kind.status.value,
        content_type=CONTENT_TYPE,
        body=json.dumps(body, ensure_ascii=False),
        headers={"Cache-Control": "no-store", **_HEADERS.get(kind.status, {}), **(headers or {})},
    )


def of_error(error: WebhooksError, request_id: str) -> Response[str]:
    """The problem for one of our exceptions. The text of one that is not in the table is hidden."""
    for cls in type(error).__mro__:
        if cls in KINDS:
            kind = KINDS[cls]
            if isinstance(error, Unavailable):
                detail = "The service could not do this now. Repeating the request is harmless."
            else:
                detail = str(error)
            fields = error.field_errors if isinstance(error, Invalid | Conflict) else ()
            later = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooManyRequests) else None
            return problem(kind, detail, request_id=request_id, errors=fields, headers=later)
    return internal(request_id)


def of_validation(error: RequestValidationError, request_id: str) -> Response[str]:
    """The problem of a request that does not fit its model. Shows no value: values may be secrets."""
    errors = [
        FieldError(
            ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]),
            in_words(fault),
        )
        for fault in error.errors()
    ]
    detail = f"{shown(errors[0].field)}: {errors[0].message}"
    return problem(VALIDATION, detail, request_id=request_id, errors=errors)


def internal(request_id: str) -> Response[str]:
    """The problem of a fault of ours."""
    return problem(
        INTERNAL_ERROR, "The service failed at this. The request id leads to the cause.", request_id=request_id
    )


def shown(field: str) -> str:
    """A dotted path with its positions as indexes: `events[3].type`."""
    return _INDEX.sub(r"[\1]", field)

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
from webhooks.faults import code_of, in_words

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: `name` makes the stable type `/problems/<name>`, whose page says what it `means` and what to
    do about it."""

    status: HTTPStatus
    name: str
    title: str
    means: str
    remedy: str


BAD_REQUEST = Kind(
    HTTPStatus.BAD_REQUEST,
    "bad-request",
    "Bad request",
    "The request is not well-formed: its body is not JSON in UTF-8, or it is not HTTP as it should be.",
    "Send a JSON document as the body, in UTF-8. Repeating the same request does not help.",
)
METHOD_NOT_ALLOWED = Kind(
    HTTPStatus.METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "Method not allowed",
    "The route exists, and does not take this method.",
    "Use one of the methods in the Allow header. A change is a PUT, which changes only the fields that it has.",
)
UNSUPPORTED_MEDIA_TYPE = Kind(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported-media-type",
    "Unsupported media type",
    "The body is said to be something other than JSON in UTF-8, or it is compressed.",
    "Send Content-Type: application/json, and no Content-Encoding.",
)
NOT_FOUND = Kind(
    HTTPStatus.NOT_FOUND,
    "not-found",
    "Not found",
    "There is no such thing or route, or it is somebody else's: the two look alike.",
    "Check the id and the path. What belongs to a workspace is there for its members alone.",
)
VALIDATION = Kind(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "validation",
    "Validation failed",
    "Fields of the body, or parameters of the query, are missing, unknown or wrong.",
    "`errors` names each field, says what would be right, and has a `code` for programs. All fields of a wrong form "
    "are told at once; then all whose content is wrong.",
)
LOOP = Kind(
    HTTPStatus.BAD_REQUEST,
    "loop",
    "Loop",
    "The request is one of this service's own deliveries: a webhook's URL leads back to the service.",
    "Give the webhook a URL that is not this service's.",
)
INTERNAL_ERROR = Kind(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal-error",
    "Internal error",
    "The service failed at this by a fault of its own.",
    "Repeat the request later; with an Idempotency-Key it is done once. If it stays, report the request id.",
)
TIMEOUT = Kind(  # the gateway's alone
    HTTPStatus.GATEWAY_TIMEOUT,
    "timeout",
    "Timeout",
    "The service took too long to answer. What was asked for may have been done.",
    "Look whether it was done, or repeat the request: with the same Idempotency-Key it is done once.",
)

KINDS: dict[type[WebhooksError], Kind] = {
    Invalid: VALIDATION,
    Unauthenticated: Kind(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "Unauthorized",
        "There is no valid token or API key, or it has expired or been revoked.",
        "Send Authorization: Bearer, followed by a token of the platform or an API key that is valid now.",
    ),
    NotAllowed: Kind(
        HTTPStatus.FORBIDDEN,
        "forbidden",
        "Forbidden",
        "The caller is known, and may not do this: a scope is missing, or the workspace is another's.",
        "`detail` names the scope or the workspace. Use a token or an API key that has it.",
    ),
    NotFound: NOT_FOUND,
    Conflict: Kind(
        HTTPStatus.CONFLICT,
        "conflict",
        "Conflict",
        "The present state of things does not allow it: a limit is reached, a webhook is inactive, an Idempotency-Key "
        "or event id was used for something else.",
        "`detail` says what stands in the way. Change that first; repeating alone does not help.",
    ),
    VersionConflict: Kind(
        HTTPStatus.PRECONDITION_FAILED,
        "version-conflict",
        "Version conflict",
        "Somebody has changed it since the version that If-Match names.",
        "Read it again, make the change on what is there now, and send the new ETag as If-Match.",
    ),
    TooLarge: Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        "Too large",
        "The body has more bytes than the service takes: 256 KB, or 4.5 MB of events.",
        "Send less, or in several requests.",
    ),
    TooManyRequests: Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests",
        "More was asked for within a time, or is under way at once, than one owner may have.",
        "Wait the seconds of Retry-After. RateLimit says how much is left of the requests, and for how long.",
    ),
    Unavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "Unavailable",
        "Something that the service stands on did not answer.",
        "Repeat the request after the seconds of Retry-After. With an Idempotency-Key it is done once.",
    ),
}
ALL = {
    kind.name: kind
    for kind in sorted(
        {BAD_REQUEST, METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE, LOOP, INTERNAL_ERROR, TIMEOUT, *KINDS.values()},
        key=lambda kind: (kind.status, kind.name),
    )
}
_HEADERS: dict[HTTPStatus, dict[str, str | list[str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
_INDEX = re.compile(r"\.(\d+)(?=\.|$)")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a problem says of its request: API Gateway's id, and the path that the API is mounted below."""

    request_id: str
    base: str = ""


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
    asked: Asked,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response[str]:
    """The answer to a request that failed."""
    body: dict[str, object] = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status.value,
        "detail": detail,
        "request_id": asked.request_id,
    }
    help_page = f'<{asked.base}/problems/{kind.name}>; rel="help"'
    if errors:
        body["errors"] = [{"field": shown(each.field), "message": each.message, "code": each.code} for each in errors]
    return Response(
        status_code=kind.status.value,
        content_type=CONTENT_TYPE,
        body=json.dumps(body, ensure_ascii=False),
        headers={"Cache-Control": "no-store", "Link": help_page, **_HEADERS.get(kind.status, {}), **(headers or {})},
    )


def of_error(error: WebhooksError, asked: Asked) -> Response[str]:
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
            return problem(kind, detail, asked=asked, errors=fields, headers=later)
    return internal(asked)


def of_validation(error: RequestValidationError, asked: Asked) -> Response[str]:
    """The problem of a request that does not fit its model. Shows no value: values may be secrets."""
    errors = [
        FieldError(
            ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]),
            in_words(fault),
            code_of(fault),
        )
        for fault in error.errors()
    ]
    detail = f"{shown(errors[0].field)}: {errors[0].message}"
    return problem(VALIDATION, detail, asked=asked, errors=errors)


def internal(asked: Asked) -> Response[str]:
    """The problem of a fault of ours."""
    return problem(INTERNAL_ERROR, "The service failed at this. The request id leads to the cause.", asked=asked)


def shown(field: str) -> str:
    """A dotted path with its positions as indexes: `events[3].type`."""
    return _INDEX.sub(r"[\1]", field)

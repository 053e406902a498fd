"""What routes read from a request beyond its model."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver, Route, Router
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import BaseModel

from problems import BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE, Refused
from request_limits import caller_in
from webhooks.access.idempotency_keys import Once
from webhooks.errors import Invalid, Unauthenticated
from webhooks.management.changes import Versions
from webhooks.management.requests import written
from webhooks.models.caller import Caller, Scope
from webhooks.payload import UnfitNumber, floats, parse_json

IfMatch = Annotated[str | None, Header(alias="if-match", description="do it only if this is still the version")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        description="repeating a request with the same key within a day does it once; another request with it is a 409",
    ),
]
MAX_BODY_BYTES = 256 * 1024
_UNKNOWN_ROUTE = "^.*/*$"  # what Powertools puts in the place of a route when none matches
_CHARSET = re.compile(r'(?:^|;)\s*charset="?([^";\s]*)')
_UTF_8 = {"utf-8", "utf8", "us-ascii"}  # ASCII is part of UTF-8
_PARAMETER = re.compile(r"\{(\w+)\+?\}")
_ETAG = re.compile(r'\s*(?:W/)?"?(\d{1,15})"?\s*')


def caller_of(router: Router, scope: Scope, *others: Scope) -> Caller:
    """The caller of this request. Raises Unauthenticated, and NotAllowed for a caller without any of the scopes.

    The authorizer's answer is cached for all routes, so scope and expiry are checked here again.
    """
    caller = caller_in(cast("APIGatewayProxyEvent", router.current_event))
    if caller is None:
        raise Unauthenticated("a valid token is needed: Authorization: Bearer ...")
    if not any(map(caller.may, others)):
        caller.require(scope)
    return caller


def once_by(key: str | None, request: BaseModel | None, *what: str) -> Once | None:
    """What an Idempotency-Key stands for: this request for that; None without a key. Raises Invalid."""
    return Once.of(key, *what, "" if request is None else written(request, exclude_unset=True))


def versions(if_match: str | None) -> Versions | None:
    """The versions that an If-Match header names; a version that was never given out is ignored."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return Versions(any=True)
    found = (_ETAG.fullmatch(part) for part in if_match.split(","))
    return Versions(frozenset(int(match[1]) for match in found if match))


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"'}


def check_content_type(event: APIGatewayProxyEvent) -> None:
    """Raises Refused for a body whose Content-Type is not JSON in UTF-8, or that is compressed."""
    given = event.headers.get("content-type") or "application/json"
    media_type, _, parameters = (part.strip() for part in given.lower().partition(";"))
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise Refused(UNSUPPORTED_MEDIA_TYPE, "The body must be JSON: Content-Type: application/json")
    charset = _CHARSET.search(parameters) if parameters else None
    if charset and charset[1] not in _UTF_8:
        raise Refused(UNSUPPORTED_MEDIA_TYPE, "The body must be in UTF-8, as JSON is (RFC 8259)")
    if (event.headers.get("content-encoding") or "identity").strip().lower() != "identity":
        raise Refused(UNSUPPORTED_MEDIA_TYPE, "The body must not be compressed: leave Content-Encoding out")


def _refuse(app: ApiGatewayResolver) -> Response[Any]:
    """In a route's place."""
    raise RequestValidationError([])


class StrictRequests(OpenAPIRequestValidationMiddleware):
    """Powertools' validation without its guesses: forms, lists for objects, query parameters that nobody reads."""

    def handler(self, app: ApiGatewayResolver, next_middleware: NextMiddleware) -> Response[Any]:  # type: ignore[override]
        """Refuse unknown query parameters, then validate."""
        event = cast("APIGatewayProxyEvent", app.current_event)
        route = cast("Route", app.context["_route"])
        if route.rule.pattern == _UNKNOWN_ROUTE:
            return cast("Response[Any]", next_middleware(app))
        known = {parameter.alias for parameter in route.dependant.query_params}
        unknown = [
            {"type": "unknown_parameter", "loc": ("query", name[:64]), "msg": "is not a known query parameter"}
            for name in event.query_string_parameters
            if name not in known
        ]
        try:
            return cast("Response[Any]", super().handler(app, _refuse if unknown else next_middleware))
        except RequestValidationError as exc:
            raise RequestValidationError([*unknown, *exc.errors()]) from exc

    def _get_body(self, app: ApiGatewayResolver) -> dict[str, Any] | None:  # type: ignore[override]
        event = cast("APIGatewayProxyEvent", app.current_event)
        if not event.body:
            return None
        check_content_type(event)
        document = read_json(event, MAX_BODY_BYTES)
        if not isinstance(document, dict):
            raise Invalid.at("body", "must be a JSON object", "wrong_type")
        return {name: _plain(name, value) for name, value in cast("dict[str, object]", document).items()}


def _plain(name: str, value: object) -> object:
    """A setting, whose spelling nobody keeps; documents stay as they are."""
    if isinstance(value, (dict, list)):
        return cast("object", value)
    try:
        return floats(value, exactly=True)
    except UnfitNumber as exc:
        raise Invalid.at(name[:64], str(exc)) from exc


def read_body(event: APIGatewayProxyEvent) -> str | bytes:
    """The body as it was sent. Raises Refused for what is not UTF-8.

    API Gateway puts U+FFFD, which has three bytes, in the place of bytes that are none; only the length tells then.
    """
    try:
        body = event.decoded_body or ""
    except ValueError as exc:
        raise Refused(BAD_REQUEST, "The body is not valid UTF-8") from exc
    if "\ufffd" in body:
        length = event.headers.get("content-length") or ""
        if length.isdecimal() and int(length) != len(body.encode()):
            raise Refused(BAD_REQUEST, "The body is not valid UTF-8")
    return body


def below_base_path(event: Mapping[str, Any]) -> dict[str, Any]:
    """The request with its path as the template has it: a custom domain may map the API below a base path, which is in
    `path` and not in `resource` (API Gateway Developer Guide, "Input format of a Lambda function for proxy
    integration")."""
    given = cast("dict[str, str]", event.get("pathParameters") or {})
    own = _PARAMETER.sub(lambda match: given.get(match[1], match[0]), str(event.get("resource", "")))
    path = str(event.get("path", ""))
    return {**event, "path": own} if own and "{" not in own and path.endswith(own) else dict(event)


def base_path(event: APIGatewayProxyEvent) -> str:
    """What stands before the template's path in the caller's: the stage, or the base path of a custom domain."""
    whole, own = str(event.raw_event["requestContext"].get("path", "")), event.path
    return whole.removesuffix(own) if whole.endswith(own) else ""


def read_json(event: APIGatewayProxyEvent, max_bytes: int) -> object:
    """The body's JSON, as `parse_json` has it. Raises TooLarge, Invalid for unfit numbers, and Refused for anything
    but JSON."""
    raw = read_body(event)
    try:
        return parse_json(raw, max_bytes=max_bytes)
    except UnfitNumber as exc:
        raise Invalid.at("body", str(exc)) from exc
    except Invalid as exc:
        raise Refused(BAD_REQUEST, f"The body: {exc}") from exc

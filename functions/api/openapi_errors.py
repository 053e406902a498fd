"""What the OpenAPI document says of errors: each operation's own, from what the operation takes."""

from http import HTTPStatus
from typing import Any

from openapi_details import Operations
from problems import BAD_REQUEST, CONTENT_TYPE, KINDS, UNSUPPORTED_MEDIA_TYPE, Kind

_REF = "#/components/schemas/Problem"
_WHEN = {
    "BadRequest": (BAD_REQUEST, "The body is not JSON, or the request goes round in a loop", "the body is not JSON"),
    "Unauthorized": (401, "No valid token or API key", "A valid token is needed: Authorization: Bearer ..."),
    "Forbidden": (
        403,
        "The token or API key lacks the scope, or the workspace is another's",
        "The caller may not do this.",
    ),
    "NotFound": (404, "It does not exist, or is somebody else's", "there is no webhook wh_0U0192uWdfF5pDUoUUwtQaiXGV"),
    "Conflict": (409, "Not in the present state of things", "this Idempotency-Key was used for another request"),
    "VersionConflict": (412, "It is no longer the version of If-Match", "the present version is 4"),
    "TooLarge": (413, "The body is too large", "The body has at most 262,144 bytes."),
    "UnsupportedMediaType": (
        UNSUPPORTED_MEDIA_TYPE,
        "The body is not said to be JSON in UTF-8, or it is compressed",
        "The body must be JSON: Content-Type: application/json",
    ),
    "ValidationFailed": (422, "Fields are missing, unknown or wrong", "url: is required"),
    "TooManyRequests": (429, "More than the API takes at once", "more requests than 100 a second"),
    "Unavailable": (503, "AWS did not answer; repeating is harmless", "DynamoDB does not answer"),
}
_CHANGES = ("delete", "post", "put")
_READS_ONLY = ("testFilters",)


def describe_errors(document: dict[str, Any], operations: Operations) -> None:
    """The problems that an operation may answer with, by status; what is in none of them is the default."""
    document["components"]["responses"] = {name: _response(name) for name in _WHEN} | {
        "Problem": _problem("Any other error", {})
    }
    methods = {each["operationId"]: method for path in document["paths"].values() for method, each in path.items()}
    for operation_id, operation in operations.items():
        responses = operation["responses"]
        for name in _possible(operation_id, operation, methods[operation_id]):
            responses.setdefault(str(_kind(name).status.value), {"$ref": f"#/components/responses/{name}"})
        responses["default"] = {"$ref": "#/components/responses/Problem"}
        if operation_id == "ready":
            responses["503"] = responses["200"] | {
                "description": "Something that the service stands on does not answer"
            }
        operation["responses"] = dict(sorted(responses.items()))


def _possible(operation_id: str, operation: dict[str, Any], method: str) -> list[str]:
    places = {each["in"] for each in operation.get("parameters", ())}
    names = {each["name"] for each in operation.get("parameters", ())}
    public = operation.get("security") == []
    has_body = "requestBody" in operation
    has_secret = operation_id == "redeemPortalLink"
    possible = {
        "Unauthorized": not public or has_secret,
        "Forbidden": not public,
        "TooManyRequests": True,
        "Unavailable": not public or has_secret,
        "NotFound": "path" in places,
        "ValidationFailed": bool(places) or has_body,
        "BadRequest": has_body,
        "TooLarge": has_body,
        "UnsupportedMediaType": has_body,
        "VersionConflict": "if-match" in names,
        "Conflict": method in _CHANGES and operation_id not in _READS_ONLY and not has_secret,
    }
    return [name for name, holds in possible.items() if holds]


def _kind(name: str) -> Kind:
    given = _WHEN[name][0]
    return (
        given if isinstance(given, Kind) else next(kind for kind in KINDS.values() if kind.status == HTTPStatus(given))
    )


def _response(name: str) -> dict[str, Any]:
    _, description, detail = _WHEN[name]
    kind = _kind(name)
    example: dict[str, Any] = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status.value,
        "detail": detail,
        "request_id": "6f1c9b2e-8f4c-4a57-9d6b-2c5b8f0f7a11",
    }
    if name == "ValidationFailed":
        example["errors"] = [{"field": "url", "message": "is required", "code": "required"}]
    return _problem(description, {"example": example})


def _problem(description: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {CONTENT_TYPE: {"schema": {"$ref": _REF}, **more}}}

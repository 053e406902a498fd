"""What the OpenAPI document says of operations beyond what Powertools sees."""

from typing import Any

Operations = dict[str, dict[str, Any]]

TAGS = {
    "webhooks": "Endpoints of your own, with their signing secrets",
    "subscriptions": "Which events a webhook gets, by type, resource and filters",
    "events": "Publishing events, and what became of them",
    "deliveries": "One event on its way to one webhook, with every attempt",
    "pull": "Reading events instead of being sent them",
    "dead-letters": "Deliveries that were given up, and sending them again",
    "api-keys": "Credentials for machines: scoped, expiring, and revoked within seconds",
    "portal": "Letting customers into the dashboard by links that work once",
    "signing-keys": "What ed25519 signatures of deliveries are verified with",
    "audit": "Who did what, when, and from where",
    "workspaces": "Members who leave, and what they registered",
    "erasure": "Forgetting tenants",
    "metrics": "Figures and health",
    "system": "Whether the service works",
}
_STRING = {"schema": {"type": "string"}}
_HEADERS = {
    "ETag": {"description": "the version, for If-Match", **_STRING},
    "Location": {"description": "where it is, or where to follow it", **_STRING},
    "RetryAfter": {"description": "seconds after which to ask again", "schema": {"type": "integer"}},
    "RateLimit": {
        "description": "requests left, and seconds until there are all again: draft-ietf-httpapi-ratelimit-headers-10",
        "schema": {"type": "string", "examples": ['"requests";r=987;t=7']},
    },
    "RateLimitPolicy": {
        "description": "requests that there may be, in a window of so many seconds",
        "schema": {"type": "string", "examples": ['"requests";q=1000;w=10']},
    },
}
_VERSIONED = {
    "createWebhook", "getWebhook", "updateWebhook", "regenerateSecret",
    "createSubscription", "getSubscription", "updateSubscription",
}  # fmt: skip
_LOCATED = {
    "createWebhook", "createSubscription",
    "retryDelivery", "replayDeadLetter", "bulkReplayDeadLetters", "bulkReplayAcrossWebhooks", "recoverWebhook",
    "eraseTenant",
}  # fmt: skip

# Where an id comes from: the operation that answers with it, the parameter that takes it, and where it stands.
_SOURCES = (
    ("createWebhook", "201", {"webhook_id": "$response.body#/id"}),
    (
        "createSubscription",
        "201",
        {"webhook_id": "$response.body#/webhook_id", "subscription_id": "$response.body#/id"},
    ),
    ("publishEvents", "202", {"event_id": "$response.body#/events/0/id"}),
    ("bulkReplayDeadLetters", "202", {"replay_id": "$response.body#/id"}),
    ("bulkReplayAcrossWebhooks", "202", {"replay_id": "$response.body#/id"}),
    ("recoverWebhook", "202", {"replay_id": "$response.body#/id"}),
)


def describe_links(operations: Operations) -> None:
    """From each answer with an id to the operations that take it. `operations` are those of the document, by id."""
    for source, status, ids in _SOURCES:
        targets = {name: _path_parameters(each) for name, each in operations.items()}
        operations[source]["responses"][status]["links"] = {
            name: {"operationId": name, "parameters": {each: ids[each] for each in parameters}}
            for name, parameters in targets.items()
            if parameters and set(parameters) <= set(ids) and list(ids)[-1] in parameters
        }


def describe_bodies(operations: Operations) -> None:
    """A body that may be left out may not be null."""
    for operation in operations.values():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            kept = [each for each in content["schema"].get("anyOf", ()) if each != {"type": "null"}]
            if len(kept) == 1:
                content["schema"] = kept[0]


def describe_headers(document: dict[str, Any], operations: Operations) -> None:
    """Headers of answers that a caller needs."""
    document["components"]["headers"] = _HEADERS
    for name in _VERSIONED | _LOCATED:
        status = max(each for each in operations[name]["responses"] if each.startswith("2"))
        operations[name]["responses"][status]["headers"] = {
            header: {"$ref": f"#/components/headers/{header}"}
            for header, named in (("ETag", _VERSIONED), ("Location", _LOCATED))
            if name in named
        }
    limited = {
        "RateLimit": {"$ref": "#/components/headers/RateLimit"},
        "RateLimit-Policy": {"$ref": "#/components/headers/RateLimitPolicy"},
    }
    retry_after = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    document["components"]["responses"]["TooManyRequests"]["headers"] = retry_after | limited
    document["components"]["responses"]["Unavailable"]["headers"] = retry_after
    operations["pullEvents"]["responses"]["200"]["headers"] = retry_after  # no place to wait was free
    for operation in operations.values():
        if operation.get("security") != []:
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    response["headers"] = response.get("headers", {}) | limited


def describe_text(operation: dict[str, Any]) -> None:
    """The operation answers with plain text."""
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}


def describe_estimate(operation: dict[str, Any]) -> None:
    """The operation answers with its estimate (200) or with what it started (202)."""
    started = operation["responses"]["202"]
    content = started["content"]["application/json"]
    job, estimate = content["schema"]["anyOf"]
    content["schema"] = job
    counted = {"application/json": {"schema": estimate}}
    operation["responses"]["200"] = {"description": "What would be sent again", "content": counted}


def _path_parameters(operation: dict[str, Any]) -> list[str]:
    return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]

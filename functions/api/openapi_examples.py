"""Examples in the OpenAPI document: a body for each operation that takes one, and the answers that one builds on."""

from typing import Any

from openapi_details import Operations

_WEBHOOK: dict[str, Any] = {
    "id": "wh_0U0192uWdfF5pDUoUUwtQaiXGV",
    "user_id": 123,
    "workspace_id": 456,
    "name": "My Webhook",
    "kind": "push",
    "url": "https://myapp.com/webhook",
    "description": "Webhook for record updates",
    "status": "active",
    "status_reason": None,
    "max_retries": 9,
    "timeout_seconds": 15,
    "rate_limit_rps": 10,
    "static_egress": False,
    "headers": {"X-Custom-Header": "********"},
    "metadata": {"environment": "production"},
    "version": 1,
    "previous_secret_expires_at": None,
    "ed25519": False,
    "public_keys": [],
    "created_at": "2024-01-01T12:00:00.000Z",
    "updated_at": "2024-01-01T12:00:00.000Z",
}
_HEALTH: dict[str, Any] = {
    "health": "degraded",
    "reason": "some_attempts_fail",
    "explanation": "More than 5 % of the attempts of the last two hours failed.",
    "cause": "http_503",
    "attempts": 120,
    "success_rate": 0.925,
    "failing_since": None,
    "circuit": {"state": "closed", "open_until": None},
    "waiting": 0,
}
_SUBSCRIPTION: dict[str, Any] = {
    "id": "sub_0U0192uWmQw2hKpT3Zb9sVxYcd",
    "webhook_id": _WEBHOOK["id"],
    "event_type": "record.*",
    "resource_id": None,
    "is_active": True,
    "filters": {"fields": {"status": "completed"}},
    "version": 1,
    "created_at": "2024-01-01T12:00:00.000Z",
    "updated_at": "2024-01-01T12:00:00.000Z",
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw8dPv4Zx1yQk="  # noqa: S105 - made up
_CONDITIONS = {
    "operator": "and",
    "rules": [
        {"field": "amount", "operator": "greater_than", "value": 1000},
        {"field": "status", "operator": "equals", "value": "pending"},
    ],
}
_EVENT: dict[str, Any] = {
    "type": "record.created",
    "resource_id": "rec123",
    "workspace_id": 456,
    "user_id": 789,
    "data": {"id": "rec123", "fields": {"amount": 1500, "status": "pending"}},
}

BODIES: dict[str, Any] = {
    "createWebhook": {
        "name": "My Webhook",
        "url": "https://myapp.com/webhook",
        "description": "Webhook for record updates",
        "workspace_id": 456,
        "rate_limit_rps": 10,
        "static_egress": False,
        "headers": {"X-Custom-Header": "value"},
        "metadata": {"environment": "production"},
        "subscriptions": [{"event_type": "record.*", "filters": {"fields": {"status": "completed"}}}],
    },
    "updateWebhook": {"status": "paused", "max_retries": 5},
    "regenerateSecret": {"overlap_hours": 24},
    "rotateSigningKey": {"overlap_hours": 720},
    "testWebhook": {"event_type": "record.created", "data": {"fields": {"name": "John Doe"}}},
    "createSubscription": {"event_type": "record.created", "filters": {"conditions": _CONDITIONS}},
    "updateSubscription": {"is_active": False},
    "publishEvents": _EVENT,
    "bulkReplayDeadLetters": {"reason": "attempts_exhausted", "from": "2024-01-01T00:00:00Z", "rate_per_second": 10},
    "bulkReplayAcrossWebhooks": {"reason": "http_503", "from": "2024-01-01T00:00:00Z", "dry_run": True},
    "recoverWebhook": {"from": "2024-01-01T00:00:00Z", "to": "2024-01-02T00:00:00Z", "dry_run": True},
    "createApiKey": {"name": "Nightly import", "scopes": ["webhooks:read", "events:write"], "expires_in_days": 90},
    "createPortalLink": {
        "user_id": 789,
        "workspace_ids": [456],
        "appearance": {"name": "Acme", "accent": "0b7a5c", "language": "de"},
    },
    "redeemPortalLink": {"link": "pyal_0U0192uWdfF5pDUoUUwtQaiXGV..."},
    "commitConsumer": {"cursor": "ZXhhbXBsZQ"},
    "testFilters": {"filters": {"conditions": _CONDITIONS}, "event": _EVENT},
}
ANSWERS: dict[str, tuple[str, Any]] = {
    "createWebhook": (
        "201",
        {**_WEBHOOK, "secret": _SECRET, "subscriptions": [_SUBSCRIPTION], "notice": None},
    ),
    "getWebhook": ("200", _WEBHOOK),
    "listWebhooks": ("200", {"items": [{**_WEBHOOK, "health": _HEALTH}], "next_cursor": None}),
    "regenerateSecret": (
        "200",
        {**_WEBHOOK, "version": 2, "secret": _SECRET, "previous_secret_expires_at": "2024-01-02T12:00:00.000Z"},
    ),
    "createSubscription": ("201", _SUBSCRIPTION),
    "publishEvents": ("202", {"accepted": 1, "events": [{"id": "evt_1234567890"}]}),
    "getEvent": (
        "200",
        {
            "id": "evt_1234567890",
            "type": "record.created",
            "user_id": 789,
            "workspace_id": 456,
            "accepted_at": "2024-01-01T12:00:00.000Z",
            "disposition": "queued",
            "counts": {},
            "payload": {**_EVENT, "id": "evt_1234567890", "timestamp": "2024-01-01T12:00:00Z", "metadata": {}},
            "retention_days": None,
            "redact": [],
            "repeats": [],
            "webhooks": [
                {
                    "webhook_id": _WEBHOOK["id"],
                    "webhook_name": "My Webhook",
                    "status": "delivered",
                    "reason": None,
                    "explanation": None,
                    "evaluated_now": False,
                    "delivery_id": "dlv_0U06zZUusVNiX7wBTzmnrUBdEJ",
                    "attempt_count": 1,
                    "next_attempt_at": None,
                }
            ],
            "next_cursor": None,
        },
    ),
}


def describe_examples(operations: Operations) -> None:
    """`operations` are those of the document, by id."""
    for name, example in BODIES.items():
        operations[name]["requestBody"]["content"]["application/json"]["example"] = example
    for name, (status, example) in ANSWERS.items():
        operations[name]["responses"][status]["content"]["application/json"]["example"] = example

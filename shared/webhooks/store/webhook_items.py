"""A webhook's item as the hot path reads it."""

import json
from typing import Any, cast

from webhooks.models.webhook import Webhook, WebhookStatus
from webhooks.payload import loads
from webhooks.store import schema
from webhooks.store.attributes import read_bytes, read_flag, read_foreign_id, read_int, read_text
from webhooks.store.dynamo import Item, Key


def webhook_key(webhook_id: str) -> Key:
    """Primary key of a webhook."""
    return webhook_id, schema.WEBHOOK_SK


def webhook_of(item: Item) -> Webhook:
    """The webhook that an item holds."""
    rate: Any = item.get("rate_limit_rps")
    user_id = read_foreign_id(item, "user_id")
    return Webhook(
        webhook_id=item[schema.PK]["S"],
        user_id="" if user_id is None else user_id,  # a platform may count its users from 0
        workspace_id=read_foreign_id(item, "workspace_id"),
        name=read_text(item, "name") or "",
        url=read_text(item, "url") or "",
        description=read_text(item, "description") or "",
        metadata=loads(read_text(item, "metadata") or "{}"),
        header_names=tuple(json.loads(read_text(item, "header_names") or "[]")),
        sealed=read_bytes(item, "sealed") or b"",
        sealed_version=read_int(item, "sealed_version"),
        max_retries=read_int(item, "max_retries"),
        timeout_seconds=read_int(item, "timeout_seconds"),
        rate_limit_rps=None if rate is None else float(rate["N"]),
        status=cast("WebhookStatus", item["status"]["S"]),
        status_reason=read_text(item, "status_reason"),
        version=read_int(item, "version"),
        created_at_ms=read_int(item, "created_at_ms"),
        updated_at_ms=read_int(item, "updated_at_ms"),
        routes_version=read_int(item, "routes_version"),
        filter_bytes=read_int(item, "filter_bytes"),
        filter_searches=read_int(item, "filter_searches"),
        previous_secret_until_ms=read_int(item, "previous_secret_until_ms"),
        ed25519=read_flag(item, "ed25519"),
        static_egress=read_flag(item, "static_egress"),
        kind="pull" if read_text(item, "kind") == "pull" else "push",
    )

"""The caller's way from the authorizer to the api: API Gateway carries a flat map of strings between the two."""

import json
from collections.abc import Iterable, Mapping
from typing import cast

from webhooks.errors import Unauthenticated
from webhooks.models.caller import Caller

LEEWAY_SECONDS = 30  # clocks differ
MAX_ID_CHARACTERS = 128
_MAX_DIGITS = 18  # of an id that is an integer: fits 64 bits


def platform_id(text: str) -> str | int:
    """A user or workspace id as the platform has it: an integer if it is written like one, else a string.

    Raises Unauthenticated for a text that cannot be an id: no payload could hold it.
    """
    if not (0 < len(text) <= MAX_ID_CHARACTERS and text.isprintable() and "|" not in text):
        raise Unauthenticated(f"a user id has 1 to {MAX_ID_CHARACTERS} printable characters without |")
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and (text == "0" or text[0] != "0"):
        return int(text)
    return text


def to_context(caller: Caller, expires_at: int | None) -> dict[str, str]:
    """What the authorizer hands to the api. `expires_at`: Unix seconds, None when the caller brought no token."""
    context = {
        "user_id": caller.owner,
        "workspace_ids": json.dumps(sorted(caller.workspace_ids)),
        "scopes": " ".join(sorted(caller.scopes)),
    }
    if caller.key_id is not None:
        context["key_id"] = caller.key_id
    return context if expires_at is None else {**context, "expires_at": str(expires_at)}


def from_context(context: Mapping[str, object], now: float) -> Caller:
    """The caller of a request, from its `requestContext.authorizer`.

    Raises Unauthenticated without a caller, or when the token has expired since the authorizer's answer was cached.
    """
    user_id = context.get("user_id")
    if not isinstance(user_id, str) or not user_id:
        raise Unauthenticated("a valid token is needed: Authorization: Bearer ...")
    expires_at = context.get("expires_at")
    if expires_at is not None and float(str(expires_at)) + LEEWAY_SECONDS < now:
        raise Unauthenticated("the token has expired")
    workspace_ids = cast("Iterable[object]", json.loads(str(context.get("workspace_ids", "[]"))))
    key_id = context.get("key_id")
    return Caller(
        platform_id(user_id),
        frozenset(str(workspace_id) for workspace_id in workspace_ids),
        frozenset(str(context.get("scopes", "")).split()),
        None if key_id is None else str(key_id),
    )

"""API keys: an item each, which is gone when the key is revoked. TTL removes it a while after it has expired.

A portal link is the item of a key that nobody has yet: it has the link's hash (`link`) and none of a key. Redeeming it
puts the session's in that place. So it happens once, and whatever ends keys ends links and sessions.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

from webhooks.access.idempotency_keys import IdempotencyRecord
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import AuditEntry
from webhooks.store import schema
from webhooks.store.attributes import binary, foreign_id, number, read_bytes, read_foreign_id, read_int, read_text, text
from webhooks.store.audit import AuditItems
from webhooks.store.dynamo import DynamoTable, Item, Key, key_of, read_all
from webhooks.store.idempotency import idempotency_record, remembering
from webhooks.store.listings import newest

SHOWN_MS = 7 * 86_400_000  # an expired one, so that its owner finds out why nothing works
_LINK = "link"


class ApiKeyReader:
    """Keys by id. Raises Unavailable."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def get(self, key_id: str) -> ApiKey | None:
        """The key, unless it was revoked. Consistent."""
        item = self._table.get_many([_place(key_id)]).get(_place(key_id))
        return None if item is None else _key_of(item)


class PortalLinkReader:
    """Portal links by id, with the hash of the link. Raises Unavailable."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def get(self, key_id: str) -> ApiKey | None:
        """The link, unless it was redeemed or revoked. Consistent."""
        item = self._table.get_many([_place(key_id)]).get(_place(key_id))
        digest = None if item is None else read_bytes(item, _LINK)
        return None if item is None or digest is None else replace(_key_of(item), digest=digest)


class ApiKeyStore(ApiKeyReader):
    """The same, and what makes, lists and revokes them."""

    def __init__(self, table: DynamoTable, audit: AuditItems, now_ms: Callable[[], int]) -> None:
        super().__init__(table)
        self.links = PortalLinkReader(table)
        self._audit = audit
        self._now_ms = now_ms

    def newest(self, owner: str | None, behind: str | None) -> Iterator[ApiKey]:
        """An owner's keys, or everybody's (None), newest first, behind a key's id. A new one may lag."""
        listing = None if owner is None else schema.keys_listing(owner)
        yield from read_all(newest(self._table, listing, schema.KEYS_OVERVIEW, behind, self._now_ms), _key_of)

    def of_portal(self, owner: str) -> Iterator[ApiKey]:
        """Portal links for an owner and their sessions, newest first. A new one may lag."""
        yield from read_all(newest(self._table, schema.portal_listing(owner), "", None, self._now_ms), _key_of)

    def create(self, key: ApiKey, audit: AuditEntry, remember: IdempotencyRecord | None = None) -> bool:
        """Keep a new key, and what is kept of its making; False when the idempotency key has been used."""
        return self._table.transact([{"Put": {"Item": _item(key)}}, self._audit.put(audit), *remembering(remember)])

    def create_link(self, link: ApiKey, audit: AuditEntry) -> None:
        """Keep a new portal link, and what is kept of its making."""
        self._table.transact([{"Put": {"Item": _link_item(link)}}, self._audit.put(audit)])

    def redeem(self, link: ApiKey, session: ApiKey, audit: AuditEntry) -> bool:
        """Make a session of a link, and keep that. False when it was redeemed or revoked meanwhile."""
        made = {
            "Update": {
                "Key": key_of(_place(link.key_id)),
                "UpdateExpression": f"SET digest = :new, expires_at_ms = :end, {schema.EXPIRES_AT} = :at REMOVE #link",
                "ConditionExpression": "#link = :link",
                "ExpressionAttributeNames": {"#link": _LINK},
                "ExpressionAttributeValues": {
                    ":link": binary(link.digest),
                    ":new": binary(session.digest),
                    ":end": number(session.expires_at_ms),
                    ":at": number(session.expires_at_ms // 1000),
                },
            }
        }
        return self._table.transact([made, self._audit.put(audit)])

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the caller's idempotency key was used for, unless that has expired. Consistent."""
        return idempotency_record(self._table, caller, key, now_ms)

    def delete(self, key_id: str, audit: AuditEntry) -> bool:
        """Revoke a key. False when it was not there."""
        gone = {"Delete": {"Key": key_of(_place(key_id)), "ConditionExpression": f"attribute_exists({schema.PK})"}}
        return self._table.transact([gone, self._audit.put(audit)])

    def used(self, key: ApiKey, at_ms: int) -> None:
        """Note it, unless the key is gone or another process has done so."""
        self._table.update(
            _place(key.key_id),
            "SET last_used_at_ms = :now",
            values={":now": number(at_ms), ":before": number(key.last_used_at_ms or 0)},
            condition=f"attribute_exists({schema.PK}) AND "
            "(attribute_not_exists(last_used_at_ms) OR last_used_at_ms = :before)",
        )


def _place(key_id: str) -> Key:
    return key_id, schema.KEY_SK


def _item(key: ApiKey) -> Item:
    return {
        schema.PK: text(key.key_id),
        schema.SK: text(schema.KEY_SK),
        schema.EXPIRES_AT: number((key.expires_at_ms + SHOWN_MS) // 1000),
        schema.LISTING_KEY: text(schema.keys_listing(key.owner)),
        schema.LISTING_AT: text(key.key_id),
        schema.OVERVIEW_KEY: text(schema.KEYS_OVERVIEW),
        schema.OVERVIEW_AT: text(key.key_id),
        "user_id": foreign_id(key.user_id),
        "name": text(key.name),
        "scopes": text(" ".join(key.scopes)),
        "workspace_ids": text(json.dumps(key.workspace_ids)),
        "digest": binary(key.digest),
        "created_at_ms": number(key.created_at_ms),
        "expires_at_ms": number(key.expires_at_ms),
    }


def _link_item(link: ApiKey) -> Item:
    """Listed for whoever ends it, and not among the owner's keys."""
    item = _item(link)
    for name in ("digest", schema.OVERVIEW_KEY, schema.OVERVIEW_AT):
        del item[name]
    return {
        **item,
        schema.EXPIRES_AT: number(link.expires_at_ms // 1000),
        schema.LISTING_KEY: text(schema.portal_listing(link.owner)),
        _LINK: binary(link.digest),
        "session_ms": number(link.session_ms or 0),
    }


def _key_of(item: Item) -> ApiKey:
    return ApiKey(
        key_id=item[schema.PK]["S"],
        user_id=cast("str | int", read_foreign_id(item, "user_id")),
        name=read_text(item, "name") or "",
        scopes=tuple((read_text(item, "scopes") or "").split()),
        workspace_ids=tuple(json.loads(read_text(item, "workspace_ids") or "[]")),
        digest=read_bytes(item, "digest") or b"",
        created_at_ms=read_int(item, "created_at_ms"),
        expires_at_ms=read_int(item, "expires_at_ms"),
        last_used_at_ms=read_int(item, "last_used_at_ms") or None,
        session_ms=read_int(item, "session_ms") or None,
    )

"""API keys: making, listing and revoking them.

A key never does more than its maker could when making it, makes no other, and ends: by its time, when it is revoked,
and when its maker leaves a workspace that it names.
"""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, cast

from webhooks.access.api_keys import KeyChecks, digest, key_of, new_key
from webhooks.access.idempotency_keys import IdempotencyRecord, Once
from webhooks.errors import Conflict, NotAllowed, NotFound, Unavailable
from webhooks.ids import is_id
from webhooks.management.changes import remembered
from webhooks.management.paging import Page, page_of
from webhooks.management.requests import ApiKeyRequest
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import AuditEntry, entry
from webhooks.models.caller import Caller, Scope
from webhooks.sealing import SecretBox

DAY_MS = 86_400_000
MAX_KEYS = 50  # of one user


class ApiKeys(Protocol):
    """Where keys are kept. Raises Unavailable."""

    def get(self, key_id: str) -> ApiKey | None:
        """The key, unless it was revoked. Consistent."""
        ...

    def newest(self, owner: str | None, behind: str | None) -> Iterator[ApiKey]:
        """An owner's keys, or everybody's (None), newest first, behind a key's id. A new one may lag."""
        ...

    def of_portal(self, owner: str) -> Iterator[ApiKey]:
        """Portal links for an owner and their sessions, newest first. A new one may lag."""
        ...

    def create(self, key: ApiKey, audit: AuditEntry, remember: IdempotencyRecord | None = None) -> bool:
        """Keep a new key, and what is kept of its making; False when the idempotency key has been used."""
        ...

    def idempotency_record(self, caller: str, key: str, now_ms: int) -> IdempotencyRecord | None:
        """What the caller's idempotency key was used for, unless that has expired. Consistent."""
        ...

    def delete(self, key_id: str, audit: AuditEntry) -> bool:
        """Revoke a key, and keep that. False when it was not there."""
        ...


@dataclass(frozen=True, slots=True)
class ApiKeyManagement:
    """The use cases. Each raises NotAllowed for a caller who came with a key, and Unavailable."""

    keys: ApiKeys
    checks: KeyChecks
    box: SecretBox
    now_ms: Callable[[], int]

    def create(self, caller: Caller, request: ApiKeyRequest, once: Once | None = None) -> tuple[ApiKey, str]:
        """Make a key, which is shown here and never again, save to a repeat with the same idempotency key within a day.
        Without `workspace_ids` it is for all of the caller's.

        Raises NotAllowed for a scope or workspace that is not the caller's, Conflict for one key too many, and for an
        idempotency key that was used for something else, or whose key is revoked.
        """
        _no_key(caller)
        if once is not None and (made := self._made(caller, once)) is not None:
            return made
        for scope in request.scopes:
            if not caller.may(cast("Scope", scope)):
                raise NotAllowed(f"scopes: {scope} is not among your own")
        workspaces = caller.workspace_ids
        if request.workspace_ids is not None:
            workspaces = frozenset(str(each) for each in request.workspace_ids)
            if not caller.is_admin and not workspaces <= caller.workspace_ids:
                raise NotAllowed("workspace_ids: names a workspace that is not the caller's")
        if len(list(islice(self.keys.newest(caller.owner, None), MAX_KEYS))) == MAX_KEYS:
            raise Conflict(f"you have {MAX_KEYS} API keys, which is as many as there may be: revoke one first")
        now_ms = self.now_ms()
        key_id, key = new_key(now_ms)
        if once is not None:  # a repeat makes it anew: it is not kept
            key = key_of(key_id, self._secret(caller, once, key_id))
        made = ApiKey(
            key_id=key_id,
            user_id=caller.user_id,
            name=request.name,
            scopes=tuple(sorted(set(request.scopes))),
            workspace_ids=tuple(sorted(workspaces)),
            digest=digest(key),
            created_at_ms=now_ms,
            expires_at_ms=now_ms + request.expires_in_days * DAY_MS,
        )
        audit = entry(caller, "api_key.created", made.owner, key_id, now_ms)
        if self.keys.create(made, audit, remembered(caller, once, key_id, now_ms)):
            return made, key
        if once is not None and (earlier := self._made(caller, once)) is not None:  # the same request was faster
            return earlier
        raise Unavailable("another request with this Idempotency-Key is under way")

    def _made(self, caller: Caller, once: Once) -> tuple[ApiKey, str] | None:
        """What an earlier request with the same idempotency key made."""
        record = self.keys.idempotency_record(caller.owner, once.key, self.now_ms())
        if record is None:
            return None
        once.check(record.fingerprint)
        made = self.keys.get(record.webhook_id)
        if made is None:
            raise Conflict("the API key that this Idempotency-Key made is revoked")
        return made, key_of(made.key_id, self._secret(caller, once, made.key_id))

    def _secret(self, caller: Caller, once: Once, key_id: str) -> bytes:
        """Known to whoever knows the deployment's own key, and to nobody who guesses the idempotency key."""
        told = f"{key_id}\n{caller.owner}\n{once.key}".encode()
        return hmac.digest(self.box.key_for("api keys"), told, "sha256")

    def page(self, caller: Caller, owner: str | None, *, behind: str | None, limit: int) -> Page[ApiKey]:
        """Keys, newest first: one's own, and for admins everybody's or one owner's. Raises NotAllowed."""
        _no_key(caller)
        if not caller.is_admin and owner not in (None, caller.owner):
            raise NotAllowed("only admins see the API keys of others")
        whose = owner if caller.is_admin else caller.owner
        return page_of(self.keys.newest(whose, behind), lambda _: True, lambda each: each.key_id, limit=limit)

    def revoke(self, caller: Caller, key_id: str) -> None:
        """End a key of one's own, or for admins any. Raises NotFound."""
        _no_key(caller)
        key = self.keys.get(key_id) if is_id("key", key_id) else None
        is_theirs = key is not None and (caller.is_admin or key.owner == caller.owner)
        if key is None or not is_theirs or not self._revoked(caller, key):
            raise NotFound(f"there is no API key {key_id[:64]}")

    def revoke_of_workspace(self, caller: Caller, user_id: str, workspace_id: str) -> list[str]:
        """End all keys of a user that name the workspace, portal links and their sessions included; their ids."""
        of_workspace = [each for each in self._all_of(user_id) if workspace_id in each.workspace_ids]
        return [each.key_id for each in of_workspace if self._revoked(caller, each)]

    def revoke_all(self, caller: Caller, user_id: str) -> None:
        """End all keys of a user, portal links and their sessions included."""
        for each in self._all_of(user_id):
            self._revoked(caller, each)

    def _all_of(self, user_id: str) -> Iterator[ApiKey]:
        yield from self.keys.newest(user_id, None)
        yield from self.keys.of_portal(user_id)

    def _revoked(self, caller: Caller, key: ApiKey) -> bool:
        deed = entry(caller, "api_key.revoked", key.owner, key.key_id, self.now_ms())
        was_there = self.keys.delete(key.key_id, deed)
        self.checks.forget(key.key_id)
        return was_there


def _no_key(caller: Caller) -> None:
    if caller.key_id is not None:
        raise NotAllowed("API keys are managed with a token, not with an API key")

"""Portal links: a platform's backend makes one for a customer, whose browser redeems it once for a session.

`pyal_`, and the rest as in an API key. The session is an API key of the customer that ends after minutes or hours: so
it is compared, asked for again, and revoked as keys are. Neither ever has a scope that reaches beyond one customer.
"""

import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from webhooks.access.api_keys import PREFIX as KEY_PREFIX
from webhooks.access.api_keys import KeyChecks, KeyReader, digest, key_of, new_key, verify
from webhooks.access.request_limits import RequestLimits
from webhooks.errors import NotFound, Unauthenticated
from webhooks.ids import is_id
from webhooks.management.requests import PortalLinkRequest
from webhooks.models.api_key import ApiKey
from webhooks.models.audit import AuditEntry, entry
from webhooks.models.caller import Caller, Origin
from webhooks.models.erasure import Erasure
from webhooks.models.webhook import scope_of

PREFIX = "pyal_"
REDEEMING = 10  # requests that one redemption counts as, for the address that it comes from
NAME = "portal"


class PortalLinkRecords(Protocol):
    """Where links are kept. Raises Unavailable."""

    @property
    def links(self) -> KeyReader:
        """Links that can be redeemed, with their own hashes."""
        ...

    def get(self, key_id: str) -> ApiKey | None:
        """The link, or its session, unless it was revoked. Consistent."""
        ...

    def create_link(self, link: ApiKey, audit: AuditEntry) -> None:
        """Keep a new link, and what is kept of its making."""
        ...

    def redeem(self, link: ApiKey, session: ApiKey, audit: AuditEntry) -> bool:
        """Make a session of a link, and keep that. False when it was redeemed or revoked meanwhile."""
        ...

    def delete(self, key_id: str, audit: AuditEntry) -> bool:
        """End a link or its session, and keep that. False when it was not there."""
        ...


class ErasedTenants(Protocol):
    """Who was erased. Raises Unavailable."""

    def get(self, scope: str) -> Erasure | None:
        """Consistent read."""
        ...


@dataclass(frozen=True, slots=True)
class PortalLinks:
    """The use cases. Each raises Unavailable."""

    keys: PortalLinkRecords
    checks: KeyChecks
    erasures: ErasedTenants
    limits: RequestLimits
    now_ms: Callable[[], int]

    def create(self, caller: Caller, request: PortalLinkRequest) -> tuple[ApiKey, str]:
        """Make a link for a customer; the link itself is shown here and never again."""
        now_ms = self.now_ms()
        key_id, key = new_key(now_ms)
        made = ApiKey(
            key_id=key_id,
            user_id=request.user_id,
            name=NAME,
            scopes=tuple(sorted(set(request.scopes))),
            workspace_ids=tuple(sorted({str(each) for each in request.workspace_ids})),
            digest=digest(key),
            created_at_ms=now_ms,
            expires_at_ms=now_ms + request.expires_in_seconds * 1000,
            session_ms=request.session_seconds * 1000,
        )
        self.keys.create_link(made, entry(caller, "portal_link.created", made.owner, key_id, now_ms))
        return made, PREFIX + key.removeprefix(KEY_PREFIX)

    def redeem(self, link: str, origin: Origin) -> tuple[ApiKey, str]:
        """The session that a link gives, with its token, which is shown here and never again.

        Raises Unauthenticated for a link that is made up, used, expired, revoked, or of a tenant that was erased since,
        and TooManyRequests for an address that asks too often.
        """
        self.limits.admit(_address(origin), REDEEMING)
        now_ms = self.now_ms()
        as_key = KEY_PREFIX + link.removeprefix(PREFIX) if link.startswith(PREFIX) else ""
        try:
            found = verify(as_key, self.keys.links, now_ms)
        except Unauthenticated as exc:
            raise _gone() from exc
        scopes = [scope_of(found.user_id, None), *(scope_of(None, each) for each in found.workspace_ids)]
        if any(self._erased_since(scope, found.created_at_ms) for scope in scopes):
            raise _gone()
        token = key_of(found.key_id, secrets.token_bytes(32))
        session = replace(found, digest=digest(token), expires_at_ms=now_ms + (found.session_ms or 0))
        caller = replace(session.caller, origin=origin)
        deed = entry(caller, "portal_link.redeemed", found.owner, found.key_id, now_ms)
        if not self.keys.redeem(found, session, deed):
            raise _gone()
        return session, token

    def revoke(self, caller: Caller, link_id: str) -> None:
        """End a link, and the session that it gave. Raises NotFound."""
        found = self.keys.get(link_id) if is_id("key", link_id) else None
        if found is None or found.session_ms is None or not self._revoked(caller, found):
            raise NotFound(f"there is no portal link {link_id[:64]}")

    def _revoked(self, caller: Caller, link: ApiKey) -> bool:
        deed = entry(caller, "portal_link.revoked", link.owner, link.key_id, self.now_ms())
        was_there = self.keys.delete(link.key_id, deed)
        self.checks.forget(link.key_id)
        return was_there

    def _erased_since(self, scope: str, at_ms: int) -> bool:
        erasure = self.erasures.get(scope)
        return erasure is not None and erasure.requested_at_ms >= at_ms


def _gone() -> Unauthenticated:
    """One answer for all: whoever guesses learns nothing."""
    return Unauthenticated("this link was used before, has expired, or was revoked: ask for another one")


def _address(origin: Origin) -> Caller:
    """Who is counted before anybody is known. An IPv6 network of 64 bits is one customer's."""
    address = origin.source_ip or ""
    if ":" in address:
        address = str(ipaddress.ip_network(f"{address}/64", strict=False).network_address)
    return Caller(f"address|{address}", frozenset(), frozenset())  # no user id has a |

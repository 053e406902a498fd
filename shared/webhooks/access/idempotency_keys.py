"""Idempotency keys: a request repeated with the same key is done once."""

import hashlib
import re
from dataclasses import dataclass

from webhooks.errors import Conflict, Invalid

REMEMBERED_MS = 24 * 3_600_000
_KEY = re.compile(r"[!-{}~]{1,255}")  # visible ASCII without |, which separates the parts of a stored key


@dataclass(frozen=True, slots=True)
class Once:
    """A request that its key has done once; `fingerprint` tells it from others that come with the same key."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str | None, *request: str) -> "Once | None":
        """Of what the request asks for, in words; None without a key. Raises Invalid for what is none."""
        checked = check_key(key)
        return None if checked is None else cls(checked, fingerprint("\n".join(request)))

    def check(self, earlier: str) -> None:
        """Raises Conflict when the key's earlier request, by its fingerprint, was another one."""
        if earlier != self.fingerprint:
            raise Conflict("this Idempotency-Key was used for another request")


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What an idempotency key was used for: the request's fingerprint, and the id of what it made, whatever that is."""

    caller: str
    key: str
    fingerprint: str
    webhook_id: str
    expires_at_ms: int


def check_key(key: str | None) -> str | None:
    """The key, unchanged. Raises Invalid for one that cannot be stored."""
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid.at("Idempotency-Key", "must be 1 to 255 visible ASCII characters without |", "wrong_form")
    return key


def fingerprint(request: str) -> str:
    """A digest of a request, to tell whether a repeated key came with the same one."""
    return hashlib.sha256(request.encode()).hexdigest()

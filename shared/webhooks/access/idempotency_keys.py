"""Idempotency keys: a request repeated with the same key is done once."""

import hashlib
import re

from webhooks.errors import Invalid

REMEMBERED_MS = 24 * 3_600_000
_KEY = re.compile(r"[!-{}~]{1,255}")  # visible ASCII without |, which separates the parts of a stored key


def check_key(key: str | None) -> str | None:
    """The key, unchanged. Raises Invalid for one that cannot be stored."""
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid.at("Idempotency-Key", "must be 1 to 255 visible ASCII characters without |")
    return key


def fingerprint(request: str) -> str:
    """A digest of a request, to tell whether a repeated key came with the same one."""
    return hashlib.sha256(request.encode()).hexdigest()

"""API keys: what one looks like, whose it is, and that it ends within seconds once it is revoked.

`pyak_`, 26 characters that name it, 43 that are secret (256 random bits), and 6 of a checksum by which scanners of
repositories and logs can tell a key from a text that looks like one. Only a hash is kept: a key is no password that
could be guessed, so it needs no slow one.
"""

import hashlib
import hmac
import logging
import re
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from webhooks.errors import Unauthenticated, Unavailable
from webhooks.ids import base62, new_id
from webhooks.models.api_key import ApiKey
from webhooks.models.caller import Caller

PREFIX = "pyak_"
KEPT_MS = 5_000  # a process goes on for so long with what it has read of a key
USED_MS = 3_600_000  # when a key was used is written at most once in so long
MAX_KEPT = 10_000  # keys that a process remembers
_FORM = re.compile(r"pyak_([0-9A-Za-z]{26})[0-9A-Za-z]{43}[0-9A-Za-z]{6}")
_CHECKSUM_CHARACTERS = 6
_NOBODYS = bytes(32)

logger = logging.getLogger(__name__)


class KeyReader(Protocol):
    """Finds keys."""

    def get(self, key_id: str) -> ApiKey | None:
        """The key, unless it was revoked. Consistent. Raises Unavailable."""
        ...


class KeyRecords(KeyReader, Protocol):
    """Finds keys, and notes that one was used."""

    def used(self, key: ApiKey, at_ms: int) -> None:
        """Note it. Raises Unavailable."""
        ...


def new_key(now_ms: int) -> tuple[str, str]:
    """The id of a new key, and the key itself."""
    key_id = new_id("key", now_ms)
    return key_id, key_of(key_id, secrets.token_bytes(32))


def key_of(key_id: str, secret: bytes) -> str:
    """The key with this id and these 32 secret bytes."""
    text = f"{start_of(key_id)}{base62(int.from_bytes(secret), 43)}"
    return text + _checksum(text)


def start_of(key_id: str) -> str:
    """What a key with this id begins with: it names the key and is no secret."""
    return PREFIX + key_id.removeprefix("key_")


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def verify(key: str, keys: KeyReader, now_ms: int) -> ApiKey:
    """The key that somebody presents. Raises Unauthenticated for one that is damaged, made up, revoked or expired, and
    Unavailable.

    One whose id nobody has takes as long as one whose secret part is wrong.
    """
    form = _FORM.fullmatch(key)
    if form is None or _checksum(key[:-_CHECKSUM_CHARACTERS]) != key[-_CHECKSUM_CHARACTERS:]:
        raise Unauthenticated("the API key is damaged")
    found = keys.get(f"key_{form[1]}")
    is_it = hmac.compare_digest(digest(key), _NOBODYS if found is None else found.digest)
    if found is None or not is_it:
        raise Unauthenticated("there is no such API key")
    return _unexpired(found, now_ms)


class KeyChecks:
    """What makes the end of a key known within KEPT_MS, whatever API Gateway has kept of the authorizer's answers.

    The authorizer has compared the key. Each process of the api asks again whether it is there, and keeps the answer.
    """

    def __init__(self, keys: KeyRecords, *, now_ms: Callable[[], int]) -> None:
        self._keys = keys
        self._now_ms = now_ms
        self._kept: OrderedDict[str, tuple[int, ApiKey | None]] = OrderedDict()

    def admit(self, caller: Caller) -> None:
        """Raises Unauthenticated for a caller whose key was revoked or has expired, and Unavailable.

        Callers without a key cost nothing.
        """
        if caller.key_id is None:
            return
        now_ms = self._now_ms()
        read_at_ms, key = self._kept.get(caller.key_id, (0, None))
        if not 0 <= now_ms - read_at_ms < KEPT_MS:
            key = self._keys.get(caller.key_id)
            self._keep(caller.key_id, now_ms, key)
            if key is not None:
                self._note_use(key, now_ms)
        if key is None:
            raise Unauthenticated("the API key is revoked")
        _unexpired(key, now_ms)

    def forget(self, key_id: str) -> None:
        """Read the key again when it comes next."""
        self._kept.pop(key_id, None)

    def _keep(self, key_id: str, now_ms: int, key: ApiKey | None) -> None:
        self._kept[key_id] = now_ms, key
        self._kept.move_to_end(key_id)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def _note_use(self, key: ApiKey, now_ms: int) -> None:
        if now_ms - (key.last_used_at_ms or 0) < USED_MS:
            return
        try:
            self._keys.used(key, now_ms)
        except Unavailable as exc:
            logger.warning("the use of an API key was not noted: %s", exc)


def _unexpired(key: ApiKey, now_ms: int) -> ApiKey:
    if now_ms >= key.expires_at_ms:
        raise Unauthenticated("the API key has expired")
    return key


def _checksum(text: str) -> str:
    return base62(zlib.crc32(text.encode()), _CHECKSUM_CHARACTERS)

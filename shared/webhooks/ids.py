"""Ids: a prefix and 26 characters of 0-9A-Za-z that sort by time.

The first 8 characters are the milliseconds since 1970 in base 62 (good until the year 8888), the other 18 are random
or, for a delivery, derived. The alphabet is in ASCII order, so plain string order is time order.
"""

import functools
import hashlib
import hmac
import re
import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TIME_CHARACTERS = 8
TAIL_CHARACTERS = 18
EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # no dots: they would make signatures ambiguous
TAKEN = "own"  # prefix of an event whose given id another publisher has: nobody may give one with it
HISTORY_SHARDS = 4  # partition keys a webhook's history is spread over: 1,000 write units a second each


def new_id(prefix: str, now_ms: int) -> str:
    """A fresh id such as `wh_1QkzT0a4...`, unguessable (107 random bits)."""
    return f"{prefix}_{base62(now_ms, TIME_CHARACTERS)}{base62(secrets.randbits(120), TAIL_CHARACTERS)}"


def derived_id(prefix: str, time_ms: int, *parts: str) -> str:
    """The same id for the same time and parts, so that doing something twice makes one thing."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"{prefix}_{base62(time_ms, TIME_CHARACTERS)}{base62(int.from_bytes(digest[:15]), TAIL_CHARACTERS)}"


def keyed_id(prefix: str, key: bytes, *parts: str) -> str:
    """The same id for the same parts, which nobody without the key can tell beforehand."""
    digest = hmac.digest(key, "\0".join(parts).encode(), "sha256")
    return f"{prefix}_{base62(0, TIME_CHARACTERS)}{base62(int.from_bytes(digest[:15]), TAIL_CHARACTERS)}"


def delivery_id(accepted_ms: int, scope: str, event_id: str, webhook_id: str) -> str:
    """One event can never become two deliveries to one webhook, and the key is known without a read."""
    return derived_id("dlv", accepted_ms, scope, event_id, webhook_id)


def time_of(identifier: str) -> int:
    """Milliseconds since 1970 that an id was made with."""
    return time_in(identifier.partition("_")[2])


def time_in(position: str) -> int:
    """The same of what follows an id's prefix."""
    value = 0
    for character in position[:TIME_CHARACTERS]:
        value = value * 62 + ALPHABET.index(character)
    return value


def beginning_of(time_ms: int) -> str:
    """What sorts before all that follows the prefix in ids of that time or later."""
    return base62(time_ms, TIME_CHARACTERS)


def first_of(prefix: str, time_ms: int) -> str:
    """A string that sorts at or before every id of this prefix and time: the lower end of a range."""
    return f"{prefix}_{base62(time_ms, TIME_CHARACTERS)}"


def is_id(prefix: str, value: str) -> bool:
    """Whether `value` has the form of an id with this prefix."""
    head, _, tail = value.partition("_")
    return head == prefix and len(tail) == TIME_CHARACTERS + TAIL_CHARACTERS and tail.isascii() and tail.isalnum()


def history_shard(delivery_id: str) -> int:
    """Which of the webhook's history partitions holds this delivery."""
    return ALPHABET.index(delivery_id[-1]) % HISTORY_SHARDS


def base62(value: int, width: int) -> str:
    """The number in ALPHABET, with leading zeros; digits beyond `width` are cut off at the left."""
    pairs, text = _pairs(), ""
    while len(text) < width:
        value, pair = divmod(value, len(pairs))
        text = pairs[pair] + text
    return text[-width:]


@functools.cache
def _pairs() -> list[str]:
    return [first + second for first in ALPHABET for second in ALPHABET]

"""Answers are kept and shown, and some receivers echo what they were sent. So credentials are masked in them."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from webhooks.request.headers import MASK

# Shorter ones guard nothing, and would be found in many an innocent text.
MIN_CHARACTERS = 8
_ESCAPE = re.compile("%..")


def credentials_in(values: Iterable[str]) -> tuple[str, ...]:
    """The texts to mask for these values: each, and its words: a token may come back without "Bearer".

    In every form that servers commonly write a text in: as it is, in JSON, in a URL or form, in HTML, and in base64,
    where neighbours share a character with it. Longest first, so that a value goes before its words.
    """
    parts = {part for value in values for part in (value, *value.split()) if len(part) >= MIN_CHARACTERS}
    texts = {form for part in parts for form in _forms(part)}
    return tuple(sorted((text for text in texts if len(text) >= MIN_CHARACTERS), key=lambda text: (-len(text), text)))


def _forms(text: str) -> Iterator[str]:
    yield text
    in_json = json.dumps(text)[1:-1]
    for each in (in_json, json.dumps(in_json)[1:-1], in_json.replace("/", "\\/"), html.escape(text)):
        yield each
    for each in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield each
        yield _ESCAPE.sub(lambda match: match[0].lower(), each)
    for offset in range(3):
        # 3 bytes are 4 characters: without those that hold bits of what stands before or after it
        written = base64.b64encode(bytes(offset) + text.encode()).decode().rstrip("=")
        inside = written[(0, 2, 3)[offset] : -1 if (offset + len(text)) % 3 else None]
        yield inside
        yield inside.replace("+", "-").replace("/", "_")


def redacted(text: bytes, credentials: Iterable[str], *, is_cut: bool = False) -> bytes:
    """The text with a mask for every credential; with `is_cut`, for the start of one at its end as well."""
    for credential in credentials:
        sought = credential.encode()
        text = text.replace(sought, MASK.encode())
        if is_cut:
            text = _without_start(text, sought)
    return text


def _without_start(text: bytes, sought: bytes) -> bytes:
    for length in range(min(len(sought) - 1, len(text)), MIN_CHARACTERS - 1, -1):
        if text.endswith(sought[:length]):
            return text[:-length] + MASK.encode()
    return text

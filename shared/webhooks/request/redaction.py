"""Answers are kept and shown, and some receivers echo what they were sent. So credentials are masked in them."""

from collections.abc import Iterable

from webhooks.request.headers import MASK

# Shorter ones guard nothing, and would be found in many an innocent text.
MIN_CHARACTERS = 8


def credentials_in(values: Iterable[str]) -> tuple[str, ...]:
    """The texts to mask for these values: each as it is, and its words: a token may come back without "Bearer".

    Longest first, so that a value goes before its words.
    """
    texts = {part for value in values for part in (value, *value.split())}
    return tuple(sorted((text for text in texts if len(text) >= MIN_CHARACTERS), key=lambda text: (-len(text), text)))


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

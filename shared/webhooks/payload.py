"""JSON in and out: what is taken in is strict, and what is written is the exact body that is signed and sent.

Numbers go out as they came in. Most are what Python writes for their value; the others are kept as `Number`.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn, cast

from webhooks.errors import Invalid, TooLarge

MAX_EVENT_BYTES = 256 * 1024
MAX_DEPTH = 32

# SQS takes the characters of XML 1.0 and refuses or replaces these two; JSON itself escapes the control characters.
_REFUSED_BY_SQS = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}

_NOT_ZERO = re.compile(r"-?[0.]*[1-9]")
_SAFE_DIGITS = 308  # an integer of so many digits is within the range of a 64-bit float


class UnfitNumber(Invalid):
    """A number whose value a 64-bit float cannot come near to: beyond its range, or not zero and taken for zero."""


class Number:
    """A JSON number that Python would write otherwise: 1.10, 1e5, -0, or with more digits than a float has.

    One equals another that is written the same. For a comparison with other values, there is `floats`.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text


# A Number passes the encoder as a string that nobody can send, a lone surrogate in front, and loses its quotes then.
_MARK = "\udfff"
_MARKED = re.compile(f'"{_MARK}(-?[0-9][^"]*)"')
_MARKED_ASCII = re.compile(r'"\\udfff(-?[0-9][^"]*)"')


def _marked(value: object) -> str:
    if isinstance(value, Number):
        return _MARK + value.text
    raise TypeError(f"{type(value).__name__} is no JSON")


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_marked).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), default=_marked).encode
_encode_sorted = json.JSONEncoder(separators=(",", ":"), default=_marked, sort_keys=True).encode


def serialise(payload: Mapping[str, object]) -> bytes:
    """Compact UTF-8 JSON that passes through SQS unchanged.

    Raises `Invalid` for what JSON or UTF-8 cannot carry: NaN, infinities, lone surrogates.
    """
    return serialise_noting_numbers(payload)[0]


def serialise_noting_numbers(payload: Mapping[str, object]) -> tuple[bytes, bool]:
    """As `serialise`, and whether there is a `Number` in it: then `json.loads` of the body has floats instead."""
    try:
        text = _encode(payload)
        has_numbers = _MARK in text
        if has_numbers:
            text = _MARKED.sub(r"\1", text)
        if "\ufffe" in text or "\uffff" in text:  # only inside strings, where an escape means the same
            text = text.translate(_REFUSED_BY_SQS)
        return text.encode(), has_numbers
    except UnicodeEncodeError as exc:
        raise Invalid("the payload holds a lone surrogate, which is not a character") from exc
    except (ValueError, RecursionError) as exc:
        raise Invalid("the payload holds a number or a nesting that JSON cannot carry") from exc


def dumps(document: object) -> str:
    """Compact JSON in ASCII, with every `Number` as it was written."""
    text = _encode_ascii(document)
    return _MARKED_ASCII.sub(r"\1", text) if '"\\udfff' in text else text


def digest(document: object) -> str:
    """16 characters that tell documents apart. Numbers count as they are written, the order of keys does not."""
    digest = hashlib.blake2b(_encode_sorted(document).encode(), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode()


def marked(document: object) -> object:
    """The document without a `Number`, for what knows only plain JSON; `dumps` still writes each as it was written."""
    if isinstance(document, dict):
        return {name: marked(value) for name, value in cast("dict[str, object]", document).items()}
    if isinstance(document, list):
        return [marked(value) for value in cast("list[object]", document)]
    return _marked(document) if isinstance(document, Number) else document


def floats(document: object, *, exactly: bool = False) -> object:
    """The document with plain ints and floats alone, by which filters compare. With `exactly`, raises `UnfitNumber` for
    more digits than a float has."""
    if isinstance(document, dict):
        given = cast("dict[str, object]", document)
        return {name: floats(value, exactly=exactly) for name, value in given.items()}
    if isinstance(document, list):
        return [floats(value, exactly=exactly) for value in cast("list[object]", document)]
    if not isinstance(document, Number):
        return document
    value = json.loads(document.text)
    if exactly and Decimal(repr(value)) != Decimal(document.text):
        raise UnfitNumber(f"holds a number with more digits than a 64-bit float has: {document.text[:40]}")
    return value


def loads(body: bytes | str) -> dict[str, object]:
    """What `serialise` or `dumps` made, as it was before."""
    return cast("dict[str, object]", _decode(body if isinstance(body, str) else body.decode()))


def parse_json(raw: bytes | str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> object:
    """The value of a JSON text, with a `Number` where Python would write one otherwise; of a repeated key the last
    one counts.

    Raises `TooLarge` above `max_bytes` of UTF-8, `UnfitNumber` for numbers out of a float's range, and `Invalid` for
    anything that is not strict JSON, for lone surrogates, and for nesting deeper than `max_depth`.
    """
    text = _text(raw, max_bytes)
    try:
        value = _decode(text)
    except json.JSONDecodeError as exc:
        raise Invalid(f"not valid JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})") from exc
    except RecursionError as exc:
        raise Invalid(f"nested more than {max_depth} deep") from exc
    may_be_deeper = text.count("{") + text.count("[") > max_depth  # few texts hold so many, and counting costs little
    if may_be_deeper and _is_deeper_than(value, max_depth):
        raise Invalid(f"nested more than {max_depth} deep")
    if "\\ud" in text or "\\uD" in text:
        _refuse_lone_surrogates(value)
    return value


def _text(raw: bytes | str, max_bytes: int) -> str:
    if len(raw) > max_bytes:
        raise TooLarge(f"more than {max_bytes:,} bytes")
    try:
        if isinstance(raw, bytes):
            return raw.decode()
        if len(raw.encode()) > max_bytes:
            raise TooLarge(f"more than {max_bytes:,} bytes")
    except UnicodeError as exc:
        raise Invalid("not valid UTF-8") from exc
    return raw


def _constant(name: str) -> NoReturn:
    raise Invalid(f"{name} is not a JSON number")


def _float(text: str) -> float | Number:
    number = float(text)
    if repr(number) == text:
        return number
    if math.isinf(number):
        raise UnfitNumber(f"holds a number beyond what a 64-bit float can hold: {text[:40]}")
    if number == 0 and _NOT_ZERO.match(text):
        raise UnfitNumber(f"holds a number that a 64-bit float cannot tell from zero: {text[:40]}")
    return Number(text)


def _int(text: str) -> int | Number:
    if len(text) > _SAFE_DIGITS:
        if math.isinf(float(text)):
            raise UnfitNumber(f"holds a number beyond what a 64-bit float can hold: {text[:40]}...")
    elif text == "-0":
        return Number(text)
    return int(text)


_decode = json.JSONDecoder(parse_constant=_constant, parse_float=_float, parse_int=_int).decode


def _is_deeper_than(value: object, max_depth: int) -> bool:
    """Level by level, so that no input can exhaust the stack; scalars add no depth."""
    level: list[Any] = [value]
    for _ in range(max_depth + 1):
        dicts: list[dict[str, Any]] = [each for each in level if isinstance(each, dict)]
        lists: list[list[Any]] = [each for each in level if isinstance(each, list)]
        if not dicts and not lists:
            return False
        level = [value for each in dicts for value in each.values()]
        level += [value for each in lists for value in each]
    return True


def _refuse_lone_surrogates(value: object) -> None:
    try:
        _MARKED.sub("", _encode(value)).encode()
    except UnicodeEncodeError as exc:
        raise Invalid("holds a lone surrogate, which is not a character") from exc

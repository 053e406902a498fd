"""JSON in and out: what is taken in is strict, and what is written is the exact body that is signed and sent."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import NoReturn, cast

from webhooks.errors import Invalid, TooLarge

MAX_EVENT_BYTES = 256 * 1024
MAX_DEPTH = 32

# SQS takes the characters of XML 1.0 and refuses or replaces these two; JSON itself escapes the control characters.
_REFUSED_BY_SQS = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def serialise(payload: Mapping[str, object]) -> bytes:
    """Compact UTF-8 JSON that passes through SQS unchanged.

    Raises `Invalid` for what JSON or UTF-8 cannot carry: NaN, infinities, lone surrogates.
    """
    try:
        text = _encode(payload)
        if "\ufffe" in text or "\uffff" in text:  # only inside strings, where an escape means the same
            text = text.translate(_REFUSED_BY_SQS)
        return text.encode()
    except UnicodeEncodeError as exc:
        raise Invalid("the payload holds a lone surrogate, which is not a character") from exc
    except (ValueError, RecursionError) as exc:
        raise Invalid("the payload holds a number or a nesting that JSON cannot carry") from exc


def parse_json(raw: bytes | str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> object:
    """The value of a JSON text; of a repeated key the last one counts.

    Raises `TooLarge` above `max_bytes` of UTF-8, and `Invalid` for anything that is not strict JSON, for numbers
    beyond what a float holds or 4,300 digits, for lone surrogates, and for nesting deeper than `max_depth`.
    """
    text = _text(raw, max_bytes)
    try:
        value = _decode(text)
    except json.JSONDecodeError as exc:
        raise Invalid(f"not valid JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})") from exc
    except RecursionError as exc:
        raise Invalid(f"nested more than {max_depth} deep") from exc
    except ValueError as exc:
        raise Invalid("holds a number with too many digits") from exc
    if _is_deeper_than(value, max_depth):
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


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Invalid("holds a number beyond what a 64-bit float can hold")
    return number


_decode = json.JSONDecoder(parse_constant=_constant, parse_float=_finite).decode


def _is_deeper_than(value: object, max_depth: int) -> bool:
    """Level by level, so that no input can exhaust the stack; scalars add no depth."""
    containers = _containers([value])
    for _ in range(max_depth):
        if not containers:
            return False
        containers = [inner for outer in containers for inner in _containers(_values(outer))]
    return bool(containers)


def _containers(values: Iterable[object]) -> list[object]:
    return [value for value in values if isinstance(value, (dict, list))]


def _values(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return cast("dict[str, object]", container).values()
    return cast("list[object]", container)


def _refuse_lone_surrogates(value: object) -> None:
    try:
        _encode(value).encode()
    except UnicodeEncodeError as exc:
        raise Invalid("holds a lone surrogate, which is not a character") from exc

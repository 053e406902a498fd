"""What is kept of an exchange beyond its line in the delivery: headers, the body's start, timings, error, remark."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhooks.compression import pack, unpack
from webhooks.models.exchange import Exchange, Timings

FIRST_TRY_BYTES = 535  # with the rest of a first-try success this stays below one write unit of 1 KiB
_CUTS = (1024, 384, 96, 0)  # body bytes tried in turn, after all of it, until the packed detail fits


@dataclass(frozen=True, slots=True)
class AttemptDetail:
    """The detail of a delivery's attempt that started at `started_at_ms`."""

    delivery_id: str
    webhook_id: str
    started_at_ms: int
    packed: bytes


def pack_detail(exchange: Exchange, *, fitting: int | None = None) -> bytes | None:
    """The detail as stored; with `fitting`, cut until it takes at most so many bytes, or None when nothing fits."""
    if fitting is None:
        return _packed(exchange, len(exchange.response_body), with_headers=True)
    whole = len(exchange.response_body)
    for cut in (whole, *(each for each in _CUTS if each < whole)):
        packed = _packed(exchange, cut, with_headers=True)
        if len(packed) <= fitting:
            return packed
    packed = _packed(exchange, 0, with_headers=False)
    return packed if len(packed) <= fitting else None


def unpack_detail(packed: bytes) -> Mapping[str, Any]:
    """h: headers (pairs), b: the body's start (one character a byte), n: bytes received of it, t: timings in ms,
    m: the error's sentence, r: the remark."""
    return json.loads(unpack(packed))


def _packed(exchange: Exchange, body_bytes: int, *, with_headers: bool) -> bytes:
    document: dict[str, object] = {"t": _timings(exchange.timings)}
    if with_headers and exchange.response_headers:
        document["h"] = exchange.response_headers
    if exchange.response_body:
        document["b"] = exchange.response_body[:body_bytes].decode("latin-1")
        document["n"] = len(exchange.response_body)
    if exchange.error_message:
        document["m"] = exchange.error_message
    if exchange.remark:
        document["r"] = exchange.remark
    return pack(json.dumps(document, separators=(",", ":")).encode())


def _timings(timings: Timings) -> list[int | None]:
    return [timings.dns_ms, timings.connect_ms, timings.tls_ms, timings.wait_ms]

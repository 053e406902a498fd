"""What is kept of an exchange beyond its line in the delivery: headers, the body's start, timings, error, remark.

A first-try success is cut until the record has room for it. A failed attempt's detail is kept whole: in the record
while it fits into the write unit that the record takes anyway, else in an item of its own. Details that share a record
are packed together, since a receiver's answers are much alike.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhooks.compression import pack, pack_body, unpack
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.exchange import Exchange, Timings

FIRST_TRY_BYTES = 535  # with the rest of a first-try success this stays below one write unit of 1 KiB
_CUTS = (1024, 384, 96, 0)  # body bytes tried in turn, after all of it, until the packed detail fits
_UNIT_BYTES = 1024  # DynamoDB bills writes by the KiB
# What the item of a record takes beside its texts: keys, names and numbers; an attempt's line; its entry in the list of
# a status; and what is added while it waits for its time, beside its body.
_ITEM_BYTES, _ATTEMPT_BYTES, _LISTED_BYTES, _WAITING_BYTES = 190, 38, 80, 100
UNREADABLE = (ValueError, TypeError, AttributeError, zlib.error)  # what reading another version's detail brings out


@dataclass(frozen=True, slots=True)
class AttemptDetail:
    """The detail of a delivery's attempt that started at `started_at_ms`."""

    delivery_id: str
    webhook_id: str
    started_at_ms: int
    packed: bytes


def pack_detail(exchange: Exchange, *, fitting: int | None = None, beside: bytes | None = None) -> bytes | None:
    """The detail as stored; with `fitting`, cut until it takes at most so many bytes, or None when nothing fits.

    `beside`: what a record keeps of failed attempts, which stays with it.
    """
    failures: Mapping[str, Any] = unpack_detail(beside).get("f", {}) if beside else {}
    whole = len(exchange.response_body)
    if fitting is None:
        return _packed(_detail(exchange, whole), failures)
    for cut in (whole, *(each for each in _CUTS if each < whole)):
        packed = _packed(_detail(exchange, cut), failures)
        if len(packed) <= fitting:
            return packed
    packed = _packed(_detail(exchange, 0, with_headers=False), failures)
    return packed if len(packed) <= fitting else None


def pack_failure(exchange: Exchange, *, fitting: int, beside: bytes | None = None) -> bytes | None:
    """What a record keeps, `beside`, with a failed attempt's whole detail in it; None when that does not fit."""
    document = dict(unpack_detail(beside)) if beside else {}
    failures = {**document.pop("f", {}), str(exchange.started_at_ms): _detail(exchange, len(exchange.response_body))}
    packed = _packed(document, failures)
    return packed if len(packed) <= fitting else None


def unpack_detail(packed: bytes) -> Mapping[str, Any]:
    """h: headers (pairs), b: the body's start (one character a byte), n: bytes received of it, t: timings in ms,
    m: the error's sentence, r: the remark. In a record also f: such details of failed attempts, by their start."""
    return json.loads(unpack(packed))


def details_in(record: DeliveryRecord) -> tuple[Mapping[str, Any], Mapping[int, Mapping[str, Any]]]:
    """The details that the record itself keeps: of its success, or of a test's attempt, and of failed attempts by their
    start. Empty where this version cannot read them."""
    try:
        detail = dict(readable_detail(record.response))
        failures = {int(start): dict(each) for start, each in detail.pop("f", {}).items()}
    except UNREADABLE:
        return {}, {}
    return detail, failures


def readable_detail(packed: bytes | None) -> Mapping[str, Any]:
    """The detail, or an empty one where there is none, or a newer version has packed it in another way."""
    try:
        return unpack_detail(packed) if packed else {}
    except UNREADABLE:
        return {}


def room_bytes(record: DeliveryRecord) -> int:
    """How many bytes of details the record can keep at no further write unit, now and once it does not wait any more.

    An estimate: where it is wrong, a write costs a unit more.
    """
    texts = (record.event_id, record.event_type, record.scope, record.reason or "", record.trace, record.keeping)
    size = _ITEM_BYTES + sum(map(len, texts)) + 11 * len(record.seen)
    size += sum(_ATTEMPT_BYTES + len(attempt.error_code or "") for attempt in record.attempts)
    if record.status != "delivered":
        size += _LISTED_BYTES
    if record.waiting is None or record.body is None:
        return _UNIT_BYTES - size
    waiting = size + _WAITING_BYTES + len(record.waiting.reason) + len(pack_body(record.body))
    return min(_UNIT_BYTES - size, -waiting % _UNIT_BYTES)


def _detail(exchange: Exchange, body_bytes: int, *, with_headers: bool = True) -> dict[str, object]:
    detail: dict[str, object] = {"t": _timings(exchange.timings)}
    if with_headers and exchange.response_headers:
        detail["h"] = exchange.response_headers
    if exchange.response_body:
        detail["b"] = exchange.response_body[:body_bytes].decode("latin-1")
        detail["n"] = len(exchange.response_body)
    if exchange.error_message:
        detail["m"] = exchange.error_message
    if exchange.remark:
        detail["r"] = exchange.remark
    return detail


def _packed(detail: Mapping[str, object], failures: Mapping[str, object]) -> bytes:
    document = {**detail, "f": failures} if failures else detail
    return pack(json.dumps(document, separators=(",", ":")).encode())


def _timings(timings: Timings) -> list[int | None]:
    return [timings.dns_ms, timings.connect_ms, timings.tls_ms, timings.wait_ms]

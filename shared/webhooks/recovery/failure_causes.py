"""Why an attempt failed, as one short key. Similar failures have the same key, and can be replayed together.

Finer than a reason: which certificate fault it was, which phase ran out of time, and what the receiver wrote in its
answer. Where a host could not be reached there is one cause only, whatever it was: decision 0012.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from webhooks.delivery.attempt_detail import details_in, readable_detail
from webhooks.models.delivery import Attempt, DeliveryRecord

USED_UP = "attempts_used_up:"
FINGERPRINT_CHARACTERS = 8

# What changes from one answer to the next though they say the same: ids, times, counts.
_VARYING = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\b(?=[A-Za-z]*\d)[0-9A-Za-z_]{12,}\b|\d+")
_SPACE = re.compile(rb"\s+")
_CERTIFICATE = "certificate cannot be trusted: "
_HANDSHAKES = {"asks for a client certificate": "client_certificate", "no TLS of version 1.2": "old_version"}
_PHASES = {"connect_timeout": "timeout:connect", "timeout": "timeout:answer"}


def failed_attempt(record: DeliveryRecord) -> Attempt | None:
    """The last attempt that failed: what a delivery's reason speaks of."""
    return next((each for each in reversed(record.attempts) if each.outcome == "failure"), None)


def last_details(
    records: Iterable[DeliveryRecord], read: Callable[[Sequence[tuple[str, str, int]]], Mapping[str, bytes]]
) -> dict[str, Mapping[str, Any]]:
    """What is kept of the last attempt that failed of each delivery, by its id: in the record, or read all at once.

    `read` gives packed details by (webhook id, delivery id, start), and may raise Unavailable.
    """
    found: dict[str, Mapping[str, Any]] = {}
    elsewhere: list[tuple[str, str, int]] = []
    for record in records:
        if (attempt := failed_attempt(record)) is None:
            continue
        detail = details_in(record)[1].get(attempt.started_at_ms)
        if detail is None:
            elsewhere.append((record.webhook_id, record.delivery_id, attempt.started_at_ms))
        else:
            found[record.delivery_id] = detail
    packed: Mapping[str, bytes] = read(elsewhere) if elsewhere else {}
    return found | {delivery_id: readable_detail(each) for delivery_id, each in packed.items()}


def cause_of(reason: str | None, attempt: Attempt | None, detail: Mapping[str, Any]) -> str:
    """`http_503:1f0c9a2b`, `tls:certificate_has_expired`, `timeout:answer`, ...; the reason itself where no attempt
    decided. `detail` is what is kept of the attempt, as `unpack_detail` gives it; empty when nothing is."""
    reason = (reason or "").removeprefix(USED_UP)
    if attempt is None or reason not in (f"http_{attempt.status_code}", "gone", attempt.error_code):
        return reason or "unknown"
    if attempt.status_code is not None:
        body = str(detail.get("b", "")).encode("latin-1", "replace")
        return f"http_{attempt.status_code}:{fingerprint(body)}" if body else f"http_{attempt.status_code}"
    if attempt.error_code == "tls":
        return f"tls:{_certificate_fault(str(detail.get('m', '')))}"
    if attempt.error_code == "timeout" and _has_begun(detail):
        return "timeout:body"
    return _PHASES.get(attempt.error_code or "", attempt.error_code or "unknown")


def fingerprint(body: bytes) -> str:
    """A digest that is the same for answers that differ only in ids, numbers and spaces."""
    plain = _SPACE.sub(b" ", _VARYING.sub(b"#", body)).strip().lower()
    return hashlib.sha256(plain).hexdigest()[:FINGERPRINT_CHARACTERS]


def reason_of(cause: str) -> str:
    """The reason that a cause refines: `http_503` of `http_503:1f0c9a2b`."""
    return cause.partition(":")[0]


def _certificate_fault(message: str) -> str:
    _, found, fault = message.partition(_CERTIFICATE)
    if not found:
        return next((key for words, key in _HANDSHAKES.items() if words in message), "handshake")
    # A name mismatch goes on with the name, which is no cause of its own.
    return re.sub(r"[^a-z0-9]+", "_", fault.partition(",")[0].lower()).strip("_")[:48] or "handshake"


def _has_begun(detail: Mapping[str, Any]) -> bool:
    """Whether the answer's first byte came: its wait was timed."""
    phases = detail.get("t", ())
    return len(phases) == 4 and phases[3] is not None

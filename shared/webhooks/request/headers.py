"""Headers of a delivery: which ones a webhook's owner may add, and how ours are set above them."""

import re
from collections.abc import Collection, Iterator, Mapping

from webhooks.errors import FieldError, InvalidHeaders
from webhooks.request.refused_headers import NAMES, PREFIXES

MAX_HEADERS = 20
MAX_BYTES = 4 * 1024  # names and values together
MASK = "********"

# RFC 9110: a name is a token; a value has no control characters and neither begins nor ends with white space.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]")
_ANEW = "needs its value anew, since the URL is of another server"
_SHOWN = 64  # characters of a wrong name that an error repeats


def check_custom_headers(headers: Mapping[str, str], *, prefix: str) -> dict[str, str]:
    """The owner's headers, unchanged, when every one of them may be sent.

    Raises `InvalidHeaders` with a path `headers.<name>` for each that may not. Names are judged without regard to case
    and punctuation, since servers read `X_Forwarded.For` as `X-Forwarded-For`. `prefix` is that of our own headers.
    Values are secrets: no error repeats one.
    """
    if len(headers) > MAX_HEADERS:
        raise _invalid("headers", f"at most {MAX_HEADERS} headers")
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_BYTES:
        raise _invalid("headers", f"at most {MAX_BYTES:,} bytes in all")
    errors = [FieldError(f"headers.{name[:_SHOWN]}", message) for name, message in _faults(headers, _canonical(prefix))]
    if errors:
        raise InvalidHeaders(f"{errors[0].field}: {errors[0].message}", errors)
    return dict(headers)


def delivery_headers(
    custom: Mapping[str, str],
    signature: Mapping[str, str],
    *,
    prefix: str,
    user_agent: str,
    event_id: str,
    event_type: str,
    webhook_id: str,
    delivery_id: str,
    attempt: int,
    trace: str = "",
) -> dict[str, str]:
    """Every header that we set on a delivery: the owner's, and above them ours, which win in any spelling of case.

    `trace` is the traceparent that the event came with, if any.
    """
    ours = {
        "Content-Type": "application/json",
        "User-Agent": user_agent,
        f"{prefix}-Event-ID": event_id,
        f"{prefix}-Event-Type": event_type,
        f"{prefix}-Webhook-ID": webhook_id,
        f"{prefix}-Delivery-ID": delivery_id,
        f"{prefix}-Attempt": str(attempt),
        hop_header(prefix): "1",
        **signature,
    }
    if trace:
        ours["traceparent"] = trace
    if not custom:
        return ours
    taken = {name.lower() for name in ours}
    return {name: value for name, value in custom.items() if name.lower() not in taken} | ours


def hop_header(prefix: str) -> str:
    """The name of the header that every delivery carries and no request to our API may: it ends loops."""
    return f"{prefix}-Hop"


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as the API shows them: names alone, since values may be credentials."""
    return dict.fromkeys(headers, MASK)


def unmask(new: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """`new` with the stored value wherever it still has the mask; names compare without regard to case.

    Raises `InvalidHeaders` for a mask that hides nothing.
    """
    values = {name.lower(): value for name, value in stored.items()}
    for name in masks(new):
        if name.lower() not in values:
            raise _invalid(f"headers.{name[:_SHOWN]}", "is masked, but no value of it is stored")
    return {name: values[name.lower()] if value == MASK else value for name, value in new.items()}


def masks(headers: Mapping[str, str]) -> list[str]:
    """The names that still have the mask."""
    return [name for name, value in headers.items() if value == MASK]


def check_given_anew(new: Mapping[str, str] | None, stored: Collection[str]) -> None:
    """For a webhook that moves to another server: its owner's secrets were meant for the present one.

    `new` are the headers that come with the change, None without any; `stored` the names that have values now. Raises
    `InvalidHeaders` where one would go along.
    """
    if new is None and stored:
        names = ", ".join(stored)
        raise _invalid("headers", f"must be given anew with a URL of another server, or as {{}}; kept are {names}")
    errors = [FieldError(f"headers.{name[:_SHOWN]}", _ANEW) for name in masks(new or {})]
    if errors:
        raise InvalidHeaders(f"{errors[0].field}: {errors[0].message}", errors)


def _faults(headers: Mapping[str, str], prefix: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            yield name, "a name consists of letters, digits and any of !#$%&'*+-.^_`|~"
        elif _is_refused(_canonical(name), prefix):
            yield name, "is set by this service or by the connection"
        elif name.lower() in seen:
            yield name, "appears twice"
        elif not _VALUE.fullmatch(value):
            yield name, "a value consists of visible ASCII characters, with spaces or tabs only between them"
        seen.add(name.lower())


def _is_refused(name: str, prefix: str) -> bool:
    return name in NAMES or name == prefix or name.startswith((*PREFIXES, f"{prefix}-"))


def _canonical(name: str) -> str:
    """The form in which CGI-like servers compare names: they turn punctuation into one character."""
    return _NOT_ALPHANUMERIC.sub("-", name.lower())


def _invalid(field: str, message: str) -> InvalidHeaders:
    return InvalidHeaders(f"{field}: {message}", [FieldError(field, message)])

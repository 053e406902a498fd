"""How a host may be written: names as A-labels, and every spelling that some resolver takes for an IPv4 address."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from urllib.parse import urlsplit

import idna

from webhooks.errors import RefusedDestination

_MAX_NAME_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Names that mean something inside a network or a machine and nothing on the internet (RFC 6761, 6762, 8375, ICANN).
_INTERNAL_SUFFIXES = frozenset(
    {
        "localhost",
        "localdomain",
        "local",
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "arpa",
        "svc",
        "consul",
        "test",
        "invalid",
        "onion",
        "alt",
    }
)


def is_internal(host: str) -> bool:
    """Whether a name means something only inside a machine or a network: a single label, or a reserved ending."""
    labels = host.split(".")
    return len(labels) == 1 or labels[-1] in _INTERNAL_SUFFIXES


def ends_in_number(name: str) -> bool:
    """Whether parsers take the name for an IPv4 address (WHATWG: its last label is a number)."""
    return _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]) is not None


def mapped(text: str) -> str:
    """Lower case and compatibility forms as browsers map them (UTS 46), so that ⓛocalhost is judged as localhost."""
    if text.isascii():
        return text.lower()
    if len(text) > _MAX_NAME_LENGTH:
        raise RefusedDestination("host", f"the host is longer than {_MAX_NAME_LENGTH} characters")
    try:
        return idna.uts46_remap(text, std3_rules=False, transitional=False)
    except idna.IDNAError as exc:
        raise RefusedDestination("host", "the host holds characters that no host name may have") from exc


def a_label(label: str) -> str:
    """One label in the form that DNS and TLS use. Raises RefusedDestination (host) for a label that is not valid."""
    if not label.isascii() or label.startswith("xn--"):
        try:
            label = idna.alabel(label).decode("ascii")
        except (idna.IDNAError, UnicodeError) as exc:
            raise RefusedDestination("host", "a part of the host is not valid as an international name (IDNA)") from exc
    if not _LABEL.fullmatch(label):
        raise RefusedDestination(
            "host", "each part of the host has 1 to 63 letters, digits or hyphens, with no hyphen at either end"
        )
    return label


@lru_cache(maxsize=4096)
def host_of(url: str) -> str:
    """The host of a webhook's URL, the same for all ways to write it. Empty for what nobody may send to anyway."""
    try:
        name = mapped(urlsplit(url).hostname or "").removesuffix(".")
        return str(ip_address(name)) if ":" in name else ".".join(map(a_label, name.split(".")))
    except (ValueError, RefusedDestination):
        return ""


def ipv4_number(name: str) -> IPv4Address | None:
    """Every spelling that some resolver takes for an IPv4 address (WHATWG, inet_aton): 127.1, 0x7f.1, 0177.0.0.1."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_NUMERIC_LABEL.fullmatch(part) for part in parts):
        return None
    numbers = [_number(part) for part in parts]
    *heads, tail = numbers
    if tail is None:
        return None
    value = 0
    for head in heads:
        if head is None or head > 255:
            return None
        value = value << 8 | head
    tail_bits = 8 * (4 - len(heads))
    if tail >= 1 << tail_bits:
        return None
    return IPv4Address(value << tail_bits | tail)


def _number(part: str) -> int | None:
    if len(part) > 32:
        return None
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    if len(part) > 1 and part.startswith("0"):
        return int(part, 8) if set(part) <= set("01234567") else None
    return int(part)

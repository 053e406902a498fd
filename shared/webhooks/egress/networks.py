"""Which IP addresses are not public, and of what kind they are.

Written out from the IANA special-purpose registries (IPv4, IPv6; 2025-10) because `ipaddress.is_global` answers True
for multicast, NAT64, IPv4-compatible, SRv6 and other addresses that lead inside. IPv6 is allowed only in 2000::/3, the
one block that is delegated to networks, less its own specials.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_IPV4_SPECIAL = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared (carrier-grade NAT)"),  # also a cloud's metadata at 100.100.100.200
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "cloud platform"),  # Azure's wire server, inside public space
    ("169.254.0.0/16", "link-local"),  # metadata and credentials of every cloud
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "reserved"),  # AS112
    ("192.52.193.0/24", "reserved"),  # AMT
    ("192.88.99.0/24", "transition"),  # 6to4 relays
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),  # AS112
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),  # broadcast too
)

_IPV6_PUBLIC = "2000::/3"

_IPV6_SPECIAL = (
    ("2001::/32", "transition"),  # Teredo
    ("2001::/23", "reserved"),  # IETF protocol assignments: benchmarking, ORCHID, AMT, AS112, DET
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "transition"),  # 6to4
    ("2620:4f:8000::/48", "reserved"),  # AS112
    ("3ffe::/16", "reserved"),  # 6bone, given back
    ("3fff::/20", "documentation"),
)

# Outside 2000::/3 all is refused; these only give the refusal a better word.
_IPV6_KINDS = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "transition"),  # IPv4-compatible
    ("::ffff:0:0:0/96", "transition"),  # IPv4-translated
    ("64:ff9b::/96", "transition"),  # NAT64
    ("64:ff9b:1::/48", "transition"),  # NAT64, local use
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
)

# The interface part of an ISATAP address (RFC 5214): an IPv4 address behind a tunnel.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def _table4() -> tuple[tuple[int, int, str], ...]:
    networks = ((IPv4Network(text), kind) for text, kind in _IPV4_SPECIAL)
    return tuple((int(network.netmask), int(network.network_address), kind) for network, kind in networks)


def _table6(rows: tuple[tuple[str, str], ...]) -> tuple[tuple[int, int, str], ...]:
    networks = ((IPv6Network(text), kind) for text, kind in rows)
    return tuple((int(network.netmask), int(network.network_address), kind) for network, kind in networks)


_SPECIAL4 = _table4()
_SPECIAL6 = _table6(_IPV6_SPECIAL)
_KINDS6 = _table6(_IPV6_KINDS)
_PUBLIC6 = _table6(((_IPV6_PUBLIC, "public"),))


def _kind_in(table: tuple[tuple[int, int, str], ...], value: int) -> str | None:
    for mask, network, kind in table:
        if value & mask == network:
            return kind
    return None


def refused_kind(address: IPv4Address | IPv6Address) -> str | None:
    """The kind of a non-public address ("loopback", "private", ...), or None for a public one.

    IPv4-mapped IPv6 is not unwrapped here: see `unwrap`.
    """
    value = int(address)
    if isinstance(address, IPv4Address):
        return _kind_in(_SPECIAL4, value)
    if _kind_in(_PUBLIC6, value) is None:
        return _kind_in(_KINDS6, value) or "reserved"
    if (value >> 32) & 0xFFFFFFFF in _ISATAP:
        return "transition"
    return _kind_in(_SPECIAL6, value)


def unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv4-mapped one (::ffff:a.b.c.d); sockets reach the same peer by either."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def embedded_ipv4(address: IPv6Address, prefix: IPv6Network) -> IPv4Address:
    """The IPv4 address that a DNS64 put behind `prefix` (RFC 6052 section 2.2; lengths 32, 40, 48, 56, 64, 96)."""
    raw = address.packed
    start = prefix.prefixlen // 8
    if prefix.prefixlen == 96:
        return IPv4Address(raw[12:])
    # Octet 8 (bits 64 to 71) is reserved and holds no part of the address.
    octets = [raw[index] for index in range(start, 16) if index != 8]
    return IPv4Address(bytes(octets[:4]))

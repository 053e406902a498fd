"""Where deliveries may go: the URL as written, and the addresses its name resolves to.

Pure: resolving and connecting are the transport's. A URL is judged when a webhook is registered and again at every
attempt; addresses are judged at every attempt, all of them, right before one of them is dialled. The verdict on an
address is never cached, since whoever owns the name can change it (DNS rebinding).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self
from urllib.parse import quote

from webhooks.egress.hosts import a_label, ends_in_number, ipv4_number, is_internal, mapped
from webhooks.egress.networks import embedded_ipv4, refused_kind, unwrap
from webhooks.errors import RefusedDestination
from webhooks.settings import EgressSettings

MAX_URL_LENGTH = 2048
MAX_ANSWERS = 16

_DEFAULT_PORTS = {"https": 443, "http": 80}
_PUBLIC_ONLY = "deliveries go to public internet addresses only"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_FORBIDDEN_CHARS = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]|\s")
_PATH_SAFE = "/:@!$&'()*+,;=-._~%"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class PortSet:
    """A set of TCP ports, kept as inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "443,8443", "1024-65535" or "*". Raises ValueError for anything else."""
        if text.strip() == "*":
            return cls(((1, 65535),))
        ranges: list[tuple[int, int]] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            low, _, high = part.partition("-")
            bounds = int(low), int(high or low)
            if not 1 <= bounds[0] <= bounds[1] <= 65535:
                raise ValueError(f"{part!r} is not a port or a range of ports")
            ranges.append(bounds)
        if not ranges:
            raise ValueError("no port is allowed: name at least one")
        return cls(tuple(ranges))

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and any(low <= port <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What this deployment allows.

    `allowed_networks` are explicit exceptions for receivers inside (the local stack's loopback): with any of them
    internal names are looked up too, and their addresses decide. `dns64_prefixes` are the networks in which this VPC's
    resolver wraps IPv4 addresses; the wrapped address is judged. `own_hosts` are our own domains: a webhook to them
    would call itself for ever.
    """

    allowed_ports: PortSet = field(default_factory=lambda: PortSet.parse("443,8443"))
    allow_http: bool = False
    allowed_networks: tuple[_Network, ...] = ()
    dns64_prefixes: tuple[IPv6Network, ...] = ()
    own_hosts: frozenset[str] = frozenset()

    @classmethod
    def from_settings(cls, settings: EgressSettings) -> Self:
        """The policy of a deployment. Raises ValueError for a setting that cannot be read."""
        return cls.from_texts(
            ports=settings.egress_ports,
            allow_http=settings.egress_allow_http,
            networks=settings.egress_allowed_networks,
            own_hosts=settings.own_hosts,
            dns64_prefixes=settings.egress_dns64_prefixes,
        )

    @classmethod
    def from_texts(
        cls,
        *,
        ports: str = "443,8443",
        allow_http: bool = False,
        networks: Iterable[str] = (),
        own_hosts: Iterable[str] = (),
        dns64_prefixes: Iterable[str] = (),
    ) -> Self:
        """The policy from texts of the environment. Raises ValueError for one that cannot be read."""
        prefixes = tuple(IPv6Network(text) for text in dns64_prefixes)
        if any(prefix.prefixlen not in {32, 40, 48, 56, 64, 96} for prefix in prefixes):
            raise ValueError("a DNS64 prefix is 32, 40, 48, 56, 64 or 96 bits long (RFC 6052)")
        return cls(
            allowed_ports=PortSet.parse(ports),
            allow_http=allow_http,
            allowed_networks=tuple(ip_network(text) for text in networks),
            dns64_prefixes=prefixes,
            own_hosts=frozenset(host.strip().rstrip(".").lower() for host in own_hosts if host.strip()),
        )


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that may be requested. `url` is exactly what is put on the wire; IPv6 hosts are without brackets."""

    scheme: str
    host: str
    port: int
    url: str
    is_literal: bool

    @property
    def server(self) -> tuple[str, str, int]:
        """Who is talked to: two URLs with the same one differ in path and query alone."""
        return self.scheme, self.host, self.port


def check_url(url: str, policy: EgressPolicy) -> Destination:
    """Judge a URL as written, without looking anything up.

    Raises RefusedDestination with code scheme, host, port, userinfo, chars, ip, name or loop. The host comes back as
    its A-label or as the canonical address literal; every other spelling of an address is refused.
    """
    if len(url) > MAX_URL_LENGTH:
        raise RefusedDestination("chars", f"the URL is longer than {MAX_URL_LENGTH} characters")
    if _FORBIDDEN_CHARS.search(url):
        raise RefusedDestination("chars", "the URL holds a space, a control character or a backslash")
    scheme, authority, path = _split(url, policy)
    if "@" in authority:
        raise RefusedDestination(
            "userinfo", "the URL holds a user name or password: put credentials into a header of the webhook instead"
        )
    host_text, port = _split_port(authority, _DEFAULT_PORTS[scheme])
    host, is_literal = _canonical_host(host_text, policy)
    if port not in policy.allowed_ports:
        raise RefusedDestination("port", f"port {port} is not allowed; allowed: {policy.allowed_ports}")
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    normal = f"{scheme}://{shown_host}{shown_port}{_normal_path(path)}"
    if len(normal) > 2 * MAX_URL_LENGTH:
        raise RefusedDestination("chars", "the URL is too long once it is percent-encoded")
    return Destination(scheme, host, port, normal, is_literal)


def check_addresses(host: str, answers: Sequence[str], policy: EgressPolicy) -> tuple[str, ...]:
    """Judge every address that `host` resolved to; return the ones to dial, in order and without repeats.

    One address that is not public refuses all of them (code ip), because the client chooses which to dial.
    Code dns for no answer, more than 16, or an answer that is not an address. The message never says what the name
    resolved to; `detail` does.
    """
    if not 0 < len(answers) <= MAX_ANSWERS:
        raise RefusedDestination(
            "dns",
            f"{host} has no address, or more than {MAX_ANSWERS}",
            f"{host}: {len(answers)} answers",
        )
    judged: dict[str, None] = {}
    for answer in answers:
        try:
            address = unwrap(ip_address(answer))
        except ValueError as exc:
            raise RefusedDestination(
                "dns", f"the addresses of {host} cannot be read", f"{host}: {answer!r} is not an address"
            ) from exc
        kind = _refused(address, policy)
        if kind is not None:
            raise RefusedDestination(
                "ip",
                f"{host} does not have public addresses alone; {_PUBLIC_ONLY} "
                "(not loopback, private, link-local, multicast or reserved ones)",
                f"{host}: {answer} is {kind}; all answers: {', '.join(answers)}",
            )
        judged[str(address)] = None
    return tuple(judged)


def _split(url: str, policy: EgressPolicy) -> tuple[str, str, str]:
    match = _SCHEME.fullmatch(url)
    scheme = match.group(1).lower() if match else ""
    if match is None or (scheme != "https" and not (scheme == "http" and policy.allow_http)):
        allowed = "https:// or http://" if policy.allow_http else "https://"
        raise RefusedDestination("scheme", f"the URL must start with {allowed}")
    rest = match.group(2)
    if not rest.startswith("//"):
        raise RefusedDestination("host", "the URL has no host: two slashes must follow the scheme")
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    path = rest[2 + len(authority) :]
    if "#" in path:
        raise RefusedDestination("chars", "the URL holds a fragment (#), which is never sent")
    return scheme, authority, path


def _split_port(authority: str, default: int) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        host += bracket
        if not bracket or (rest and not rest.startswith(":")):
            raise RefusedDestination("host", "the brackets around the host's IPv6 address are wrong")
        port = rest[1:]
    else:
        host, _, port = authority.partition(":")
        if ":" in port:
            raise RefusedDestination("host", "the host holds more than one colon")
    if not port:
        return host, default
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise RefusedDestination("port", "the port must be a number from 1 to 65535")
    return host, int(port)


def _normal_path(path: str) -> str:
    path = path.removesuffix("?") or "/"
    if path.startswith("?"):
        path = "/" + path
    before, mark, query = path.partition("?")
    encoded = quote(before, safe=_PATH_SAFE) + mark + quote(query, safe=_PATH_SAFE + "?")
    return _STRAY_PERCENT.sub("%25", encoded)


def _canonical_host(text: str, policy: EgressPolicy) -> tuple[str, bool]:
    """The host to request and whether it is an address literal."""
    if not text:
        raise RefusedDestination("host", "the URL has no host")
    if text.startswith("["):
        return _ipv6_literal(text[1:-1], policy), True
    if "%" in text:
        raise RefusedDestination("host", "the host must not be percent-encoded")
    name = mapped(text).removesuffix(".")
    if ends_in_number(name):
        return _ipv4_literal(text, name, policy), True
    host = ".".join(a_label(label) for label in name.split("."))
    if len(host) > 253:
        raise RefusedDestination("host", "the host is longer than 253 characters")
    _check_name(host, policy)
    return host, False


def _check_name(host: str, policy: EgressPolicy) -> None:
    if is_internal(host) and not policy.allowed_networks:
        raise RefusedDestination("name", f"{host} is a name of an internal network; {_PUBLIC_ONLY}")
    labels = host.split(".")
    if policy.own_hosts and any(".".join(labels[index:]) in policy.own_hosts for index in range(len(labels))):
        raise RefusedDestination("loop", f"{host} belongs to this service: a webhook to it would call itself for ever")


def _ipv6_literal(text: str, policy: EgressPolicy) -> str:
    try:
        address = IPv6Address(text.partition("%")[0])
    except AddressValueError as exc:
        raise RefusedDestination("host", "the host in brackets is not an IPv6 address") from exc
    canonical = _judged_literal(address, policy)
    if "%" in text:
        raise RefusedDestination("host", "the host's IPv6 address must not have a zone")
    return canonical


def _ipv4_literal(text: str, name: str, policy: EgressPolicy) -> str:
    address = ipv4_number(name)
    if address is None:
        raise RefusedDestination("host", "the host ends in a number but is not an IPv4 address")
    canonical = _judged_literal(address, policy)
    if text != canonical:
        raise RefusedDestination("host", f"write the host's address as {canonical}")
    return canonical


def _judged_literal(address: _Address, policy: EgressPolicy) -> str:
    address = unwrap(address)
    kind = _refused(address, policy)
    if kind is not None:
        article = "an" if kind[0] in "aeiou" else "a"
        raise RefusedDestination("ip", f"{address} is {article} {kind} address; {_PUBLIC_ONLY}")
    return str(address)


def _refused(address: _Address, policy: EgressPolicy) -> str | None:
    if any(address in network for network in policy.allowed_networks):
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return "link-local"
        for prefix in policy.dns64_prefixes:
            if address in prefix:
                return refused_kind(embedded_ipv4(address, prefix))
    return refused_kind(address)

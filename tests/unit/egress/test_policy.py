"""Every destination of the case list, every spelling we can generate, and the rules that the list does not name."""

import csv
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from tests.conftest import Figure
from webhooks.egress.policy import EgressPolicy, PortSet, check_addresses, check_url
from webhooks.errors import RefusedDestination

POLICY = EgressPolicy.from_texts(own_hosts=["abc123.execute-api.us-east-1.amazonaws.com"])
LOCAL = EgressPolicy.from_texts(ports="*", allow_http=True, networks=["127.0.0.0/8", "::1/128"])

# Judged over real sockets, with a resolver that changes its mind or a receiver that redirects: see test_transport.py.
OVER_SOCKETS = {"S152", "S153", "S154", "S155", "S156"}


def cases() -> list[dict[str, str]]:
    path = Path(__file__).parents[2] / "data" / "ssrf_cases.tsv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [row for row in rows if row["id"] not in OVER_SOCKETS]


def verdict(url: str, answers: list[str], policy: EgressPolicy = POLICY) -> str:
    try:
        destination = check_url(url, policy)
        if not destination.is_literal:
            check_addresses(destination.host, answers, policy)
    except RefusedDestination as refused:
        return refused.code
    return "ok"


@pytest.mark.parametrize("row", cases(), ids=lambda row: row["id"])
def test_every_listed_destination_gets_its_verdict(row: dict[str, str]) -> None:
    for url in {row["url"], row["url"].replace(r"\r", "\r").replace(r"\n", "\n").replace(r"\t", "\t")}:
        if row["phase"] == "create":
            with pytest.raises(RefusedDestination) as refused:
                check_url(url, POLICY)
            assert refused.value.code == row["code"]
        else:
            assert verdict(url, row["dns"].split(",")) == row["code"]


def test_the_list_is_all_there(figure: Figure) -> None:
    listed = {row["id"] for row in cases()} | OVER_SOCKETS
    assert len(listed) == len(cases()) + len(OVER_SOCKETS) >= 100
    figure(f"egress: {len(listed)} listed destinations, {len(OVER_SOCKETS)} of them over sockets: 0 wrong verdicts")


@pytest.mark.parametrize(
    ("url", "normal", "host", "port"),
    [
        ("HTTPS://Good.Example", "https://good.example/", "good.example", 443),
        ("https://good.example.:443/a?b=c", "https://good.example/a?b=c", "good.example", 443),
        ("https://good.example:8443?x", "https://good.example:8443/?x", "good.example", 8443),
        ("https://bücher.example/ü|%7e%zz", "https://xn--bcher-kva.example/%C3%BC%7C%7e%25zz", None, 443),
        ("https://gооd.example/", "https://xn--gd-fmca.example/", "xn--gd-fmca.example", 443),  # noqa: RUF001
        ("https://[2606:2800:0220:0001::1]:8443/", "https://[2606:2800:220:1::1]:8443/", "2606:2800:220:1::1", 8443),
        ("https://[::ffff:8.8.8.8]/", "https://8.8.8.8/", "8.8.8.8", 443),
        ("https://good.example/a/../b//c?", "https://good.example/a/../b//c", "good.example", 443),
        ("https://good.example:/", "https://good.example/", "good.example", 443),
    ],
)
def test_the_url_comes_back_as_it_goes_on_the_wire(url: str, normal: str, host: str | None, port: int) -> None:
    destination = check_url(url, POLICY)
    assert destination.url == normal
    assert destination.port == port
    assert destination.host == (host or URL(normal).raw_host)
    assert check_url(normal, POLICY) == destination, "normalising twice changes nothing"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "scheme"),
        ("good.example/hook", "scheme"),
        ("//good.example/", "scheme"),
        ("http://good.example/", "scheme"),
        ("https:/good.example/", "host"),
        ("https://good.example\\@127.0.0.1/", "chars"),
        ("https://good.example#@127.0.0.1/", "chars"),
        ("https://good.example/\u2028", "chars"),
        ("https://good.example/\ud800", "chars"),
        ("https://good.example/\x85", "chars"),
        ("https://good.example/" + "a" * 2048, "chars"),
        ("https://good.example/" + "ü" * 2000, "chars"),
        ("https://@good.example/", "userinfo"),
        ("https://good.example%00.evil.example/", "host"),
        ("https://good.example:65536/", "port"),
        ("https://good.example:https/", "port"),
        ("https://good.example:-443/", "port"),
        ("https://good.example:４４３/", "port"),  # noqa: RUF001
        ("https://good.example:80/", "port"),
        ("https://[::1/", "host"),
        ("https://[::1]x/", "host"),
        ("https://[]/", "host"),
        ("https://[v1.fe80]/", "host"),
        ("https://[fe80::1%25eth0]/", "ip"),
        ("https://[2606:2800::1%25eth0]/", "host"),
        ("https://134744072/", "host"),  # 8.8.8.8, but nobody writes it so
        ("https://8.8.8.8./", "host"),
        ("https://０x7f.1/", "ip"),  # noqa: RUF001
        ("https://1.2.3.4.5/", "host"),
        ("https://256.1.1.1/", "host"),
        ("https://127.0.0.256/", "host"),  # digits that are no address are no name either
        ("https://4294967296/", "host"),
        ("https://127.0.0.08/", "host"),
        (f"https://{'0' * 33}/", "host"),
        ("https://good.08/", "host"),
        ("https://127.0.0.1../", "host"),
        ("https://bad-.example/", "host"),
        ("https://under_score.example/", "host"),
        ("https://xn--a.example/", "host"),
        ("https://xn--zzzzzz-.example/", "host"),
        ("https://a＠b.example/", "host"),  # noqa: RUF001
        ("https://a／b.example/", "host"),  # noqa: RUF001
        ("https://" + "ü" * 300 + ".example/", "host"),
        ("https://168.63.129.16/", "ip"),
        ("https://localh\u00adost/", "name"),
        ("https://metadata.google.internal/", "name"),
        ("https://kubernetes.default.svc/", "name"),
        ("https://printer.home.arpa/", "name"),
        ("https://x.abc123.execute-api.us-east-1.amazonaws.com/", "loop"),
        ("https://ABC123.Execute-API.us-east-1.amazonaws.com./", "loop"),
    ],
)
def test_a_url_that_is_not_plain_is_refused(url: str, code: str) -> None:
    with pytest.raises(RefusedDestination) as refused:
        check_url(url, POLICY)
    assert refused.value.code == code
    assert refused.value.field_errors[0].field == "url"


def spellings(address: IPv4Address, random: Random) -> list[str]:
    a, b, c, d = address.packed
    whole = int(address)
    octets = [random.choice((str, hex, lambda n: f"0{n:o}", lambda n: f"0x{n:04X}"))(n) for n in (a, b, c, d)]
    wide = str.maketrans("0123456789", "０１２３４５６７８９")  # noqa: RUF001
    return [
        str(address),
        f"{address}.",
        str(whole),
        hex(whole),
        f"0{whole:o}",
        f"{a}.{whole & 0xFFFFFF}",
        f"{a}.{b}.{c << 8 | d}",
        ".".join(octets),
        str(address).translate(wide),
        str(address).replace(".", "。"),
        f"[::ffff:{address}]",
        f"[::ffff:{a << 8 | b:x}:{c << 8 | d:x}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[64:ff9b:1::{address}]",
        f"[::ffff:0:{address}]",
        f"[2002:{a << 8 | b:x}:{c << 8 | d:x}::1]",
        f"[2001:0:{a << 8 | b:x}:{c << 8 | d:x}::1]",
        f"[2606:2800::5efe:{address}]",
        f"[2606:2800::200:5efe:{address}]",
    ]


def test_no_generated_spelling_of_an_address_that_is_not_public_gets_through(figure: Figure) -> None:
    random = Random(4)
    networks = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
    networks += ["224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8", "198.18.0.0/15", "192.0.0.0/24", "203.0.113.0/24"]
    tried = 0
    while tried < 10_000:
        start, bits = random.choice(networks).split("/")
        address = ip_address(int(IPv4Address(start)) + random.getrandbits(32 - int(bits)))
        assert isinstance(address, IPv4Address)
        for spelling in spellings(address, random):
            assert verdict(f"https://{spelling}/", []) == "ip", spelling
            tried += 1
    figure(f"egress: {tried:,} spellings of addresses that are not public: 0 let through")


def test_public_addresses_from_a_hundred_prefixes_are_not_refused(figure: Figure) -> None:
    firsts = [n for n in range(1, 224) if n not in {10, 100, 127, 169, 172, 192, 198, 203}][:100]
    addresses = [f"{first}.{first % 200 + 20}.7.9" for first in firsts]
    addresses += ["172.15.255.255", "172.32.0.1", "192.0.1.1", "100.63.0.1", "100.128.0.1", "169.253.1.1", "198.20.0.1"]
    addresses += ["2600:1f18::1", "2a00:1450:4001::200e", "2001:4860:4860::8888", "2606:4700::1111", "2400:cb00::1"]
    for address in addresses:
        host = f"[{address}]" if ":" in address else address
        assert verdict(f"https://{host}/", []) == "ok", address
        assert check_addresses("good.example", [address], POLICY) == (address,)
    assert len({address.split(".")[0] if "." in address else address[:9] for address in addresses}) > 100
    figure(f"egress: {len(addresses)} public addresses of distinct prefixes: 0 refused")


@given(st.ip_addresses(v=6))
def test_ipv6_outside_the_delegated_block_is_always_refused(address: IPv6Address) -> None:
    expected = address in IPv6Network("2000::/3") or (
        address.ipv4_mapped is not None and verdict(f"https://{address.ipv4_mapped}/", []) == "ok"
    )
    if not expected:
        assert verdict("https://good.example/", [str(address)]) == "ip"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_whatever_is_accepted_names_the_same_host_to_the_client_that_requests_it(text: str) -> None:
    for url in (f"https://{text}/", f"https://good.example{text}", f"https://{text}.example/{text}"):
        try:
            destination = check_url(url, POLICY)
        except RefusedDestination:
            continue
        requested = URL(destination.url, encoded=True)
        assert (requested.raw_host, requested.port) == (destination.host, destination.port)
        assert str(requested) == destination.url
        assert destination.url.isascii()


def test_an_answer_of_another_kind_refuses_all_and_says_which_only_to_us() -> None:
    with pytest.raises(RefusedDestination) as refused:
        check_addresses("evil.example", ["93.184.216.34", "10.1.2.3"], POLICY)
    assert refused.value.code == "ip"
    assert "10.1.2.3" not in str(refused.value)
    assert "93.184" not in str(refused.value)
    assert "private" in str(refused.value)
    assert "10.1.2.3 is private" in refused.value.detail


@pytest.mark.parametrize(
    ("literal", "words"),
    [("127.0.0.1", "a loopback"), ("169.254.169.254", "a link-local"), ("10.0.0.1", "a private"), ("0.0.0.0", "an un")],
)
def test_the_owner_is_told_what_kind_of_address_a_literal_is(literal: str, words: str) -> None:
    with pytest.raises(RefusedDestination, match=words):
        check_url(f"https://{literal}/", POLICY)


@pytest.mark.parametrize("answers", [[], ["93.184.216.34"] * 17, ["nonsense"], ["127.1"]])
def test_too_many_answers_none_or_unreadable_ones_are_refused(answers: list[str]) -> None:
    with pytest.raises(RefusedDestination) as refused:
        check_addresses("good.example", answers, POLICY)
    assert refused.value.code == "dns"


def test_answers_come_back_unwrapped_in_order_and_once() -> None:
    answers = ["2606:2800:0220::1", "::ffff:93.184.216.34", "93.184.216.34", "8.8.8.8"]
    assert check_addresses("x.example", answers, POLICY) == ("2606:2800:220::1", "93.184.216.34", "8.8.8.8")


def test_an_address_with_a_zone_is_never_dialled() -> None:
    assert verdict("https://good.example/", ["fe80::1%eth0"]) == "ip"
    assert verdict("https://good.example/", ["2606:2800::1%eth0"]) == "ip"


def test_allowed_networks_let_local_receivers_in_and_nothing_else() -> None:
    assert check_url("http://127.0.0.1:9000/hook", LOCAL).port == 9000
    assert check_url("http://[::1]:9000/hook", LOCAL).host == "::1"
    assert check_url("http://localhost:9000/hook", LOCAL).host == "localhost"
    assert check_addresses("localhost", ["127.0.0.1", "::1"], LOCAL) == ("127.0.0.1", "::1")
    assert verdict("http://10.0.0.1/", [], LOCAL) == "ip"
    assert verdict("http://localhost/", ["10.0.0.1"], LOCAL) == "ip"
    assert verdict("http://169.254.169.254/", [], LOCAL) == "ip"


@pytest.mark.parametrize(
    ("prefix", "wrapped"),
    [  # RFC 6052 section 2.4
        ("2001:db8::/32", "2001:db8:{0}{1}:{2}{3}::"),
        ("2001:db8:100::/40", "2001:db8:1{0}:{1}{2}:{3}::"),
        ("2001:db8:122::/48", "2001:db8:122:{0}{1}:{2}:{3}00::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3{0}:{1}:{2}{3}::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:{0}:{1}{2}:{3}00::"),
        ("64:ff9b::/96", "64:ff9b::{0}{1}:{2}{3}"),
    ],
)
def test_behind_a_declared_dns64_the_wrapped_address_is_judged(prefix: str, wrapped: str) -> None:
    policy = EgressPolicy.from_texts(dns64_prefixes=[prefix])
    for octets, expected in (("08 08 08 08", "ok"), ("a9 fe a9 fe", "ip"), ("0a 00 00 01", "ip")):
        address = str(IPv6Address(wrapped.format(*octets.split())))
        assert verdict("https://good.example/", [address], policy) == expected
        assert verdict("https://good.example/", [address], POLICY) == "ip"


def test_several_dns64_prefixes_are_each_read_by_their_own_length() -> None:
    policy = EgressPolicy.from_texts(dns64_prefixes=["2001:db8::/32", "64:ff9b::/96"])
    for address, expected in (("64:ff9b::0808:0808", "ok"), ("64:ff9b::0a00:0001", "ip"), ("2606:4700::1", "ok")):
        assert verdict("https://good.example/", [address], policy) == expected


def test_ports_are_read_as_lists_ranges_and_all() -> None:
    assert 443 in PortSet.parse("443,8443")
    assert 444 not in PortSet.parse("443, 8443")
    assert 5000 in PortSet.parse("443,4000-6000")
    assert 1 in PortSet.parse("*")
    assert 65535 in PortSet.parse("1-65535")
    assert str(PortSet.parse("443,4000-6000")) == "443, 4000 to 6000"
    for wrong in ("", "https", "0", "70000", "9-1", ","):
        with pytest.raises(ValueError, match=r"port|invalid literal"):
            PortSet.parse(wrong)


def test_settings_that_cannot_be_read_stop_the_start() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        EgressPolicy.from_texts(networks=["loopback"])
    with pytest.raises(ValueError, match="RFC 6052"):
        EgressPolicy.from_texts(dns64_prefixes=["64:ff9b::/90"])

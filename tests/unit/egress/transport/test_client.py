"""The transport over real sockets: what it sends, whom it refuses, and how it ends when a receiver misbehaves."""

import asyncio
import datetime
import gc
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.receiver import (
    Behaviour,
    Receiver,
    answer,
    close_without_answer,
    drip_body,
    drip_head,
    endless_body,
    endless_head,
    huge_header,
    informational_flood,
    invalid_http,
    never_answer,
    redirect,
    reset,
)
from webhooks.delivery.classification import classify
from webhooks.egress.policy import EgressPolicy
from webhooks.egress.transport import HttpTransport
from webhooks.egress.transport.failures import NO_CONNECTION, UNREACHABLE
from webhooks.egress.transport.pinned import MAX_WIRE_BYTES, BoundedHandler, UnjudgedPeer
from webhooks.models.exchange import Exchange, HttpRequest, Timings

# 127.0.0.2 and 127.0.0.3 stand for the public internet, 127.0.0.1 for what is inside.
PUBLIC = "127.0.0.2"
ALSO_PUBLIC = "127.0.0.3"
INSIDE = "127.0.0.1"
SLACK_SECONDS = 2.0  # of a busy machine; tests/security/test_hostile_receivers.py measures how exact deadlines are
BOMB = gzip.compress(b"\0" * 3_000_000)


class FakeResolver:
    """Answers from a script, one entry a lookup, the last one again and again."""

    def __init__(self, *answers: Sequence[str] | OSError, delay_seconds: float = 0.0) -> None:
        self.answers = list(answers)
        self.delay_seconds = delay_seconds
        self.lookups: list[str] = []

    async def resolve(self, host: str, port: int, owner: str) -> Sequence[str]:
        self.lookups.append(host)
        await asyncio.sleep(self.delay_seconds)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, OSError):
            raise found
        return found

    def close(self) -> None:
        pass


def policy(*networks: str, **settings: Any) -> EgressPolicy:
    return EgressPolicy.from_texts(ports="*", allow_http=True, networks=networks or (PUBLIC, ALSO_PUBLIC), **settings)  # type: ignore[arg-type]


def request(
    url: str, *, timeout: float = 5.0, body: bytes = b'{"a": 1}', headers: Mapping[str, str] | None = None
) -> HttpRequest:
    return HttpRequest(url, {"Content-Type": "application/json", **(headers or {})}, body, timeout)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(host=PUBLIC) as running:
        yield running


@pytest.fixture
def inside() -> Iterator[Receiver]:
    with Receiver(host=INSIDE) as running:
        yield running


Make = Callable[..., HttpTransport]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[HttpTransport] = []

    def build(*answers: Sequence[str] | OSError, tls: ssl.SSLContext | None = None, **settings: Any) -> HttpTransport:
        resolver = FakeResolver(*(answers or ([PUBLIC],)))
        made.append(HttpTransport(policy(**settings), resolver=resolver, tls=tls))
        return made[-1]

    yield build
    for transport in made:
        await transport.aclose()


def lookups(transport: HttpTransport) -> list[str]:
    resolver = transport._resolver
    assert isinstance(resolver, FakeResolver)
    return resolver.lookups


# What is sent and what comes back


@pytest.mark.parametrize(("count", "length"), [(30, 1), (60, 200), (1, 4_096), (200, 1)])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_seen_behind_more_headers_than_are_kept(
    receiver: Receiver, make: Make, status: int, count: int, length: int
) -> None:
    filler = [(f"X-{number}", "x" * length) for number in range(count)]
    receiver.script("/hook", answer(status, headers=[*filler, ("Retry-After", "120")]))
    exchange = await make().send(request(receiver.url("/hook", "x.example")))
    assert (exchange.status_code, exchange.retry_after) == (status, "120")
    assert "Retry-After" not in dict(exchange.response_headers)


async def test_a_retry_after_that_comes_twice_is_a_list(receiver: Receiver, make: Make) -> None:
    receiver.script("/hook", answer(503, headers=[("Retry-After", "60"), ("retry-after", "90")]))
    assert (await make().send(request(receiver.url("/hook")))).retry_after == "60, 90"


async def test_the_exact_bytes_and_header_names_arrive(receiver: Receiver, make: Make) -> None:
    body = '{"name": "p\u00e4\ufffe", "n": 1.0}\n'.encode()
    sent = request(receiver.url("/hook?a=%7e&b=|", "x.example"), body=body, headers={"X-PyAirtable-Event-ID": "evt_1"})
    exchange = await make().send(sent)
    assert (exchange.status_code, exchange.response_body, exchange.error_code) == (200, b"ok", None)
    (got,) = receiver.requests("/hook")
    assert (got.method, got.target, got.body) == ("POST", "/hook?a=%7e&b=%7C", body)
    assert dict(got.headers) == {
        "Host": f"x.example:{receiver.port}",
        "Content-Type": "application/json",
        "X-PyAirtable-Event-ID": "evt_1",
        "Accept-Encoding": "identity",
        "Accept": "*/*",
        "Content-Length": str(len(body)),
    }


async def test_times_are_measured_by_phase(receiver: Receiver, make: Make) -> None:
    receiver.script("/slow", answer(delay_seconds=0.1))
    transport = make()
    first, second = [await transport.send(request(receiver.url("/slow", "x.example"))) for _ in range(2)]
    assert first.timings.dns_ms is not None
    assert first.timings.connect_ms is not None
    assert second.timings.connect_ms is None, "the connection was kept"
    assert all(100 <= (one.timings.wait_ms or 0) <= one.duration_ms for one in (first, second))
    assert abs(first.started_at_ms - receiver.requests("/slow")[0].arrived_at * 1000) < 5_000, "wall-clock time"
    assert (await transport.send(request(receiver.url("/slow")))).timings.dns_ms is None, "a literal has no lookup"


async def test_an_answer_is_kept_as_received_and_in_bounds(receiver: Receiver, make: Make) -> None:
    receiver.script("/gzip", answer(body=BOMB, headers=[("Content-Encoding", "gzip")]))
    receiver.script("/long", answer(500, b"y" * 60_000))
    receiver.script("/many", answer(headers=[(f"X-{n}", "v") for n in range(60)]))
    receiver.script("/wide", answer(headers=[(f"X-{n}", "v" * 900) for n in range(9)]))
    receiver.script("/bytes", answer(headers=[("X-Odd", "\xff")]))
    transport = make()

    async def get(path: str) -> Exchange:
        return await transport.send(request(receiver.url(path)))

    assert (await get("/gzip")).response_body == BOMB[:4096]
    long = await get("/long")
    assert (long.status_code, long.response_body) == (500, b"y" * 4096)
    assert len((await get("/many")).response_headers) == 30
    wide = (await get("/wide")).response_headers
    assert 0 < sum(len(name) + len(value) for name, value in wide) <= 4096
    assert dict((await get("/bytes")).response_headers)["X-Odd"].encode("utf-8")


async def test_nothing_of_the_environment_changes_a_request(
    receiver: Receiver, inside: Receiver, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {PUBLIC} login me password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, inside.url())
    receiver.script("/a", answer(headers=[("Set-Cookie", "s=1"), ("Alt-Svc", f'h2="{INSIDE}:{inside.port}"; ma=999')]))
    transport = make()
    for _ in range(2):
        await transport.send(request(receiver.url("/a")))
    assert inside.connections == 0
    assert all(got.header("Authorization") is None for got in receiver.requests("/a"))
    assert all(got.header("Cookie") is None for got in receiver.requests("/a"))


# Whom we talk to


async def test_s152_a_flipping_resolver_never_leads_inside(receiver: Receiver, inside: Receiver, make: Make) -> None:
    transport = make(*(answers for _, answers in zip(range(400), cycle([[PUBLIC], [INSIDE]]), strict=False)))
    url = f"http://rebind.example:{inside.port}/"
    details = [(await transport.send(request(url))).internal_detail or "" for _ in range(200)]
    assert inside.connections == 0
    assert [detail.split(":")[0] for detail in details] == ["closed", "refused (ip)"] * 100
    assert len(lookups(transport)) == 200, "one lookup an attempt"


async def test_s153_a_name_is_judged_again_at_every_attempt(receiver: Receiver, make: Make) -> None:
    transport = make([PUBLIC], ["10.0.0.1"])
    url = receiver.url("/", "rebind2.example")
    first, second = [await transport.send(request(url)) for _ in range(2)]
    assert first.status_code == 200
    assert (second.error_code, (second.internal_detail or "")[:12]) == (UNREACHABLE, "refused (ip)")


async def test_s154_a_kept_connection_does_not_outlive_its_address(receiver: Receiver, make: Make) -> None:
    transport = make([PUBLIC], [INSIDE], [PUBLIC, INSIDE], [PUBLIC])
    url = receiver.url("/", "rebind3.example")
    first, second, mixed, last = [await transport.send(request(url)) for _ in range(4)]
    assert (first.status_code, last.status_code) == (200, 200)
    assert all("refused (ip)" in (each.internal_detail or "") for each in (second, mixed))
    assert len(receiver.requests("/")) == 2


async def test_a_name_that_moved_is_followed_to_its_new_address(make: Make) -> None:
    with Receiver(host=PUBLIC) as old, Receiver(host=ALSO_PUBLIC, port=old.port) as new:
        transport = make([PUBLIC], [ALSO_PUBLIC])
        for _ in range(2):
            await transport.send(request(old.url("/", "moved.example")))
        assert (len(old.requests("/")), len(new.requests("/"))) == (1, 1)


async def test_the_next_judged_address_is_tried_when_the_first_is_closed(receiver: Receiver, make: Make) -> None:
    exchange = await make([ALSO_PUBLIC, PUBLIC]).send(request(receiver.url("/", "two.example")))
    assert exchange.status_code == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_s155_s156_a_redirect_is_an_answer_and_is_not_followed(
    receiver: Receiver, inside: Receiver, make: Make, status: int
) -> None:
    receiver.script("/r", redirect(inside.url("/target"), status))
    receiver.script("/self", redirect("/target", status))
    transport = make()
    assert (await transport.send(request(receiver.url("/r")))).status_code == status
    assert (await transport.send(request(receiver.url("/self")))).status_code == status
    assert inside.connections == 0
    assert receiver.requests("/target") == []


async def test_s159_our_own_host_is_refused_without_a_lookup(make: Make) -> None:
    transport = make(own_hosts=["abc123.execute-api.us-east-1.amazonaws.com"])
    exchange = await transport.send(request("https://abc123.execute-api.us-east-1.amazonaws.com/ingest"))
    assert exchange.error_code == "refused_address"
    assert "call itself" in (exchange.error_message or "")
    assert lookups(transport) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"])
async def test_a_refused_literal_is_never_dialled(inside: Receiver, make: Make, host: str) -> None:
    exchange = await make().send(request(f"http://{host}:{inside.port}/"))
    assert exchange.error_code == "refused_address"
    assert "address; deliveries go to public" in (exchange.error_message or "")
    assert inside.connections == 0


async def test_refused_closed_and_unresolvable_look_alike_to_the_owner_and_are_exact_to_us(make: Make) -> None:
    with socket.socket() as free:
        free.bind((PUBLIC, 0))
        closed_port = free.getsockname()[1]
    url = f"http://x.example:{closed_port}/"
    unresolvable = await make(socket.gaierror(-2, "Name or service not known")).send(request(url))
    closed = await make().send(request(url))
    refused = await make([PUBLIC, "10.9.8.7"]).send(request(url))
    crowd = await make([f"93.184.216.{n}" for n in range(17)]).send(request(url))
    exchanges = (unresolvable, closed, refused, crowd)
    assert {(one.error_code, one.error_message, one.timings) for one in exchanges} == {
        (UNREACHABLE, NO_CONNECTION, Timings())
    }
    assert len({classify(one) for one in exchanges}) == 1, "and what follows is the same"
    details = [(one.internal_detail or "").split(":")[0] for one in exchanges]
    assert details == ["unresolvable", "closed", "refused (ip)", "refused (dns)"]
    assert "10.9.8.7 is private" in (refused.internal_detail or "")
    assert "Name or service not known" in (unresolvable.internal_detail or "")
    assert PUBLIC in (closed.internal_detail or "")


async def test_no_byte_is_written_to_a_peer_that_was_not_judged(
    receiver: Receiver, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = BoundedHandler.connection_made

    def elsewhere(self: BoundedHandler, transport: asyncio.BaseTransport) -> None:
        honest(self, transport)
        self.peer = "10.0.0.1"

    monkeypatch.setattr(BoundedHandler, "connection_made", elsewhere)
    with pytest.raises(UnjudgedPeer):
        await make().send(request(receiver.url("/", "x.example")))
    assert receiver.requests() == []


async def test_localhost_works_where_loopback_is_allowed_with_the_machines_own_resolver(inside: Receiver) -> None:
    transport = HttpTransport(policy("127.0.0.0/8", "::1/128"))
    exchange = await transport.send(request(inside.url("/", "localhost")))
    await transport.aclose()
    assert exchange.status_code == 200


# Kept connections


async def test_a_connection_is_kept_within_an_owner_and_never_shared_between_owners(
    receiver: Receiver, make: Make
) -> None:
    transport = make()
    url = receiver.url("/", "x.example")
    for pool in ("a", "a", "b", "a", "b"):
        await transport.send(request(url), pool)
    first, again, other, *rest = [got.connection for got in receiver.requests("/")]
    assert first == again
    assert other != first
    assert rest == [first, other]


async def test_a_connection_is_not_shared_between_names_of_one_address(receiver: Receiver, make: Make) -> None:
    transport = make()
    for host in ("x.example", "y.example"):
        await transport.send(request(receiver.url("/", host)), "a")
    assert receiver.connections == 2


async def test_a_kept_connection_that_the_receiver_closed_is_replaced_and_that_is_told(
    receiver: Receiver, make: Make
) -> None:
    receiver.script("/", answer(), close_without_answer(), answer())
    transport = make()
    exchanges = [await transport.send(request(receiver.url("/"))) for _ in range(2)]
    assert [one.status_code for one in exchanges] == [200, 200]
    assert [one.repeated for one in exchanges] == [False, True]
    assert len(receiver.requests("/")) == 3


async def test_a_new_connection_that_is_closed_fails_after_one_request(receiver: Receiver, make: Make) -> None:
    receiver.script("/", close_without_answer())
    transport = make()
    assert (await transport.send(request(receiver.url("/")))).error_code == "connect_reset"
    assert len(receiver.requests("/")) == 1


@pytest.mark.parametrize("drip_seconds", [0, 0.002])
async def test_what_a_receiver_says_unasked_is_no_answer_to_the_next_request(
    receiver: Receiver, make: Make, drip_seconds: float
) -> None:
    asked, unasked = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n"
    receiver.script("/", Behaviour(raw=asked + unasked, drip="head", drip_seconds=drip_seconds), answer(201))
    transport = make()
    assert (await transport.send(request(receiver.url("/")))).status_code == 200
    await asyncio.sleep(0.3)
    assert (await transport.send(request(receiver.url("/")))).status_code == 201


async def test_an_answer_before_the_body_was_read_does_not_spoil_the_next_request(
    receiver: Receiver, make: Make
) -> None:
    receiver.script("/", Behaviour(413, before_body=True, body=b"no", then="close"), answer())
    transport = make()
    early = await transport.send(request(receiver.url("/"), body=b"x" * 900_000))
    assert (early.status_code or early.error_code) in {413, "connect_reset"}
    assert (await transport.send(request(receiver.url("/")))).status_code == 200


async def test_it_may_be_closed_and_used_again(receiver: Receiver, make: Make) -> None:
    transport = make()
    for _ in range(2):
        assert (await transport.send(request(receiver.url("/")))).status_code == 200
        await transport.aclose()
    assert receiver.connections == 2


# Hostile receivers

HOSTILE: dict[str, tuple[Behaviour, set[str | int | None]]] = {
    "silent": (never_answer(), {"timeout"}),
    "silent, body unread": (never_answer(before_body=True), {"timeout"}),
    "drips its head": (drip_head(), {"timeout"}),
    "drips its body": (drip_body(), {200}),
    "drips an error's body": (drip_body(status=500), {500}),
    "waits past the deadline": (answer(delay_seconds=3), {"timeout"}),
    "endless body": (endless_body(), {200}),
    "endless error": (endless_body(503), {503}),
    "endless chunks": (endless_body(chunked=True), {200}),
    "endless head": (endless_head(), {"response_too_large", "protocol"}),
    "one huge header": (huge_header(), {"response_too_large"}),
    "many headers": (answer(headers=[(f"X-{n}", "v") for n in range(500)]), {200}),
    "flood of 103": (informational_flood(), {"response_too_large"}),
    "flood of 100": (informational_flood(100), {"response_too_large"}),
    "slow 1xx without end": (informational_flood(102, seconds=0.05), {"timeout"}),
    "switches protocols": (Behaviour(101, (("Upgrade", "websocket"), ("Connection", "Upgrade")), b""), {101}),
    "reset": (reset(), {"connect_reset"}),
    "reset at once": (reset(before_body=True), {"connect_reset"}),
    "closes": (close_without_answer(), {"connect_reset"}),
    "not HTTP": (invalid_http(), {"protocol"}),
    "half a status line": (invalid_http(b"HTTP/1.1 20"), {"connect_reset", "protocol"}),
    "binary": (invalid_http(bytes(range(256)) * 40), {"protocol"}),
    "status 99999": (invalid_http(b"HTTP/1.1 99999 Odd\r\n\r\n"), {"protocol"}),
    "bomb": (answer(body=BOMB, headers=[("Content-Encoding", "gzip, br, zstd")]), {200}),
    "lying about gzip": (answer(body=b"\xff" * 99, headers=[("Content-Encoding", "gzip")]), {200}),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_receiver_ends_at_the_deadline_at_the_latest(receiver: Receiver, make: Make, name: str) -> None:
    behaviour, expected = HOSTILE[name]
    receiver.script("/", behaviour)
    transport = make()
    body = b"x" * 900_000 if behaviour.before_body else b"{}"
    await transport.send(request(receiver.url("/warm-up")))
    started = time.perf_counter()
    exchange = await transport.send(request(receiver.url("/"), timeout=0.5, body=body))
    assert time.perf_counter() - started < 0.5 + SLACK_SECONDS
    assert (exchange.error_code or exchange.status_code) in expected, exchange
    assert (exchange.error_code is None) == (exchange.status_code is not None)
    assert len(exchange.response_body) <= 4096
    assert (exchange.error_message is None) == (exchange.error_code is None) == (exchange.internal_detail is None)
    assert (await transport.send(request(receiver.url("/after")))).status_code == 200, "the next one is not affected"


async def test_no_more_than_64_kib_are_read_of_an_endless_body(receiver: Receiver, make: Make) -> None:
    receiver.script("/", endless_body())
    exchange = await make().send(request(receiver.url("/")))
    assert exchange.response_body == b"x" * 4096
    await asyncio.sleep(0.1)
    assert receiver.bytes_sent < MAX_WIRE_BYTES + 100_000, "and what two kernels hold"


async def test_fifty_hostile_receivers_at_once_all_end_at_the_deadline(receiver: Receiver, make: Make) -> None:
    behaviours = [never_answer(), drip_body(0.1), drip_head(0.1), informational_flood(102, seconds=0.1)]
    for number in range(50):
        receiver.script(f"/{number}", behaviours[number % len(behaviours)])
    transport = make()
    await transport.send(request(receiver.url("/warm-up")))
    started = time.perf_counter()
    exchanges = await asyncio.gather(
        *(transport.send(request(receiver.url(f"/{number}"), timeout=0.7), f"owner{number}") for number in range(50))
    )
    assert time.perf_counter() - started < 0.7 + SLACK_SECONDS
    assert {one.error_code or one.status_code for one in exchanges} == {"timeout", 200}


async def test_a_stalling_name_server_ends_at_the_deadline() -> None:
    transport = HttpTransport(policy(), resolver=FakeResolver([PUBLIC], delay_seconds=5))
    started = time.perf_counter()
    exchange = await transport.send(request("http://x.example/", timeout=0.3))
    assert time.perf_counter() - started < 0.3 + SLACK_SECONDS
    await transport.aclose()
    assert exchange.error_code == "connect_timeout"
    assert "resolve" in (exchange.internal_detail or "")
    assert exchange.error_message == "No connection could be made within 0.3 seconds."


async def test_a_host_that_takes_no_connection_ends_at_the_deadline(make: Make) -> None:
    with socket.socket() as full:
        full.bind((PUBLIC, 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        exchange = await make().send(request(f"http://{PUBLIC}:{full.getsockname()[1]}/", timeout=0.4))
        for one in waiting:
            one.close()
    assert exchange.error_code == "connect_timeout"
    assert exchange.duration_ms < 650


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


async def test_a_verified_receiver_gets_the_delivery_and_the_connection_is_kept(
    authority: CertificateAuthority, make: Make
) -> None:
    with Receiver(host=PUBLIC, tls=authority.server_context("good.example", PUBLIC)) as receiver:
        transport = make(tls=authority.client_context())
        for url in (receiver.url("/", "good.example"), receiver.url("/", "good.example"), receiver.url("/")):
            assert (await transport.send(request(url))).status_code == 200
        assert receiver.connections == 2


@pytest.mark.parametrize(
    ("hosts", "options", "words"),
    [
        (["other.example"], {}, "hostname mismatch"),
        (["good.example"], {"valid_for": -datetime.timedelta(hours=1)}, "expired"),
        (["good.example"], {"only": ssl.TLSVersion.TLSv1_1}, "TLS 1.2 or newer"),
    ],
)
async def test_a_receiver_that_cannot_be_trusted_gets_nothing(
    authority: CertificateAuthority, make: Make, hosts: list[str], options: dict[str, Any], words: str
) -> None:
    with pytest.warns(DeprecationWarning) if "only" in options else nullcontext():
        context = authority.server_context(*hosts, **options)  # type: ignore[arg-type]
    with Receiver(host=PUBLIC, tls=context) as receiver:
        exchange = await make(tls=authority.client_context()).send(request(receiver.url("/", "good.example")))
        assert receiver.requests() == []
    assert exchange.error_code == "tls"
    assert words.lower() in (exchange.error_message or "").lower()


async def test_an_unknown_authority_is_refused_by_default(authority: CertificateAuthority, make: Make) -> None:
    with Receiver(host=PUBLIC, tls=authority.server_context("good.example")) as receiver:
        exchange = await make().send(request(receiver.url("/", "good.example")))
        assert receiver.requests() == []
    assert exchange.error_code == "tls"
    assert "certificate" in (exchange.error_message or "")


async def test_a_receiver_that_speaks_no_tls_is_a_tls_failure(receiver: Receiver, make: Make) -> None:
    receiver.script("/", answer())
    exchange = await make().send(request(receiver.url("/", "good.example").replace("http:", "https:"), timeout=1))
    assert exchange.error_code in {"tls", "connect_timeout"}


async def test_a_stalled_tls_handshake_ends_at_the_deadline(make: Make) -> None:
    with socket.socket() as silent:
        silent.bind((PUBLIC, 0))
        silent.listen()
        started = time.perf_counter()
        exchange = await make().send(request(f"https://{PUBLIC}:{silent.getsockname()[1]}/", timeout=0.4))
    assert time.perf_counter() - started < 0.4 + SLACK_SECONDS
    assert exchange.error_code == "connect_timeout"


async def test_a_hostile_receiver_behind_tls_ends_at_the_deadline_too(
    authority: CertificateAuthority, make: Make
) -> None:
    with Receiver(host=PUBLIC, tls=authority.server_context(PUBLIC)) as receiver:
        receiver.script("/drip", drip_body())
        receiver.script("/endless", endless_body())
        transport = make(tls=authority.client_context())
        for path in ("/drip", "/endless"):
            started = time.perf_counter()
            exchange = await transport.send(request(receiver.url(path), timeout=0.5))
            assert time.perf_counter() - started < 0.5 + SLACK_SECONDS
            assert exchange.status_code == 200


def refuse_in_handshake(listener: socket.socket, context: ssl.SSLContext) -> None:
    """One handshake that fails, its alert sent and the rest read, as servers do that are not asyncio's."""
    with context.wrap_socket(listener.accept()[0], server_side=True, do_handshake_on_connect=False) as peer:
        with pytest.raises(ssl.SSLError):
            peer.do_handshake()
        socket.socket.shutdown(peer, socket.SHUT_WR)
        while socket.socket.recv(peer, 4096):
            pass


@pytest.mark.parametrize(
    ("version", "wants_certificate", "words"),
    [
        (ssl.TLSVersion.TLSv1_3, True, "asks for a client certificate"),
        (ssl.TLSVersion.TLSv1_2, True, "may ask for a client certificate"),
        (ssl.TLSVersion.TLSv1_1, False, "no TLS of version 1.2 or newer"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
async def test_a_receiver_that_wants_a_certificate_is_told_from_one_with_old_tls(
    authority: CertificateAuthority, make: Make, version: ssl.TLSVersion, wants_certificate: bool, words: str
) -> None:
    context = authority.server_context(PUBLIC, only=version)
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.pem.decode())
    with socket.create_server((PUBLIC, 0)) as listener:
        served = asyncio.get_running_loop().run_in_executor(None, refuse_in_handshake, listener, context)
        exchange = await make(tls=authority.client_context()).send(
            request(f"https://{PUBLIC}:{listener.getsockname()[1]}/")
        )
        await served
    assert exchange.error_code == "tls"
    assert words in (exchange.error_message or "")


def test_a_receiver_that_stops_leaves_no_socket_behind_in_a_handshake(tmp_path: Path) -> None:
    """Python warns of it when it is collected, whichever test that is in."""
    tls = CertificateAuthority(tmp_path).server_context(PUBLIC)
    with socket.socket() as client:
        with Receiver(host=PUBLIC, tls=tls) as receiver:
            client.connect((PUBLIC, receiver.port))
            time.sleep(0.1)  # it is accepted
        del receiver
        gc.collect()

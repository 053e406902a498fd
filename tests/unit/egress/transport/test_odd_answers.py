"""Answers that break the rules of HTTP, over real sockets: once the head is there, its status decides."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from tests.support.receiver import Behaviour, Receiver, answer
from webhooks.egress.policy import EgressPolicy
from webhooks.egress.transport import HttpTransport
from webhooks.egress.transport.answer_head import BODY_AFTER_204, CUT_OFF, LONG, MALFORMED, MAX_BODY_SECONDS, SLOW
from webhooks.models.exchange import Exchange, HttpRequest

PUBLIC = "127.0.0.2"
TIMEOUT_SECONDS = 10.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; loading authorities takes 28 ms a test
NEXT = 201  # the answer to the request after the odd one

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
TWO_BYTES = b"Content-Length: 2\r\n\r\nok"
SMUGGLED = b"HTTP/1.1 299 Smuggled\r\nContent-Length: 0\r\n\r\n"

# What follows "HTTP/1.1 " is given. Its connection is not used again.
DOUBTFUL: dict[str, tuple[bytes, str | None]] = {
    "length in characters": (b"200 OK\r\nContent-Length: 6\r\n\r\nM\xc3\xbcller", MALFORMED),
    "length in characters, gone": (b"410 Gone\r\nContent-Length: 6\r\n\r\nM\xc3\xbcller", MALFORMED),
    "length twice": (b"200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", MALFORMED),
    "length twice, too many": (
        b"429 Slow\r\nRetry-After: 60\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        MALFORMED,
    ),
    "length twice behind 200 headers": (
        b"503 Later\r\n" + b"X: y\r\n" * 200 + b"Retry-After: 60\r\nContent-Length: 2\r\n" + TWO_BYTES,
        MALFORMED,
    ),
    "two lengths": (b"200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", MALFORMED),
    "a list of lengths": (b"200 OK\r\nContent-Length: 2, 2\r\n\r\nok", MALFORMED),
    "negative length": (b"200 OK\r\nContent-Length: -1\r\n\r\nok", MALFORMED),
    "length with a sign": (b"200 OK\r\nContent-Length: +2\r\n\r\nok", MALFORMED),
    "length in words": (b"500 Odd\r\nContent-Length: two\r\n\r\nok", MALFORMED),
    "empty length": (b"200 OK\r\nContent-Length:\r\n\r\nok", MALFORMED),
    "length beyond 64 bits": (b"200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok", MALFORMED),
    "length and chunks": (b"200 OK\r\nContent-Length: 3\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n", MALFORMED),
    "identity and length": (b"200 OK\r\nTransfer-Encoding: identity\r\n" + TWO_BYTES, MALFORMED),
    "204 with a body": (b"204 No Content\r\n\r\nnot empty", MALFORMED),
    "204 with a length": (b"204 No Content\r\n" + TWO_BYTES, None),
    "204 with a length alone": (b"204 No Content\r\nContent-Length: 2\r\n\r\n", BODY_AFTER_204),
    "204 in chunks": (b"204 No Content\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n", None),
    "304 with a length": (b"304 Not Modified\r\nContent-Length: 2\r\n\r\n", BODY_AFTER_204),
    "301 with too long a body": (b"301 Moved\r\nLocation: /x\r\nContent-Length: 1\r\n\r\nok", MALFORMED),
    "bytes after the last chunk": (b"503 Later\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\nmore", MALFORMED),
    "a line after the last chunk": (b"200 OK\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\nX: y\r\n", None),
    "not a chunk": (b"429 Slow\r\nRetry-After: 60\r\n" + CHUNKED + b"zz\r\n", MALFORMED),
    "not in chunks": (b"200 OK\r\n" + CHUNKED + b'{"ok": true}', MALFORMED),
    "chunk too short": (b"500 Odd\r\n" + CHUNKED + b"1\r\nok\r\n0\r\n\r\n", MALFORMED),
    "chunk without end": (b"200 OK\r\n" + CHUNKED + b"fffffffffffffffffff\r\nok\r\n", MALFORMED),
    "chunk with bare LFs": (b"200 OK\r\n" + CHUNKED + b"2\nok\n0\n\n", MALFORMED),
    "trailer without a colon": (b"200 OK\r\n" + CHUNKED + b"2\r\nok\r\n0\r\nX y\r\n\r\n", MALFORMED),
    "a second answer": (b"500 Odd\r\nContent-Length: 0\r\n\r\n" + SMUGGLED, MALFORMED),
    "half a second answer": (b"200 OK\r\nContent-Length: 0\r\n\r\n" + SMUGGLED[:20], MALFORMED),
    "a second answer after chunks": (b"200 OK\r\n" + CHUNKED + b"0\r\n\r\n" + SMUGGLED, MALFORMED),
    "a line too many": (b"200 OK\r\n" + TWO_BYTES + b"\r\n", MALFORMED),
    "chunks in HTTP/1.0": (b"200 OK\r\nConnection: keep-alive\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n", None),
    "bare LFs": (b"200 OK\nContent-Length: 2\n\nok", None),
    "a bare LF at the end of the head": (b"200 OK\r\nContent-Length: 2\n\nok", None),
    "folded header": (b"200 OK\r\nX: a\r\n  b\r\n" + TWO_BYTES, None),
    "folded first header": (b"200 OK\r\n  b\r\n" + TWO_BYTES, MALFORMED),
    "header without a colon": (b"200 OK\r\nGarbage\r\n" + TWO_BYTES, MALFORMED),
    "header without a name": (b"200 OK\r\n: x\r\n" + TWO_BYTES, MALFORMED),
    "header with an odd name": (b"200 OK\r\nX(Y): 1\r\n" + TWO_BYTES, MALFORMED),
    "NUL in a header": (b"200 OK\r\nX: a\0b\r\n" + TWO_BYTES, MALFORMED),
    "CR in a header": (b"200 OK\r\nX: a\rb\r\n" + TWO_BYTES, MALFORMED),
    "two spaces": (b" 200 OK\r\n" + TWO_BYTES, MALFORMED),
    "early hints": (b"103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n" + TWO_BYTES, None),
    "early hints, length twice": (
        b"103 Early\r\n\r\nHTTP/1.1 503 Later\r\nRetry-After: 60\r\nContent-Length: 2\r\n" + TWO_BYTES,
        MALFORMED,
    ),
    "other protocol": (b"101 Switching\r\nUpgrade: h2\r\nConnection: Upgrade\r\n\r\nok", None),
    "connection closes": (b"200 OK\r\nConnection: close\r\n" + TWO_BYTES, None),
}
# Odd, but where the answer ends is certain.
CERTAIN: dict[str, bytes] = {
    "header line of 20 KB": b"200 OK\r\nX: " + b"y" * 20_000 + b"\r\n" + TWO_BYTES,
    "200 headers": b"200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + TWO_BYTES,
    "reason of 9 KB": b"200 " + b"y" * 9_000 + b"\r\n" + TWO_BYTES,
    "space before the colon": b"200 OK\r\nContent-Length : 2\r\n\r\nok",
    "no reason": b"200\r\n" + TWO_BYTES,
    "an empty reason": b"410 \r\n" + TWO_BYTES,
    "a reason in UTF-8": b"429 \xc3\xbc\r\nRetry-After: 60\r\n" + TWO_BYTES,
    "a header in Latin-1": b"200 OK\r\nX: \xfc\r\n" + TWO_BYTES,
    "a control character": b"200 OK\r\nX: a\x01b\r\n" + TWO_BYTES,
    "status 999": b"999 Odd\r\n" + TWO_BYTES,
    "205 with a body": b"205 Reset\r\n" + TWO_BYTES,
    "lying about gzip": b"200 OK\r\nContent-Encoding: gzip\r\n" + TWO_BYTES,
    "types that disagree": b"200 OK\r\nContent-Type: a\r\nContent-Type: b\r\n" + TWO_BYTES,
    "an offer to upgrade": b"200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\n" + TWO_BYTES,
    "chunk extension": b"503 Later\r\nRetry-After: 60\r\n" + CHUNKED + b"2;a=b\r\nok\r\n0\r\n\r\n",
    "trailer": b"200 OK\r\n" + CHUNKED + b"2\r\nok\r\n0\r\nX: y\r\n\r\n",
}
# The body is not over, or may not be.
UNENDED: dict[str, bytes] = {
    "cut off": b"200 OK\r\nContent-Length: 99\r\n\r\nok",
    "cut off after 410": b"410 Gone\r\nContent-Length: 99\r\n\r\nok",
    "cut off after 503": b"503 Later\r\nRetry-After: 60\r\nContent-Length: 99\r\n\r\nok",
    "no last chunk": b"429 Slow\r\nRetry-After: 60\r\n" + CHUNKED + b"2\r\nok\r\n",
    "half a last chunk": b"200 OK\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n",
    "half a chunk": b"301 Moved\r\nLocation: /x\r\n" + CHUNKED + b"9\r\nok",
    "chunks, then gzip": b"500 Odd\r\nTransfer-Encoding: chunked, gzip\r\n\r\nok",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(host=PUBLIC) as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    policy = EgressPolicy.from_texts(ports="*", allow_http=True, networks=(PUBLIC,))
    made = HttpTransport(policy, tls=NO_TLS)
    yield made
    await made.aclose()


def raw(rest: bytes, *, split_at: int = 0, then: str = "keep", version: bytes = b"HTTP/1.1") -> Behaviour:
    return Behaviour(raw=version + b" " + rest, split_at=split_at, then=then)  # type: ignore[arg-type]


async def exchanges(
    receiver: Receiver, transport: HttpTransport, odd: Behaviour, path: str, *, kept: bool
) -> tuple[Exchange, Exchange, bool]:
    """The odd answer's exchange, the next one's, and whether that one went out on the same connection."""

    async def send() -> Exchange:
        return await transport.send(HttpRequest(receiver.url(path), {}, b"{}", TIMEOUT_SECONDS), path)

    receiver.script(path, *([answer()] if kept else []), odd, answer(NEXT))
    if kept:
        assert (await send()).status_code == 200
    first = await send()
    if odd.split_at:
        await until_answered(receiver, path, 1 + kept)  # what comes later could as well answer the next request
    after = await send()
    (*_, before, last) = receiver.requests(path)
    assert len(receiver.requests(path)) == 2 + kept, "none was sent twice"
    return first, after, before.connection == last.connection


async def until_answered(receiver: Receiver, path: str, count: int) -> None:
    async with asyncio.timeout(20):
        while receiver.answered[path] < count:
            await asyncio.sleep(0.005)


AT_THE_END = range(-1, 2)  # in bytes from the end of the head
AROUND_THE_END = range(-12, 4)


def splits(rest: bytes, around: Iterable[int]) -> list[int]:
    """Not at all, and at these byte boundaries around the end of the head."""
    wire = b"HTTP/1.1 " + rest
    end = max(wire.find(b"\r\n\r\n") + 4, wire.find(b"\n\n") + 2)
    return [0, *(end + each for each in around if end + each < len(wire))]


def status_of(rest: bytes) -> int:
    return int(rest.split(b"HTTP/1.1 ")[-1].split()[0] if rest.startswith(b"103") else rest.split()[0])


async def tried(
    receiver: Receiver,
    transport: HttpTransport,
    rest: bytes,
    *,
    at: str = "",
    around: Iterable[int] = AT_THE_END,
    **how: str | bytes,
) -> list[tuple[Exchange, bool]]:
    """The exchanges on fresh and kept connections with every split; each next one had its own answer."""
    runs = [(kept, split) for kept in (False, True) for split in splits(rest, around)]
    done = await asyncio.gather(
        *(
            exchanges(receiver, transport, raw(rest, split_at=split, **how), f"{at}/{kept}/{split}", kept=kept)  # type: ignore[arg-type]
            for kept, split in runs
        )
    )
    wait = "60" if b"Retry-After" in rest else None
    assert {(one.status_code, one.error_code, one.retry_after) for one, _, _ in done} == {(status_of(rest), None, wait)}
    assert {after.status_code for _, after, _ in done} == {NEXT}
    return [(one, is_reused) for one, _, is_reused in done]


# Of which more could come when they come in two pieces: each is waited for as long as a body may take.
WAITED_FOR = ("chunk too short", "not in chunks", "chunk without end", "not a chunk", "trailer without a colon")


@pytest.mark.parametrize(
    "names", [*((name,) for name in DOUBTFUL if name not in WAITED_FOR), WAITED_FOR], ids=", ".join
)
async def test_a_doubtful_answer_keeps_its_status_and_ends_its_connection(
    receiver: Receiver, transport: HttpTransport, names: tuple[str, ...]
) -> None:
    await asyncio.gather(*(doubtful(receiver, transport, name) for name in names))


async def doubtful(receiver: Receiver, transport: HttpTransport, name: str) -> None:
    rest, remark = DOUBTFUL[name]
    version = b"HTTP/1.0" if "1.0" in name else b"HTTP/1.1"
    done = await tried(receiver, transport, rest, version=version, at=f"/{name.replace(' ', '-')}")
    assert not any(is_reused for _, is_reused in done)
    assert remark in {None, done[0][0].remark}, "of one that came in one piece; bytes may be too late for a remark"


@pytest.mark.parametrize("name", CERTAIN)
async def test_an_odd_answer_with_a_certain_end_keeps_its_connection(
    receiver: Receiver, transport: HttpTransport, name: str
) -> None:
    for exchange, is_reused in await tried(receiver, transport, CERTAIN[name]):
        assert is_reused
        assert (exchange.response_body, exchange.remark) == (b"ok", None)


@pytest.mark.parametrize("name", UNENDED)
async def test_an_answer_without_an_end_keeps_its_status(
    receiver: Receiver, transport: HttpTransport, name: str
) -> None:
    for exchange, is_reused in await tried(receiver, transport, UNENDED[name], then="close"):
        assert not is_reused
        assert exchange.response_body == (b"2\r\nok\r\n" if exchange.remark == MALFORMED else b"ok")
        assert exchange.remark in {CUT_OFF, MALFORMED} or name == "chunks, then gzip"


@pytest.mark.parametrize("status", [b"200", b"410", b"429", b"500", b"503", b"301"])
async def test_every_status_is_kept_with_every_odd_body(
    receiver: Receiver, transport: HttpTransport, status: bytes
) -> None:
    odd = {
        "in characters": b"Content-Length: 6\r\n\r\nM\xc3\xbcller",
        "twice": b"Content-Length: 2\r\n" + TWO_BYTES,
        "after the last chunk": CHUNKED + b"2\r\nok\r\n0\r\n\r\nmore",
        "cut off": b"Content-Length: 99\r\n\r\nok",
        "no last chunk": CHUNKED + b"2\r\nok\r\n",
        "long line": b"X: " + b"y" * 9_000 + b"\r\n" + TWO_BYTES,
        "200 headers": b"X: y\r\n" * 200 + TWO_BYTES,
    }
    head = status + b" Odd\r\n" + (b"" if status == b"200" else b"Retry-After: 60\r\n")
    await asyncio.gather(
        *(
            tried(receiver, transport, head + rest, at=f"/{number}", then="close")
            for number, rest in enumerate(odd.values())
        )
    )


@pytest.mark.slow
async def test_every_odd_answer_keeps_its_status_wherever_the_end_of_its_head_is_split(
    receiver: Receiver, transport: HttpTransport
) -> None:
    answers = {name: rest for name, (rest, _) in DOUBTFUL.items()} | CERTAIN | UNENDED
    assert len(answers) > 60
    for number, (name, rest) in enumerate(answers.items()):
        how: dict[str, str | bytes] = {"version": b"HTTP/1.0"} if "1.0" in name else {}
        how |= {"then": "close"} if name in UNENDED or name in WAITED_FOR else {}
        done = await tried(receiver, transport, rest, at=f"/{number}", around=AROUND_THE_END, **how)
        assert name in CERTAIN or not any(is_reused for _, is_reused in done)


async def test_a_body_that_never_ends_does_not_hold_its_attempt(receiver: Receiver, transport: HttpTransport) -> None:
    started = time.perf_counter()
    done = await asyncio.gather(
        *(
            exchanges(receiver, transport, raw(rest), f"/{number}", kept=True)
            for number, rest in enumerate(UNENDED.values())
        )
    )
    assert MAX_BODY_SECONDS <= time.perf_counter() - started < TIMEOUT_SECONDS - 1
    for rest, (exchange, after, is_reused) in zip(UNENDED.values(), done, strict=True):
        assert (exchange.status_code, exchange.remark) == (status_of(rest), SLOW)
        assert (after.status_code, is_reused) == (NEXT, False)


async def test_a_long_body_is_cut_with_a_remark(receiver: Receiver, transport: HttpTransport) -> None:
    odd = answer(body=b"x" * 100_000)
    exchange, _, is_reused = await exchanges(receiver, transport, odd, "/", kept=False)
    assert (exchange.status_code, exchange.remark, is_reused) == (200, LONG, False)


@pytest.mark.parametrize("part", [SMUGGLED, SMUGGLED[:20], b"er", b"\0" * 40, b"0\r\n\r\n" + SMUGGLED])
@pytest.mark.parametrize("body", [TWO_BYTES, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"])
async def test_what_comes_late_answers_no_other_request(
    receiver: Receiver, transport: HttpTransport, body: bytes, part: bytes
) -> None:
    head = b"200 OK\r\n" + body

    async def late(split_at: int) -> None:
        path = f"/{split_at}"
        receiver.script(path, raw(head + part, split_at=split_at), answer(NEXT))
        for count, expected in enumerate((200, NEXT), start=1):
            exchange = await transport.send(HttpRequest(receiver.url(path), {}, b"{}", TIMEOUT_SECONDS), path)
            assert exchange.status_code == expected
            await until_answered(receiver, path, count)

    await asyncio.gather(*(late(split_at) for split_at in range(len(head) + 6, len(head) + 9 + len(part), 3)))


async def test_the_late_end_of_an_answer_is_not_taken_for_the_next_one(
    receiver: Receiver, transport: HttpTransport
) -> None:
    """It comes when the next request was already written: that one is sent again, on a new connection."""
    receiver.script("/", answer(), Behaviour(raw=b"er", then="hang"), answer(NEXT))
    first, after = [await transport.send(HttpRequest(receiver.url(), {}, b"{}", TIMEOUT_SECONDS)) for _ in range(2)]
    assert (first.status_code, first.repeated) == (200, False)
    assert (after.status_code, after.repeated) == (NEXT, True)


async def test_a_kept_connection_that_was_closed_meanwhile_is_found_closed_before_anything_is_sent(
    receiver: Receiver, transport: HttpTransport
) -> None:
    receiver.script("/", Behaviour(then="close"), answer(NEXT))
    for expected in (200, NEXT):
        exchange = await transport.send(HttpRequest(receiver.url(), {}, b"{}", TIMEOUT_SECONDS))
        assert (exchange.status_code, exchange.repeated) == (expected, False)
        time.sleep(0.2)

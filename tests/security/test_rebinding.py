"""A name server that changes its mind, over real sockets of this machine: what was not judged is never dialled."""

import asyncio
import random
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.conftest import Figure
from tests.support.receiver import Receiver
from webhooks.egress.policy import EgressPolicy
from webhooks.egress.transport import HttpTransport
from webhooks.models.exchange import HttpRequest

PUBLIC, ALSO_PUBLIC, INSIDE = "127.0.0.2", "127.0.0.3", "127.0.0.1"  # as the policy below has it
ATTEMPTS = 10_000
AT_ONCE = 25
_DIALLED: Counter[str] = Counter()


def _note_connects(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        _DIALLED[str(address[0]) if isinstance(address, tuple) else str(address)] += 1


sys.addaudithook(_note_connects)


class Internal:
    """Listens inside and counts whoever comes, even with a connection that says nothing."""

    def __init__(self, port: int) -> None:
        self.connections = 0
        self._listener = socket.create_server((INSIDE, port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


class Flipping:
    """Answers otherwise at each lookup: public, inside, both in either order, mapped, many, nothing."""

    def __init__(self) -> None:
        self.chance = random.Random(4)
        self.lookups = 0

    async def resolve(self, host: str, port: int, owner: str) -> Sequence[str]:
        self.lookups += 1
        await asyncio.sleep(0)
        return self.chance.choice(
            (
                [PUBLIC],
                [INSIDE],
                [PUBLIC, INSIDE],
                [INSIDE, PUBLIC],
                [f"::ffff:{INSIDE}"],
                [PUBLIC, f"::ffff:{INSIDE}"],
                [PUBLIC] * 20 + [INSIDE],
                [PUBLIC, "::1"],
                [ALSO_PUBLIC, PUBLIC],
                [],
            )
        )

    def close(self) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(host=PUBLIC) as running:
        yield running


@pytest.fixture
def internal(receiver: Receiver) -> Iterator[Internal]:
    inside = Internal(receiver.port)
    yield inside
    inside.close()


async def test_a_resolver_that_flips_ten_thousand_times_never_leads_inside(
    receiver: Receiver, internal: Internal, figure: Figure
) -> None:
    resolver = Flipping()
    policy = EgressPolicy.from_texts(ports="*", allow_http=True, networks=[PUBLIC, ALSO_PUBLIC])
    transport = HttpTransport(policy, resolver=resolver)
    names = [f"http://{name}.example:{receiver.port}/" for name in ("a", "b", "c")]
    seen: Counter[str] = Counter()

    async def attempt_some(number: int) -> None:
        for turn in range(ATTEMPTS // AT_ONCE):
            request = HttpRequest(names[(number + turn) % 3], {}, b"{}", 5)
            exchange = await transport.send(request, f"owner{number % 2}")
            seen[str(exchange.error_code or exchange.status_code)] += 1

    before = _DIALLED[INSIDE]
    await asyncio.gather(*(attempt_some(number) for number in range(AT_ONCE)))
    await transport.aclose()
    assert resolver.lookups == ATTEMPTS, "one lookup an attempt"
    assert internal.connections == 0
    assert _DIALLED[INSIDE] - before == 0, "no socket was even asked to connect"
    assert not {"::1", f"::ffff:{INSIDE}"} & set(_DIALLED)
    assert set(seen) == {"200", "unreachable"}
    assert seen["200"] > ATTEMPTS // 10
    figure(f"egress: {ATTEMPTS:,} attempts with a flipping resolver ({seen['200']:,} delivered): 0 connections inside")

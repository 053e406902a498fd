"""One owner's names that nobody answers for keep nobody else waiting."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver
from tests.unit.egress.transport.test_client import PUBLIC, policy, request
from webhooks.egress.transport.client import HttpTransport
from webhooks.egress.transport.resolver import LOOKUPS_PER_OWNER, SystemResolver, system_addresses

FOUND = [PUBLIC]


class NameServer:
    """Answers at once, but for names under hanging.example: those when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.hanging = 0

    def look_up(self, host: str, port: int) -> list[str]:
        if host.endswith("hanging.example"):
            self.hanging += 1
            self.go.wait(20)
            raise OSError("no answer")
        return FOUND


@pytest.fixture
def server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.go.set()


async def _give_up(resolver: SystemResolver, number: int) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await resolver.resolve(f"{number}.hanging.example", 443, "loud")


async def test_hanging_names_delay_no_other_owner(server: NameServer) -> None:
    resolver = SystemResolver(server.look_up)
    await asyncio.gather(*(_give_up(resolver, number) for number in range(600)))
    async with asyncio.timeout(1):
        assert await resolver.resolve("good.example", 443, "quiet") == FOUND
    assert server.hanging == LOOKUPS_PER_OWNER
    resolver.close()


async def test_a_strangers_delivery_goes_out_beside_hanging_names(server: NameServer) -> None:
    transport = HttpTransport(policy(), resolver=SystemResolver(server.look_up))
    with Receiver(host=PUBLIC) as receiver:
        url = receiver.url("/quiet").replace(PUBLIC, "good.example")
        loud = [
            transport.send(request(f"http://{number}.hanging.example/", timeout=0.5), "loud") for number in range(600)
        ]
        quiet, *ended = await asyncio.gather(transport.send(request(url), "quiet"), *loud)
        assert {each.error_code for each in ended} == {"connect_timeout"}
        later = await transport.send(request(url), "quiet")
    await transport.aclose()
    assert (quiet.status_code, later.status_code) == (200, 200)
    assert server.hanging == LOOKUPS_PER_OWNER


async def test_turns_come_back_when_lookups_end_and_not_before(server: NameServer) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    resolver = SystemResolver(server.look_up)
    await asyncio.gather(*(_give_up(resolver, number) for number in range(LOOKUPS_PER_OWNER)))
    own = asyncio.create_task(resolver.resolve("good.example", 443, "loud"))
    await asyncio.sleep(0.1)
    assert not own.done()
    server.go.set()
    async with asyncio.timeout(2):
        assert await own == FOUND
    await asyncio.sleep(0.1)
    gc.collect()
    assert complaints == []
    resolver.close()


async def test_a_name_that_hangs_keeps_one_look_up_however_often_it_is_asked_for(server: NameServer) -> None:
    resolver = SystemResolver(server.look_up)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await resolver.resolve("one.hanging.example", 443, "loud")

    await asyncio.gather(*(give_up() for _ in range(100)))
    async with asyncio.timeout(2):
        assert await resolver.resolve("good.example", 443, "loud") == FOUND
    assert server.hanging == 1
    server.go.set()
    with pytest.raises(OSError, match="no answer"):
        await resolver.resolve("one.hanging.example", 443, "loud")
    resolver.close()


async def test_a_name_is_looked_up_anew_for_each_attempt_after_the_last_has_its_answer() -> None:
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return FOUND

    resolver = SystemResolver(look_up)
    for _ in range(3):
        assert await resolver.resolve("good.example", 443, "quiet") == FOUND
    assert len(asked) == 3
    resolver.close()


async def test_a_name_without_an_address_is_its_attempts_error(server: NameServer) -> None:
    server.go.set()
    resolver = SystemResolver(server.look_up)
    with pytest.raises(OSError, match="no answer"):
        await resolver.resolve("x.hanging.example", 443, "loud")
    resolver.close()


def test_the_machines_own_names_are_found() -> None:
    assert "127.0.0.1" in system_addresses("localhost", 443)

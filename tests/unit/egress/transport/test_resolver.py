"""One owner's names that nobody answers for keep nobody else waiting."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from webhooks.egress.transport.resolver import LOOKUPS_PER_OWNER, SystemResolver, system_addresses

FOUND = ["192.0.2.1"]


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


async def test_a_name_without_an_address_is_its_attempts_error(server: NameServer) -> None:
    server.go.set()
    resolver = SystemResolver(server.look_up)
    with pytest.raises(OSError, match="no answer"):
        await resolver.resolve("x.hanging.example", 443, "loud")
    resolver.close()


def test_the_machines_own_names_are_found() -> None:
    assert "127.0.0.1" in system_addresses("localhost", 443)

"""Looking names up, once per attempt, without letting a slow name server hold up the others."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from weakref import WeakValueDictionary

# getaddrinfo cannot be cancelled: one that hangs keeps its thread for 10 s and longer, beyond its attempt.
LOOKUPS_PER_OWNER = 16
_MAX_THREADS = 512  # a Lambda process may have 1,024; made only as they are needed


class Resolver(Protocol):
    """Turns a name into all of its addresses."""

    async def resolve(self, host: str, port: int, owner: str) -> Sequence[str]:
        """Every address of the name, unjudged, best first. Raises OSError if it has no address."""
        ...

    def close(self) -> None:
        """Release threads and sockets."""
        ...


def system_addresses(host: str, port: int) -> list[str]:
    """What getaddrinfo says, however long it takes. Raises OSError (socket.gaierror) if the name has no address."""
    # The final dot keeps the machine's search domains out of it; a single label (localhost) is looked up as it is.
    name = f"{host}." if "." in host else host
    answers = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


class SystemResolver:
    """getaddrinfo, in threads of its own, of which one owner occupies at most LOOKUPS_PER_OWNER, and one for a name.

    Whoever has that many under way waits for one of his own to end.
    """

    def __init__(self, look_up: Callable[[str, int], list[str]] = system_addresses) -> None:
        self._look_up = look_up
        self._threads: ThreadPoolExecutor | None = None
        self._turns = WeakValueDictionary[str, asyncio.Semaphore]()  # kept by those who wait or look up
        self._under_way: dict[tuple[str, str, int], asyncio.Future[list[str]]] = {}

    async def resolve(self, host: str, port: int, owner: str) -> Sequence[str]:
        """Every address of the name, A and AAAA. Raises OSError (socket.gaierror) if it has no address."""
        turns = self._turns.get(owner)
        if turns is None:
            turns = self._turns[owner] = asyncio.Semaphore(LOOKUPS_PER_OWNER)
        name = (owner, host, port)
        if (answer := self._joined(name)) is None:
            await turns.acquire()
            if (answer := self._joined(name)) is None:
                answer = self._begin(name, turns)
            else:
                turns.release()
        await asyncio.wait((answer,))  # an attempt that is over leaves its look-up to end, and to give its turn back
        return answer.result()

    def _joined(self, name: tuple[str, str, int]) -> asyncio.Future[list[str]] | None:
        """The look-up of this name that is under way: one that hangs must not keep the owner's other names waiting."""
        answer = self._under_way.get(name)
        return None if answer is None or answer.done() else answer

    def _begin(self, name: tuple[str, str, int], turns: asyncio.Semaphore) -> asyncio.Future[list[str]]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="dns")

        def end(answer: asyncio.Future[list[str]]) -> None:
            turns.release()
            if self._under_way.get(name) is answer:
                del self._under_way[name]
            if not answer.cancelled():
                answer.exception()  # read here, or asyncio would report one that nobody waits for any more

        answer = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, *name[1:])
        self._under_way[name] = answer
        answer.add_done_callback(end)
        return answer

    def close(self) -> None:
        """Let the threads end, without waiting for lookups under way."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        self._turns.clear()
        self._under_way.clear()

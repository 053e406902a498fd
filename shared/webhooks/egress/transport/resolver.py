"""Looking names up, once per attempt, without letting a slow name server hold up the others."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

# asyncio's own executor has as few as six threads: six names of a stalling name server would stop every lookup.
_MAX_LOOKUPS_AT_ONCE = 64


class Resolver(Protocol):
    """Turns a name into all of its addresses."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of the name, unjudged, best first. Raises OSError if it has no address."""
        ...

    def close(self) -> None:
        """Release threads and sockets."""
        ...


class SystemResolver:
    """getaddrinfo, in threads of its own."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of the name, A and AAAA. Raises OSError (socket.gaierror) if it has no address."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_MAX_LOOKUPS_AT_ONCE, thread_name_prefix="dns")
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        """Let the threads end, without waiting for lookups under way."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None


def _look_up(host: str, port: int) -> list[str]:
    # The final dot keeps the machine's search domains out of it; a single label (localhost) is looked up as it is.
    name = f"{host}." if "." in host else host
    answers = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]

"""Receivers over real sockets that misbehave by a seed, and the log of what they really took."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.receivers import Answer, Seen
from tests.support.receiver import (
    Behaviour,
    ReceivedRequest,
    Receiver,
    answer,
    close_without_answer,
    reset,
    retry_after,
)

TIMEOUT_SECONDS = 1  # of every webhook here


@dataclass(frozen=True, slots=True)
class Manner:
    """How a kind of receiver answers, and for how long after its first request: then it is well."""

    behave: Callable[[random.Random], Behaviour]
    seconds: float = math.inf


def _fair(rng: random.Random) -> Behaviour:
    return answer(rng.choice((200, 201, 204)), b"", delay_seconds=rng.uniform(0, 0.05))


def _flaky(rng: random.Random) -> Behaviour:
    faults = (answer(500), answer(503), answer(404), answer(301), reset(), close_without_answer())
    return rng.choice(faults) if rng.random() < 0.25 else _fair(rng)


def _slow(rng: random.Random) -> Behaviour:
    """Some answers come after the deadline: this receiver has taken what its sender must take for failed."""
    return answer(delay_seconds=rng.choice((0.05, 0.1, 0.3, 0.6, TIMEOUT_SECONDS + 0.3)))


def _overloaded(rng: random.Random) -> Behaviour:
    return retry_after(rng.choice((1, 3))) if rng.random() < 0.04 else _fair(rng)


def _down(rng: random.Random) -> Behaviour:
    return rng.choice((answer(503), answer(502), reset()))


def _late(rng: random.Random) -> Behaviour:
    """Asks to be left alone for longer than a message may wait in SQS."""
    return retry_after(rng.choice((61, 65)), 503) if rng.random() < 0.1 else _fair(rng)


MANNERS: dict[str, Manner] = {
    "fair": Manner(_fair),
    "flaky": Manner(_flaky),
    "slow": Manner(_slow),
    "overloaded": Manner(_overloaded),
    "down": Manner(_down, seconds=80),
    "late": Manner(_late),
}


class Receivers(Receiver):
    """One port for all; a request's path is /<manner>/<name>. `heal` makes everybody fair."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.log: list[Seen] = []
        self._rng = random.Random(f"receivers {seed}")
        self._healed = False
        self._first: dict[str, float] = {}  # when each was first asked

    def heal(self) -> None:
        """From now on all receivers answer well and at once."""
        self._healed = True

    def _next_behaviour(self, path: str) -> Behaviour:
        manner = MANNERS[path.split("/")[1]]
        asked_for = time.monotonic() - self._first.setdefault(path, time.monotonic())
        return answer() if self._healed or asked_for > manner.seconds else manner.behave(self._rng)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        request = await _read(reader, number)
        behaviour = self._next_behaviour(request.path)
        took = Answer(behaviour.status, error_code=None if behaviour.raw is None else "no_answer")
        headers = dict(request.headers)
        self.log.append(Seen(round(time.time() * 1000), request.target, headers, request.body, took))
        return await self._behave(behaviour, reader, writer)


async def _read(reader: asyncio.StreamReader, number: int) -> ReceivedRequest:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    body = await reader.readexactly(length)
    return ReceivedRequest(method, target, headers, body, time.monotonic(), time.time(), number)

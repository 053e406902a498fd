"""All hostile receivers again and again: how late an attempt ends at worst, and what it costs in memory."""

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.support.receiver import Receiver
from tests.unit.egress.transport.test_client import HOSTILE, PUBLIC, FakeResolver, policy, request
from webhooks.egress.transport import HttpTransport

ROUNDS = 6
DEADLINE_SECONDS = 0.3
PAGE = 4096


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


async def late_and_grown(addresses: Mapping[str, tuple[str, bytes]]) -> tuple[dict[str, float], int]:
    """Seconds beyond the deadline at worst, by kind of receiver, and bytes by which this process grew."""
    transport = HttpTransport(policy(), resolver=FakeResolver([PUBLIC]))
    late: dict[str, float] = {}
    before = 0
    for turn in range(ROUNDS):
        for name, (url, body) in addresses.items():
            started = time.perf_counter()
            exchange = await transport.send(request(url, timeout=DEADLINE_SECONDS, body=body))
            late[name] = max(late.get(name, 0.0), time.perf_counter() - started - DEADLINE_SECONDS)
            assert len(exchange.response_body) <= 4096
        if turn == 0:  # by then all code is loaded and all buffers were needed once
            before = resident_bytes()
    grown = resident_bytes() - before
    await transport.aclose()
    return late, grown


def measured(addresses: Mapping[str, tuple[str, bytes]]) -> tuple[dict[str, float], int]:
    return asyncio.run(late_and_grown(addresses))


@pytest.mark.slow
def test_no_receiver_holds_an_attempt_beyond_its_deadline_or_costs_memory(figure: Figure) -> None:
    addresses: dict[str, tuple[str, bytes]] = {}
    with (
        Receiver(host=PUBLIC) as receiver,
        # a process of its own: what receivers keep of such requests, and other tests of theirs, grows here
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes,
    ):
        for number, (name, (behaviour, _)) in enumerate(HOSTILE.items()):
            receiver.script(f"/{number}", behaviour)
            addresses[name] = receiver.url(f"/{number}"), b"x" * 900_000 if behaviour.before_body else b"{}"
        late, grown = processes.submit(measured, addresses).result()
    worst = max(late, key=late.__getitem__)
    assert len(HOSTILE) >= 20
    assert late[worst] < 0.25, f"{worst} is {late[worst] * 1000:.0f} ms late"
    assert grown < 3_000_000
    figure(
        f"hostile receivers: {len(HOSTILE)} kinds, {(ROUNDS - 1) * len(HOSTILE)} attempts measured: "
        f"{max(0.0, late[worst]) * 1000:.0f} ms beyond the deadline at worst, memory +{grown / 1e6:.1f} MB"
    )

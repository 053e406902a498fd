"""All hostile receivers again and again: how late an attempt ends at worst, and what it costs in memory."""

import gc
import time
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


@pytest.mark.slow
async def test_no_receiver_holds_an_attempt_beyond_its_deadline_or_costs_memory(figure: Figure) -> None:
    transport = HttpTransport(policy(), resolver=FakeResolver([PUBLIC]))
    late: dict[str, float] = {}
    with Receiver(host=PUBLIC) as receiver:
        before = 0
        for turn in range(ROUNDS):
            for name, (behaviour, _) in HOSTILE.items():
                receiver.script("/", behaviour)
                body = b"x" * 900_000 if behaviour.before_body else b"{}"
                started = time.perf_counter()
                exchange = await transport.send(request(receiver.url("/"), timeout=DEADLINE_SECONDS, body=body))
                late[name] = max(late.get(name, 0.0), time.perf_counter() - started - DEADLINE_SECONDS)
                assert len(exchange.response_body) <= 4096
            receiver.clear()
            if turn == 0:  # by then all code is loaded and all buffers were needed once
                before = resident_bytes()
        grown = resident_bytes() - before
    await transport.aclose()
    worst = max(late, key=late.__getitem__)
    assert len(HOSTILE) >= 20
    assert late[worst] < 0.25, f"{worst} is {late[worst] * 1000:.0f} ms late"
    assert grown < 10_000_000
    figure(
        f"hostile receivers: {len(HOSTILE)} kinds, {(ROUNDS - 1) * len(HOSTILE)} attempts measured: "
        f"{max(0.0, late[worst]) * 1000:.0f} ms beyond the deadline at worst, memory +{grown / 1e6:.1f} MB "
        "(with the receiver's own)"
    )

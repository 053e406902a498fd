"""From a batch's arrival at the sender to the first byte at the receiver, held to the memory's share of a core."""

import time

from tests.benchmarks import composition
from tests.benchmarks.contenders import WEBHOOKS, message
from tests.benchmarks.measuring import Stub
from tests.benchmarks.throttle import held_to


def initiation(stub: Stub, *, batch: int, batches: int, share: float, aws_ms: float, tls: bool) -> dict[str, float]:
    """Percentiles in milliseconds over all deliveries of all batches, the first batch (cold caches) left out.

    AWS answers after `aws_ms`; the process has `share` of a core.
    """
    composition.configure(stub)
    ids = composition.seed_webhooks(stub, [stub.url(tls=tls)] * WEBHOOKS)
    handler = composition.sender(stub.authority)
    stub.control("Seed", delay=aws_ms / 1000)
    waits: list[float] = []
    calls = 0.0
    with held_to(share):
        for number in range(batches + 1):
            event_ids = [f"evt_{number:020d}{n:06d}" for n in range(batch)]
            made_ms = composition.now_ms()
            records = [
                composition.delivery_record(message(each, ids[n % WEBHOOKS], made_ms, n))
                for n, each in enumerate(event_ids)
            ]
            stub.calls()
            started = time.monotonic()
            handler({"Records": records}, composition.Context())
            counted = stub.calls()
            arrivals = stub.control("Arrivals")
            if number:
                waits += [(arrivals[each] - started) * 1000 for each in event_ids]
                calls = max(calls, counted.get("BatchGetItem", 0) + counted.get("GetItem", 0))
            time.sleep(0.05)
    stub.control("Seed", delay=0)
    waits.sort()
    return {**{f"p{p}": waits[min(len(waits) - 1, len(waits) * p // 100)] for p in (50, 95, 99)}, "calls_before": calls}

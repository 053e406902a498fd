"""A sender whose deliveries go to many hosts with TLS, some far more often than others, and its handshakes."""

import random
import time

from tests.benchmarks import composition
from tests.benchmarks.contenders import message
from tests.benchmarks.measuring import Stub, cpu_seconds
from webhooks.egress.transport.resolver import SystemResolver, system_addresses

BATCH = 10
WEBHOOKS = 1_000
WARM_UP_SECONDS = 6.0  # longer than connections are kept


def many_hosts(stub: Stub, *, hosts: int, seconds: float, latency_ms: int) -> dict[str, float]:
    """Batch after batch for so many seconds, to 1,000 webhooks on so many hosts, drawn by Zipf's law.

    CPU us a delivery, the share of deliveries that opened a connection, and deliveries a second. Every name is looked
    up, in the machine's own list of hosts.
    """
    composition.configure(stub)
    ids = composition.seed_webhooks(stub, [stub.url_of_host(n % hosts, latency_ms=latency_ms) for n in range(WEBHOOKS)])
    handler = composition.sender(
        stub.authority, SystemResolver(lambda _host, port: system_addresses("localhost", port))
    )
    weights = [1 / rank for rank in range(1, WEBHOOKS + 1)]
    chance = random.Random(hosts)
    number = 0

    def run(for_seconds: float) -> tuple[int, float]:
        nonlocal number
        done, spent = 0, 0.0
        until = time.monotonic() + for_seconds
        while time.monotonic() < until:
            made_ms = composition.now_ms()
            records = [
                composition.delivery_record(message(f"evt_{number + n:026d}", webhook_id, made_ms, n))
                for n, webhook_id in enumerate(chance.choices(ids, weights, k=BATCH))
            ]
            number += BATCH
            before = cpu_seconds()
            answer = handler({"Records": records}, composition.Context())
            spent += cpu_seconds() - before
            if answer["batchItemFailures"]:
                raise RuntimeError(f"not all were delivered: {answer}")
            done += BATCH
        return done, spent

    run(WARM_UP_SECONDS)
    stub.control("Connections")
    done, spent = run(seconds)
    opened: int = stub.control("Connections")["count"]
    return {"us": spent / done * 1e6, "opened": opened / done, "per_second": done / seconds}

"""`make bench-scale`: what 10,000 deliveries a second take, from measured units and documented quotas.

How many invocations run at once is simulated, batch by batch: a batch ends with its slowest receiver, so that a few
that time out hold many. Where they belong to some tenants, a tenant's bulkhead bounds how many of its attempts begin
(docs/decisions/0023); what waits in rooms is not simulated here. All else is arithmetic over results/cost.json.
"""

import argparse
import heapq
import json
import math
import random
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localstack.cloudformation import load
from tests.benchmarks.cost.bill import AWS_CALL_MS, CORE_MB, CPU, MEMORY_MB
from tests.benchmarks.cost.prices import MILLION, PRICES
from tests.benchmarks.measuring import PROJECT
from webhooks.delivery import bulkhead

RESULTS = Path(__file__).parent / "results"
SECONDS = 120  # simulated, after a warm-up of twice the timeout
TIMEOUT_SECONDS = 15.0  # a webhook's default
SPREAD = 0.5  # of the receivers' latency: sigma of a lognormal around its median
ORDINARY_MAPPING = 1_250  # invocations at once (Lambda Developer Guide, "Configuring scaling behavior for SQS")
POLLER = {"invocations": 10, "polls a second": 10, "MB a second": 1.0}  # of one provisioned poller, the same page
PLACES = int(load(PROJECT / "template.yaml")["Parameters"]["SlowAttemptsPerTenant"]["Default"])
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000  # a second (DynamoDB Developer Guide, "Best practices")


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Invocations of the sender at once. `tenants`: whose receivers time out, None: everybody's, now and then.
    `backlog_a_second`: deliveries that `cap` leaves waiting, more each second."""

    batch: int
    timing_out: float
    tenants: int | None
    mean: float
    p99: float
    cap: int
    backlog_a_second: float


def simulate(
    rate: float, batch: int, timing_out: float, cap: int, tenants: int | None = None, latency_ms: float = 100
) -> Occupancy:
    """Batches arrive at random times; as many run as there are messages for, at first without a cap, then with it."""
    chance = random.Random(1)
    begun = timing_out
    if tenants is not None:  # all their attempts time out; what finds no place waits in its room, and no sender has it
        begun = min(timing_out, tenants * bulkhead.pace(round(TIMEOUT_SECONDS * 1000), PLACES) / rate)
    start = 2 * TIMEOUT_SECONDS
    arrivals: list[tuple[float, float]] = []
    now = 0.0
    while now < start + SECONDS:
        now += chance.expovariate(rate / batch)
        arrivals.append((now, _duration(chance, batch, begun, latency_ms)))
    running: list[float] = []
    seen: list[int] = []
    for begins, lasts in arrivals:
        while running and running[0] <= begins:
            heapq.heappop(running)
        heapq.heappush(running, begins + lasts)
        if begins >= start:
            seen.append(len(running))
    mean = sum(lasts for _, lasts in arrivals) / len(arrivals) * rate / batch
    p99 = sorted(seen)[len(seen) * 99 // 100]
    taken = min(1.0, cap / mean)
    return Occupancy(batch, timing_out, tenants, mean, p99, cap, rate * (1 - taken))


def _duration(chance: random.Random, batch: int, timing_out: float, latency_ms: float) -> float:
    cpu_ms = (CPU["sender"].fixed + CPU["sender"].each * batch) / 1000 / min(1, MEMORY_MB["sender"] / CORE_MB)
    calls = 2 if batch <= 10 else 6
    receivers = (
        TIMEOUT_SECONDS if chance.random() < timing_out else latency_ms / 1000 * math.exp(chance.gauss(0, SPREAD))
        for _ in range(batch)
    )
    return (cpu_ms + calls * AWS_CALL_MS) / 1000 + max(receivers)


def plan(rate: float) -> dict[str, Any]:
    """By name: what is needed a second or at once, and dollars an hour."""
    cost = json.loads((RESULTS / "cost.json").read_text())
    rows = {
        (row["entry"], row["batch_fill"]): row
        for row in cost["rows"]
        if row["payload_kb"] == 2
        and row["fan_out"] == 1
        and not row["rate_limit"]
        and row["tries"] == 1
        and row["at_once"] == 100
    }
    row = rows["http", 10]
    writes, reads = row["write_units"] * rate, row["read_units"] * rate
    ordinary = [
        simulate(rate, batch, share, ORDINARY_MAPPING, tenants)
        for batch in (10, 100)
        for share in (0, 0.01, 0.05)
        for tenants in ((None, 40, 10, 1) if share else (None,))
    ]
    gb_hour = MEMORY_MB["sender"] / 1024 * 3600 * PRICES["lambda_gb_second"].dollars
    worst = max(each.mean for each in ordinary if (each.batch, each.timing_out, each.tenants) == (10, 0.01, None))
    bytes_a_second = rate * 2_300
    return {
        "occupancy": [asdict(each) | {"dollars_an_hour": each.mean * gb_hour} for each in ordinary],
        "write_units_a_second": writes,
        "read_units_a_second": reads,
        "partitions_for_writes": math.ceil(writes / PARTITION_WRITES),
        "partitions_for_reads": math.ceil(reads / PARTITION_READS),
        "sqs_requests_a_second": row["sqs_requests"] * rate,
        "pollers": {
            "invocations": math.ceil(worst / POLLER["invocations"]),
            "polls": math.ceil(rate / 10 / POLLER["polls a second"]),
            "bytes": math.ceil(bytes_a_second / 1e6 / POLLER["MB a second"]),
        },
        "dollars_an_hour": {
            name: rows[key]["dollars_per_million"] * rate * 3600 / MILLION
            for name, key in {"HTTP, batches of 10": ("http", 10), "HTTP, batches of 100": ("http", 100),
                              "EventBridge, batches of 10": ("bus", 10)}.items()
        },
        "logs_dollars_an_hour": rate * 3600 * 300 / 1e9 * PRICES["logs_gb"].dollars,
        "egress_dollars_an_hour": rate * 3600 * 3_100 / 1e9 * PRICES["egress_gb"].dollars,
    }  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=10_000)
    rate: float = parser.parse_args().rate
    found = plan(rate)
    write = sys.stdout.write
    write(f"{rate:,.0f} deliveries a second, receivers that take 100 ms at the median\n")
    write(f"{'batch':>6}{'time out':>10}{'of tenants':>12}{'at once':>9}{'p99':>7}{'$/h':>8}")
    write(f"  left waiting at {ORDINARY_MAPPING:,}\n")
    for each in found["occupancy"]:
        tenants = "all" if each["tenants"] is None else each["tenants"]
        write(f"{each['batch']:>6}{each['timing_out']:>10.0%}{tenants:>12}{each['mean']:>9,.0f}{each['p99']:>7,.0f}")
        write(f"{each['dollars_an_hour']:>8.2f}  {each['backlog_a_second']:,.0f} a second\n")
    for name, value in found.items():
        if name != "occupancy":
            write(f"{name}: {json.dumps(value)}\n")
    (RESULTS / "scale.json").write_text(json.dumps({"rate": rate, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

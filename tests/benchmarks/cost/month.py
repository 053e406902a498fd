"""`make bench-cost RATE=50 DOOR=http KB=2 TRIES=1.1 LATENCY=0.3 PARAMETERS="..."`: a month at the reader's own rate.

Units are counted over the real handlers, as everywhere here; how full batches are at a rate is a model (`fills_at`).
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.cost import item_sizes
from tests.benchmarks.cost.bill import idle_month
from tests.benchmarks.cost.deployment import Deployment, provision
from tests.benchmarks.cost.metering import POLLED
from tests.benchmarks.cost.prices import MILLION, PEERS, PRICES, RATES
from tests.benchmarks.cost.scenario import Row, run_scenario, three_tries
from tests.benchmarks.cost.service import idle_release

HOURS = 730
SECONDS = HOURS * 3600
DOORS = {"http": ("http", 1), "http10": ("http", 10), "http100": ("http", 100), "bus": ("bus", 1),
         "queue": ("queue", 1), "queue10": ("queue", 10), "queue100": ("queue", 100)}  # fmt: skip
# A line for each batch of ingest and of the sender, and in both a step of each delivery (docs/operations.md, "Logs").
LOG_LINE_BYTES = 375
LOG_STEPS_BYTES = 117
STORED_ITEM_BYTES = 100  # DynamoDB adds them to each item that it stores ("Storage costs", DynamoDB Developer Guide)
# Metrics are written whoever looks at them, and billed by the hour that has something to count: where all goes well,
# events, queued, delivered and rollup_lag_ms. The other 25 are of what does not.
USUAL_METRICS, OTHER_METRICS = 4, 25
WATCHING = 9.0 + 3.0 + OTHER_METRICS * 0.30  # alarms, the dashboard, and those metrics, if each hour had them
# A poller takes what has come while it was on its way. These fills were taken for the peers' comparison of November
# 2026. With a window it asks again until the window is over, and the five pollers that a mapping has at least share
# what comes in it. Then they also share what one batch of ingest sends at once.
_FILLS = {1: 1.0, 10: 1.0, 100: 3.0, 1000: 10.0}
_POLLERS = 5


@dataclass(frozen=True, slots=True)
class Usage:
    """What a team does, and with which settings. `rate`: events a second, each for one webhook."""

    rate: float
    door: str = "http"
    kilobytes: int = 2
    tries: float = 1.0
    latency_s: float = 0.1
    deployment: Deployment = field(default_factory=Deployment)

    @property
    def fills(self) -> "Fills":
        """How full batches are."""
        return fills_at(self.rate, self.deployment, DOORS[self.door][1])


@dataclass(frozen=True, slots=True)
class Fills:
    """Messages of an invocation, and of a poller's one receive."""

    ingest: int
    sender: int
    ingest_received: int
    sender_received: int


@dataclass(slots=True)
class Month:
    """Dollars by line."""

    usage: Usage
    lines: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def dollars(self) -> float:
        """Of the whole month."""
        return sum(self.lines.values())

    @property
    def per_million(self) -> float:
        """Of a million deliveries, with their share of what does not depend on the rate."""
        return self.dollars / (self.usage.rate * SECONDS) * MILLION


def fills_at(rate: float, deployment: Deployment, at_once: int = 1) -> Fills:
    """By the model above, at so many events a second, of which so many share a message."""
    window_s, most = deployment.window_s, deployment.batch_size
    messages = rate / at_once
    ingest_received = max(_between(_FILLS, messages), 1)
    ingest = min(most, max(ingest_received, messages * window_s / _POLLERS))
    together = at_once * ingest / _POLLERS if window_s else 1
    sender_received = max(_between(_FILLS, rate), together, 1)
    sender = min(most, max(sender_received, rate * window_s / _POLLERS))
    return Fills(int(ingest), int(sender), int(min(POLLED, ingest_received)), int(min(POLLED, sender_received)))


def peer_at(name: str, rate: float) -> float:
    """A peer's dollars a month at a rate, between the measured ones by powers."""
    return _between(dict(zip(RATES, PEERS[name], strict=True)), rate)


def month_of(usage: Usage) -> Month:
    """All that AWS bills but egress, which is everybody's."""
    deployment, fills = usage.deployment, usage.fills
    counted = functools.partial(
        _counted, usage.door, usage.kilobytes, fills, latency_s=usage.latency_s, answers=deployment.KeepSuccessAnswers
    )
    first, event_bytes, delivery_bytes = counted(tries=1)
    deliveries = usage.rate * SECONDS
    month = Month(usage)
    for line, each in first["lines"].items():
        month.lines[line] = each * deliveries
    if usage.tries > 1:
        for line, each in counted(tries=3)[0]["lines"].items():
            extra = (each - first["lines"].get(line, 0)) / 2
            month.lines[line] = month.lines.get(line, 0) + (usage.tries - 1) * extra * deliveries
    log_bytes = LOG_LINE_BYTES / (fills.ingest * DOORS[usage.door][1]) + LOG_LINE_BYTES / fills.sender
    if deployment.LogLevel in ("DEBUG", "INFO"):
        log_bytes += LOG_STEPS_BYTES
    month.lines["logs"] = deliveries * usage.tries * log_bytes / 1e9 * PRICES["logs_gb"].dollars
    kept = event_bytes * deployment.event_days + delivery_bytes * deployment.RetentionDays
    month.lines[f"storage of {deployment.RetentionDays} days, with recovery"] = (
        deliveries * kept / (HOURS / 24) / 1e9
        * (PRICES["dynamodb_storage"].dollars + PRICES["dynamodb_recovery"].dollars)
    )  # fmt: skip
    if deployment.TableCapacity == "provisioned":
        provision(month.lines, deployment, HOURS)
    month.lines["metrics"] = USUAL_METRICS * PRICES["metric_month"].dollars
    month.lines["idle"] = sum(_idle().values())
    return month


@functools.cache
def _idle() -> dict[str, float]:
    return idle_month(idle_release()).lines


@functools.cache
def _counted(
    door: str, kilobytes: int, fills: Fills, *, tries: int, latency_s: float, answers: str
) -> tuple[Row, float, float]:
    """One scenario's row, and the bytes that an event and a delivery leave in the table."""
    entry, at_once = DOORS[door]
    scenario: dict[str, Any] = {
        "entry": entry, "at_once": at_once, "kilobytes": kilobytes, "waiting_ms": latency_s * 1e3,
        "fill": fills.sender, "ingest_fill": fills.ingest, "variables": {"KEEP_SUCCESS_ANSWERS": answers},
        "received": {"ingest": fills.ingest_received, "sender": fills.sender_received},
    }  # fmt: skip
    if tries == 3:
        first = _counted(door, kilobytes, fills, tries=1, latency_s=latency_s, answers=answers)[0]
        return three_tries(first, **scenario), 0, 0
    service, _, row = run_scenario(count=200 if fills.ingest * at_once <= 200 else 1000, **scenario)
    sizes = [0, 0]
    for (pk, sk), item in service.items.items():
        if pk.startswith("event|") or sk.startswith("dlv"):
            sizes[sk.startswith("dlv")] += item_sizes.item_bytes(item) + STORED_ITEM_BYTES
    return row, sizes[0] / row["deliveries"], sizes[1] / row["deliveries"]


def _between(points: dict[int, float], at: float) -> float:
    """A straight line on logarithmic axes; beyond the ends, the last piece goes on."""
    known = sorted(points)
    right = next((n for n, x in enumerate(known) if x >= at and n), len(known) - 1)
    low, high = known[right - 1], known[right]
    share = (math.log(at) - math.log(low)) / (math.log(high) - math.log(low))
    return math.exp(math.log(points[low]) + share * (math.log(points[high]) - math.log(points[low])))


def lines_of(usage: Usage) -> Sequence[str]:
    """The answer to the reader's own rate, with the peers beside it."""
    month = month_of(usage)
    millions = usage.rate * SECONDS / MILLION
    text = [
        f"{usage.rate:g} events a second by {usage.door}, {usage.kilobytes} KB, {usage.tries:g} tries, receivers that "
        f"take {usage.latency_s:g} s",
        f"batches of {usage.fills.ingest} in ingest and {usage.fills.sender} in the sender, assumed at that rate (at "
        f"most {usage.deployment.batch_size}, after {usage.deployment.window_s:g} s)",
        f"{millions:,.1f} million deliveries a month, US East list prices, egress left out",
        "",
        *(f"  {line:<56} ${dollars:>10,.2f}" for line, dollars in month.lines.items()),
        f"  {'together':<56} ${month.dollars:>10,.2f}   ${month.per_million:,.2f} a million",
        f"  alarms and their dashboard, and metrics of all that can go wrong, would add ${WATCHING:.2f}",
        "",
        "Others at that rate, highly available on AWS, egress and operators' hours left out:",
    ]
    for name in PEERS:
        dollars = peer_at(name, usage.rate)
        text.append(f"  {name:<56} ${dollars:>10,.2f}   ${dollars / millions:,.2f} a million")
    return text

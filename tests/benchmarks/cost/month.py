"""`make bench-cost RATE=50 DOOR=http KB=2 TRIES=1.1 LATENCY=0.3`: what a month costs at the reader's own rate.

Units are counted over the real handlers, as everywhere here; how full batches are at a rate is a model (`fill_at`).
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.benchmarks.cost import item_sizes
from tests.benchmarks.cost.bill import idle_month
from tests.benchmarks.cost.prices import MILLION, PEERS, PRICES, RATES
from tests.benchmarks.cost.scenario import Row, run_scenario, three_tries
from tests.benchmarks.cost.service import idle_release

HOURS = 730
SECONDS = HOURS * 3600
DOORS = {"http": ("http", 1), "http10": ("http", 10), "http100": ("http", 100), "bus": ("bus", 1),
         "queue": ("queue", 1), "queue10": ("queue", 10)}  # fmt: skip
# A line for each batch of ingest and of the sender, and in both a step of each delivery (docs/operations.md, "Logs").
LOG_LINE_BYTES = 375
LOG_STEPS_BYTES = 117
STORED_ITEM_BYTES = 100  # DynamoDB adds them to each item that it stores ("Storage costs", DynamoDB Developer Guide)
WATCHING = 9.0 + 3.0 + 29 * 0.30  # alarms, the dashboard, and the metrics, if each hour has something to count
# A mapping without a batching window takes what has come while its pollers were on their way. These fills were
# taken for the peers' comparison of November 2026; with a window, the five pollers that a mapping has at least
# share what comes in it.
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
    batch_size: int = 10
    window_s: float = 0  # BatchingSeconds
    days: int = 30

    @property
    def fill(self) -> int:
        """Messages of an invocation."""
        return fill_at(self.rate, self.batch_size, self.window_s)


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


def fill_at(rate: float, batch_size: int = 10, window_s: float = 0) -> int:
    """How many messages an invocation gets at so many a second, by the model above. 100 come with a window of 1 s."""
    without_window = _between(_FILLS, rate)
    window_s = window_s or (1 if batch_size > 10 else 0)
    return int(min(batch_size, max(without_window, rate * window_s / _POLLERS, 1)))


def peer_at(name: str, rate: float) -> float:
    """A peer's dollars a month at a rate, between the measured ones by powers."""
    return _between(dict(zip(RATES, PEERS[name], strict=True)), rate)


def month_of(usage: Usage) -> Month:
    """All that AWS bills but egress, which is everybody's."""
    first, stored = _counted(usage.door, usage.kilobytes, usage.fill, 1, usage.latency_s)
    deliveries = usage.rate * SECONDS
    month = Month(usage)
    for line, each in first["lines"].items():
        month.lines[line] = each * deliveries
    if usage.tries > 1:
        again, _ = _counted(usage.door, usage.kilobytes, usage.fill, 3, usage.latency_s)
        extra = (again["dollars_per_million"] - first["dollars_per_million"]) / 2 / MILLION
        month.lines["tries after the first"] = (usage.tries - 1) * extra * deliveries
    log_bytes = (2 * LOG_LINE_BYTES / usage.fill + LOG_STEPS_BYTES) * usage.tries
    month.lines["logs"] = deliveries * log_bytes / 1e9 * PRICES["logs_gb"].dollars
    kept_gb = deliveries * stored * usage.days / (HOURS / 24) / 1e9
    month.lines[f"storage of {usage.days} days, with recovery"] = kept_gb * (
        PRICES["dynamodb_storage"].dollars + PRICES["dynamodb_recovery"].dollars
    )
    month.lines["idle"] = sum(_idle().values())
    return month


@functools.cache
def _idle() -> dict[str, float]:
    return idle_month(idle_release()).lines


@functools.cache
def _counted(door: str, kilobytes: int, fill: int, tries: int, latency_s: float) -> tuple[Row, float]:
    """One scenario's row, and the bytes that a delivery leaves in the table and its indexes."""
    entry, at_once = DOORS[door]
    scenario = {"entry": entry, "at_once": at_once, "kilobytes": kilobytes, "fill": fill, "waiting_ms": latency_s * 1e3}
    if tries == 3:
        return three_tries(_counted(door, kilobytes, fill, 1, latency_s)[0], 400, **scenario), 0
    service, _, row = run_scenario(count=200, **scenario)
    items = [item for (pk, sk), item in service.items.items() if pk.startswith("event|") or sk.startswith("dlv")]
    size = sum(item_sizes.item_bytes(item) + STORED_ITEM_BYTES for item in items)
    return row, size / row["deliveries"]


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
        f"batches of {usage.fill}, assumed at that rate (at most {usage.batch_size}, after {usage.window_s:g} s)",
        f"{millions:,.1f} million deliveries a month, US East list prices, egress left out",
        "",
        *(f"  {line:<56} ${dollars:>10,.2f}" for line, dollars in month.lines.items()),
        f"  {'together':<56} ${month.dollars:>10,.2f}   ${month.per_million:,.2f} a million",
        f"  alarms, dashboard and metrics add ${WATCHING:.2f} where they are switched on",
        "",
        "Others at that rate, highly available on AWS, egress and operators' hours left out:",
    ]
    for name in PEERS:
        dollars = peer_at(name, usage.rate)
        text.append(f"  {name:<56} ${dollars:>10,.2f}   ${dollars / millions:,.2f} a million")
    return text

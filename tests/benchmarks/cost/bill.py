"""From what was counted to dollars."""

from dataclasses import dataclass, field

from tests.benchmarks.cost.metering import Meter
from tests.benchmarks.cost.prices import MILLION, PRICES

# Memory by the template, in MB; a function has a whole core at 1,769 MB (AWS Lambda Developer Guide, "Memory").
MEMORY_MB = {"api": 512, "ingest": 512, "sender": 512, "replay": 256, "release": 1769, "rollup": 256}
CORE_MB = 1769
AWS_CALL_MS = 6.0  # assumed: a call of DynamoDB or SQS within the region


@dataclass(frozen=True, slots=True)
class CpuCost:
    """CPU of one invocation in microseconds of a whole core: measured by `make bench`, rounded up."""

    fixed: float
    each: float


CPU = {
    "api": CpuCost(600, 200),
    "ingest": CpuCost(700, 250),
    "sender": CpuCost(1_000, 310),
    "rollup": CpuCost(4_000, 60),
    "release": CpuCost(4_000, 400),
    "replay": CpuCost(4_000, 600),
}


@dataclass(slots=True)
class Bill:
    """Dollars by line, for `deliveries`."""

    deliveries: int
    lines: dict[str, float] = field(default_factory=dict[str, float])
    amounts: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, line: str, price: str, amount: float) -> None:
        """So many units under a line."""
        self.amounts[line] = self.amounts.get(line, 0) + amount
        self.lines[line] = self.lines.get(line, 0) + amount * PRICES[price].dollars

    @property
    def per_million(self) -> float:
        """Dollars for a million deliveries."""
        return sum(self.lines.values()) / self.deliveries * MILLION

    def table(self) -> list[tuple[str, float, float]]:
        """(line, units per delivery, dollars per million deliveries)"""
        each = self.deliveries
        return [(name, self.amounts[name] / each, value / each * MILLION) for name, value in self.lines.items()]


def gb_seconds(function: str, invocations: int, items: int, calls: int, waiting_ms: float) -> float:
    """Billed: CPU at the memory's share of a core, AWS calls in sequence, and what receivers take."""
    memory = MEMORY_MB[function]
    cpu_ms = (CPU[function].fixed * invocations + CPU[function].each * items) / 1000 / min(1, memory / CORE_MB)
    return (cpu_ms + calls * AWS_CALL_MS + waiting_ms * invocations) / 1000 * memory / 1024


def bill_of(
    meter: Meter, *, deliveries: int, events: int, entry: str, bus_events: int = 0, waiting_ms: float = 100
) -> Bill:
    """`entry`: how events came in, "http", "bus" or "queue". `waiting_ms`: what receivers take to answer."""
    bill = Bill(deliveries)
    if entry == "http":
        bill.add("API Gateway requests", "api_request", meter.invocations["api"])
    elif entry == "bus":
        bill.add("EventBridge custom events", "eventbridge_event", bus_events)
    for function, name in (("ingest", "event items"), ("sender", "delivery items"), ("rollup", "statistics")):
        bill.add(f"DynamoDB writes: {name}", "dynamodb_write", meter.write_units[function])
    others = sum(meter.write_units[each] for each in ("release", "replay", "api"))
    bill.add("DynamoDB writes: others", "dynamodb_write", others)
    bill.add("DynamoDB reads", "dynamodb_read", sum(meter.read_units.values()))
    requests = sum(meter.sqs.values())
    bill.add("SQS requests", "sqs", requests)
    bill.add("SQS message groups, on top", "sqs_fair", requests)
    items = {"api": events, "ingest": events, "sender": deliveries, "rollup": events + deliveries}
    for function in sorted(meter.invocations):
        bill.add("Lambda requests", "lambda_request", meter.invocations[function])
        wait = waiting_ms if function == "sender" else 0
        amount = gb_seconds(function, meter.invocations[function], items.get(function, 0), meter.calls[function], wait)
        bill.add(f"Lambda GB-seconds: {function}", "lambda_gb_second", amount)
    return bill


def idle_month(release: Meter) -> Bill:
    """A deployed stack that nobody uses, for a month; alarms and dashboards apart. `release`: one run of it."""
    bill = Bill(1)
    minutes = 30 * 24 * 60
    # Lambda keeps five pollers on each of the four queues, whose empty receives take 20 s (Lambda Developer Guide,
    # "Polling and batching behavior").
    bill.add("SQS: empty receives of 4 mappings", "sqs", 4 * 5 * 3 * minutes)
    bill.add("release: invocations", "lambda_request", minutes)
    calls = release.calls["release"]
    bill.add("release: Lambda GB-seconds", "lambda_gb_second", gb_seconds("release", minutes, 0, calls * minutes, 0))
    bill.add(f"release: reads of {calls} calls a minute", "dynamodb_read", release.read_units["release"] * minutes)
    bill.add("KMS key", "kms_key_month", 1)
    bill.add("Secrets Manager: the JWT secret", "secret_month", 1)
    bill.add("logs of release, 0.1 KB a minute", "logs_gb", minutes * 135 / 1e9)
    return bill


def naive_delivery() -> Bill:
    """The naive build of the sender benchmark: one event a request, stored plain, and nothing batched."""
    bill = Bill(1)
    bill.add("API Gateway requests", "api_request", 1)
    bill.add("DynamoDB writes: the event as it is, a delivery put and updated", "dynamodb_write", 3 + 2)
    bill.add("DynamoDB reads", "dynamodb_read", 1)
    bill.add("SQS requests: send, receive and delete of two queues", "sqs", 6)
    bill.add("Lambda requests: api, ingest, sender", "lambda_request", 3)
    calls, cpu_ms = 6, 9.0
    seconds = (cpu_ms / (MEMORY_MB["sender"] / CORE_MB) + calls * AWS_CALL_MS + 100) / 1000
    bill.add("Lambda GB-seconds", "lambda_gb_second", seconds * MEMORY_MB["sender"] / 1024)
    return bill

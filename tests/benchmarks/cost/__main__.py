"""`make bench-cost`: units and dollars by scenario, beside the bars of the project."""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import corpus
from tests.benchmarks.cost.bill import AWS_CALL_MS, Bill, bill_of, idle_month, naive_delivery
from tests.benchmarks.cost.prices import DATE, MILLION, OTHERS, PRICES
from tests.benchmarks.cost.service import MeteredService, idle_release

RESULTS = Path(__file__).resolve().parents[1] / "results" / "cost.json"
HTTP_BATCH = 100
EVENTS = 1000
Row = dict[str, Any]


def say(text: str = "") -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")


def events_of(kilobytes: int, count: int) -> list[Mapping[str, Any]]:
    """So many events of the corpus, in turn."""
    return list(itertools.islice(itertools.cycle(corpus.events(kilobytes)), count))


def batches(events: Sequence[Mapping[str, Any]], size: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Slices of at most `size`."""
    for start in range(0, len(events), size):
        yield events[start : start + size]


def measured(**scenario: Any) -> tuple[Bill, Row]:
    """One scenario: every event through the real handlers over the metered fakes."""
    _, bill, row = _run(**scenario)
    return bill, row


def _run(
    *,
    entry: str = "http",
    at_once: int = HTTP_BATCH,
    kilobytes: int = 2,
    fan_out: int = 1,
    fill: int = 10,
    tries: int = 1,
    count: int = EVENTS,
    rate_limit_rps: float | None = None,
) -> tuple[MeteredService, Bill, Row]:
    service = MeteredService(fan_out=fan_out, batch_size=fill, rate_limit_rps=rate_limit_rps, failures=tries - 1)
    events = events_of(kilobytes, count)
    publish = {
        "http": service.publish_over_http, "bus": service.publish_on_the_bus, "queue": service.publish_on_the_queue,
    }[entry]  # fmt: skip
    for batch in batches(events, at_once):
        publish(batch)
    service.run()
    deliveries = count * fan_out
    if len(service.world.deliveries()) != deliveries + fan_out:  # and the warm-up's
        raise RuntimeError("not everything was delivered")
    chunks = sum(max(1, -(-(corpus.payload_bytes(event) + 150) // 65_536)) for event in events)
    bill = bill_of(service.meter, deliveries=deliveries, events=count, entry=entry, bus_events=chunks)
    meter = service.meter
    row: Row = {
        "entry": entry, "at_once": at_once, "payload_kb": kilobytes, "fan_out": fan_out, "batch_fill": fill,
        "tries": tries, "rate_limit": rate_limit_rps is not None, "deliveries": deliveries,
        "sender_calls": meter.calls["sender"] / deliveries,
        "all_calls": sum(meter.calls.values()) / deliveries,
        "sender_write_units": meter.write_units["sender"] / deliveries,
        "event_write_units": meter.write_units["ingest"] / count,
        "write_units": sum(meter.write_units.values()) / deliveries,
        "read_units": sum(meter.read_units.values()) / deliveries,
        "sqs_requests": sum(meter.sqs.values()) / deliveries,
        "gb_seconds": sum(v for k, v in bill.amounts.items() if "GB-seconds" in k) / deliveries,
        "dollars_per_million": bill.per_million,
    }  # fmt: skip
    return service, bill, row


def three_tries(first_try: Row, count: int) -> Row:
    """A delivery that fails twice, from a run in which a few do: what such a run takes on top, by their number."""
    service, _, mixed = _run(tries=3, count=count)
    share = service.receivers.failed / 2 / count
    units = (name for name, value in mixed.items() if isinstance(value, float))
    return {**mixed, **{name: first_try[name] + (mixed[name] - first_try[name]) / share for name in units}}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=EVENTS)
    count: int = parser.parse_args().count
    say(f"Prices of {DATE}, US East (N. Virginia), on demand, no free tiers. Assumed: {AWS_CALL_MS:g} ms an AWS call,")
    say(f"100 ms a receiver; {HTTP_BATCH} events an HTTP request, all of one workspace.")
    rows: list[Row] = []
    bills: dict[str, Bill] = {}
    for entry in ("http", "bus"):
        bills[entry], row = measured(entry=entry, count=count)
        rows.append(row)
        say()
        say(f"2 KB payload, fan-out 1, first try, batches of 10, by {_NAMES[entry]}, for a million deliveries")
        for line, units, value in bills[entry].table():
            say(f"  {line:<34}{units:>12.6f} a delivery   ${value:>7.3f}")
        say(f"  {'together':<34}{'':>12}               ${bills[entry].per_million:>7.3f}")
    rows += _variations(count)
    rows.append(three_tries(rows[0], max(count, 400)))
    say()
    _print_rows(rows)
    idle = idle_month(idle_release())
    say()
    say("Idle, for a month, alarms and dashboards apart")
    for line, _, value in idle.table():
        say(f"  {line:<44} ${value / MILLION:>7.3f}")
    say()
    bars = _bars(rows, bills, idle)
    for name, figure, bar, good in bars:
        say(f"  {'met   ' if good else 'MISSED'} {name:<58} {figure:>8.3f}  bar {bar:g}  ratio {figure / bar:.2f}")
    say()
    say("Apart, for a million deliveries of 2 KB:")
    for line, value in _apart():
        say(f"  {line:<64} ${value:>7.3f}")
    say("Others, as they publish it, and the naive build by the same prices:")
    say(f"  {'the naive build':<34} ${naive_delivery().per_million:>8.2f}  one event a request, nothing batched")
    for name, (value, what, source) in OTHERS.items():
        say(f"  {name:<34} ${value:>8.2f}  {what} ({source})")
    RESULTS.parent.mkdir(exist_ok=True)
    document = {
        "prices": {name: price.dollars for name, price in PRICES.items()},
        "rows": rows,
        "bills": {name: bill.table() for name, bill in bills.items()},
        "idle": idle.table(),
        "bars": bars,
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


_NAMES = {"http": "HTTP batch ingestion", "bus": "EventBridge"}


def _variations(count: int) -> list[Row]:
    few = max(100, count // 5)
    scenarios: list[dict[str, Any]] = [
        {"kilobytes": 1}, {"kilobytes": 10, "count": few}, {"kilobytes": 200, "count": max(20, count // 50)},
        {"fan_out": 10, "count": few}, {"fan_out": 1000, "count": 3},
        {"fill": 1, "count": few}, {"fill": 3, "count": few}, {"fill": 100},
        {"rate_limit_rps": 1000}, {"fill": 100, "rate_limit_rps": 1000},
        {"at_once": 1}, {"at_once": 1, "fill": 1, "count": few}, {"at_once": 10},
        {"entry": "queue", "at_once": 1}, {"entry": "queue", "at_once": 1, "fill": 1, "count": few},
        {"entry": "queue", "at_once": 10},
    ]  # fmt: skip
    return [measured(**{"count": count, **scenario})[1] for scenario in scenarios]


def _print_rows(rows: Sequence[Row]) -> None:
    columns = {
        "entry": "entry", "at_once": "at once", "payload_kb": "KB", "fan_out": "fan-out", "batch_fill": "fill",
        "tries": "tries", "rate_limit": "limited", "sender_calls": "sender calls", "all_calls": "all calls",
        "sender_write_units": "sender WU", "event_write_units": "WU/event", "write_units": "all WU",
        "read_units": "RU", "sqs_requests": "SQS", "gb_seconds": "GB-s", "dollars_per_million": "$/million",
    }  # fmt: skip
    say("  ".join(f"{title:>{max(7, len(title))}}" for title in columns.values()))
    for row in rows:
        cells = [
            f"{value:>{max(7, len(title))}.3f}" if isinstance(value, float) else f"{value!s:>{max(7, len(title))}}"
            for name, title in columns.items()
            for value in [row[name]]
        ]
        say("  ".join(cells))


def _bars(rows: Sequence[Row], bills: Mapping[str, Bill], idle: Bill) -> list[tuple[str, float, float, bool]]:
    usual = {"entry": "http", "at_once": HTTP_BATCH, "payload_kb": 2, "fan_out": 1, "tries": 1, "rate_limit": False}
    by_fill = {row["batch_fill"]: row for row in rows if usual.items() <= row.items()}
    given = [
        ("$ a million deliveries, HTTP batch ingestion", bills["http"].per_million, 2.10),
        ("$ a million deliveries, EventBridge", bills["bus"].per_million, 3.40),
        ("$ a month, idle", sum(idle.lines.values()), 3.0),
        ("write units of a first-try success", by_fill[10]["sender_write_units"], 1.0),
        ("AWS calls of the sender a delivery, batch 10", by_fill[10]["sender_calls"], 0.35),
        ("AWS calls of the sender a delivery, batch 100", by_fill[100]["sender_calls"], 0.1),
    ]
    return [(name, figure, bar, figure <= bar + 1e-9) for name, figure, bar in given]


def _apart() -> list[tuple[str, float]]:
    stored_gb = (1024 + 900 + 200) * MILLION / 1e9
    return [
        ("storage of both items for 30 days", stored_gb * PRICES["dynamodb_storage"].dollars),
        ("point-in-time recovery of them", stored_gb * PRICES["dynamodb_recovery"].dollars),
        ("logs: a line of 1.5 KB for 10 deliveries and for 10 events", 0.3 * PRICES["logs_gb"].dollars),
        ("egress: 2 KB and 1 KB of headers", 3.1 * PRICES["egress_gb"].dollars),
    ]


if __name__ == "__main__":
    main()

"""`make bench-cost`: units and dollars by scenario, beside the bars of the project."""

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.cost.bill import AWS_CALL_MS, Bill, idle_month, naive_delivery
from tests.benchmarks.cost.deployment import Deployment
from tests.benchmarks.cost.month import DOORS, SECONDS, Usage, lines_of, month_of, peer_at
from tests.benchmarks.cost.prices import DATE, MILLION, OTHERS, PEERS, PRICES, RATES
from tests.benchmarks.cost.scenario import EVENTS, HTTP_BATCH, Row, run_pull, run_scenario, three_tries
from tests.benchmarks.cost.service import idle_release

RESULTS = Path(__file__).resolve().parents[1] / "results" / "cost.json"


def say(text: str = "") -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")


def main() -> None:
    """Command line."""
    args = _arguments()
    if args.rate:
        for line in lines_of(Usage(args.rate, args.door, args.kb, args.tries, args.latency, args.parameters)):
            say(line)
        return
    count: int = args.count
    say(f"Prices of {DATE}, US East (N. Virginia), on demand, no free tiers. Assumed: {AWS_CALL_MS:g} ms an AWS call,")
    say(f"100 ms a receiver; {HTTP_BATCH} events an HTTP request, all of one workspace.")
    rows: list[Row] = []
    bills: dict[str, Bill] = {}
    for entry in ("http", "bus"):
        _, bills[entry], row = run_scenario(entry=entry, count=count)
        rows.append(row)
        say()
        say(f"2 KB payload, fan-out 1, first try, batches of 10, by {_NAMES[entry]}, for a million deliveries")
        for line, units, value in bills[entry].table():
            say(f"  {line:<34}{units:>12.6f} a delivery   ${value:>7.3f}")
        say(f"  {'together':<34}{'':>12}               ${bills[entry].per_million:>7.3f}")
    rows += _variations(count)
    say()
    _print_rows(rows)
    tries = _tries(rows)
    idle = idle_month(idle_release())
    say()
    say("Idle, for a month, alarms and dashboards apart")
    for line, _, value in idle.table():
        say(f"  {line:<44} ${value / MILLION:>7.3f}")
    say()
    months, levers = _months(), _levers()
    say()
    bars = [*_bars(rows, bills, idle, tries), *_month_bars(months)]
    for name, figure, bar, good in bars:
        say(f"  {'met   ' if good else 'MISSED'} {name:<58} {figure:>8.3f}  bar {bar:g}  ratio {figure / bar:.2f}")
    say()
    say("Apart, for a million deliveries of 2 KB:")
    for line, value in _apart(bills["http"], count):
        say(f"  {line:<64} ${value:>7.3f}")
    say("Others, as they publish it, and the naive build by the same prices:")
    say(f"  {'the naive build':<34} ${naive_delivery().per_million:>8.2f}  one event a request, nothing batched")
    for name, (value, what, source) in OTHERS.items():
        say(f"  {name:<34} ${value:>8.2f}  {what} ({source})")
    matrix = _matrix() if args.matrix else []
    RESULTS.parent.mkdir(exist_ok=True)
    document = {
        "prices": {name: price.dollars for name, price in PRICES.items()},
        "rows": rows,
        "tries": tries,
        "bills": {name: bill.table() for name, bill in bills.items()},
        "idle": idle.table(),
        "bars": bars,
        "rates": RATES,
        "months": months,
        "levers": levers,
        **({"matrix": matrix} if matrix else {}),
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=EVENTS)
    parser.add_argument("--matrix", action="store_true", help="every door, fill, latency, size and number of tries")
    parser.add_argument("--rate", type=_positive, help="events a second: what a month costs then")
    parser.add_argument("--door", choices=DOORS, default="http")
    parser.add_argument("--kb", type=int, choices=(0, 1, 2, 10, 200), default=2)
    parser.add_argument("--tries", type=_positive, default=1.0)
    parser.add_argument("--latency", type=_positive, default=0.1, help="what receivers take, in seconds")
    parser.add_argument("--parameters", type=_deployment, default=Deployment(), help="as `make deploy` takes them")
    return parser.parse_args()


def _deployment(text: str) -> Deployment:
    try:
        return Deployment.of(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and a million")
    return value


def _months() -> list[Row]:
    """Dollars a month at each rate: every door, batches of 10 and of 100, and the peers."""
    say()
    say("A month all in, 2 KB, first try, receivers at 100 ms, 30 days kept, alarms apart; $ (and $ a million)")
    for name, text in SETTINGS.items():
        say(f"  {name.removeprefix(', ') or 'as it comes'}: {text or 'no parameters'}")
    say(f"  {'':<32}" + "".join(f"{f'{rate:,} a second':>24}" for rate in RATES))
    rows: list[Row] = []
    for door, (settings, given) in itertools.product(DOORS, SETTINGS.items()):
        deployment = Deployment.of(given)
        months = [month_of(Usage(rate, door, deployment=deployment)) for rate in RATES]
        at_once = DOORS[door][1]
        rows.append({"name": f"{door}{settings}", "at_once": at_once, "dollars": [month.dollars for month in months]})
    rows += [{"name": name, "dollars": [peer_at(name, rate) for rate in RATES]} for name in PEERS]
    for row in rows:
        cells = (
            f"{f'{dollars:,.0f} ({dollars / rate / SECONDS * MILLION:,.2f})':>24}"
            for rate, dollars in zip(RATES, row["dollars"], strict=True)
        )
        say(f"  {row['name']:<32}" + "".join(cells))
    return rows


def _levers() -> list[Row]:
    """What each lever takes off, one after the other, from the door and settings that one begins with."""
    say()
    say("Lever by lever, $ a million as in the table above, each with all before it")
    say(f"  {'':<40}" + "".join(f"{f'{rate:,} a second':>16}" for rate in RATES))
    rows: list[Row] = []
    lines: list[Mapping[str, float]] = []
    for lever, door, text in LEVERS:
        months = [month_of(Usage(rate, door, deployment=Deployment.of(text))) for rate in RATES]
        rows.append({"lever": lever, "$": [month.per_million for month in months]})
        say(f"  {lever:<40}" + "".join(f"{month.per_million:>16,.2f}" for month in months))
        lines = [month.lines for month in months]
    say("Of the last line, by what it is paid for")
    for name in lines[0]:
        cells = (
            f"{each.get(name, 0) / rate / SECONDS * MILLION:>16,.3f}" for rate, each in zip(RATES, lines, strict=True)
        )
        say(f"  {name:<40}" + "".join(cells))
    return rows


def _matrix() -> list[Row]:
    """Dollars a million by door, fill, what receivers take, payload and tries; many minutes."""
    say()
    say(f"{'door':>8}{'fill':>6}{'latency':>9}{'KB':>6}{'tries':>7}{'$ a million':>13}")
    rows: list[Row] = []
    sizes = (0, 1, 2, 10)
    for (door, (entry, at_once)), fill, latency_ms, size in itertools.product(
        DOORS.items(), (1, 3, 10), (100, 1000), sizes
    ):
        scenario = {"entry": entry, "at_once": at_once, "fill": fill, "kilobytes": size, "waiting_ms": latency_ms}
        first = run_scenario(count=100, **scenario)[2]
        for tries, row in ((1, first), (3, three_tries(first, **scenario))):
            dollars = row["dollars_per_million"]
            rows.append({"door": door, "fill": fill, "ms": latency_ms, "kb": size or 0.3, "tries": tries, "$": dollars})
            say(f"{door:>8}{fill:>6}{latency_ms:>6} ms{size or 0.3:>6}{tries:>7}{dollars:>13.2f}")
    return rows


MONTH_BARS = (6.0, 4.0, 1.5, 1.0)  # at RATES, by the cheapest door and parameters
# What the row is called, and the parameters. The last of them pays at a steady rate.
_LARGE = "SenderBatchSize=100 IngestBatchSize=100"
_LATER = f"{_LARGE} BatchingSeconds=5"
_LESS = f"{_LATER} EventDays=7 KeepSuccessAnswers=false LogLevel=WARNING"
_STEADY = f"{_LESS} TableCapacity=provisioned"
_LEAST = f"{_STEADY} TableUsePercent=90 EventDays=1"
SETTINGS = {
    "": "",
    ", batches of 100": _LARGE,
    ", up to 5 s later": _LATER,
    ", and less kept": _LESS,
    ", provisioned": _STEADY,
    ", and the least kept": _LEAST,
}
LEVERS = (
    ("one event a POST", "http", ""),
    ("on the ingest queue", "queue", ""),
    ("ten in a message", "queue10", ""),
    ("SenderBatchSize, IngestBatchSize=100", "queue10", _LARGE),
    ("BatchingSeconds=5", "queue10", _LATER),
    ("EventDays=7", "queue10", f"{_LATER} EventDays=7"),
    ("KeepSuccessAnswers=false", "queue10", f"{_LATER} EventDays=7 KeepSuccessAnswers=false"),
    ("LogLevel=WARNING", "queue10", _LESS),
    ("TableCapacity=provisioned", "queue10", _STEADY),
    ("TableUsePercent=90", "queue10", f"{_STEADY} TableUsePercent=90"),
    ("a hundred in a message", "queue100", f"{_STEADY} TableUsePercent=90"),
    ("EventDays=1", "queue100", _LEAST),
)
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
        {"entry": "queue", "at_once": 100},
    ]  # fmt: skip
    return [run_scenario(**{"count": count, **scenario})[2] for scenario in scenarios]


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


def _tries(rows: Sequence[Row]) -> list[Row]:
    """What a delivery costs that succeeds at its third try, by how full batches are and what failures are answered."""
    say()
    say("Third try, 2 KB, a delivery in twenty fails twice, its retries come among first tries; $ a million, and units")
    found: list[Row] = []
    for fill, short_errors in ((10, True), (10, False), (100, True), (1, True)):
        usual = {"entry": "http", "at_once": HTTP_BATCH, "payload_kb": 2, "fan_out": 1, "rate_limit": False}
        first = next(row for row in rows if {**usual, "batch_fill": fill}.items() <= row.items())
        row = three_tries(first, fill=fill, short_errors=short_errors)
        found.append({"fill": fill, "short_errors": short_errors, **row})
        errors = "an error of a line" if short_errors else "4 KiB of noise"
        say(
            f"  batches of {fill:>3}, {errors:<18} ${row['dollars_per_million']:>7.2f}  record "
            f"{row['record_write_units']:.2f} WU, all {row['write_units']:.2f} WU, {row['read_units']:.2f} RU, "
            f"{row['sqs_requests']:.2f} SQS requests"
        )
    return found


def _bars(
    rows: Sequence[Row], bills: Mapping[str, Bill], idle: Bill, tries: Sequence[Row]
) -> list[tuple[str, float, float, bool]]:
    usual = {"entry": "http", "at_once": HTTP_BATCH, "payload_kb": 2, "fan_out": 1, "tries": 1, "rate_limit": False}
    by_fill = {row["batch_fill"]: row for row in rows if usual.items() <= row.items()}
    given = [
        ("$ a million deliveries, HTTP batch ingestion", bills["http"].per_million, 2.10),
        ("$ a million deliveries, EventBridge", bills["bus"].per_million, 3.40),
        ("$ a million deliveries, third try", tries[0]["dollars_per_million"], 5.0),
        ("$ a month, idle", sum(idle.lines.values()), 3.0),
        ("write units of a first-try success's record", by_fill[10]["record_write_units"], 1.0),
        ("AWS calls of the sender a delivery, batch 10", by_fill[10]["sender_calls"], 0.35),
        ("AWS calls of the sender a delivery, batch 100", by_fill[100]["sender_calls"], 0.1),
    ]
    return [(name, figure, bar, figure <= bar + 1e-9) for name, figure, bar in given]


def _month_bars(months: Sequence[Row]) -> list[tuple[str, float, float, bool]]:
    """By the cheapest door at which a publisher collects events for ten seconds at most; and as one begins."""
    given: list[tuple[str, float, float]] = []
    for position, (rate, bar) in enumerate(zip(RATES, MONTH_BARS, strict=True)):
        ours = [row["dollars"][position] for row in months if row.get("at_once", rate * 11) <= rate * 10]
        given.append((f"$ a million, all in, {rate:,} a second", min(ours) / rate / SECONDS * MILLION, bar))
    default = next(row for row in months if row["name"] == "http")
    singly = default["dollars"][RATES.index(10)] / 10 / SECONDS * MILLION
    given.append(("$ a million, all in, 10 a second by HTTP, no parameter", singly, 6.0))
    return [(name, figure, bar, figure <= bar) for name, figure, bar in given]


def _apart(usual: Bill, count: int) -> list[tuple[str, float]]:
    stored_gb = (1024 + 900 + 200) * MILLION / 1e9
    listing = run_scenario(count=count, variables={"LIST_EVENTS": "true"})[1].per_million - usual.per_million
    (recorded, read), singly = run_pull(count), run_pull(max(100, count // 10), at_once=1)
    return [
        ("an event for a pull webhook, recorded and not read", recorded.per_million),
        ("the same, read once in pages of 100, each committed", read.per_million),
        ("the same, read one at a time, each committed", singly[1].per_million),
        ("events are listed (ListEvents)", listing),
        ("storage of both items for 30 days", stored_gb * PRICES["dynamodb_storage"].dollars),
        ("point-in-time recovery of them", stored_gb * PRICES["dynamodb_recovery"].dollars),
        ("logs: 0.8 KB for 10 events and 1.1 KB for 10 deliveries", 0.19 * PRICES["logs_gb"].dollars),
        ("egress: 2 KB and 1 KB of headers", 3.1 * PRICES["egress_gb"].dollars),
    ]


if __name__ == "__main__":
    main()

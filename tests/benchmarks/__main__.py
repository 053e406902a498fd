"""`make bench`: CPU of every function, our sender beside its contenders, as a table, results/bench.json and a plot."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localstack.cloudformation import load
from tests.benchmarks.measuring import PROJECT, Stub, interleaved, measure_once, median, ratio, running_stub
from tests.benchmarks.shapes import SHAPES

RESULTS = Path(__file__).parent / "results"
CORE_MB = 1769  # a function has a whole core at this memory (AWS Lambda Developer Guide, "Configure memory")
CONTENDERS = ("ours", "reference", "naive")
AWS_MS = 6.0  # a call of DynamoDB or SQS within the region, assumed
THREADS = 8  # of functions/release
Row = dict[str, Any]


def say(text: str = "") -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def memory_share(function: str) -> float:
    """Of a core, by the memory that the template sets."""
    return load(PROJECT / "template.yaml")["Resources"][function]["Properties"]["MemorySize"] / CORE_MB


def sender(stub: Stub, *, rounds: int, units: int, quick: bool) -> list[Row]:
    """Ours, the reference loop and the naive build, by batch, connection and the receivers' latency."""
    rows: list[Row] = []
    say("sender: CPU us a delivery (median; ratios are medians of the rounds' ratios)")
    say(
        f"{'batch':>6}{'connection':>12}{'latency':>9}{'ours':>9}{'ref':>9}{'naive':>9}{'ours/ref':>10}{'naive/ours':>12}"
    )
    for batch in (10, 100):
        for tls in (False, True):
            for latency_ms in (0,) if quick else (0, 100, 1000):
                count = units if latency_ms == 0 else batch * 3
                parameters = {"batch": batch, "tls": tls, "latency_ms": latency_ms, "units": count}
                turns = rounds if latency_ms == 0 else -(-rounds // 3)
                found = interleaved({name: (name, parameters) for name in CONTENDERS}, turns, stub)
                row: Row = {
                    **parameters, "us": {name: median(found[name]) for name in CONTENDERS},
                    "calls": median(found["ours"], "calls"),
                    "to_reference": ratio(found["ours"], found["reference"]),
                    "naive_to_ours": ratio(found["naive"], found["ours"]),
                    "rounds": {name: [each["us"] for each in found[name]] for name in CONTENDERS},
                }  # fmt: skip
                rows.append(row)
                us = row["us"]
                say(
                    f"{batch:>6}{'TLS, fresh' if tls else 'kept':>12}{latency_ms:>6} ms{us['ours']:>9.0f}"
                    f"{us['reference']:>9.0f}{us['naive']:>9.0f}{row['to_reference']:>10.2f}{row['naive_to_ours']:>12.1f}"
                )
    return rows


def signatures(stub: Stub, *, rounds: int, units: int) -> Row:
    """What ed25519 beside v1 takes of the sender, for webhooks that ask for it."""
    parameters = {"batch": 10, "tls": False, "latency_ms": 0, "units": units}
    cases = {"v1": parameters, "v1a": {**parameters, "ed25519": True}}
    found = interleaved({name: ("ours", each) for name, each in cases.items()}, rounds, stub)
    us = {name: median(each) for name, each in found.items()}
    say()
    say(f"signatures: CPU us a delivery, batch 10: {us['v1']:.0f} by v1 alone, {us['v1a']:.0f} with ed25519 beside it")
    return {"us": us, "v1a_to_v1": ratio(found["v1a"], found["v1"])}


# Of a delivery's whole way: the measured parts, each with its share of one delivery, and the bar in reference loops.
WHOLE_WAY: dict[str, tuple[dict[str, float], float]] = {
    "HTTP, one event a POST": ({"api": 1, "ingest": 1, "sender": 1, "rollup": 1}, 3.0),
    "HTTP, 100 events a POST": ({"api, 100": 0.01, "ingest, 100": 1, "sender": 1, "rollup": 1}, 2.4),
    "bus": ({"ingest, bus": 1, "sender": 1, "rollup": 1}, 2.1),
    "queue": ({"ingest": 1, "sender": 1, "rollup": 1}, 2.1),
    "20 webhooks, one event a POST": ({"api": 0.05, "ingest, 20": 0.05, "sender": 1, "rollup, 20": 1}, 1.6),
    "one at a time": ({"api": 1, "ingest, alone": 1, "sender, alone": 1, "rollup": 1}, 9.0),
}


def whole_way(stub: Stub, *, rounds: int, units: int) -> list[Row]:
    """A delivery of 0.3 KB from the door to its counters, by the way it comes in: microseconds, and reference loops of
    batches of ten in the same round."""
    published = {"kilobytes": 0, "keyed": False}
    sent = {"tls": False, "latency_ms": 0, "kilobytes": 0}
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "reference": ("reference", {"batch": 10, "units": units, **sent}),
        "api": ("api", {"call": "POST /events", "units": units // 4, **published}),
        "api, 100": ("api", {"call": "POST /events x 100", "units": units // 40, **published}),
        "ingest": ("fan out", {"webhooks": 1, "door": "http", "batch": 10, "units": units}),
        "ingest, 100": ("fan out", {"webhooks": 1, "door": "http100", "batch": 1, "units": units}),
        "ingest, bus": ("fan out", {"webhooks": 1, "door": "bus", "batch": 10, "units": units}),
        "ingest, 20": ("fan out", {"webhooks": 20, "door": "http", "batch": 10, "units": units // 4}),
        "ingest, alone": ("fan out", {"webhooks": 1, "door": "http", "batch": 1, "units": units // 4}),
        "sender": ("ours", {"batch": 10, "units": units, **sent}),
        "sender, alone": ("ours", {"batch": 1, "units": units // 4, **sent}),
        "rollup": ("rollup", {"webhooks": 1, "units": units}),
        "rollup, 20": ("rollup", {"webhooks": 20, "units": units}),
    }
    found = interleaved(cases, rounds, stub)
    say()
    say("parts of a delivery's whole way, 0.3 KB: CPU us an event, call or delivery")
    for name, each in found.items():
        say(f"  {name:<20}{median(each):>9.0f}")
    rows: list[Row] = []
    for way, (parts, bar) in WHOLE_WAY.items():
        sums = [{"us": sum(found[part][n]["us"] * share for part, share in parts.items())} for n in range(rounds)]
        us = {part: median(found[part]) for part in parts}
        rows.append(
            {"way": way, "us": median(sums), "to_reference": ratio(sums, found["reference"]), "bar": bar, "parts": us}
        )
    return rows


def ingest(stub: Stub, *, rounds: int, units: int) -> list[Row]:
    """Subscriptions in a workspace, 10 of which want each event; and the predicate work by itself."""
    sizes = (10, 100, 1_000, 10_000, 100_000)
    cases = {str(n): ("ingest", {"subscriptions": n, "batch": 10, "units": units}) for n in sizes}
    found = interleaved(cases, rounds, stub)
    say()
    say("ingest: CPU us an event that reaches 10 webhooks, by subscriptions in its workspace")
    rows: list[Row] = []
    for n in sizes:
        to_100 = ratio(found[str(n)], found["100"])
        rows.append({"subscriptions": n, "us": median(found[str(n)]), "to_100": to_100})
        say(f"{n:>10,}{median(found[str(n)]):>9.0f}   {to_100:.2f}x of 100")
    return rows


def predicates(stub: Stub, *, rounds: int) -> list[Row]:
    """The work of matching alone, by the shape of the filters."""
    found = interleaved({shape: ("matching", {"shape": shape}) for shape in (*SHAPES, "mixture")}, rounds, stub)
    say()
    say("matching: CPU us an event, 1,000 subscriptions of its type, 10 of which match")
    for shape, each in found.items():
        say(f"  {shape:<20}{median(each):>9.0f}")
    return [{"shape": shape, "us": median(each)} for shape, each in found.items()]


def api(stub: Stub, *, rounds: int) -> list[Row]:
    """Calls of the API."""
    units = {"POST /events": 50, "POST /events x 100": 6, "POST /webhooks": 20}
    found = interleaved({call: ("api", {"call": call, "units": count}) for call, count in units.items()}, rounds, stub)
    say()
    say("api: CPU us a call")
    for call in units:
        say(f"  {call:<20}{median(found[call]):>9.0f}")
    return [{"call": call, "us": median(found[call])} for call in units]


def release(stub: Stub, *, rounds: int, waiting: int) -> Row:
    """Waiting deliveries that one function lets go of in a second, at its share of a core and with AWS's latency."""
    found = interleaved({"release": ("release", {"waiting": waiting, "units": waiting})}, rounds, stub)["release"]
    share = memory_share("ReleaseFunction")
    us, calls = median(found), median(found, "calls")
    # CPU is taken in turns; calls wait beside each other, as many as there are threads.
    per_second = 1e6 / (us / min(1, share) + calls * AWS_MS * 1000 / THREADS)
    say()
    say(
        f"release: {us:.0f} us and {calls:.3f} AWS calls a delivery; at {share:.2f} of a core and {AWS_MS:g} ms a call "
        f"{per_second:.0f} a second"
    )
    return {"us": us, "calls": calls, "share": share, "aws_ms": AWS_MS, "per_second": per_second}


def initiation(stub: Stub, *, batches: int) -> Row:
    """From a batch's arrival to the first byte at the receiver, held to the sender's share of a core."""
    share = memory_share("SenderFunction")
    parameters = {"batch": 10, "batches": batches, "share": share, "aws_ms": AWS_MS, "tls": False}
    found = measure_once("initiation", parameters, stub)
    say()
    say(
        f"initiation: p50 {found['p50']:.0f} ms, p95 {found['p95']:.0f}, p99 {found['p99']:.0f} at {share:.2f} of a "
        f"core and {AWS_MS:g} ms an AWS call; {found['calls_before']:.0f} AWS call before the first byte"
    )
    return {**parameters, **found}


def tls(stub: Stub, *, rounds: int) -> list[Row]:
    """Deliveries over TLS to 1,000 webhooks, some of which get far more than others: on one host, and on 1,000."""
    say()
    say("TLS: 1,000 webhooks by Zipf's law, batches of 10, receivers that take 100 ms; connections are kept")
    rows: list[Row] = []
    found: dict[int, list[dict[str, float]]] = {1: [], 1_000: []}
    for _ in range(rounds):
        for hosts, each in found.items():
            parameters = {"hosts": hosts, "seconds": 10, "latency_ms": 100}
            each.append(measure_once("many hosts", parameters, stub))
    for hosts, each in found.items():
        row = {"hosts": hosts, **{key: median(each, key) for key in ("us", "opened", "per_second")}}
        rows.append({**row, "to_one": ratio(each, found[1])})
        say(
            f"{hosts:>7,} hosts{row['us']:>7.0f} us a delivery ({rows[-1]['to_one']:.2f} of one host), "
            f"{row['opened']:.0%} with a handshake, {row['per_second']:.0f} a second"
        )
    return rows


def bars(results: Mapping[str, Any]) -> list[Row]:
    """The project's bars, each as figure and ratio."""
    plain = {r["batch"]: r for r in results["sender"] if not r["tls"] and r["latency_ms"] == 0}
    by_size = {row["subscriptions"]: row for row in results["ingest"]}
    slowest = max(results["matching"], key=lambda row: row["us"])
    given: list[tuple[str, float, float, Callable[[float, float], bool]]] = [
        *((f"sender to reference, batch {n}", plain[n]["to_reference"], 2.0, float.__le__) for n in (10, 100)),
        *((f"naive to sender, batch {n}", plain[n]["naive_to_ours"], 8.0, float.__ge__) for n in (10, 100)),
        *(
            (f"AWS calls a delivery, batch {n}", plain[n]["calls"], limit, float.__le__)
            for n, limit in ((10, 0.35), (100, 0.1))
        ),
        *((f"whole way, {row['way']}", row["to_reference"], row["bar"], float.__le__) for row in results["whole_way"]),
        ("ingest: 100,000 subscriptions to 100", by_size[100_000]["to_100"], 3.0, float.__le__),
        (f"matching 1,000 subscriptions, slowest: {slowest['shape']}, us", slowest["us"], 100.0, float.__le__),
        ("initiation p95, ms", results["initiation"]["p95"], 100.0, float.__le__),
        ("AWS calls before the first byte", float(results["initiation"]["calls_before"]), 2.0, float.__le__),
        ("release, deliveries a second", results["release"]["per_second"], 1000.0, float.__ge__),
    ]
    return [
        {"bar": name, "figure": figure, "limit": limit, "ratio": figure / limit, "met": holds(figure, limit)}
        for name, figure, limit, holds in given
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--units", type=int, default=400, help="deliveries a round")
    parser.add_argument("--quick", action="store_true", help="no receivers that take their time")
    parser.add_argument("--no-plot", action="store_true")
    args = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    say(f"{machine}, load {os.getloadavg()[0]:.1f}")
    results: dict[str, Any] = {"machine": machine, "rounds": args.rounds, "load_before": os.getloadavg()[0]}
    with running_stub() as stub:
        results["sender"] = sender(stub, rounds=args.rounds, units=args.units, quick=args.quick)
        results["tls"] = tls(stub, rounds=-(-args.rounds // 5))
        results["signatures"] = signatures(stub, rounds=args.rounds, units=args.units)
        results["whole_way"] = whole_way(stub, rounds=args.rounds, units=args.units)
        results["ingest"] = ingest(stub, rounds=args.rounds, units=max(50, args.units // 8))
        results["matching"] = predicates(stub, rounds=-(-args.rounds // 3))
        results["api"] = api(stub, rounds=-(-args.rounds // 3))
        results["release"] = release(stub, rounds=-(-args.rounds // 3), waiting=2000)
        results["initiation"] = initiation(stub, batches=50 if args.quick else 200)
    results["load_after"] = os.getloadavg()[0]
    results["bars"] = bars(results)
    say()
    for row in results["bars"]:
        mark = "met   " if row["met"] else "MISSED"
        say(f"  {mark} {row['bar']:<44}{row['figure']:>10.2f}  bar {row['limit']:g}  ratio {row['ratio']:.2f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    if not args.no_plot:
        from tests.benchmarks.plot import draw

        draw(results, RESULTS / "bench.svg")


if __name__ == "__main__":
    main()

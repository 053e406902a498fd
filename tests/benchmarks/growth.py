"""`make bench-growth`: what an event takes of a warm ingest process, by the tenants that it has seen, and what a
webhook's lists cost to read, by its deliveries; tables and plot.

Each tenant has a scope of its own with one webhook, which wants each event. What is kept of scopes has room for so many
bytes, so memory ends somewhere, and beyond that an event of a tenant who is seldom seen costs a read.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks import composition, corpus
from tests.benchmarks.history import Figures, history
from tests.benchmarks.measuring import Stub, cpu_seconds, measure_once, running_stub
from webhooks.store import schema

if TYPE_CHECKING:
    from tests.benchmarks.composition import Item

RESULTS = Path(__file__).parent / "results"
SIZES = (1, 10, 100, 1_000, 10_000, 100_000)
DELIVERIES = (1_000, 10_000, 100_000, 1_000_000)
BATCH, BATCHES = 10, 100
SEEDED_AT_ONCE = 2_000
PATIENCE_SECONDS = 900.0


def tenants(stub: Stub, *, sizes: Sequence[int]) -> dict[str, float]:
    """By "us N", "mb N" and "calls N": an event's CPU and AWS calls, and the process's memory, after N tenants."""
    composition.configure(stub)
    for start in range(0, max(sizes), SEEDED_AT_ONCE):
        _seed(stub, range(start, min(max(sizes), start + SEEDED_AT_ONCE)))
    app = composition.load("ingest")
    events = corpus.events(2)
    numbers = _numbers()

    def ingest(batch: Sequence[int]) -> float:
        records = [
            composition.ingest_record(
                next(numbers), [{**events[n % len(events)], "type": "record.updated", "workspace_id": n, "user_id": n}]
            )
            for n in batch
        ]
        before = cpu_seconds()
        answer = app.handler({"Records": records}, composition.Context())
        if answer["batchItemFailures"]:
            raise RuntimeError(f"not all were taken: {answer}")
        return cpu_seconds() - before

    ingest([0])  # what is imported with the first event
    figures: dict[str, float] = {}
    seen = 0
    for size in sizes:
        for start in range(seen, size, BATCH):
            ingest(range(start, min(size, start + BATCH)))
        seen = size
        stub.calls()
        drawn = random.Random(size)
        spent = sum(ingest([drawn.randrange(size) for _ in range(BATCH)]) for _ in range(BATCHES))
        count = BATCH * BATCHES
        figures |= {
            f"us {size}": spent / count * 1e6, f"mb {size}": _resident_mb(),
            f"calls {size}": sum(stub.calls().values()) / count,
        }  # fmt: skip
    return figures


def _seed(stub: Stub, numbers: range) -> None:
    items: list[Item] = []
    queries: dict[str, list[Item]] = {}
    for n in numbers:
        versions = {"pk": {"S": schema.versions_pk(f"ws:{n}")}, "sk": {"S": schema.VERSIONS_SK}}
        items.append({**versions, "record.updated": {"N": "1"}})
        pk = schema.route_pk(f"ws:{n}", "record.updated")
        subscriptions = json.dumps([[f"sub_{n:026d}", None, {}]])
        queries[pk] = [
            {"pk": {"S": pk}, "sk": {"S": f"wh_{n:026d}"}, "owner": {"S": str(n)}, "status": {"S": "active"},
             "subscriptions": {"S": subscriptions}}
        ]  # fmt: skip
    stub.control("Seed", items=items, queries=queries)


def _numbers() -> Iterator[str]:
    number = time.time_ns()
    while True:
        number += 1
        yield f"pub_{number:026d}-0"


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _draw(figures: Mapping[str, float], sizes: Sequence[int], lists: Mapping[int, Figures], file: Path) -> None:
    from tests.benchmarks.plot import COLOURS, plt, save

    figure: Any
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 3), layout="constrained")
    for axes, unit, label in ((left, "us", "CPU us an event, ingest"), (middle, "mb", "memory of the process, MB")):
        values = [figures[f"{unit} {size}"] for size in sizes]
        axes.plot(sizes, values, marker="o", color=COLOURS["ours"])
        axes.set_xscale("log")
        axes.set_ylim(0, 1.2 * max(values))
        axes.set_xlabel("tenants that the process has seen")
        axes.set_ylabel(label)
    for name in next(iter(lists.values())):
        right.plot([*lists], [each[name][1] for each in lists.values()], marker="o", label=name)
    right.set_xscale("log")
    right.set_ylim(0)
    right.set_xlabel("deliveries of the webhook")
    right.set_ylabel("read units a page")
    right.legend(fontsize="x-small")
    save(figure, (left, middle, right), file)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="make bench-growth")
    parser.add_argument("--most", type=int, default=max(SIZES), help="tenants")
    sizes = [size for size in SIZES if size <= parser.parse_args().most]
    with running_stub() as stub:
        figures = measure_once("tenants", {"sizes": sizes}, stub, PATIENCE_SECONDS)
    print(f"{'tenants':>9}{'CPU us an event':>18}{'AWS calls':>12}{'memory, MB':>13}")  # noqa: T201
    for size in sizes:
        us, calls, mb = (figures[f"{unit} {size}"] for unit in ("us", "calls", "mb"))
        print(f"{size:>9,}{us:>18.0f}{calls:>12.2f}{mb:>13.0f}")  # noqa: T201
    lists = history(DELIVERIES)
    asked = list(next(iter(lists.values())))
    print("\na webhook's deliveries: calls and read units\n" + " " * 9 + "".join(f"{name:>24}" for name in asked))  # noqa: T201
    for size, each in lists.items():
        cells = (f"{calls:.0f} calls, {units:g} units" for calls, units in each.values())
        print(f"{size:>9,}" + "".join(f"{cell:>24}" for cell in cells))  # noqa: T201
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.json").write_text(json.dumps(figures | {"lists": lists}, indent=1) + "\n")
    _draw(figures, sizes, lists, RESULTS / "growth.svg")


if __name__ == "__main__":
    main()

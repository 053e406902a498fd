"""The benchmarks' results as pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "webhooks"})  # small, and the same for the same results

COLOURS = {"ours": "#2f6fde", "reference": "#8a8f98", "naive": "#d9822b"}
PARTS = {"DynamoDB writes": "#2f6fde", "DynamoDB reads": "#7aa5ec", "EventBridge": "#d9822b", "API Gateway": "#e8b27a",
         "SQS": "#5aa469", "Lambda": "#8a8f98"}  # fmt: skip


def draw(results: Mapping[str, Any], file: Path) -> None:
    """CPU: a delivery of the three senders, an event of ingest by subscriptions, matching by the shape of filters."""
    figure: Any
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.4), layout="constrained")
    rows = [row for row in results["sender"] if row["latency_ms"] == 0]
    for position, (name, colour) in enumerate(COLOURS.items()):
        values = [row["us"][name] for row in rows]
        bars = left.bar([n + 0.27 * position for n in range(len(rows))], values, 0.25, label=name, color=colour)
        left.bar_label(bars, fmt="{:,.0f}", fontsize=7)
    left.set_yscale("log")
    left.set_xticks([n + 0.27 for n in range(len(rows))], [_label(row) for row in rows])
    left.set_ylabel("CPU us a delivery")
    left.legend(frameon=False, ncols=3, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
    sizes = [row["subscriptions"] for row in results["ingest"]]
    middle.plot(sizes, [row["us"] for row in results["ingest"]], marker="o", color=COLOURS["ours"])
    middle.set_xscale("log")
    middle.set_ylim(0, 1.2 * max(row["us"] for row in results["ingest"]))
    middle.set_xlabel("subscriptions in the workspace, 10 of which match")
    middle.set_ylabel("CPU us an event, ingest")
    shapes = results["matching"]
    right.barh([row["shape"] for row in shapes], [row["us"] for row in shapes], color=COLOURS["ours"])
    right.axvline(100, color=COLOURS["naive"], linewidth=1)
    right.invert_yaxis()
    right.set_xlabel("CPU us an event, matching 1,000 subscriptions (bar: 100)")
    save(figure, (left, middle, right), file)


def draw_cost(bills: Mapping[str, Sequence[tuple[str, float, float]]], file: Path) -> None:
    """Dollars for a million deliveries by what they are paid for, for each way in."""
    figure: Any
    figure, axes = plt.subplots(figsize=(8, 2.4), layout="constrained")
    names = {"http": "HTTP batches", "bus": "EventBridge"}
    start = dict.fromkeys(bills, 0.0)
    for part, colour in PARTS.items():
        sums = {entry: sum(dollars for line, _, dollars in lines if part in line) for entry, lines in bills.items()}
        labels = [names[entry] for entry in bills]
        axes.barh(labels, list(sums.values()), left=list(start.values()), label=part, color=colour)
        start = {entry: start[entry] + sums[entry] for entry in bills}
    for entry, total in start.items():
        axes.text(total, names[entry], f" ${total:.2f}", va="center")
    axes.set_xlabel("dollars a million deliveries of 2 KB, fan-out 1, first try")
    axes.legend(frameon=False, ncols=3, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
    save(figure, (axes,), file)


def draw_months(rows: Sequence[Mapping[str, Any]], rates: Sequence[int], file: Path) -> None:
    """Dollars a month by rate: between what one begins with and our cheapest door and settings, beside the peers."""
    figure: Any
    figure, axes = plt.subplots(figsize=(8, 4.4), layout="constrained")
    months = {row["name"]: row["dollars"] for row in rows if "at_once" not in row}
    ours = [row for row in rows if "at_once" in row]
    high = next(row["dollars"] for row in ours if row["name"] == "http")
    low = [  # without those whose publisher collects events for more than ten seconds
        min(row["dollars"][position] for row in ours if row["at_once"] <= 10 * rate)
        for position, rate in enumerate(rates)
    ]
    axes.fill_between(rates, low, high, color=COLOURS["ours"], alpha=0.15, linewidth=0)
    axes.plot(rates, high, color=COLOURS["ours"], label="ours, one event a POST, no parameter set")
    axes.plot(rates, low, color=COLOURS["ours"], linestyle="--", label="ours, cheapest door and parameters")
    greys = ("#d9822b", "#5aa469", "#8a8f98", "#b05fb0")
    for (name, dollars), colour in zip(months.items(), greys, strict=True):
        axes.plot(rates, dollars, label=name, color=colour, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(rates, [f"{rate:,}" for rate in rates])
    axes.set_xlabel("events a second")
    axes.set_ylabel("dollars a month")
    axes.legend(frameon=False, fontsize=8)
    save(figure, (axes,), file)


def save(figure: Any, all_axes: Sequence[Any], file: Path) -> None:
    """As a file that is the same for the same figures."""
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _label(row: Mapping[str, Any]) -> str:
    return f"batch {row['batch']}\n{'fresh TLS' if row['tls'] else 'kept alive'}"


def main() -> None:
    """All pictures, from the results as they are kept."""
    folder = Path(__file__).parent / "results"
    draw(json.loads((folder / "bench.json").read_text()), folder / "bench.svg")
    cost = json.loads((folder / "cost.json").read_text())
    draw_cost(cost["bills"], folder / "cost.svg")
    draw_months(cost["months"], cost["rates"], folder / "months.svg")


if __name__ == "__main__":
    main()

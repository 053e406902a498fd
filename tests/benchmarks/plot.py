"""The benchmark's results as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

COLOURS = {"ours": "#2f6fde", "reference": "#8a8f98", "naive": "#d9822b"}


def draw(results: Mapping[str, Any], file: Path) -> None:
    """Left: CPU a delivery of the three senders. Right: CPU an event of ingest by subscriptions."""
    figure: Any
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    rows = [row for row in results["sender"] if row["latency_ms"] == 0]
    for position, (name, colour) in enumerate(COLOURS.items()):
        values = [row["us"][name] for row in rows]
        bars = left.bar([n + 0.27 * position for n in range(len(rows))], values, 0.25, label=name, color=colour)
        left.bar_label(bars, fmt="{:,.0f}", fontsize=7)
    left.set_yscale("log")
    left.set_xticks([n + 0.27 for n in range(len(rows))], [_label(row) for row in rows])
    left.set_ylabel("CPU us a delivery")
    left.legend(frameon=False)
    sizes = [row["subscriptions"] for row in results["ingest"]]
    right.plot(sizes, [row["us"] for row in results["ingest"]], marker="o", color=COLOURS["ours"])
    right.set_xscale("log")
    right.set_ylim(bottom=0)
    right.set_xlabel("subscriptions in the workspace, 10 of which match")
    right.set_ylabel("CPU us an event")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})


def _label(row: Mapping[str, Any]) -> str:
    return f"batch {row['batch']}\n{'fresh TLS' if row['tls'] else 'kept alive'}"

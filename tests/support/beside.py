"""What a quiet tenant noticed of a bad neighbour: the figures of `make noisy`, and their table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beside:
    """Of the quiet tenant. `waits`: seconds from the first try to publish to the arrival, of what arrived.

    `lost`: events that were accepted and did not arrive; `failed`: deliveries with a failure, though the receiver is
    well; `unknown`: attempts that are not known to have been made; `refused`: requests that got no 2xx; `kept_out`:
    events that were not accepted, however often they were sent again; `flooded`: ten seconds in which a host got more
    requests than one may get.
    """

    name: str
    waits: Sequence[float]
    lost: int = 0
    failed: int = 0
    unknown: int = 0
    refused: int = 0
    kept_out: int = 0
    flooded: int = 0
    reads: Sequence[float] = ()  # seconds that a GET took

    @property
    def p50(self) -> float:
        """Seconds; infinite when nothing arrived."""
        return percentile(self.waits, 0.5)

    @property
    def p99(self) -> float:
        """Seconds; infinite when nothing arrived."""
        return percentile(self.waits, 0.99)

    def late(self, bar: float) -> int:
        """Events that took longer than so many seconds."""
        return sum(wait > bar for wait in self.waits)

    def faults(self, bar: float) -> list[str]:
        """Which promises were broken, with a p99 of at most `bar` seconds."""
        counts = {
            "lost": self.lost,
            "failed": self.failed,
            "unknown": self.unknown,
            "kept out": self.kept_out,
            "times too many requests to a host": self.flooded,
        }
        broken = [f"{self.name}: {count} {what}" for what, count in counts.items() if count]
        if self.p99 > bar:
            broken.append(f"{self.name}: p99 {_shown(self.p99)}, at most {_shown(bar)}")
        return broken


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest rank; infinite without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else math.inf


def table(rows: Sequence[Beside], bar: float) -> str:
    """The rows as Markdown; `late` counts what took longer than `bar` seconds."""
    lines = [
        "| beside | p50 | p99 | GET p99 | lost | failed | unknown | kept out | late | refused |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        reads = _shown(percentile(row.reads, 0.99)) if row.reads else ""
        counts = f"{row.lost} | {row.failed} | {row.unknown} | {row.kept_out} | {row.late(bar)} | {row.refused}"
        lines.append(f"| {row.name} | {_shown(row.p50)} | {_shown(row.p99)} | {reads} | {counts} |")
    return "\n".join(lines)


def _shown(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"

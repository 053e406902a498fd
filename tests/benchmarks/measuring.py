"""Measuring CPU: each case in a process of its own, pinned, beside a stub on another core; rounds interleave.

CPU is getrusage's, so waiting costs nothing. Ratios are formed within one round, whose cases ran next to each other on
the same noisy machine, and their median is reported.
"""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

PROJECT = Path(__file__).resolve().parents[2]
CONTROLS = ("Seed", "Calls", "Arrivals")
T = TypeVar("T")
Work = Callable[[T], int]  # does a piece of work; how many deliveries (events, calls) it was


@dataclass(frozen=True, slots=True)
class Stub:
    """Where the stub listens."""

    aws_port: int
    http_port: int
    tls_port: int
    authority: str

    @property
    def endpoint(self) -> str:
        """AWS."""
        return f"http://127.0.0.1:{self.aws_port}"

    def url(self, *, tls: bool, latency_ms: int = 0, body_bytes: int = 2, rich: bool = False) -> str:
        """A receiver: one that keeps connections, or one with TLS that closes each after its answer."""
        base = f"https://127.0.0.1:{self.tls_port}" if tls else f"http://127.0.0.1:{self.http_port}"
        return f"{base}/{latency_ms}/{body_bytes}/{int(rich)}"

    def control(self, operation: str, **request: Any) -> Any:  # noqa: ANN401
        """One of the stub's own controls: Seed, Calls, Arrivals."""
        asked = urllib.request.Request(
            self.endpoint, json.dumps(request).encode(), {"X-Amz-Target": f"Stub.{operation}"}
        )
        with urllib.request.urlopen(asked) as answer:
            return json.loads(answer.read())

    def calls(self) -> dict[str, int]:
        """AWS calls by operation since this was last asked."""
        counted: dict[str, int] = self.control("Calls")
        return {operation: count for operation, count in counted.items() if operation not in CONTROLS}


def cores() -> tuple[int, int]:
    """One for what is measured, one for the stub; the same where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pinned(core: int, *arguments: str) -> list[str]:
    """The command line of a module of ours on one core."""
    prefix = ["taskset", "-c", str(core)] if sys.platform == "linux" else []
    return [*prefix, sys.executable, "-m", *arguments]


@contextlib.contextmanager
def running_stub() -> Iterator[Stub]:
    """The stub, for as long as the block takes."""
    command = pinned(cores()[1], "tests.benchmarks.stub")
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the stub has no pipes")
    try:
        aws, http, tls, authority = process.stdout.readline().split()
        yield Stub(int(aws), int(http), int(tls), authority)
    finally:
        process.stdin.close()
        process.wait(10)


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_us(work: Work[T], prepare: Callable[[int], T], *, warm_up: int, units: int) -> float:
    """Microseconds of CPU a unit, after a warm-up; at least three pieces of work. What they need is prepared before."""
    number = done = 0
    while done < warm_up or number < 3:
        done += work(prepare(number))
        number += 1
    pieces = max(3, -(-units * number // done))
    prepared = [prepare(number + each) for each in range(pieces)]
    before = cpu_seconds()
    done = sum(work(each) for each in prepared)
    return (cpu_seconds() - before) / done * 1e6


def measure_once(workload: str, parameters: Mapping[str, Any], stub: Stub) -> dict[str, float]:
    """A workload in a process of its own: what its measurement answers."""
    request = json.dumps({"workload": workload, "parameters": dict(parameters), "stub": asdict(stub)})
    done = subprocess.run(
        pinned(cores()[0], "tests.benchmarks.child", request),
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{workload} {dict(parameters)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def interleaved(
    cases: Mapping[str, tuple[str, Mapping[str, Any]]], rounds: int, stub: Stub
) -> dict[str, list[dict[str, float]]]:
    """Every case once a round, by name."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (workload, parameters) in cases.items():
            results[name].append(measure_once(workload, parameters, stub))
    return results


def median(results: Sequence[Mapping[str, float]], key: str = "us") -> float:
    """Of the rounds."""
    return statistics.median(each[key] for each in results)


def ratio(above: Sequence[Mapping[str, float]], below: Sequence[Mapping[str, float]], key: str = "us") -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a[key] / b[key] for a, b in zip(above, below, strict=True))

"""Measuring CPU: each case in a process of its own, pinned, beside a stub on another core; short rounds interleave.

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
_READY = "ready"
CONTROLS = ("Seed", "Calls", "Arrivals", "Connections")
T = TypeVar("T")
Work = Callable[[T], int]  # does a piece of work; how many deliveries (events, calls) it was


@dataclass(frozen=True, slots=True)
class Stub:
    """Where the stub listens."""

    aws_port: int
    http_port: int
    tls_port: int
    named_port: int
    authority: str

    @property
    def endpoint(self) -> str:
        """AWS."""
        return f"http://127.0.0.1:{self.aws_port}"

    def url(self, *, tls: bool, latency_ms: int = 0, body_bytes: int = 2, rich: bool = False) -> str:
        """A receiver: one that keeps connections, or one with TLS that closes each after its answer."""
        base = f"https://127.0.0.1:{self.tls_port}" if tls else f"http://127.0.0.1:{self.http_port}"
        return f"{base}/{latency_ms}/{body_bytes}/{int(rich)}"

    def url_of_host(self, number: int, *, latency_ms: int) -> str:
        """A receiver with TLS and a name of its own, whose address is 127.0.0.1; it keeps connections."""
        return f"https://h{number}.hooks.test:{self.named_port}/{latency_ms}/2/0"

    def control(self, operation: str, **request: Any) -> Any:
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
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the stub has no pipe")
        aws, http, tls, named, authority = process.stdout.readline().split()
        try:
            yield Stub(int(aws), int(http), int(tls), int(named), authority)
        finally:
            process.communicate(timeout=10)  # it ends with its standard input


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_us(work: Work[T], prepare: Callable[[int], T], *, warm_up: int, units: int) -> float:
    """Microseconds of CPU a unit: after a warm-up, at least three pieces of work whenever the parent asks for a round.

    What the work needs is prepared before. Returns the median, after the last round.
    """
    number = done = 0
    while done < warm_up or number < 3:
        done += work(prepare(number))
        number += 1
    pieces = max(3, -(-units * number // done))
    rounds: list[float] = []
    report(_READY)
    while sys.stdin.readline():
        prepared = [prepare(number + each) for each in range(pieces + 1)]
        number += pieces + 1
        work(prepared.pop())  # connections may have ended while others had their turn
        before = cpu_seconds()
        done = sum(work(each) for each in prepared)
        rounds.append((cpu_seconds() - before) / done * 1e6)
        report(str(rounds[-1]))
    return statistics.median(rounds)


def report(line: str) -> None:
    """Tell the process that measures; what functions log is kept out of its way."""
    if sys.__stdout__ is not None:
        sys.__stdout__.write(f"\n{line}\n")
        sys.__stdout__.flush()


class _Case:
    """A workload in a process of its own, which measures a round when asked."""

    def __init__(self, workload: str, parameters: Mapping[str, Any], stub: Stub) -> None:
        self._named = f"{workload} {dict(parameters)}"
        request = json.dumps({"workload": workload, "parameters": dict(parameters), "stub": asdict(stub)})
        command = pinned(cores()[0], "tests.benchmarks.child", request)
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        """The next one that says something."""
        if self._process.stdout is None:
            raise RuntimeError("no pipe")
        for line in self._process.stdout:
            if line.strip():
                return line.strip()
        raise RuntimeError(f"{self._named} failed")

    def round(self) -> float:
        """Microseconds of CPU a unit."""
        if self._process.stdin is None:
            raise RuntimeError("no pipe")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self.line())

    def end(self, patience_seconds: float = 120.0) -> dict[str, float]:
        """What it came to."""
        answers, _ = self._process.communicate(timeout=patience_seconds)  # it ends with its standard input
        return json.loads(answers.splitlines()[-1])


def measure_once(
    workload: str, parameters: Mapping[str, Any], stub: Stub, patience_seconds: float = 120.0
) -> dict[str, float]:
    """A workload that measures by itself: what it came to."""
    return _Case(workload, parameters, stub).end(patience_seconds)


def interleaved(
    cases: Mapping[str, tuple[str, Mapping[str, Any]]], rounds: int, stub: Stub
) -> dict[str, list[dict[str, float]]]:
    """Every case once a round, by name. A process lives through all rounds; one of them works at a time."""
    running: dict[str, _Case] = {}
    for name, (workload, parameters) in cases.items():
        running[name] = _Case(workload, parameters, stub)
        if running[name].line() != _READY:
            raise RuntimeError(f"{name} is not ready")
    measured: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in running.items():
            measured[name].append(case.round())
    ends = {name: case.end() for name, case in running.items()}
    return {name: [{**ends[name], "us": us} for us in measured[name]] for name in cases}


def median(results: Sequence[Mapping[str, float]], key: str = "us") -> float:
    """Of the rounds."""
    return statistics.median(each[key] for each in results)


def ratio(above: Sequence[Mapping[str, float]], below: Sequence[Mapping[str, float]], key: str = "us") -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a[key] / b[key] for a, b in zip(above, below, strict=True))

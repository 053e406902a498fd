"""The process that is measured: `python -m tests.benchmarks.child REQUEST` prints what it came to, as JSON."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Command line. What functions log is made, and not kept: they find their standard output gone when imported."""
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - the process keeps it
    logging.getLogger("asyncio").disabled = True  # nothing is closed at the end, as in a Lambda process
    from tests.benchmarks.measuring import Stub, report

    request = json.loads(sys.argv[1])
    report(json.dumps(_workload(request["workload"])(Stub(**request["stub"]), **request["parameters"])))


def _workload(name: str) -> "Callable[..., object]":
    from tests.benchmarks import contenders, functions_under_test, growth, initiation, limits, many_hosts, shapes

    return {
        "ours": contenders.ours,
        "reference": contenders.reference,
        "naive": contenders.naive,
        "ingest": functions_under_test.ingest,
        "fan out": functions_under_test.fan_out,
        "rollup": functions_under_test.rollup,
        "api": functions_under_test.api,
        "matching": lambda _stub, **parameters: shapes.matching(**parameters),
        "release": functions_under_test.release,
        "limits": limits.limits,
        "initiation": initiation.initiation,
        "tenants": growth.tenants,
        "many hosts": many_hosts.many_hosts,
    }[name]


if __name__ == "__main__":
    main()

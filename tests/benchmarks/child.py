"""The process that is measured: `python -m tests.benchmarks.child REQUEST` prints what it came to, as JSON."""

import json
import sys

from tests.benchmarks import contenders, functions_under_test, initiation, shapes
from tests.benchmarks.measuring import Stub

WORKLOADS = {
    "ours": contenders.ours,
    "reference": contenders.reference,
    "naive": contenders.naive,
    "ingest": functions_under_test.ingest,
    "api": functions_under_test.api,
    "matching": lambda _stub, **parameters: shapes.matching(**parameters),
    "release": functions_under_test.release,
    "initiation": initiation.initiation,
}


def main() -> None:
    """Command line."""
    request = json.loads(sys.argv[1])
    answer = WORKLOADS[request["workload"]](Stub(**request["stub"]), **request["parameters"])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()

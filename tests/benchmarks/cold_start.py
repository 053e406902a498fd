"""Cold start: what a function's init takes in CPU, with and without .pyc, and which libraries it imports.

Each init runs in a Python of its own, as Lambda's runtime does it: import of app.py, without an invocation. Importing
is all that an init does here, since importing does no I/O.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results" / "cold_start.json"
FUNCTIONS = ("api", "authorizer", "dashboard", "ingest", "release", "replay", "rollup", "sender")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1", "STAGE": "local",
    "AWS_EC2_METADATA_DISABLED": "true", "TABLE_NAME": "t", "EVENT_BUS_NAME": "bus", "DATA_KEY_ID": "k",
    "DELIVERY_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/0/delivery",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/0/dead",
    "INGEST_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/0/ingest",
    "INGEST_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/0/ingest-dead",
    "JOBS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/0/jobs", "SENDER_FUNCTION_NAME": "sender",
    "JWT_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:jwt", "POWERTOOLS_SERVICE_NAME": "webhooks",
}  # fmt: skip
_INIT = """
import json, resource, sys
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
started_with = {name.partition(".")[0] for name in sys.modules}  # a distribution's sitecustomize may stand here
before = cpu()
import app
spent = cpu() - before
names = {name.partition(".")[0] for name, module in list(sys.modules.items()) if module is not None}
own = started_with.union(sys.stdlib_module_names, sys.builtin_module_names)
libraries = sorted(n for n in names - own if not n.startswith("_"))
print(json.dumps({"ms": spent * 1000, "libraries": libraries, "modules": sorted(sys.modules)}))
"""


def init(function: str, *, packages: Sequence[Path] = (), prefix: Path | None = None) -> Mapping[str, object]:
    """{"ms": CPU of the init, "libraries": top-level modules that are not Python's own, "modules": all of them}.

    `packages`: where libraries and webhooks are looked for, else where this interpreter has them. `prefix`: where .pyc
    are kept, so that an empty folder means none.
    """
    paths = [PROJECT / "functions" / function, *(packages or (PROJECT / "shared",))]
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PATH": os.environ.get("PATH", "")}
    if prefix is not None:
        environment["PYTHONPYCACHEPREFIX"] = str(prefix)
    done = subprocess.run(
        [sys.executable, "-c", _INIT], env=environment, capture_output=True, text=True, check=False, cwd=PROJECT
    )
    if done.returncode:
        raise RuntimeError(f"{function}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Medians in milliseconds of CPU by function, "without" and "with" .pyc, rounds interleaved."""
    spent: dict[str, dict[str, list[float]]] = {name: {"without": [], "with": []} for name in FUNCTIONS}
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "kept"
        for function in FUNCTIONS:
            init(function, prefix=kept)
        for turn in range(rounds):
            for function in FUNCTIONS:
                empty = Path(name) / f"{function}-{turn}"
                spent[function]["without"].append(float(str(init(function, prefix=empty)["ms"])))
                spent[function]["with"].append(float(str(init(function, prefix=kept)["ms"])))
                shutil.rmtree(empty, ignore_errors=True)
    return {f: {kind: statistics.median(each) for kind, each in both.items()} for f, both in spent.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    spent = measure(parser.parse_args().rounds)
    version = sysconfig.get_python_version()
    sys.stdout.write(f"init of each function in ms of CPU of a whole core, Python {version}\n")
    sys.stdout.write(f"{'function':<12}{'without .pyc':>14}{'with':>9}{'ratio':>8}\n")
    for function, both in spent.items():
        ratio = both["without"] / both["with"]
        sys.stdout.write(f"{function:<12}{both['without']:>14.0f}{both['with']:>9.0f}{ratio:>8.1f}\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(spent, indent=1) + "\n")


if __name__ == "__main__":
    main()

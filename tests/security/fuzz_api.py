"""Schemathesis against the running stack and its own OpenAPI document: `make fuzz-api`.

Every check is on. What is excluded, and where, stands with its reason in schemathesis.toml beside this file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localstack.emulator import PROJECT
from localstack.stack import LocalStack

PHASES = "examples,coverage,fuzzing,stateful"
CONFIG = Path(__file__).with_name("schemathesis.toml")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of a run. `report` is schemathesis' own, for people."""

    passed: bool
    cases: int
    report: str


def fuzz(stack: LocalStack, *, examples: int, seed: int, phases: str = PHASES) -> Fuzzed:
    """Send generated requests, `examples` for each operation and phase that generates at random."""
    token = stack.token(1, scope="webhooks events:write metrics:read", workspace_ids=[1, 2], seconds=86_400)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.ndjson"
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"),
            *(f"{stack.base_url}/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *(
                "--phases",
                phases,
                "--max-examples",
                str(examples),
                "--seed",
                str(seed),
                "--generation-database",
                "none",
            ),
            *("--report", "ndjson", "--report-ndjson-path", str(report), "--no-color"),
        ]
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return Fuzzed(done.returncode == 0, _cases(report), done.stdout + done.stderr)


def _cases(report: Path) -> int:
    count = 0
    for line in report.read_text(encoding="utf-8").splitlines() if report.exists() else ():
        event: dict[str, Any] = json.loads(line)
        finished = event.get("ScenarioFinished", {})
        count += len(finished.get("recorder", {}).get("interactions", ()))
    return count


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=4)
    given = parser.parse_args()
    with LocalStack(parameters={"TenantRateLimit": "0", "MaxWebhooksPerTenant": "1000000"}) as stack:
        done = fuzz(stack, examples=given.examples, seed=given.seed)
    verdict = "nothing broken" if done.passed else "BROKEN"
    sys.stdout.write(f"{done.report}\n{done.cases:,} cases: {verdict}\n")
    return 0 if done.passed else 1


if __name__ == "__main__":
    sys.exit(main())

"""Asks for known vulnerabilities of every locked package: `make audit`. Needs the advisory service of PyPI.

Ends with 1 for a vulnerable package. Where the service cannot be reached nothing is known: it says so, and ends with 0
unless --strict asks for an answer.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
LISTS = ("layers/dependencies/requirements.txt", "requirements/uv.txt", "requirements/sam.txt")


def audit(requirements: Path) -> list[dict[str, Any]]:
    """pip-audit's answer for each package of a hash-locked list; nothing is installed."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    done = subprocess.run(
        [*command, "--format", "json", "--requirement", str(requirements)], capture_output=True, text=True, check=False
    )
    try:
        return json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail when the advisory service does not answer")
    strict = parser.parse_args(arguments).strict
    asked = [package for name in LISTS for package in audit(PROJECT / name)]
    answered = [package for package in asked if "skip_reason" not in package]
    if not answered:
        print("audit: the advisory service cannot be reached from here: NOTHING WAS CHECKED.", file=sys.stderr)
        return 1 if strict else 0
    vulnerable = [package for package in answered if package.get("vulns")]
    for package in vulnerable:
        names = ", ".join(each["id"] for each in package["vulns"])
        print(f"{package['name']} {package['version']}: {names}", file=sys.stderr)
    print(f"audit: {len(answered)} of {len(asked)} locked packages checked, {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())

"""A CycloneDX bill of materials of what ships to Lambda, from uv.lock: `make sbom`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str]) -> int:
    """Entry point; the only argument is the file to write."""
    target = Path(arguments[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    export = ["uv", "export", "--quiet", "--frozen", "--no-default-groups", "--preview-features", "sbom-export"]
    command = [sys.executable, "-m", *export, "--format", "cyclonedx1.5", "--output-file", str(target.resolve())]
    return subprocess.run(command, cwd=PROJECT, stdout=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

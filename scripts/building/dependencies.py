"""Third-party packages for the target, less what Lambda never reads."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.building.target import BuildError, Target

# botocore describes every service of AWS (15 MB, compressed); these are the ones that functions/ and shared/ call.
SERVICES = frozenset({"cloudwatch", "dynamodb", "events", "kms", "lambda", "secretsmanager", "sqs", "sts"})

# As botocore's endpoints.json names them: the first is cloudwatch's.
ENDPOINTS = {"monitoring", *SERVICES}

# Below site-packages; sources of compiled modules, type stubs, and a web page that is never shown.
LEFT_OUT = (
    "bin",
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.pxi",
    "**/*.c",
    "**/*.h",
    "**/py.typed",
    "**/__pycache__",
    "boto3/data/*/*/resources-1.json",
    "boto3/examples",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.css",
    # what an installer noted for itself; names, versions, entry points and licences stay
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/uv_*",
    "*.dist-info/sboms",
    ".lock",
)


def install(requirements: Path, site_packages: Path, target: Target) -> None:
    """The packages as locked, by hash. Raises BuildError with the installer's own words."""
    wanted = ["--python-platform", target.platform, "--python-version", target.version, "--only-binary", ":all:"]
    locked = ["--no-deps", "--require-hashes", "-r", str(requirements)]
    placed = ["--target", str(site_packages), "--link-mode", "copy"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--quiet", *wanted, *locked, *placed],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"The packages for {target.architecture}, {target.runtime} cannot be installed:\n{done.stderr}"
        )
    for library in site_packages.rglob("*.so*"):
        target.check_binary(library)


def prune(site_packages: Path) -> None:
    """Remove what is never read on Lambda."""
    for pattern in LEFT_OUT:
        for path in list(site_packages.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in list((site_packages / "botocore" / "data").iterdir()):
        if path.is_dir() and path.name not in SERVICES:
            shutil.rmtree(path)
    _prune_endpoints(site_packages / "botocore" / "data" / "endpoints.json")


def _prune_endpoints(path: Path) -> None:
    """A megabyte about all services, which each first client parses: a third of what making it takes."""
    document = json.loads(path.read_text())
    for partition in document["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in ENDPOINTS}
    path.write_text(json.dumps(document, separators=(",", ":")))

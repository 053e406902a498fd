"""While aliases move, functions of one version work beside those of the next: on the same queues, table and layer.

UPGRADE_FROM names the older commit; `make crossing` takes one after the other.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from localstack.stack import LocalStack
from tests.infrastructure.template_document import PROJECT, Template
from tests.security.estate import everything, make
from tests.support.service import Service

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]


@pytest.fixture(scope="module")
def packages_before(tmp_path_factory: pytest.TempPathFactory, template: Template) -> dict[str, bytes]:
    """The functions of the older commit, zipped, as its own recipe builds them."""
    older = os.environ.get("UPGRADE_FROM", "HEAD~1")
    archive = subprocess.run(["git", "archive", older], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"there is no commit before this one: {archive.stderr.decode()}")
    project, folder = tmp_path_factory.mktemp("the commit before"), tmp_path_factory.mktemp("built before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(project, filter="data")
    if "SharedLayer:" in (project / "template.yaml").read_text():
        pytest.skip("the commit before has its code in a layer")
    packages: dict[str, bytes] = {}
    for name in template.functions:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.building", "artifact", name],
            cwd=project,
            env=os.environ | {"ARTIFACTS_DIR": str(folder / name)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        packages[name] = Path(shutil.make_archive(str(folder / name), "zip", folder / name)).read_bytes()
    return packages


def run(stack: LocalStack, function: str, package: bytes) -> None:
    """A version of this code, and the alias there."""
    functions, name = stack.client("lambda"), stack.resources[function]
    functions.update_function_code(FunctionName=name, ZipFile=package)
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


@pytest.mark.parametrize(
    "older",
    [
        ("ApiFunction", "IngestFunction", "ReleaseFunction"),
        ("SenderFunction", "ReplayFunction", "RollupFunction", "AuthorizerFunction", "DashboardFunction"),
    ],
    ids=["older ones write", "older ones read"],
)
def test_functions_of_two_versions_understand_each_other(
    older: tuple[str, ...], packages_before: dict[str, bytes]
) -> None:
    """From a webhook's registration to a dead letter that is replayed; the older code on this version's layer."""
    with LocalStack(parameters={"RetryBaseSeconds": "1"}) as stack, Service.of(stack) as service:
        for name in older:
            run(stack, name, packages_before[name])
        estate = make(service, service.user())
        assert len(everything(estate.owner, estate)) > 10
        assert not [each for each in stack.invocations() if each.error]

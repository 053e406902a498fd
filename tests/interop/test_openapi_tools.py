"""docs/openapi.json is what linters of OpenAPI find nothing to say about, and what clients are made from."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from localstack.emulator import PROJECT
from tests.support.node import NODE, UNREACHABLE, install

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SOURCE = Path(__file__).parent / "openapi"
DOCUMENT = PROJECT / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openapi")
    install(SOURCE, folder)
    for name in ("spectral.yaml", "publish.ts"):
        (folder / name).write_bytes((SOURCE / name).read_bytes())
    return folder


def run(tools: Path, name: str, *arguments: str) -> str:
    """What the tool says; fails with it unless the tool is content."""
    done = subprocess.run(
        [str(NODE), str(tools / "node_modules" / ".bin" / name), *arguments],
        cwd=tools, capture_output=True, text=True, check=False,
        env={"PATH": str(NODE.parent), "HOME": str(tools), "REDOCLY_TELEMETRY": "off"},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_spectral_finds_nothing(tools: Path) -> None:
    run(tools, "spectral", "lint", str(DOCUMENT), "--ruleset", "spectral.yaml", "--fail-severity", "hint")


def test_redocly_finds_nothing(tools: Path) -> None:
    said = run(tools, "redocly", "lint", str(DOCUMENT))
    assert "Your API description is valid" in said, said
    assert "warning" not in said, said


def test_types_of_openapi_typescript_take_what_a_platform_writes(tools: Path) -> None:
    run(tools, "openapi-typescript", str(DOCUMENT), "-o", "types.d.ts")
    run(tools, "tsc", "--strict", "--noEmit", "publish.ts")


def test_a_client_of_hey_api_compiles_strictly(tools: Path) -> None:
    run(tools, "openapi-ts", "-i", str(DOCUMENT), "-o", "client")
    strictly = ("--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
    run(tools, "tsc", *strictly, "client/index.ts")


def test_a_client_of_oapi_codegen_compiles(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no go here (Debian: golang-go)")
    folder = Path(shutil.copytree(SOURCE / "go", tmp_path / "go"))

    def run_go(*arguments: str) -> str:
        environment = os.environ | {"GOFLAGS": "-p=1", "GOTOOLCHAIN": "local"}
        done = subprocess.run(
            [go, *arguments], cwd=folder, capture_output=True, text=True, check=False, env=environment
        )
        if "go.mod requires go >=" in done.stderr:
            pytest.skip("go is older here than oapi-codegen asks for")
        if done.returncode and any(word in done.stderr for word in (*UNREACHABLE, "dial tcp", "no such host")):
            pytest.skip("the proxy of Go's modules cannot be reached from here")
        assert done.returncode == 0, done.stderr
        return done.stdout

    (folder / "client.go").write_text(run_go("tool", "oapi-codegen", "-package", "client", str(DOCUMENT)))
    run_go("vet", ".")

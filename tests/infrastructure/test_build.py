"""What `sam build` makes: sizes, the same bytes twice, for the right processor; and every function run as built."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.building import artifacts, bytecode
from scripts.building.sizes import measure
from scripts.building.target import BuildError, Target
from tests.conftest import Figure
from tests.infrastructure.template_document import PROJECT, Template
from tests.support.sam import (
    REFUSED,
    SAMPLES,
    Build,
    FunctionError,
    built,
    emulated,
    environment_of,
    function_of,
    sample,
    trigger_of,
)
from tests.support.service import eventually
from tests.support.stack import stack as deployed

__all__ = ["built", "deployed"]
pytestmark = pytest.mark.timeout(300)  # sam build


@pytest.fixture(scope="module", autouse=True)
def from_the_project() -> None:
    """The build runs in the project's folder, as sam does."""
    os.chdir(PROJECT)


def test_sam_builds_every_function_and_layer(built: Build, template: Template, figure: Figure) -> None:
    sizes = {each.name: each for each in built.sizes}
    assert set(sizes) == {"DependenciesLayer", *template.functions}
    assert sizes["DependenciesLayer"].unzipped_bytes < 70_000_000
    assert sizes["DependenciesLayer"].zipped_bytes < 25_000_000
    assert all(each.zipped_bytes < 1_700_000 for name, each in sizes.items() if name != "DependenciesLayer")
    figure(f"dependencies layer: {sizes['DependenciesLayer'].zipped_bytes / 1e6:.1f} MB zipped")


def test_every_module_comes_compiled(built: Build) -> None:
    modules = list(built.folder.rglob("*.py"))
    compiled = list(built.folder.rglob("*.pyc"))
    assert len(compiled) == len(modules) > 1000
    for path in compiled[:50]:
        head = path.read_bytes()[:16]
        assert int.from_bytes(head[4:8], "little") == 1  # by hash, and not checked: no look at the source at all


def test_tracebacks_name_the_modules_where_lambda_has_them(built: Build) -> None:
    (compiled,) = built.folder.glob("SenderFunction/__pycache__/app.*.pyc")
    assert b"/var/task/app.py" in compiled.read_bytes()
    (compiled,) = built.folder.glob("SenderFunction/webhooks/delivery/__pycache__/retry.*.pyc")
    assert b"/var/task/webhooks/delivery/retry.py" in compiled.read_bytes()
    (compiled,) = built.folder.glob("DependenciesLayer/python/botocore/__pycache__/client.*.pyc")
    assert b"/opt/python/botocore/client.py" in compiled.read_bytes()


def test_the_same_sources_are_the_same_bytes(built: Build, tmp_path: Path) -> None:
    again = tmp_path / "somewhere else"
    for size in built.sizes:
        (again / size.name).mkdir(parents=True)
        artifacts.build(size.name, PROJECT, again / size.name, built.target)
        assert measure(again / size.name).digest == size.digest, size.name
    times = {path.stat().st_mtime for path in again.glob("*/**/*")}
    assert times == {artifacts.MODIFIED}


@pytest.mark.parametrize(("architecture", "newest"), [("arm64", False), ("x86_64", False), ("arm64", True)])
def test_what_aws_runs_is_built_here(architecture: str, newest: bool, tmp_path: Path, template: Template) -> None:
    runtimes = template.parameters["PythonRuntime"]
    target = Target(architecture, runtimes["AllowedValues"][-1] if newest else runtimes["Default"])
    artifacts.build("DependenciesLayer", PROJECT, tmp_path, target)
    libraries = list(tmp_path.rglob("*.so"))
    assert len(libraries) > 10
    for library in libraries:
        target.check_binary(library)
    assert list(tmp_path.rglob(f"_pydantic_core.cpython-{target.version.replace('.', '')}-*.so"))
    has_python = bytecode.interpreter(target.version) is not None
    assert bool(list(tmp_path.rglob("*.pyc"))) == has_python


def test_a_library_for_another_processor_stops_the_build(built: Build) -> None:
    other = Target("x86_64" if built.target.architecture == "arm64" else "arm64", "python3.13")
    with pytest.raises(BuildError, match="is not for"):
        other.check_binary(next(built.site("DependenciesLayer").rglob("*.so")))


def test_versions_and_licences_stay(built: Build) -> None:
    site = built.site("DependenciesLayer")
    notes = list(site.glob("*.dist-info"))
    assert len(notes) == (PROJECT / "layers/dependencies/requirements.txt").read_text().count("==")
    assert all((note / "METADATA").is_file() for note in notes)
    assert list(site.glob("cryptography-*.dist-info/licenses/*"))
    assert not list(site.glob("*.dist-info/RECORD"))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_function_runs_as_built(
    name: str, built: Build, deployed: object, tmp_path: Path, figure: Figure
) -> None:
    """By the runtime interface emulator of AWS, with AWS's runtime client and nothing but the layer on the path."""
    function = function_of(name)
    variables = environment_of(deployed, function) | {"AWS_ENDPOINT_URL": deployed.endpoint_url}  # type: ignore[attr-defined]
    with emulated(built, function, variables, tmp_path / "run") as runtime:
        if name in REFUSED:
            with pytest.raises(FunctionError, match=SAMPLES[name]):
                runtime.invoke(sample(name))
        else:
            assert SAMPLES[name] in json.dumps(runtime.invoke(sample(name)))
    figure(f"as built: {trigger_of(name)} ({name})")


def test_every_sample_is_run() -> None:
    assert set(SAMPLES) == {path.stem for path in (PROJECT / "events").glob("*.json")}


def test_a_stage_decides_what_is_built_for(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "template.yaml", tmp_path)
    (tmp_path / "samconfig.toml").write_text(
        'version = 0.1\n[dev.deploy.parameters]\nparameter_overrides = "Stage=dev Architecture=x86_64"\n[prod]\n'
    )
    assert Target.of_stage(tmp_path, "dev") == Target("x86_64", "python3.13")
    assert Target.of_stage(tmp_path, "prod") == Target("arm64", "python3.13")
    assert Target.of_stage(tmp_path, "prod", "x86_64", "python3.12") == Target("x86_64", "python3.12")
    for stage, architecture, words in [("qa", None, "no 'qa'"), ("dev", "mips", "one of arm64, x86_64")]:
        with pytest.raises(BuildError, match=words):
            Target.of_stage(tmp_path, stage, architecture)


def test_what_cannot_be_built_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildError, match="no function or layer Table"):
        artifacts.build("Table", PROJECT, tmp_path, Target("arm64", "python3.13"))
    monkeypatch.setenv(bytecode.PYTHON_VARIABLE, sys.executable)
    with pytest.raises(BuildError, match=r"is not Python 2\.7"):
        bytecode.interpreter("2.7")
    (tmp_path / "broken.py").write_text("def")
    with pytest.raises(BuildError, match=r"broken\.py"):
        bytecode.compile_modules(tmp_path, sys.executable)


def test_without_a_python_of_the_target_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    other = "3.12" if sys.version_info[:2] == (3, 13) else "3.13"
    assert bytecode.interpreter(other) is None
    folder = tmp_path / "SenderFunction"
    folder.mkdir()
    artifacts.build("SenderFunction", PROJECT, folder, Target("arm64", f"python{other}"))
    assert not list(folder.rglob("*.pyc"))
    assert (folder / "webhooks" / "delivery" / "retry.py").is_file()


def test_make_names_the_build_for_sam() -> None:
    done = subprocess.run(["make", "-n", "build-SenderFunction"], capture_output=True, text=True, check=True)
    assert "scripts.building artifact SenderFunction" in done.stdout


def test_the_sample_of_a_request_passes_with_a_token(built: Build, deployed: object, tmp_path: Path) -> None:
    request = sample("authorizer_request")
    bearer = f"Bearer {deployed.token(77)}"  # type: ignore[attr-defined]
    request["headers"]["Authorization"] = bearer
    request["multiValueHeaders"]["Authorization"] = [bearer]
    variables = environment_of(deployed, "AuthorizerFunction") | {"AWS_ENDPOINT_URL": deployed.endpoint_url}  # type: ignore[attr-defined]
    with emulated(built, "AuthorizerFunction", variables, tmp_path / "run") as runtime:
        answer = eventually(lambda: runtime.invoke(request))
    assert answer["principalId"] == "77"
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"

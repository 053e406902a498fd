"""The content of each function and layer, as sam packs it."""

import os
import shutil
from pathlib import Path

from localstack import cloudformation
from localstack.package import LEFT_OUT
from scripts.building import bytecode, dependencies
from scripts.building.target import BuildError, Target

LAYER_FOLDER = "python"  # what Lambda puts on the path of a layer
LAYER_ROOT, FUNCTION_ROOT = "opt", "var/task"  # where Lambda unpacks a layer and a function
# Packing takes a file's time along: one and the same for all, so that the same content is the same zip.
MODIFIED = 315532800  # 1980-01-01, the first that a zip knows


def build(name: str, project: Path, folder: Path, target: Target) -> None:
    """A function or a layer of the template, by its logical id, into an empty folder.

    Raises BuildError when the template has no such function or layer, or it cannot be built.
    """
    resource = cloudformation.load(project / "template.yaml")["Resources"].get(name, {})
    properties = resource.get("Properties", {})
    kind = resource.get("Type")
    if kind == "AWS::Serverless::Function":
        _copy(project / properties["CodeUri"], folder)
        _finish(folder, FUNCTION_ROOT, target)
    elif kind == "AWS::Serverless::LayerVersion":
        source = project / properties["ContentUri"]
        requirements = source / "requirements.txt"
        if requirements.is_file():
            dependencies.install(requirements, folder / LAYER_FOLDER, target)
            dependencies.prune(folder / LAYER_FOLDER)
        else:
            _copy(source, folder / LAYER_FOLDER)
        _finish(folder, LAYER_ROOT, target)
    else:
        raise BuildError(f"template.yaml has no function or layer {name}.")


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*LEFT_OUT, "*.pyc", "Makefile"), dirs_exist_ok=True)


def _finish(folder: Path, root: str, target: Target) -> None:
    python = bytecode.interpreter(target.version)
    if python is not None:
        # compiled where the path ends as it does on Lambda, so that tracebacks name the files there
        scratch = folder.with_name(f"{folder.name}.compile")
        (scratch / root).parent.mkdir(parents=True)
        folder.rename(scratch / root)
        try:
            bytecode.compile_modules(scratch, python)
        finally:
            (scratch / root).rename(folder)
            shutil.rmtree(scratch)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)
        os.utime(path, (MODIFIED, MODIFIED))

"""The content of each function and layer, as sam packs it.

A function's package has its own folder of functions/ and all of shared/: the project's code is one thing, and changes
as one. Layers have the third-party packages.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from localstack import cloudformation
from scripts.building import bytecode, dependencies
from scripts.building.target import BuildError, Target

SHARED = "shared"  # what every function's package has beside its own modules
LAYER_FOLDER = "python"  # what Lambda puts on the path of a layer
LAYER_ROOT, FUNCTION_ROOT = "opt", "var/task"  # where Lambda unpacks a layer and a function
# Packing takes a file's time along: one and the same for all, so that the same content is the same zip.
MODIFIED = 315532800  # 1980-01-01, the first that a zip knows
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache", "*.pyc", "Makefile")


def build(name: str, project: Path, folder: Path, target: Target) -> None:
    """A function or a layer of the template, by its logical id, into an empty folder.

    Raises BuildError when the template has no such function or layer, or it cannot be built.
    """
    resource = cloudformation.load(project / "template.yaml")["Resources"].get(name, {})
    if resource.get("Type") == "AWS::Serverless::LayerVersion":
        build_layer(project / resource["Properties"]["ContentUri"], folder, target)
    elif resource.get("Type") == "AWS::Serverless::Function":
        build_functions({folder: project / resource["Properties"]["CodeUri"]}, project / SHARED, target)
    else:
        raise BuildError(f"template.yaml has no function or layer {name}.")


def build_functions(sources: Mapping[Path, Path], shared: Path, target: Target) -> None:
    """Functions from their sources into the folders that these are given for; what they share is compiled once.

    Raises BuildError when one cannot be built.
    """
    with TemporaryDirectory() as scratch:
        compiled = Path(scratch) / "shared"
        _copy(shared, compiled)
        _finish(compiled, FUNCTION_ROOT, target)
        for folder, source in sources.items():
            _copy(source, folder)
            _finish(folder, FUNCTION_ROOT, target)
            shutil.copytree(compiled, folder, copy_function=_link, dirs_exist_ok=True)


def build_layer(source: Path, folder: Path, target: Target) -> None:
    """The packages that `source` locks, less what Lambda never reads. Raises BuildError when they cannot be had."""
    dependencies.install(source / "requirements.txt", folder / LAYER_FOLDER, target)
    dependencies.prune(folder / LAYER_FOLDER)
    _finish(folder, LAYER_ROOT, target)


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, ignore=LEFT_OUT, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    """One file in two places: eight copies of the shared code would take a second."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


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

"""What `make build` makes, for this machine: each function as a zip, and the layer of third-party packages."""

import contextlib
import hashlib
import io
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from localstack.cloudformation import Template
from localstack.emulator import PROJECT, LocalStackError
from scripts.building import artifacts, bytecode
from scripts.building.target import BuildError, Target

DEPENDENCIES_LAYER = "DependenciesLayer"
RECIPE = Path(artifacts.__file__).parent
LAYERS = PROJECT / ".local" / "layers"
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and its name by content: a changed file gives another key, and so an update of what uses it."""

    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Build:
    """What is built for, and where the layer is. `python` runs the functions, on `layer` and no other packages.

    A built layer stays for the next time. `layer` is None where AWS's packages do not run, outside Linux with glibc:
    there the functions have this environment's.
    """

    project: Path
    template: Template
    target: Target
    python: str
    layer: Path | None

    @classmethod
    def of(cls, project: Path, template: Template) -> Self:
        """For the template's Python where this machine has it, else for the one that runs this."""
        here = Target.of_this_machine()
        if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
            return cls(project, template, here, sys.executable, None)
        wanted = Target(here.architecture, str(template["Parameters"]["PythonRuntime"]["Default"]))
        python = bytecode.interpreter(wanted.version)
        target = here if python is None else wanted
        recipe = [_layer_source(project, template) / "requirements.txt", *sorted(RECIPE.glob("*.py"))]
        content = hashlib.sha256(b"".join(path.read_bytes() for path in recipe)).hexdigest()[:16]
        folder = LAYERS / f"{target.architecture}-{target.runtime}-{content}"
        return cls(project, template, target, python or sys.executable, folder / artifacts.LAYER_FOLDER)

    @property
    def says(self) -> str:
        """What the functions run on, in a line for people."""
        on_aws = str(self.template["Parameters"]["PythonRuntime"]["Default"])
        if self.layer is None:
            return (
                f"Python {self.target.version} with this environment's packages; AWS has {on_aws} and the built layer"
            )
        if self.target.runtime != on_aws:
            return f"the built packages, with Python {self.target.version}; AWS has {on_aws}, and this machine does not"
        return f"the built packages, with Python {self.target.version}, as on AWS"

    def packages(self) -> Mapping[str, Package]:
        """All functions of the template, by their logical ids, and the layer made if it is not there yet.

        Raises LocalStackError when one cannot be built.
        """
        try:
            self._make_layer()
            return self._make_functions()
        except BuildError as error:
            raise LocalStackError(f"{error}") from error

    def _make_functions(self) -> Mapping[str, Package]:
        with tempfile.TemporaryDirectory() as scratch:
            folders = {
                Path(scratch) / name: self.project / resource["Properties"]["CodeUri"]
                for name, resource in self.template["Resources"].items()
                if resource["Type"] == "AWS::Serverless::Function"
            }
            artifacts.build_functions(folders, self.project / artifacts.SHARED, self.target)
            return {folder.name: _package(folder) for folder in folders}

    def _make_layer(self) -> None:
        if self.layer is None or self.layer.exists():
            return
        LAYERS.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=LAYERS))
        try:
            artifacts.build_layer(_layer_source(self.project, self.template), scratch / "layer", self.target)
            with contextlib.suppress(OSError):  # another process was faster
                (scratch / "layer").rename(self.layer.parent)
        finally:
            shutil.rmtree(scratch)


def _layer_source(project: Path, template: Template) -> Path:
    return project / str(template["Resources"][DEPENDENCIES_LAYER]["Properties"]["ContentUri"])


def _package(folder: Path) -> Package:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored: it goes no further than to the emulator
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    body = buffer.getvalue()
    return Package(f"{folder.name}-{hashlib.sha256(body).hexdigest()[:16]}.zip", body)

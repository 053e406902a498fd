"""What is built for: the architecture and the Python of the functions on AWS."""

import os
import platform
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from localstack import cloudformation

# The environment carries the target through sam to the builds that it starts.
ARCHITECTURE_VARIABLE = "BUILD_ARCHITECTURE"
RUNTIME_VARIABLE = "BUILD_RUNTIME"

# Amazon Linux 2 (python3.11) has glibc 2.26, Amazon Linux 2023 (python3.12 on) 2.34: what runs with 2.17 runs on both.
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
ELF_MACHINES = {"arm64": 183, "x86_64": 62}  # e_machine, from elf.h


class BuildError(Exception):
    """Nothing can be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """`architecture` as in the template's parameter Architecture, `runtime` as in PythonRuntime."""

    architecture: str
    runtime: str

    def __post_init__(self) -> None:
        if self.architecture not in PLATFORMS:
            raise BuildError(f"ARCH is {' or '.join(PLATFORMS)}, not {self.architecture!r}.")
        if not self.runtime.startswith("python3."):
            raise BuildError(f"PYTHON_RUNTIME is like python3.13, not {self.runtime!r}.")

    @classmethod
    def of_stage(cls, project: Path, stage: str, architecture: str | None = None, runtime: str | None = None) -> Self:
        """What is given, else what samconfig.toml deploys to this stage, else the template's defaults.

        Raises BuildError for a stage that samconfig.toml does not have, or a value that the template does not allow.
        """
        allowed = cloudformation.load(project / "template.yaml")["Parameters"]
        chosen = overrides(project, stage)
        return cls(
            _value("ARCH", allowed["Architecture"], architecture or chosen.get("Architecture")),
            _value("PYTHON_RUNTIME", allowed["PythonRuntime"], runtime or chosen.get("PythonRuntime")),
        )

    @classmethod
    def of_environment(cls, project: Path, environment: Mapping[str, str]) -> Self:
        """What `make build` passes through sam; for a plain `sam build`, the stage that it deploys by default."""
        given = environment.get(ARCHITECTURE_VARIABLE), environment.get(RUNTIME_VARIABLE)
        return cls.of_stage(project, "default", *given)

    @classmethod
    def of_this_machine(cls) -> Self:
        """What runs here: for tests that import what was built."""
        machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
        return cls(machine, "python" + ".".join(platform.python_version_tuple()[:2]))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that of_environment reads."""
        return {ARCHITECTURE_VARIABLE: self.architecture, RUNTIME_VARIABLE: self.runtime}

    @property
    def parameters(self) -> list[str]:
        """The template's parameters that say the same."""
        return [f"Architecture={self.architecture}", f"PythonRuntime={self.runtime}"]

    @property
    def version(self) -> str:
        """Such as 3.13."""
        return self.runtime.removeprefix("python")

    @property
    def platform(self) -> str:
        """uv's name of it."""
        return PLATFORMS[self.architecture]

    def check_binary(self, path: Path) -> None:
        """Raises BuildError when a shared library is for another machine."""
        with path.open("rb") as file:
            header = file.read(20)
        if header[:4] != b"\x7fELF" or int.from_bytes(header[18:20], "little") != ELF_MACHINES[self.architecture]:
            raise BuildError(f"{path.name} is not for {self.architecture}.")


def _value(name: str, parameter: Mapping[str, Any], given: str | None) -> str:
    if given and given not in parameter["AllowedValues"]:
        raise BuildError(f"{name} is one of {', '.join(parameter['AllowedValues'])}, not {given!r}.")
    return given or parameter["Default"]


def overrides(project: Path, stage: str) -> dict[str, str]:
    """The template's parameters that samconfig.toml gives a stage. Raises BuildError for a stage that it has not."""
    config = tomllib.loads((project / "samconfig.toml").read_text(encoding="utf-8"))
    if stage not in config:
        raise BuildError(f"samconfig.toml has no {stage!r}: STAGE is one of {', '.join(config.keys() - {'version'})}.")
    text = config[stage].get("deploy", {}).get("parameters", {}).get("parameter_overrides", "")
    return {name: value for name, _, value in (each.partition("=") for each in shlex.split(text))}


def without_make() -> dict[str, str]:
    """The environment for a build by sam, which runs make itself: what an outer make set is not for that one."""
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}

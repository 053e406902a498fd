"""A stand-in for AWS's base image: this machine's Python and its C libraries, a shell, AWS's runtime client."""

import hashlib
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

from scripts.building.target import Target
from tests.sam_local.engine import Engine

# what sam's own steps call while it puts the layers into an image
TOOLS = ("bash", "sh", "chmod", "cp", "mkdir", "mv", "rm", "cat", "ls")
CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client")
# compiled by others: what these need of the C compiler's libraries, AWS's image has
COMPILED = ("runtime_client", "pydantic_core._pydantic_core")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BOOTSTRAP = """#!/bin/bash
export PYTHONPATH=/opt/python:/var/runtime LD_LIBRARY_PATH=/var/lang/lib PYTHONDONTWRITEBYTECODE=1
exec /var/lang/bin/python{version} -s -m awslambdaric "$_HANDLER"
"""
# Standard library that no function imports.
LEFT_OUT = {
    "test",
    "tests",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "idlelib",
    "tkinter",
    "ensurepip",
    "lib2to3",
}


def name(target: Target) -> str:
    """What sam looks for."""
    return f"public.ecr.aws/lambda/python:{target.version}-{target.architecture}"


def build(engine: Engine, target: Target) -> None:
    """Make the image, unless the engine has just this one. `target` is this machine's."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()
    if engine.has_image(name(target)):
        if engine.inspect(name(target))["Config"]["Labels"] == {"recipe": recipe}:
            return
        engine.docker("rmi", "--force", name(target))
    settings = [
        f"LABEL recipe={recipe}",
        "ENV LANG=C.UTF-8",
        "ENV PATH=/var/lang/bin:/usr/bin:/bin",
        "ENV LAMBDA_TASK_ROOT=/var/task",
    ]
    settings += ["ENV LAMBDA_RUNTIME_DIR=/var/runtime", "WORKDIR /var/task"]
    changes = [part for setting in settings for part in ("--change", setting)]
    engine.docker("import", *changes, "-", name(target), data=_root(target.version))


def _root(version: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("tmp", "opt", "var/task", "var/rapid", "proc", "dev", "etc", "usr/bin", "bin"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        _add_tools(archive)
        _add_python(archive, version)
        for each in CLIENT:
            origin = _origin(each)
            origin = origin.parent if origin.name == "__init__.py" else origin
            archive.add(origin.resolve(), f"var/runtime/{origin.name}", filter=_lean)
        if CERTIFICATES.exists():
            archive.add(CERTIFICATES.resolve(), str(CERTIFICATES).lstrip("/"))
        _add_text(archive, "var/runtime/bootstrap", BOOTSTRAP.format(version=version))
        _add_text(archive, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        _add_text(archive, "etc/nsswitch.conf", "hosts: files dns\n")
    return buffer.getvalue()


def _add_tools(archive: tarfile.TarFile) -> None:
    found = {each: Path(shutil.which(each) or f"/bin/{each}").resolve() for each in TOOLS}
    for each, path in found.items():
        archive.add(path, f"bin/{each}")
    for library in _libraries(found.values()):
        archive.add(library.resolve(), str(library).lstrip("/"))


def _add_python(archive: tarfile.TarFile, version: str) -> None:
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    shared = [path for path in Path(sys.base_prefix, "lib").glob(f"libpython{version}*.so*") if path.is_file()]
    archive.add(program, f"var/lang/bin/python{version}")
    archive.add(standard, f"var/lang/lib/python{version}", filter=_lean)
    for path in shared:
        archive.add(path.resolve(), f"var/lang/lib/{path.name}")
    inside = {path.name for path in shared}
    compiled = [_origin(each) for each in COMPILED]
    for library in _libraries([program, *(standard / "lib-dynload").glob("*.so"), *compiled]):
        if library.name not in inside:
            archive.add(library.resolve(), f"var/lang/lib/{library.name}")


def _origin(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    return Path((spec and spec.origin) or module)


def _lean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(entry.name).parts
    return None if LEFT_OUT & set(parts) or parts[-1].startswith("config-") else entry


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """Every shared library that these need, the loader among them, by the path that they look for it under."""
    done = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False)
    return libraries_named(done.stdout)


def libraries_named(ldd: str) -> set[Path]:
    """The libraries in what ldd printed: `name => /path (0x...)` or `/path (0x...)`, where a path may have spaces."""
    return {Path(found) for found in re.findall(r"^\t(?:.* => )?(/.+) \(0x[0-9a-f]+\)$", ldd, re.MULTILINE)}


def _add_text(archive: tarfile.TarFile, path: str, text: str) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(text.encode()), 0o755
    archive.addfile(entry, io.BytesIO(text.encode()))

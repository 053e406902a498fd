"""Each function and the shared layer as a zip, the same bytes for the same files."""

import hashlib
import importlib.util
import io
import py_compile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
LEFT_OUT = {"__pycache__", ".pytest_cache", ".ruff_cache"}


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and its name by content: a changed file gives another key, and so an update of what uses it."""

    key: str
    body: bytes


def package(name: str, folder: Path, prefix: str = "") -> Package:
    """Everything in `folder`, below `prefix` in the zip, with compiled modules beside the sources.

    The compiled ones are of the kind that Python takes without a look at the source's time, which unpacking changes.
    """
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        tempfile.TemporaryDirectory() as scratch,
    ):
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or LEFT_OUT & set(path.relative_to(folder).parts):
                continue
            inside = f"{prefix}{path.relative_to(folder).as_posix()}"
            _add(archive, inside, path.read_bytes())
            if path.suffix == ".py":
                _add(archive, _cached_name(inside), _compiled(path, inside, Path(scratch)))
    body = buffer.getvalue()
    return Package(f"{name}-{hashlib.sha256(body).hexdigest()[:16]}.zip", body)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _cached_name(inside: str) -> str:
    return Path(importlib.util.cache_from_source(inside)).as_posix()


def _compiled(path: Path, inside: str, scratch: Path) -> bytes:
    target = scratch / "module.pyc"
    py_compile.compile(
        str(path),
        str(target),
        dfile=inside,
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return target.read_bytes()

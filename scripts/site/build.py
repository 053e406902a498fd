"""`make docs`: the site of docs/, in dist/docs. Fails for a link that leads nowhere.

Pages, the API's reference and files elsewhere that pages link to are laid into a folder, and zensical makes HTML of it.
A link out of docs/ leads to a page below elsewhere/ that shows the file; a folder is shown by its README.md or
`__init__.py`.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.site.diagrams import BLOCK, picture
from scripts.site.links import dead_links
from scripts.site.reference import pages

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
TARGET = PROJECT / "dist" / "docs"
API = "api"
ELSEWHERE = "elsewhere"
LINK = re.compile(r"(\]\()([^)#\s:]+)([^)\s:]*\))")
AS_THEY_ARE = {".md", ".svg", ".png"}
LANGUAGES = {".py": "python", ".mjs": "js", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
OPTIONAL = {"cli.md"}  # pages that are not missed


class NotBuilt(Exception):
    """What is wrong with the site, a line for each."""


def main(arguments: Sequence[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=TARGET, help="the folder for the site")
    target: Path = parser.parse_args(arguments).to
    try:
        build(target)
    except NotBuilt as wrong:
        print(wrong, file=sys.stderr)
        return 1
    print(target / "index.html")
    return 0


def build(target: Path) -> None:
    """The site in `target`, which is replaced. Raises NotBuilt."""
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder))
        done = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotBuilt(done.stdout + done.stderr)
        site = Path(folder) / "site"
        if dead := dead_links(site):
            raise NotBuilt("\n".join(dead))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(site, target)


def lay(folder: Path) -> None:
    """All that the generator reads. Raises NotBuilt for a diagram that is not drawn."""
    document = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    texts = {f"{API}/{name}": text for name, text in pages(document, _problems()).items()}
    for path in sorted(_shown()):
        place = _place_of(path)
        if path.suffix == ".md":
            texts[place] = _page(path, place)
        elif path.suffix in AS_THEY_ARE:
            _copy(path, folder / "docs" / place)
        else:
            texts[place] = _listing(path)
    for path in DOCS.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            _copy(path, folder / "docs" / path.relative_to(DOCS))
    for place, text in texts.items():
        (folder / "docs" / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / "docs" / place).write_text(text, encoding="utf-8")
    settings = yaml.safe_load(Path(__file__).with_name("mkdocs.yml").read_text(encoding="utf-8"))
    settings["nav"] = _navigation(settings["nav"], document)
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _problems() -> list[tuple[int, str, str, str, str]]:
    sys.path.append(str(PROJECT / "functions" / "api"))  # where Lambda has it
    from problems import ALL

    return [(each.status.value, each.name, each.title, each.means, each.remedy) for each in ALL.values()]


def _navigation(entries: list[Any], document: dict[str, Any]) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            ((title, below),) = entry.items()
            if below == f"{API}/":
                below = [
                    f"{API}/{each}.md"
                    for each in ("index", *(tag["name"] for tag in document["tags"]), "schemas", "problems")
                ]
            kept.append({title: _navigation(below, document) if isinstance(below, list) else below})
        elif entry not in OPTIONAL or (DOCS / entry).exists():
            kept.append(entry)
    return kept


def _page(path: Path, place: str) -> str:
    """A page with its links as they are in the site, and its diagrams drawn."""

    def linked(match: re.Match[str]) -> str:
        return f"{match[1]}{os.path.relpath(_place_of(_target(path, match[2])), Path(place).parent)}{match[3]}"

    def drawn(match: re.Match[str]) -> str:
        name = picture(match[1])
        if not (DOCS / name).exists():
            raise NotBuilt(f"{path} has a diagram that is not drawn: run `make diagrams`")
        return f"![Diagram]({os.path.relpath(name, Path(place).parent)}){{ .diagram }}"

    text = BLOCK.sub(drawn, LINK.sub(linked, path.read_text(encoding="utf-8")))
    return text.replace("<details", "<details markdown")  # what is folded away is Markdown, too


def _listing(path: Path) -> str:
    """A page that shows a file: long, and so found by what links to it, not by searching."""
    return (
        f"---\nsearch:\n  exclude: true\n---\n\n# {path.relative_to(PROJECT)}\n\n"
        f"~~~~~~~~ {LANGUAGES.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}\n~~~~~~~~\n"
    )


def _place_of(path: Path) -> str:
    """Where the site has a file of the project."""
    if path == DOCS / "openapi.json":
        return f"{API}/index.md"  # which leads to the document itself
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    place = f"{ELSEWHERE}/{path.relative_to(PROJECT).as_posix()}"
    return place if path.suffix in AS_THEY_ARE else f"{place}.md"


def _target(source: Path, link: str) -> Path:
    """The file that a link leads to. Raises NotBuilt when there is none."""
    target = (source.parent / link).resolve()
    if target.is_dir():
        target = next((each for each in (target / "README.md", target / "__init__.py") if each.exists()), target)
    if not target.is_file() or not target.is_relative_to(PROJECT):
        raise NotBuilt(f"{source.relative_to(PROJECT)} links to {link}, which is no file that the site can show")
    return target


def _shown() -> set[Path]:
    """The pages of docs/, what they link to elsewhere, and what that links to in turn."""
    found: set[Path] = set()
    left = list(DOCS.rglob("*.md"))
    while left:
        path = left.pop()
        if path not in found and (path.suffix == ".md" or not path.is_relative_to(DOCS)):
            found.add(path)
            left += _links(path) if path.suffix == ".md" else ()
    return found


def _links(page: Path) -> Iterator[Path]:
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        yield _target(page, match[2])


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

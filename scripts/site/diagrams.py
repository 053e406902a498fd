"""`make diagrams`: the Mermaid diagrams of docs/, drawn once as SVG files in docs/images: the site needs no script.

A picture's name has a digest of its diagram: one that was changed is missed when the site is built. Drawing needs
Chromium, and npm's registry for mermaid.
"""

import hashlib
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)
MERMAID = "mermaid@11.17.2"
# Texts as SVG's own: a picture in a page shows no HTML within it.
SETTINGS = {"startOnLoad": False, "theme": "neutral", "htmlLabels": False, "flowchart": {"htmlLabels": False}}


def picture(diagram: str) -> str:
    """The name of the drawn diagram, below docs/."""
    return f"images/diagram-{hashlib.sha256(diagram.encode()).hexdigest()[:12]}.svg"


def main() -> int:
    """Draw what is not drawn yet, and remove what no page has any more."""
    diagrams = {
        DOCS / picture(each): each for page in DOCS.rglob("*.md") for each in BLOCK.findall(page.read_text("utf-8"))
    }
    for drawn in (DOCS / "images").glob("diagram-*.svg"):
        if drawn not in diagrams:
            drawn.unlink()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    missing = {path: each for path, each in diagrams.items() if not path.exists()}
    if missing and browser is None:
        print("No Chromium here (Debian: apt-get install chromium).", file=sys.stderr)
        return 1
    for path, text in zip(missing, _drawn(missing.values(), browser), strict=True) if missing else ():
        path.write_text(_smaller(text) + "\n", encoding="utf-8")
        print(path.relative_to(DOCS.parent))
    return 0


def _drawn(diagrams: Iterable[str], browser: str | None) -> Iterator[str]:
    from playwright.sync_api import sync_playwright

    from scripts.clients import npm

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        npm(["pack", "--silent", MERMAID], Path(folder))
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page()
        page.add_script_tag(path=Path(folder, "package", "dist", "mermaid.min.js"))
        page.evaluate("settings => mermaid.initialize(settings)", SETTINGS)
        for diagram in diagrams:
            yield page.evaluate("async text => (await mermaid.render('diagram', text)).svg", diagram)
        opened.close()


def _smaller(svg: str) -> str:
    """Without what Mermaid notes for its own scripts, and with tenths of a pixel."""
    svg = re.sub(r' data-points="[^"]*"', "", svg)
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"\d+\.\d{2,}", lambda n: f"{float(n[0]):.1f}", path[0]), svg)


if __name__ == "__main__":
    sys.exit(main())

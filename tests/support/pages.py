"""The commands on the pages of the site, taken from the pages.

Each block is run against a local stack, unless a comment, which readers do not see, says why not:
`<!-- not run: AWS -->` before the block, or `<!-- no block of this page is run: AWS -->` on the page.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localstack.emulator import PROJECT

_BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>.+?) -->\n)?"
    r"^(?P<indent> *)```(?:sh|bash|console|shell)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PAGE = re.compile(r"<!-- no block of this page is run: (.+?) -->")


@dataclass(frozen=True, slots=True)
class Block:
    """`reason`: why it is not run; empty for one that is."""

    page: str
    text: str
    reason: str


def pages() -> list[Path]:
    """All pages of the site that are written by hand."""
    return [
        *sorted((PROJECT / "docs").rglob("*.md")),
        *sorted((PROJECT / "clients").rglob("README.md")),
        *sorted((PROJECT / "examples").rglob("*.md")),
    ]


def blocks() -> list[Block]:
    """Every block of commands, page by page, in order."""
    return [each for page in pages() for each in _of(page)]


def _of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    whole = _PAGE.search(text)
    for match in _BLOCK.finditer(text):
        reason = match["reason"] or (whole[1] if whole else "")
        yield Block(page.relative_to(PROJECT).as_posix(), textwrap.dedent(match["text"]), reason)

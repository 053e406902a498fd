"""The client's document of the former service, taken apart: it is what the service must still do."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

TEXT = Path(__file__).with_name("former-service-README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,4} (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block under its nearest heading."""

    heading: str
    language: str
    text: str


def blocks() -> list[Block]:
    """All fenced blocks, in order."""
    return [Block(_heading_above(match.start()), match[1], match[2]) for match in _BLOCK.finditer(TEXT)]


def block(heading: str, language: str) -> str:
    """The one block of this language under a heading."""
    (found,) = [each.text for each in blocks() if (each.heading, each.language) == (heading, language)]
    return found


def headers() -> dict[str, str]:
    """The headers of a delivery, with the values of the document's example."""
    return dict(line.split(": ", 1) for line in block("Headers", "").splitlines())


def endpoints() -> list[tuple[str, str]]:
    """(method, path) of every endpoint."""
    under = ("Webhook Management", "Subscription Management", "Dead Letter Queue", "System Information")
    lines = [line for heading in under for line in block(heading, "").splitlines()]
    return [(method, path) for method, path, *_ in map(str.split, lines)]


def event_types() -> list[str]:
    """Every event type, from the list of its section."""
    section = TEXT.split("### Event Types Supported\n")[1].split("\n## ")[0]
    return re.findall(r"^- `([a-z.]+)` - ", section, re.MULTILINE)


def metrics() -> list[str]:
    """Every metric, from the list of its section."""
    section = TEXT.split("### Key Metrics\n")[1].split("\n### ")[0]
    return re.findall(r"^- `([a-z_]+)` - ", section, re.MULTILINE)


def curl_lines() -> dict[str, list[str]]:
    """The curl commands of the debug section as arguments, by the comment above each."""
    text = block("Debug Endpoints", "bash").replace("\\\n", " ")
    return {
        comment.removeprefix("# "): shlex.split(command)
        for comment, command in (part.split("\n", 1) for part in text.strip().split("\n\n"))
    }


def _heading_above(position: int) -> str:
    return [match[1] for match in _HEADING.finditer(_without_blocks(TEXT[:position]))][-1]


def _without_blocks(text: str) -> str:
    """Comments in blocks look like headings."""
    return _BLOCK.sub("", text)

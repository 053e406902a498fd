"""What the show puts on the terminal; plain lines where there is none."""

import contextlib
import itertools
import json
import threading
from collections.abc import Generator
from typing import IO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from localstack.demo.receiver import Arrival

INDENT = 6


class Screen:
    """Prints; safe to be called by several threads."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._console = Console(file=file, highlight=False)
        self._numbers = itertools.count(1)
        self._shown_in_full: set[str] = set()
        self._lock = threading.Lock()

    def heading(self, text: str) -> None:
        """A part of the show begins."""
        self._console.print(f"\n[bold]{text}[/]\n", soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """One thing said, as it is: no markup."""
        self._console.print(Text(f"  {text}", style), soft_wrap=True)

    def note(self, text: str) -> None:
        """Something quoted: an answer, a header, a body."""
        if self._console.is_terminal:
            self._console.print(Padding(Text(text, "dim"), (0, 0, 0, INDENT)))
        else:
            indented = Text("\n".join(" " * INDENT + line for line in text.splitlines()))
            self._console.print(indented, soft_wrap=True)

    @contextlib.contextmanager
    def waiting(self, text: str) -> Generator[None]:
        """Show that something is awaited; only where it can be taken away again."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(text):
            yield

    def arrival(self, arrival: Arrival, *, by_library: bool, by_hand: bool) -> None:
        """A delivery as the receiver got it. A path's first one has a line for each header."""
        body = arrival.body.decode()
        with self._lock:
            title = Text.assemble(
                f"  {next(self._numbers):>2}  {arrival.header('X-PyAirtable-Event-Type'):<17} ",
                f"{arrival.header('webhook-id')}  attempt {arrival.header('X-PyAirtable-Attempt')}  ",
                "answered ",
                (str(arrival.status), "green" if arrival.status < 300 else "red"),
                "  standardwebhooks ",
                _tick(by_library),
                "  plain HMAC ",
                _tick(by_hand),
            )
            self._console.print(title, soft_wrap=True)
            headers = [f"{name}: {value}" for name, value in arrival.headers]
            if arrival.path in self._shown_in_full:
                self.note(" | ".join(headers))
                self.note(body)
            else:
                self._shown_in_full.add(arrival.path)
                self.note("\n".join([*headers, "", body, ""]))


def as_json(document: object) -> str:
    """On one line."""
    return json.dumps(document, ensure_ascii=False)


def _tick(good: bool) -> tuple[str, str]:
    return ("verified", "green") if good else ("WRONG", "bold red")

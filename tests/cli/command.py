"""`pyhooks` as a process, as people start it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.service import eventually

COMMAND = [sys.executable, "-m", "pyhooks"]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


@dataclass(slots=True)
class Running:
    """One that goes on."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def says(self, text: str, timeout: float = 60) -> str:
        """A line of standard error that has this, once it is there."""

        def found() -> str | None:
            return next((line for line in self.errors if text in line), None)

        return eventually(found, lambda line: line or self.process.poll() is not None, timeout=timeout, every=0.02) or (
            f"ended with {self.process.returncode}: {self.errors}"
        )

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Its exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)


class Pyhooks:
    """With a folder of its own; what still runs ends with it."""

    def __init__(self, folder: Path, command: list[str] | None = None) -> None:
        self.folder = folder
        self._command = command or COMMAND
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._running:
            if each.process.poll() is None:
                each.process.kill()
            each.process.wait()

    def __call__(self, *arguments: str, given: str = "", env: Mapping[str, str] | None = None) -> Ended:
        """Run it to its end."""
        done = subprocess.run(
            [*self._command, *arguments],
            input=given,
            env=self._environment(env),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def login(self, url: str, token: str, *more: str) -> None:
        """As people do it, with the key from standard input."""
        done = self("login", "--url", url, *more, given=token)
        assert done.code == 0, done.err

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> Running:
        """Run it on the side."""
        process = subprocess.Popen(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=self._environment(env),
        )
        running = Running(process)
        self._running.append(running)
        for stream, lines in ((process.stdout, running.lines), (process.stderr, running.errors)):
            threading.Thread(target=_collect, args=(stream, lines), daemon=True).start()
        return running

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYHOOKS_")}
        return kept | {
            "PYHOOKS_CONFIG_DIR": str(self.folder),
            "PYHOOKS_KEYRING": "0",
            "PYTHONUNBUFFERED": "1",
            **(more or {}),
        }


def _collect(stream: Any, lines: list[str]) -> None:
    with stream:
        lines.extend(stream)

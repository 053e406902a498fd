"""A Docker engine that nobody else uses."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_SECONDS = 60
NEEDED = ("dockerd", "docker", "iptables")


def missing() -> str | None:
    """Why there can be no engine here, or None."""
    if os.geteuid() != 0:
        return "sam local needs a Docker engine, and starting one needs root"
    absent = [each for each in NEEDED if shutil.which(each) is None]
    return f"sam local needs {', '.join(absent)} (Debian: docker.io iptables)" if absent else None


class EngineError(Exception):
    """The engine does not start, or refuses a command."""


class Engine:
    """Runs for as long as the block takes; images stay in `folder` for the next time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The path of a socket has at most 107 characters.
        self._run = Path(tempfile.mkdtemp(prefix="sam-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What clients of the engine, sam among them, find it by."""
        return {"DOCKER_HOST": f"unix://{self._run}/docker.sock"}

    def docker(self, *arguments: str, data: bytes | None = None) -> str:
        """The output of a docker command. Raises EngineError."""
        done = subprocess.run(
            ["docker", *arguments], input=data, capture_output=True, check=False, env=os.environ | self.variables
        )
        if done.returncode:
            raise EngineError(f"docker {arguments[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def has_image(self, tag: str) -> bool:
        """Whether the image is there."""
        return bool(self.docker("images", "--quiet", tag).strip())

    def inspect(self, name: str) -> dict[str, Any]:
        """A network, image or container as JSON."""
        return json.loads(self.docker("inspect", name))[0]

    def remove_containers(self, label: Sequence[str] = ()) -> None:
        """All that are left."""
        for each in self.docker("ps", "--all", "--quiet", *label).split():
            self.docker("rm", "--force", each)

    def __enter__(self) -> Self:
        for each in ("data", "exec"):
            (self._folder / each).mkdir(parents=True, exist_ok=True)
        arguments = ["--host", self.variables["DOCKER_HOST"], "--pidfile", str(self._run / "docker.pid")]
        arguments += ["--data-root", str(self._folder / "data"), "--exec-root", str(self._run / "exec")]
        # the machine's firewall stays as it is; containers reach the host, and nothing beyond it
        arguments += ["--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        with (self._folder / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["dockerd", *arguments], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(EngineError):
                self.docker("info")
                return self
            time.sleep(0.2)
        self.stop()
        log_end = (self._folder / "dockerd.log").read_text(errors="replace")[-2000:]
        raise EngineError(f"The Docker engine does not start. The end of its log:\n{log_end}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(EngineError):
            self.remove_containers()
        self.stop()

    def stop(self) -> None:
        """The engine ends, and what it mounted goes."""
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for mounted in (self._run / "exec").glob("netns/*"):
            subprocess.run(["umount", str(mounted)], check=False, capture_output=True)
        shutil.rmtree(self._run, ignore_errors=True)

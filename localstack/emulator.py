"""Starts and stops the emulator's process."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from localstack import authorised_calls, gaps
from localstack.authorised_calls import Call

PROJECT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
# What a function may see of the caller's environment: how to find programs and certificates, nothing else.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class LocalStackError(Exception):
    """The local stack cannot start or go on; the message says what to do."""


class Emulator:
    """One emulator on a free loopback port.

    With `state_dir` its data is kept there from one start to the next; without, it lives in a temporary folder that
    goes with it.
    `enforce_iam` makes it check each call against the calling role's policies, as AWS does.
    """

    def __init__(self, state_dir: Path | None = None, *, enforce_iam: bool = False, region: str = REGION) -> None:
        self._keep = state_dir is not None
        self._state_dir = state_dir
        self._enforce_iam = enforce_iam
        self._region = region
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self.endpoint_url = ""

    @property
    def folder(self) -> Path:
        """Where state, logs and temporary files are. Only while it runs."""
        if self._state_dir is None:
            raise LocalStackError("The emulator is not running.")
        return self._state_dir

    @property
    def function_log(self) -> Path:
        """A JSON object for each invocation: at, function, request_id, error, duration_ms, lines."""
        return self.folder / "functions.log"

    @property
    def calls(self) -> set[Call]:
        """What the functions' roles have asked AWS for; empty unless it enforces IAM."""
        return authorised_calls.read(self.folder / authorised_calls.FILE)

    @property
    def pid(self) -> int:
        """The emulator's process; the functions' processes are its children."""
        if self._process is None:
            raise LocalStackError("The emulator is not running.")
        return self._process.pid

    def start(self, python: str = sys.executable, layer: Path | None = None) -> None:
        """Returns when it answers. With a layer, functions run by this Python on its packages and no others.

        Raises LocalStackError when another uses the same folder, or it does not start.
        """
        if self._state_dir is None:
            self._state_dir = Path(tempfile.mkdtemp(prefix="webhooks-local-"))
        try:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            self._take_folder()
            temporary = self._state_dir / "tmp"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            self.function_log.unlink(missing_ok=True)
            (self._state_dir / authorised_calls.FILE).unlink(missing_ok=True)
            gaps.forget_stream_positions(self._state_dir / "emulator")
            self._launch(temporary, gaps.functions_environment(python, layer))
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Save the state and leave nothing running. Does nothing when it is not running."""
        if self._process is not None:
            process, self._process = self._process, None
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # function processes that were busy
            process.wait()
            if process.stdin:
                process.stdin.close()
        if self._state_dir is not None:
            shutil.rmtree(self._state_dir / "tmp", ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if not self._keep and self._state_dir is not None:
            shutil.rmtree(self._state_dir, ignore_errors=True)
            self._state_dir = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        path = self.folder / "lock"
        self._lock = path.open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            owner = self._lock.read().strip()
            self._lock.close()
            self._lock = None
            self._state_dir = None if not self._keep else self._state_dir
            raise LocalStackError(
                f"A local stack with the data of {self.folder} is running already (process {owner})."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _launch(self, temporary: Path, more: Mapping[str, str]) -> None:
        port = free_port()
        self.endpoint_url = f"http://127.0.0.1:{port}"
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= gaps.environment(port) | dict(more)
        environment |= {
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self._region,
            "MINISTACK_REGION": self._region,
            "AUTH": str(self._enforce_iam).lower(),
            "PERSIST_STATE": "1" if self._keep else "0",
            "STATE_DIR": str(self.folder / "emulator"),
            "S3_DATA_DIR": str(temporary / "s3"),
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }
        with (self.folder / "emulator.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "localstack.emulator_process", str(port), str(self.function_log)],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        ready = f"{self.endpoint_url}/_ministack/ready"
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            # answers 503 until it is ready
            with contextlib.suppress(OSError), urllib.request.urlopen(ready, timeout=5):  # noqa: S310 - our own address
                return
            time.sleep(0.05)
        tail = (self.folder / "emulator.log").read_text(errors="replace")[-2000:]
        raise LocalStackError(f"The emulator did not start. The end of its log:\n{tail}")


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""What runs in the emulator's process: `python -m localstack.emulator_process PORT FUNCTION_LOG`.

It ends, saving its state, on SIGTERM or when standard input closes; so it never outlives whoever started it, not even
one that was killed.
"""

# pyright: basic
# The emulator and its server have no types to speak of, and two of its private functions are replaced.

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from functools import partialmethod
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as emulator
from ministack.core import lambda_runtime
from ministack.services import lambda_svc


class FunctionLog:
    """A JSON object per invocation; see function_logs.py for its reader."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, function: str, request_id: str, lines: list[str], *, error: bool, duration_ms: int) -> None:
        """One entry, whole."""
        entry = {
            "at": time.time(),
            "function": function,
            "request_id": request_id,
            "error": error,
            "duration_ms": duration_ms,
            "lines": lines,
        }
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()


class Complaints(logging.Handler):
    """The emulator's own errors, such as a function that does not even start, stand among what the functions log."""

    def __init__(self, log: FunctionLog) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """A record of the emulator's logging."""
        self._log.write("emulator", "", record.getMessage().splitlines(), error=True, duration_ms=0)


def log_functions_to(log: FunctionLog) -> None:
    """Function output goes to our file instead of CloudWatch Logs, where the emulator keeps a stream for each
    invocation for good."""

    def emit(
        func: dict[str, Any],
        request_id: str,
        log_text: str,
        error: bool,
        duration_ms: int,
        *,
        log_source: str | None = None,
    ) -> None:
        name = (func.get("config") or func).get("FunctionName", "")
        log.write(name, request_id, (log_text or "").splitlines(), error=error, duration_ms=duration_ms)

    lambda_svc._emit_lambda_logs = emit


def do_not_wait_for_silent_handlers() -> None:
    """The emulator gives each invocation 50 ms to log its first line; the authorizer has nothing to say."""
    drain = lambda_runtime.Worker._drain_stderr_bounded
    shorter = partialmethod(drain, first_line_wait=0.002, idle_confirm=0.001)
    setattr(lambda_runtime.Worker, drain.__name__, shorter)


async def run(port: int) -> None:
    """Serve until told to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is for the starter, who then stops us

    def stop_with_starter() -> None:
        while os.read(0, 1024):  # unbuffered: a thread inside sys.stdin would upset the interpreter's end
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=stop_with_starter, daemon=True).start()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.3
    config.loglevel = "WARNING"
    await serve(emulator.app, config, shutdown_trigger=stop.wait)


def main() -> None:
    """Entry point."""
    port, log = int(sys.argv[1]), FunctionLog(Path(sys.argv[2]))
    log_functions_to(log)
    logging.getLogger().addHandler(Complaints(log))
    do_not_wait_for_silent_handlers()
    try:
        asyncio.run(run(port))
    finally:
        lambda_runtime.reset()  # ends the function processes


if __name__ == "__main__":
    main()

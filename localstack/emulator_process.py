"""What runs in the emulator's process: `python -m localstack.emulator_process PORT FUNCTION_LOG`.

It ends, saving its state, on SIGTERM or when standard input closes; so it never outlives whoever started it, not even
one that was killed.
"""

# pyright: basic
# The emulator and its server have no types to speak of.

import asyncio
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as emulator
from ministack.core import lambda_runtime

from localstack import authorised_calls, gaps_inside


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
    config.h11_max_incomplete_size = 128 * 1024
    config.graceful_timeout = 0.3
    config.loglevel = "WARNING"
    await serve(emulator.app, config, shutdown_trigger=stop.wait)


def main() -> None:
    """Entry point."""
    port = int(sys.argv[1])
    log = Path(sys.argv[2])
    gaps_inside.mend(log)
    authorised_calls.record(log.with_name(authorised_calls.FILE))
    try:
        asyncio.run(run(port))
    finally:
        lambda_runtime.reset()  # ends the function processes


if __name__ == "__main__":
    main()

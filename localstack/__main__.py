"""`make run`: the local stack in this terminal, until Ctrl-C."""

import os
import signal
import sys
import time
from collections.abc import Mapping

from localstack.demo.receiver import Receiver
from localstack.demo.show import Show
from localstack.emulator import PROJECT, LocalStackError
from localstack.front import SITE
from localstack.function_logs import for_terminal
from localstack.stack import LocalStack

DATA = PROJECT / ".local"
USER_ID = "123"


# The show's first webhook and its receiver stay: whatever this user publishes is seen to arrive.
AFTER_THE_SHOW = """
Stack and receiver stay up; publish an event and see it arrive:

  curl -X POST {url}/api/v1/events -H "X-User-ID: 123" -H "Content-Type: application/json" \\
    -d '{{"type": "record.created", "resource_id": "rec1", "data": {{"fields": {{"priority": "high"}}}}}}'

What the functions log follows. Ctrl-C stops everything.
"""


def parameters(environ: Mapping[str, str]) -> dict[str, str]:
    """Template parameters that the environment sets, for trying things out."""
    # Retries one and six seconds apart can be watched; the template's own five and thirty take patience.
    return {
        "RetryBaseSeconds": environ.get("RETRY_BASE_SECONDS") or "1",
        "LogLevel": environ.get("LOG_LEVEL", "").upper() or "INFO",
    }


def port(environ: Mapping[str, str]) -> int:
    """PORT, 8086 if not set. Raises LocalStackError when it is no port."""
    given = environ.get("PORT") or "8086"
    if not given.isdecimal() or not 0 <= int(given) <= 65535:
        raise LocalStackError(f"PORT is {given!r}; it must be a number from 1 to 65535.")
    return int(given)


def greeting(stack: LocalStack, seconds: float) -> str:
    """Where everything is, a token, and three calls to begin with."""
    url = stack.base_url
    docs = f"{url}/docs" if (SITE / "index.html").is_file() else "not built (make docs)"
    return f"""
The service is ready ({seconds:.0f} s). Ctrl-C stops it; the data stays in .local/ (make clean removes it).

  Dashboard   {url}/dashboard
  Docs        {docs}
  API         {url}/api/v1/
  OpenAPI     {url}/openapi.json
  AWS         {stack.endpoint_url} (emulated: AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1)
  Functions   {stack.functions_run_on}
  Event bus   {stack.outputs["EventBusName"]}
  Table       {stack.outputs["TableName"]}

A token for user {USER_ID}, good for a day (another: make token USER_ID=...):

  TOKEN={stack.token(USER_ID, seconds=86_400)}

  curl {url}/ready
  curl -H "Authorization: Bearer $TOKEN" {url}/api/v1/event-types
  curl -H "X-User-ID: {USER_ID}" {url}/api/v1/webhooks
"""


def follow(stack: LocalStack) -> None:
    """Show what the functions log, without end."""
    for invocation in stack.follow():
        for line in for_terminal(invocation):
            print(line, flush=True)


def run(environ: Mapping[str, str]) -> None:
    """Start, greet, show what the functions log, and stop at Ctrl-C or SIGTERM."""
    started = time.monotonic()
    stack = LocalStack(
        state_dir=DATA, port=port(environ), bind=environ.get("BIND") or "127.0.0.1", parameters=parameters(environ)
    )
    for end in (signal.SIGINT, signal.SIGTERM):  # a shell that starts it in the background ignores the first
        signal.signal(end, signal.default_int_handler)
    try:
        print("Starting the emulator and deploying template.yaml ...", flush=True)
        stack.start()
        print(greeting(stack, time.monotonic() - started), flush=True)
        if environ.get("DEMO") == "0":
            follow(stack)
        with Receiver() as receiver, Show(stack.running, receiver) as show:
            show.perform()
            print(AFTER_THE_SHOW.format(url=stack.base_url), flush=True)
            follow(stack)
    except KeyboardInterrupt:
        print("\nStopping ...", flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.stop()


def main() -> int:
    """Entry point."""
    try:
        run(os.environ)
    except KeyboardInterrupt:
        pass
    except LocalStackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: the show against a stack that runs, and nothing of it left afterwards."""

import sys

from localstack.demo.receiver import Receiver
from localstack.demo.show import Show
from localstack.emulator import PROJECT, LocalStackError
from localstack.running import Running


def main() -> int:
    """Entry point. 1 when something that should be shown does not come about."""
    try:
        running = Running.read(PROJECT / ".local")
        with Receiver() as receiver, Show(running, receiver) as show:
            try:
                show.perform()
            finally:
                show.tidy()
    except LocalStackError as error:
        print(f"\nThe show stops: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

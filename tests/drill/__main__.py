"""`make drill`: a table restored and a region lost, by the commands of docs/operations.md; 1 when it does not hold."""

import sys
import tempfile
import time
from pathlib import Path

from tests.drill.play import Broken, Drill
from tests.support.receiver import Receiver


def say(line: str) -> None:
    """To whoever waits."""
    print(line, flush=True)  # noqa: T201


def main() -> int:
    """Entry point."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home, Receiver() as receiver:
        try:
            Drill(say, Path(home), receiver).play()
        except Broken as broken:
            say(f"  NO  {broken}")
            return 1
    say(f"\nall held, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

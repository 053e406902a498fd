"""That one process at a time reads as one consumer.

On one machine a lock tells, which ends with its process. On two machines the service does: each commit has its time,
and who comes second sees one that it did not make. A listener commits every 20 s, also while nothing comes.
"""

import hashlib
from datetime import datetime
from types import TracebackType
from typing import IO, Self

from pyhooks.errors import Refused
from pyhooks.profiles import folder, read_json, write_json

RECENT_SECONDS = 60


class Claim:
    """Held in a `with`. Raises Refused where another process of this user holds it."""

    def __init__(self, url: str, webhook_id: str, consumer: str) -> None:
        digest = hashlib.sha256(f"{url} {webhook_id} {consumer}".encode()).hexdigest()[:24]
        self._lock = folder() / "listen" / f"{digest}.lock"
        self._noted = self._lock.with_suffix(".json")
        self._consumer = consumer
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._lock.open("a")
        except OSError as error:
            raise Refused(f"{self._lock} cannot be written: {error}.") from error
        try:
            _lock(self._file)
        except OSError:
            self._file.close()
            raise Refused(
                f"Another `pyhooks listen` of this machine reads as {self._consumer}. Both would get the same events: "
                "end it, or choose another --name to get all events in both."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()  # which ends the lock

    def note(self, committed_at: str) -> None:
        """The time of a commit of ours, as the service has it."""
        write_json(self._noted, {"committed_at": committed_at})

    def check(self, committed_at: str | None, server_clock: float) -> None:
        """Raises Refused for a recent commit that is not ours. `server_clock` is in seconds since the epoch."""
        if committed_at is None or read_json(self._noted).get("committed_at") == committed_at:
            return
        ago = server_clock - datetime.fromisoformat(committed_at).timestamp()
        if ago < RECENT_SECONDS:
            raise Refused(
                f"Somebody else read as {self._consumer} {max(0, ago):.0f} s ago, perhaps on another machine. Both "
                f"would get the same events: choose another --name, or try again in {RECENT_SECONDS} s if it has ended."
            )


def _lock(file: IO[str]) -> None:
    """Raises OSError where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

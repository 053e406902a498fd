"""A log of requests that a million of them fit in."""

from typing import NamedTuple

from tests.fakes.receivers import Seen


class Request(NamedTuple):
    """What there is to know of a request here."""

    at_ms: int
    url: str
    event_id: str
    delivery_id: str
    succeeded: bool


class BriefLog(list[Request]):
    """In the place of a receiver's log."""

    def append(self, seen: Seen) -> None:  # type: ignore[override]
        """Keep the brief form."""
        super().append(Request(seen.at_ms, seen.url, seen.event_id, seen.delivery_id, seen.succeeded))

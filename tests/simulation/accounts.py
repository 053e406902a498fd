"""What a consumer of a webhook was handed, by its own account."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """Of one consumer. `places` are those of all that read this webhook: event ids by position."""

    name: str
    places: dict[str, str]
    seen: set[str] = field(default_factory=set[str])  # ids of events
    blank: set[str] = field(default_factory=set[str])  # of those, what came without a body
    reads: int = 0
    deaths: int = 0
    is_over: bool = False  # the webhook is gone
    faults: list[str] = field(default_factory=list[str])
    _last: str = ""  # position that was read in this life

    def note(self, position: str, event_id: str) -> None:
        """It was handed this event."""
        if position <= self._last:
            self.faults.append(f"{self.name} read {event_id} out of order")
        if self.places.setdefault(position, event_id) != event_id:
            self.faults.append(f"{self.name} read {event_id} where another reader found another event")
        self._last = position
        self.seen.add(event_id)
        self.reads += 1

    def die(self) -> None:
        """It has lost where it was, and begins anew at its last commit."""
        self._last = ""
        self.deaths += 1

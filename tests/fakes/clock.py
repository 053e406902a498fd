"""Virtual time: it stands still until somebody moves it."""

START_MS = 1_760_000_000_000


class Clock:
    """Epoch milliseconds that a test moves."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        """The present."""
        return self.ms

    def sleep(self, seconds: float) -> None:
        """Pass time."""
        self.ms += round(seconds * 1000)

    def advance_to(self, now_ms: int) -> None:
        """Pass time up to a moment; never back."""
        self.ms = max(self.ms, now_ms)


class SkewedClock(Clock):
    """How another machine tells the same time."""

    def __init__(self, clock: Clock, skew_ms: int) -> None:
        self._clock = clock
        self._skew_ms = skew_ms

    @property
    def ms(self) -> int:
        """Its epoch milliseconds; moving them moves everybody's."""
        return self._clock.ms + self._skew_ms

    @ms.setter
    def ms(self, now_ms: int) -> None:
        self._clock.ms = now_ms - self._skew_ms

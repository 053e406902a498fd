"""Whether the parts that the service stands on answer."""

from collections.abc import Callable, Mapping

from webhooks.errors import Unavailable

KEPT_MS = 5_000  # anybody may ask, so asking again within this time costs no calls

Checks = Mapping[str, Callable[[], None]]


class ReadinessProbe:
    """Asks each part at most once in `KEPT_MS`."""

    def __init__(self, checks: Checks, *, now_ms: Callable[[], int]) -> None:
        self._checks = checks
        self._now_ms = now_ms
        self._kept: tuple[int, dict[str, str]] | None = None

    def report(self) -> dict[str, str]:
        """By the name of the part: "ok", or what went wrong. A check raises Unavailable."""
        now_ms = self._now_ms()
        if self._kept is None or now_ms - self._kept[0] >= KEPT_MS:
            self._kept = now_ms, {name: _answer(check) for name, check in self._checks.items()}
        return self._kept[1]


def _answer(check: Callable[[], None]) -> str:
    try:
        check()
    except Unavailable as exc:
        return str(exc)
    return "ok"

"""How many requests one tenant may make: so many in each window of time, counted in the table.

One that causes much work counts as several.

Asking the table at every request would cost a write each. A process takes its share of a window in blocks, which
grow as it uses them up (1, 2, 4, ...). So a tenant with few requests wastes none, and one with many costs a handful of
writes. A tenant that has used up a window is refused from memory until the next one begins, so a flood costs nothing.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from webhooks.errors import TooManyRequests, Unavailable
from webhooks.models.caller import Caller

WINDOW_MS = 10_000
MAX_KEPT = 10_000  # tenants that a process remembers
_BLOCKS = 50  # a process takes at most this part of a window at once

logger = logging.getLogger(__name__)


class RequestCounts(Protocol):
    """What each tenant has taken of each window, by all processes together."""

    def take(self, owner: str, window: int, amount: int, expires_at_ms: int) -> int:
        """Take `amount` from the window; returns how much of it is taken in all. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Of `limit` requests in a window, how many a tenant has left, as far as this process knows; and when it ends."""

    limit: int
    left: int
    ends_in_seconds: int


@dataclass(slots=True)
class _Share:
    """What a process has of a tenant's window. `others_left`: what nobody had taken when it last took some."""

    window: int
    left: int = 0
    block: int = 0
    is_used_up: bool = False
    others_left: int = 0


class RequestLimits:
    """Admits or refuses requests. `per_second` is an average over a window; 0 admits everything."""

    def __init__(self, counts: RequestCounts, *, per_second: float, now_ms: Callable[[], int]) -> None:
        self._counts = counts
        self._limit = round(per_second * WINDOW_MS / 1000)
        self._now_ms = now_ms
        self._shares: OrderedDict[str, _Share] = OrderedDict()

    def admit(self, caller: Caller, amount: int = 1) -> None:
        """Count a request as so many. Raises TooManyRequests. The platform itself, which publishes for everybody, has
        no limit.

        One that counts for more than a whole window takes exactly that. When the table does not answer, the request is
        admitted, because it may not need the table.
        """
        if not self._is_limited(caller):
            return
        now_ms, amount = self._now_ms(), min(amount, self._limit)
        share = self._share(caller.owner, now_ms // WINDOW_MS)
        if share.left < amount and not share.is_used_up:
            self._take(caller.owner, share, amount - share.left)
        if share.left < amount:
            counting = "" if amount == 1 else f", of which this one counts as {amount}"
            raise TooManyRequests(
                f"at most {self._limit} requests in {WINDOW_MS // 1000} seconds{counting}",
                retry_after_seconds=_left_of_window(now_ms),
            )
        share.left -= amount

    def standing(self, caller: Caller) -> Standing | None:
        """What the caller has left, from memory: other processes may have taken of it since. None without a limit."""
        if not self._is_limited(caller):
            return None
        now_ms = self._now_ms()
        share = self._share(caller.owner, now_ms // WINDOW_MS)
        return Standing(self._limit, share.left + share.others_left, _left_of_window(now_ms))

    def _is_limited(self, caller: Caller) -> bool:
        return self._limit > 0 and not caller.may("events:write:any")

    def _share(self, owner: str, window: int) -> _Share:
        share = self._shares.get(owner)
        if share is None or share.window != window:
            share = self._shares[owner] = _Share(window, others_left=self._limit)
            if len(self._shares) > MAX_KEPT:
                self._shares.popitem(last=False)
        self._shares.move_to_end(owner)
        return share

    def _take(self, owner: str, share: _Share, lacking: int) -> None:
        share.block = min(2 * share.block or 1, max(1, self._limit // _BLOCKS))
        more = max(share.block, lacking)
        try:
            taken = self._counts.take(owner, share.window, more, (share.window + 2) * WINDOW_MS)
        except Unavailable as exc:
            logger.warning("a request was not counted: %s", exc)
            share.left += more
            return
        share.left += max(0, more - max(0, taken - self._limit))
        share.others_left = max(0, self._limit - taken)
        share.is_used_up = taken >= self._limit


def _left_of_window(now_ms: int) -> int:
    """In seconds, rounded up."""
    return -(-(WINDOW_MS - now_ms % WINDOW_MS) // 1000)

"""How many requests one destination host gets in each window of time, whoever they are for.

An event becomes a request for each webhook that wants it, so a small request to us may become a thousand to somebody
who never asked. A part of a window's requests is there for the taking: each sender may make so many to a host and asks
nobody. The others are counted in the table, and asked for in blocks that double as a sender uses them up.

Of what is counted, an owner may take half of what the others leave. So there is something left for one who has taken
little, when another has had its half.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from webhooks.errors import Unavailable

WINDOW_MS = 10_000
BUSY_HOST = "busy_host"  # why a delivery waits
_UNCOUNTED = 0.25  # of a window: the senders' own shares
_BLOCKS = 8  # a sender takes at most this part of what is counted at once
_HALVES = 8  # so many owners have to take all they may until nothing is left for the next one

logger = logging.getLogger(__name__)


class HostCounts(Protocol):
    """What is taken of each host's windows, by all senders together."""

    def take(self, host: str, owner: str, window: int, amount: int, most: Sequence[tuple[int, int]]) -> bool:
        """Take `amount`, where with it one of the pairs in `most` holds: (taken by the owner, taken by all), each at
        most. False: nothing is taken. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """`per_second`: requests to one host, averaged over a window; 0: as many as there are. `senders` are bounded."""

    per_second: float = 0
    senders: int = 1

    @property
    def own_share(self) -> int:
        """What a sender may send to a host in a window without asking."""
        return int(self.per_second * WINDOW_MS / 1000 * _UNCOUNTED / self.senders)

    def counted(self, duration_ms: int = WINDOW_MS) -> int:
        """What may be asked for in such a time; at least 2, so that there is a half of it."""
        return max(2, int(self.per_second * duration_ms / 1000 * (1 - _UNCOUNTED)))


def shares(limit: int) -> list[tuple[int, int]]:
    """Pairs one of which must hold: (taken by an owner, taken by all), each at most."""
    parts = [limit >> halved for halved in range(1, _HALVES + 1)]
    return [(part, limit - part) for part in parts if part]


@dataclass(slots=True)
class _Share:
    """What a sender has of a host's window for an owner."""

    left: int = 0
    block: int = 0
    is_used_up: bool = False


class HostLimit:
    """One sender's part in keeping to the bound. Not for several threads at once."""

    def __init__(self, counts: HostCounts, policy: HostPolicy, *, now_ms: Callable[[], int]) -> None:
        self._counts = counts
        self._policy = policy
        self._now_ms = now_ms
        self._most = shares(policy.counted())
        self._window: int = 0
        self._sent: dict[str, int] = {}  # of this sender's own share
        self._shares: dict[tuple[str, str], _Share] = {}
        self._is_silent = False  # the table, in this window

    def take(self, host: str, owner: str, wanted: int) -> int:
        """How many of the requests may be made now; the others after `until_ms`. Never raises.

        All may while the table does not answer: a delivery is not held back for what nobody can say.
        """
        if not self._policy.per_second:
            return wanted
        self._begin_window()
        sent = self._sent.get(host, 0)
        own = min(wanted, max(0, self._policy.own_share - sent))
        self._sent[host] = sent + own
        if own == wanted or self._is_silent:
            return wanted
        share = self._shares.setdefault((host, owner), _Share())
        lacking = wanted - own
        if share.left < lacking and not share.is_used_up:
            self._ask(host, owner, share, lacking - share.left)
        granted = lacking if self._is_silent else min(share.left, lacking)
        share.left = max(0, share.left - granted)
        return own + granted

    def has(self, host: str, owner: str, wanted: int) -> bool:
        """Whether all of them may go without a call."""
        if not self._policy.per_second:
            return True
        self._begin_window()
        share = self._shares.get((host, owner))
        own = self._policy.own_share - self._sent.get(host, 0)
        return self._is_silent or wanted <= own + (share.left if share else 0)

    def until_ms(self) -> int:
        """When the next window begins."""
        return (self._window + 1) * WINDOW_MS

    def _begin_window(self) -> None:
        window = self._now_ms() // WINDOW_MS
        if window != self._window:
            self._window, self._is_silent = window, False
            self._sent.clear()
            self._shares.clear()

    def _ask(self, host: str, owner: str, share: _Share, lacking: int) -> None:
        """For a block, or else for what is needed, or else for a single one."""
        block = 2 * share.block or self._policy.own_share
        share.block = max(lacking, min(block, self._policy.counted() // _BLOCKS))
        try:
            for amount in dict.fromkeys((share.block, lacking, 1)):
                if self._counts.take(host, owner, self._window, amount, self._most):
                    share.left += amount
                    share.is_used_up = amount < lacking
                    return
        except Unavailable as exc:
            self._is_silent = True
            logger.warning("requests to a host are not counted until the next window: %s", exc)
            return
        share.is_used_up = True


@dataclass(slots=True)
class HostTurns:
    """What one run of release lets go to hosts that were busy, within a time. For several threads."""

    policy: HostPolicy
    duration_ms: int
    _taken: dict[str, int] = field(default_factory=dict[str, int])
    _by_owner: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, host: str, owner: str, wanted: int) -> list[float]:
        """After how many seconds each of those may go that may go at all."""
        limit = self.policy.counted(self.duration_ms)
        with self._lock:
            taken, own = self._taken.get(host, 0), self._by_owner.get((host, owner), 0)
            left = max(min(most - own, all_most - taken) for most, all_most in shares(limit))
            granted = min(wanted, max(0, left))
            self._taken[host], self._by_owner[host, owner] = taken + granted, own + granted
        # An owner alone has half of all; its pace is the same when it is not alone.
        return [(own + number) * self.duration_ms / 1000 / (limit // 2) for number in range(granted)]

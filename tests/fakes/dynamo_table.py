"""One fake table: items in order, sparse indexes that lag, a stream, and TTL. Not thread-safe: one caller at a time."""

import heapq
import zlib
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tests.fakes.clock import Clock
from tests.fakes.key_conditions import KeyRange

Item = dict[str, Any]
Key = tuple[str, str]
INDEXES = ("waiting", "listing", "overview")
MAX_ITEM_BYTES = 400 * 1024  # DynamoDB Developer Guide, "Service, account, and table quotas"


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One change, with both images."""

    sequence_number: int
    event_name: str  # INSERT, MODIFY, REMOVE
    key: Key
    old: Item | None
    new: Item | None
    at_ms: int
    by_ttl: bool = False


@dataclass(slots=True)
class _Index:
    """Entries (sort value, pk, sk) by index key; changes wait in order until their time has come."""

    name: str
    entries: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    pending: deque[tuple[int, str, tuple[str, str, str], bool]] = field(default_factory=deque)

    def place(self, item: Item | None) -> tuple[str, tuple[str, str, str]] | None:
        if item is None:
            return None
        key, at = item.get(f"{self.name}_key"), item.get(f"{self.name}_at")
        if key is None or at is None:
            return None
        return key["S"], (at["S"], item["pk"]["S"], item["sk"]["S"])

    def change(self, old: Item | None, new: Item | None, at_ms: int) -> None:
        before, after = self.place(old), self.place(new)
        if before == after:
            return
        if self.pending:  # an index never applies changes out of order
            at_ms = max(at_ms, self.pending[-1][0])
        if before is not None:
            self.pending.append((at_ms, *before, False))
        if after is not None:
            self.pending.append((at_ms, *after, True))

    def catch_up(self, now_ms: int) -> None:
        while self.pending and self.pending[0][0] <= now_ms:
            _, key, entry, present = self.pending.popleft()
            entries = self.entries.setdefault(key, [])
            position = bisect_left(entries, entry)
            if present:
                insort(entries, entry)
            elif position < len(entries) and entries[position] == entry:
                del entries[position]


class FakeTable:
    """Items of one table with keys `pk` and `sk`."""

    def __init__(self, clock: Clock, index_lag_ms: Callable[[], int], keeps_stream: bool) -> None:
        self._clock = clock
        self._index_lag_ms = index_lag_ms
        self._keeps_stream = keeps_stream
        self.items: dict[Key, Item] = {}
        self._order: dict[str, list[str]] = {}
        self.sizes: dict[Key, int] = {}
        self.indexes = {name: _Index(name) for name in INDEXES}
        self._scanned: list[Key] = []
        self._expiring: list[tuple[int, Key]] = []
        self._sequence = 0
        self.stream: list[StreamRecord] = []
        self.stale_reads = 0  # of an index while something was on its way there

    def get(self, key: Key) -> Item | None:
        """A copy of an item."""
        item = self.items.get(key)
        return None if item is None else dict(item)

    def write(self, key: Key, new: Item | None, *, by_ttl: bool = False) -> None:
        """Put or delete an item."""
        old = self.items.get(key)
        if new is None and old is None:
            return
        self.sizes.pop(key, None)
        if new is None:
            del self.items[key]
            order = self._order[key[0]]
            del order[bisect_left(order, key[1])]
        else:
            if old is None:
                insort(self._order.setdefault(key[0], []), key[1])
            self.items[key] = new
            ends_at = new.get("expires_at", {}).get("N")  # TTL passes over what is no number
            if ends_at is not None and (old or {}).get("expires_at") != new["expires_at"]:
                heapq.heappush(self._expiring, (int(float(ends_at)), key))
        at_ms = self._clock.ms + self._index_lag_ms()
        for index in self.indexes.values():
            index.change(old, new, at_ms)
        if self._keeps_stream and old != new:
            self._sequence += 1
            name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
            self.stream.append(StreamRecord(self._sequence, name, key, old, new, self._clock.ms, by_ttl))

    def collect_expired(self) -> int:
        """What TTL does within days of an item's expiry; returns how many items went."""
        gone = 0
        while self._expiring and self._expiring[0][0] <= self._clock.ms // 1000:
            expires_at, key = heapq.heappop(self._expiring)
            item = self.items.get(key)
            if item is not None and int(float(item.get("expires_at", {}).get("N", -1))) == expires_at:
                self.write(key, None, by_ttl=True)
                gone += 1
        return gone

    def rows(
        self, index_name: str | None, wanted: KeyRange, start: tuple[str, str, str] | None, *, forward: bool
    ) -> Iterator[tuple[str, str, str]]:
        """(sort value, pk, sk) in order, from behind `start` on: of a partition, or of an index key as old as the index
        happens to be."""
        pk = wanted.hash_value
        if index_name is None:
            order = self._order.get(pk, [])
            first, last = wanted.bounds(order, _itself)
            if start is not None:
                first, last = _behind(order, start[0], first, last, forward=forward)
            keys = order[first:last] if forward else reversed(order[first:last])
            return ((sk, pk, sk) for sk in keys)
        index = self.indexes[index_name]
        index.catch_up(self._clock.ms)
        self.stale_reads += bool(index.pending)
        entries = index.entries.get(pk, [])
        first, last = wanted.bounds(entries, _sort_value)
        if start is not None:
            first, last = _behind(entries, start, first, last, forward=forward)
        return iter(entries[first:last] if forward else entries[first:last][::-1])

    def keys_behind(self, start: Key | None) -> Iterator[Key]:
        """All keys by partition, those behind one; a later one of what is new meanwhile may be missing."""
        if start is None or not self._scanned:
            self._scanned = sorted(self.items, key=_scan_order)
        first = 0 if start is None else bisect_right(self._scanned, _scan_order(start), key=_scan_order)
        return islice(self._scanned, first, None)

    def size(self, key: Key) -> int:
        """Bytes of an item; 0 when there is none."""
        if key not in self.sizes:
            self.sizes[key] = item_bytes(self.items.get(key, {}))
        return self.sizes[key]

    def index_projection(self, name: str, index_key: str, at: str, key: Key) -> Item:
        """What a KEYS_ONLY index holds of an item."""
        return {
            "pk": {"S": key[0]},
            "sk": {"S": key[1]},
            f"{name}_key": {"S": index_key},
            f"{name}_at": {"S": at},
        }

    def all_items(self) -> Iterator[tuple[Key, Item]]:
        """Everything, for the checks of a test."""
        return iter(list(self.items.items()))


def _scan_order(key: Key) -> tuple[int, str, str]:
    return zlib.crc32(key[0].encode()), *key


def _itself(value: str) -> str:
    return value


def _sort_value(entry: tuple[str, str, str]) -> str:
    return entry[0]


def _behind(rows: Sequence[Any], start: Any, first: int, last: int, *, forward: bool) -> tuple[int, int]:
    if forward:
        return max(first, bisect_right(rows, start)), last
    return first, min(last, bisect_left(rows, start))


def item_bytes(item: Item) -> int:
    """DynamoDB Developer Guide, "DynamoDB item sizes and formats"; roughly, for numbers."""
    total = 0
    for name, value in item.items():
        total += len(name) if name.isascii() else len(name.encode())
        for kind, content in value.items():
            if kind == "S":
                total += len(content) if content.isascii() else len(content.encode())
            elif kind == "B":
                total += len(content)
            else:
                total += len(content) // 2 + 2 if kind == "N" else 1
    return total

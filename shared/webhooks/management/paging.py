"""Pages over a list that is read newest first and only as far as needed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

EXAMINED = 2_000  # items that one page may look at for those that are asked for: bounds a request's reads
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of a list: from and to a time, both inclusive, and after a position."""

    from_ms: int | None = None
    to_ms: int | None = None
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the position to go on behind; None at the end. A page may hold fewer than were asked for."""

    items: list[T]
    position: str | None


def page_of(
    found: Iterable[T],
    keep: Callable[[T], bool],
    position_of: Callable[[T], str],
    *,
    limit: int,
    weight_of: Callable[[T], int] = lambda _: 0,
    max_weight: int = 0,
) -> Page[T]:
    """The next `limit` items that are kept, fewer when their weights exceed `max_weight` or too many are left out."""
    items: list[T] = []
    position: str | None = None
    weight = 0
    for examined, each in enumerate(found):
        if len(items) == limit or examined == EXAMINED or weight > max_weight:
            return Page(items, position)
        if keep(each):
            items.append(each)
            weight += weight_of(each)
        position = position_of(each)
    return Page(items, None)

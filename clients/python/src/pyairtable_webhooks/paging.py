"""Lists, page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import ParamSpec, Protocol, TypeVar

Item = TypeVar("Item", covariant=True)
Parameters = ParamSpec("Parameters")


class Page(Protocol[Item]):
    """What a list's operation answers with."""

    @property
    def items(self) -> Sequence[Item]:
        """What is on this page."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; None on the last one."""
        ...


def every(
    operation: Callable[Parameters, Page[Item]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Iterator[Item]:
    """Everything in a list: `every(list_webhooks.sync, client=client)`. A page is asked for when it is needed."""
    while True:
        page = operation(*args, **kwargs)
        yield from page.items
        if page.next_cursor is None:
            return
        kwargs["cursor"] = page.next_cursor


async def every_async(
    operation: Callable[Parameters, Awaitable[Page[Item]]], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> AsyncIterator[Item]:
    """As `every`, over the `asyncio` of an operation."""
    while True:
        page = await operation(*args, **kwargs)
        for item in page.items:
            yield item
        if page.next_cursor is None:
            return
        kwargs["cursor"] = page.next_cursor

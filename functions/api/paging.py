"""Lists: how many items, and where to go on."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from webhooks.management.cursors import Cursors
from webhooks.models.caller import Caller

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="items of a page at most")]
Cursor = Annotated[str | None, Query(max_length=2_048, description="`next_cursor` of the page before")]


class Pages:
    """Turns positions into cursors for one caller's view of one list, and back."""

    def __init__(self, cursors: Cursors, caller: Caller, listing: str) -> None:
        self._cursors = cursors
        self._caller = caller.owner
        self._listing = listing

    def position(self, cursor: str | None) -> str | None:
        """Where to go on. Raises InvalidCursor."""
        return self._cursors.open(cursor, caller=self._caller, listing=self._listing)

    def cursor(self, position: str | None) -> str | None:
        """The cursor for going on after `position`; None at the end."""
        if position is None:
            return None
        return self._cursors.seal(position, caller=self._caller, listing=self._listing)

"""`from` and `to` of lists."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import StringConstraints, WithJsonSchema

from webhooks.errors import Invalid
from webhooks.management.paging import TimeRange
from webhooks.times import epoch_ms

_DATE = len("2024-01-01 ")
Time = Annotated[str, StringConstraints(max_length=64), WithJsonSchema({"type": "string", "format": "date-time"})]
From = Annotated[Time | None, Query(alias="from", description="RFC 3339: events accepted then or later")]
To = Annotated[Time | None, Query(alias="to", description="RFC 3339: events accepted by then")]


def time_range(from_: str | None, to: str | None, behind: str | None) -> TimeRange:
    """The part of a list that is asked for. Raises Invalid."""
    return TimeRange(_time("from", from_), _time("to", to), behind)


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return epoch_ms(text[:_DATE] + text[_DATE:].replace(" ", "+"))  # a + that nobody escaped
    except ValueError as exc:
        raise Invalid.at(
            name, "must be an RFC 3339 time with a zone, such as 2024-01-01T12:00:00Z", "wrong_form"
        ) from exc

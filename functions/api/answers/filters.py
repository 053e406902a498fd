"""Tests of filters: request and answer."""

from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema

from answers.common import Answer, Time
from webhooks.management.requests import FilterDocument, Request

Event = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/Event"})]


class FilterTest(Request):
    """Filters, and the events to test them on: a given one, or the last ones that went to your webhooks."""

    filters: Annotated[FilterDocument | None, Field(description="null or {} lets everything through")]
    event: Event | None = None
    last: Annotated[int, Field(ge=1, le=50, description="how many of the last events; without `event`")] = 10
    webhook_id: Annotated[
        str | None, Field(max_length=64, description="the last events of this webhook instead of all your newest ones")
    ] = None
    event_type: Annotated[
        str | None, Field(max_length=128, description="the last events of this type, or pattern, alone")
    ] = None


class FilterResult(Answer):
    """One event."""

    event_id: str
    event_type: str
    accepted_at: Annotated[Time | None, Field(description="null for an event that was given")]
    matched: bool
    rule: Annotated[
        str | None,
        Field(
            description="the first rule that says no, by its place in the filters; null when the event is wanted",
            examples=["conditions.rules.0: amount greater_than 1000 does not hold"],
        ),
    ]


class FilterResults(Answer):
    """The result for each event, newest first."""

    items: list[FilterResult]
    matched: Annotated[int, Field(description="how many of them are wanted")]

    @classmethod
    def of(cls, items: list[FilterResult]) -> Self:
        """With their number."""
        return cls(items=items, matched=sum(each.matched for each in items))

"""Limits, and how much of them is used."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer
from webhooks.management.limits import Limit, LimitName

DESCRIPTIONS: dict[LimitName, str] = {
    "requests_per_second": "Requests to the API, over ten seconds. Ten events count as one, a search as ten.",
    "webhooks": "Webhooks that you have.",
    "subscriptions_per_webhook": "Subscriptions of one webhook.",
    "filter_bytes_per_webhook": "Bytes of filters of one webhook.",
    "filter_bytes": "Bytes of filters, 50 more for each subscription, of all webhooks together.",
    "filter_searches": "Rules that may read a whole event, such as contains, of all webhooks together.",
    "test_deliveries": "Test deliveries under way at once.",
    "long_polls": "Long polls under way at once.",
    "replays": "Replays and recoveries under way at once.",
}


class LimitAnswer(Answer):
    """One limit."""

    name: LimitName
    description: str
    limit: Annotated[float | None, Field(description="null: there is none")]
    used: Annotated[int | None, Field(description="of it now; null where it is not counted")]
    workspace_id: Annotated[
        str | None, Field(description="of a workspace's webhooks together; null: of your own, outside workspaces")
    ]


class LimitsAnswer(Answer):
    """All limits of an owner."""

    items: list[LimitAnswer]

    @classmethod
    def of(cls, limits: Sequence[Limit]) -> Self:
        """The answer for these."""
        return cls(
            items=[
                LimitAnswer(
                    name=each.name,
                    description=DESCRIPTIONS[each.name],
                    limit=each.limit,
                    used=each.used,
                    workspace_id=each.workspace_id,
                )
                for each in limits
            ]
        )

"""Recovering what a webhook did not get: the request."""

from typing import Annotated

from pydantic import AfterValidator, Field

from answers.dead_letters import DEFAULT_RATE, Rate, rfc3339_text
from webhooks.management.requests import Request
from webhooks.models.replay import ReplaySelection
from webhooks.times import epoch_ms


class Recover(Request):
    """What to send: what was given up and what was missed, of that time, for that reason, or both."""

    from_: Annotated[
        Annotated[str, AfterValidator(rfc3339_text)] | None,
        Field(alias="from", description="RFC 3339: events accepted then or later; may be left out with a reason"),
    ] = None
    to: Annotated[
        Annotated[str, AfterValidator(rfc3339_text)] | None,
        Field(description="RFC 3339: events accepted by then; the present if absent"),
    ] = None
    reason: Annotated[
        str | None,
        Field(
            max_length=128,
            description=(
                "a `failure_reason` or a `cause`; `inactive`, `failed` or `missed` for what was not queued while the "
                "webhook was inactive, disabled, or either"
            ),
        ),
    ] = None
    event_type: Annotated[str | None, Field(max_length=128)] = None
    rate_per_second: Rate = DEFAULT_RATE
    dry_run: Annotated[bool, Field(description="send nothing, and answer how much it would be")] = False

    def selection(self) -> ReplaySelection:
        """What the job selects."""
        return ReplaySelection(
            reason=self.reason,
            event_type=self.event_type,
            from_ms=None if self.from_ is None else epoch_ms(self.from_),
            to_ms=None if self.to is None else epoch_ms(self.to),
        )

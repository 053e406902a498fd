"""Answers about members of workspaces."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer
from webhooks.management.members import Removal


class MemberRemoved(Answer):
    """What was disabled."""

    disabled: Annotated[list[str], Field(description="ids of webhooks")]
    is_complete: Annotated[bool, Field(description="false: there are more, repeat the request")]

    @classmethod
    def of(cls, removal: Removal) -> Self:
        """The answer for this."""
        return cls(disabled=list(removal.disabled), is_complete=removal.is_complete)

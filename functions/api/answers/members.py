"""Answers about members of workspaces."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer
from webhooks.management.members import Removal


class MemberRemoved(Answer):
    """What was disabled and revoked."""

    disabled: Annotated[list[str], Field(description="ids of webhooks")]
    revoked_api_keys: Annotated[
        list[str], Field(description="ids of API keys and portal links that named the workspace")
    ]
    is_complete: Annotated[bool, Field(description="false: there are more, repeat the request")]

    @classmethod
    def of(cls, removal: Removal) -> Self:
        """The answer for this."""
        return cls(
            disabled=list(removal.disabled), revoked_api_keys=list(removal.revoked), is_complete=removal.is_complete
        )

"""Answers about API keys."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer, NextCursor, Time
from webhooks.access.api_keys import start_of
from webhooks.management.requests import KeyScope
from webhooks.models.api_key import ApiKey
from webhooks.times import rfc3339


class ApiKeyAnswer(Answer):
    """An API key, without what is secret of it."""

    id: str
    user_id: Annotated[str | int, Field(description="who made it, and for whom it acts")]
    name: str
    starts_with: Annotated[str, Field(description="what the key begins with, to tell it by")]
    scopes: list[KeyScope]
    workspace_ids: list[str]
    created_at: Time
    expires_at: Time
    last_used_at: Annotated[Time | None, Field(description="to the hour; null: not so far")]

    @classmethod
    def of(cls, made: ApiKey, **more: str) -> Self:
        """The answer for this key."""
        return cls(
            id=made.key_id,
            user_id=made.user_id,
            name=made.name,
            starts_with=start_of(made.key_id),
            scopes=list(made.scopes),  # type: ignore[arg-type]
            workspace_ids=list(made.workspace_ids),
            created_at=rfc3339(made.created_at_ms),
            expires_at=rfc3339(made.expires_at_ms),
            last_used_at=None if made.last_used_at_ms is None else rfc3339(made.last_used_at_ms),
            **more,
        )


class NewApiKey(ApiKeyAnswer):
    """An API key with the key itself."""

    key: Annotated[str, Field(description="shown this once", examples=["pyak_..."])]


class ApiKeyPage(Answer):
    """A page of API keys."""

    items: list[ApiKeyAnswer]
    next_cursor: NextCursor

"""Answers about portal links and their sessions."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer, Time
from webhooks.management.requests import SessionScope
from webhooks.models.api_key import ApiKey
from webhooks.times import rfc3339


class NewPortalLink(Answer):
    """A portal link, shown this once."""

    id: Annotated[str, Field(description="its id, and its session's: the audit log has it as `api_key_id`")]
    url: Annotated[str, Field(description="where to send the customer's browser, or what to embed")]
    link: Annotated[str, Field(description="what is secret of the URL", examples=["pyal_..."])]
    user_id: Annotated[str | int, Field(description="whom the session acts for")]
    workspace_ids: list[str]
    scopes: list[SessionScope]
    session_seconds: Annotated[int, Field(description="how long the session lasts")]
    created_at: Time
    expires_at: Annotated[Time, Field(description="until when it can be redeemed")]

    @classmethod
    def of(cls, made: ApiKey, link: str, url: str) -> Self:
        """The answer for this link."""
        return cls(
            id=made.key_id,
            url=url,
            link=link,
            user_id=made.user_id,
            workspace_ids=list(made.workspace_ids),
            scopes=list(made.scopes),  # type: ignore[arg-type]
            session_seconds=(made.session_ms or 0) // 1000,
            created_at=rfc3339(made.created_at_ms),
            expires_at=rfc3339(made.expires_at_ms),
        )


class PortalSession(Answer):
    """A session, with its token."""

    id: Annotated[str, Field(description="the link's id")]
    token: Annotated[str, Field(description="for `Authorization: Bearer`, shown this once", examples=["pyak_..."])]
    user_id: Annotated[str | int, Field(description="whom it acts for")]
    workspace_ids: list[str]
    scopes: list[SessionScope]
    expires_at: Time

    @classmethod
    def of(cls, session: ApiKey, token: str) -> Self:
        """The answer for this session."""
        return cls(
            id=session.key_id,
            token=token,
            user_id=session.user_id,
            workspace_ids=list(session.workspace_ids),
            scopes=list(session.scopes),  # type: ignore[arg-type]
            expires_at=rfc3339(session.expires_at_ms),
        )

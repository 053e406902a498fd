"""Answers about the audit log."""

from typing import Annotated, Self

from pydantic import Field

from answers.common import Answer, NextCursor, Time
from webhooks.models.audit import AuditEntry
from webhooks.models.caller import Caller
from webhooks.times import rfc3339


class AuditEntryAnswer(Answer):
    """Something that was done by a call."""

    id: str
    at: Time
    action: Annotated[str, Field(description="such as webhook.updated", examples=["webhook.updated"])]
    target: Annotated[str, Field(description="the id of what it was done to")]
    webhook_id: str | None
    user_id: Annotated[str, Field(description="whose it was")]
    actor: Annotated[str, Field(description="the user who did it")]
    api_key_id: Annotated[str | None, Field(description="with this key; null: with a token")]
    source_ip: Annotated[str | None, Field(description="from where; null for what others did, unless you are an admin")]
    request_id: str | None
    changed: Annotated[list[str], Field(description="names of the fields that were set")]

    @classmethod
    def of(cls, entry: AuditEntry, caller: Caller) -> Self:
        """The answer for this entry, as the caller may see it."""
        shows_origin = caller.is_admin or entry.actor == caller.owner
        return cls(
            id=entry.entry_id,
            at=rfc3339(entry.at_ms),
            action=entry.action,
            target=entry.target,
            webhook_id=entry.webhook_id,
            user_id=entry.owner,
            actor=entry.actor,
            api_key_id=entry.key_id,
            source_ip=entry.source_ip if shows_origin else None,
            request_id=entry.request_id,
            changed=list(entry.changed),
        )


class AuditPage(Answer):
    """A page of the audit log."""

    items: list[AuditEntryAnswer]
    next_cursor: NextCursor

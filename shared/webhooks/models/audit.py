"""What is kept of a management call."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from webhooks.ids import new_id, time_of
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, to what, and from where: ids and names of fields, never a value.

    `owner` is whose thing it was, and whose log has the entry; `target` is the id of the thing. `changed` names the
    fields that the caller set. `workspace_id` is that of the webhook.
    """

    entry_id: str
    action: str
    owner: str
    target: str
    actor: str
    key_id: str | None = None
    source_ip: str | None = None
    request_id: str | None = None
    webhook_id: str | None = None
    workspace_id: str | None = None
    changed: tuple[str, ...] = ()

    @property
    def at_ms(self) -> int:
        """When it was done."""
        return time_of(self.entry_id)


def entry(caller: Caller, action: str, owner: str, target: str, now_ms: int) -> AuditEntry:
    """What is kept of something that the caller does to a thing of the owner's."""
    return AuditEntry(
        entry_id=new_id("aud", now_ms),
        action=action,
        owner=owner,
        target=target,
        actor=caller.owner,
        key_id=caller.key_id,
        source_ip=caller.origin.source_ip,
        request_id=caller.origin.request_id,
    )


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done to a webhook, or to what belongs to one. Without `target` it is the webhook itself."""

    action: str
    target: str | None = None
    changed: tuple[str, ...] = ()

    @classmethod
    def changing(cls, action: str, fields: Iterable[str], target: str | None = None) -> "Deed":
        """One that sets these fields."""
        return cls(action, target, tuple(sorted(fields)))

    def by(self, caller: Caller, webhook: Webhook, now_ms: int) -> AuditEntry:
        """What is kept of it."""
        made = entry(caller, self.action, webhook.owner, self.target or webhook.webhook_id, now_ms)
        workspace_id = None if webhook.workspace_id is None else str(webhook.workspace_id)
        return replace(made, webhook_id=webhook.webhook_id, workspace_id=workspace_id, changed=self.changed)

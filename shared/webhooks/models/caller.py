"""Who calls the API, and what that lets them do."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from webhooks.errors import NotAllowed

Scope = Literal[
    "webhooks:read", "webhooks", "events:write", "events:write:any", "metrics:read", "api-keys", "portal-links", "admin"
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# What a scope includes besides itself.
_INCLUDED_IN: dict[Scope, frozenset[Scope]] = {
    "webhooks:read": frozenset({"webhooks", "admin"}),
    "webhooks": frozenset({"admin"}),
    "api-keys": frozenset({"admin"}),
    "portal-links": frozenset({"admin"}),
    "metrics:read": frozenset({"admin"}),
    "events:write": frozenset({"events:write:any"}),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as API Gateway has it."""

    source_ip: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A user of the platform, or the platform itself, as the authorizer vouches for it; `key_id` names the API key that
    was used, None for a token."""

    user_id: str | int
    workspace_ids: frozenset[str]
    scopes: frozenset[str]
    key_id: str | None = None
    origin: Origin = field(default=Origin(), compare=False)

    @property
    def owner(self) -> str:
        """The caller's id by its string form."""
        return str(self.user_id)

    @property
    def is_admin(self) -> bool:
        """Admins see and manage everybody's webhooks."""
        return "admin" in self.scopes

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope, or one that includes it."""
        return scope in self.scopes or not self.scopes.isdisjoint(_INCLUDED_IN.get(scope, frozenset[Scope]()))

    def require(self, scope: Scope) -> None:
        """Raises NotAllowed for a caller without this scope."""
        if not self.may(scope):
            raise NotAllowed(f"this takes the scope {scope}")

    def is_in_workspace(self, workspace_id: str | int) -> bool:
        """Whether the workspace is among the caller's."""
        return str(workspace_id) in self.workspace_ids

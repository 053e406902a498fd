"""An API key, as the service keeps it."""

from dataclasses import dataclass

from webhooks.models.caller import Caller


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a key lets its bearer do, as the user who made it, and the hash that it is known by.

    `scopes` and `workspace_ids` are those of its making. `last_used_at_ms` is to the hour; None: not used so far.
    `session_ms` is how long the session of a portal link lasts; None: it is no portal link, and no session of one.
    """

    key_id: str
    user_id: str | int
    name: str
    scopes: tuple[str, ...]
    workspace_ids: tuple[str, ...]
    digest: bytes
    created_at_ms: int
    expires_at_ms: int
    last_used_at_ms: int | None = None
    session_ms: int | None = None

    @property
    def owner(self) -> str:
        """Who made it, by the string form of the id."""
        return str(self.user_id)

    @property
    def caller(self) -> Caller:
        """Who calls with it."""
        return Caller(self.user_id, frozenset(self.workspace_ids), frozenset(self.scopes), self.key_id)

"""A registered endpoint, as the service keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WebhookStatus = Literal["active", "paused", "inactive", "failed", "deleted"]
WebhookKind = Literal["push", "pull"]  # pull: it has no URL, and its events are read


def scope_of(user_id: str | int | None, workspace_id: str | int | None) -> str:
    """Where events and webhooks meet: the workspace, else the user. Ids compare by their string form."""
    return f"user:{user_id}" if workspace_id is None else f"ws:{workspace_id}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Everything the sender and the API know of a webhook except its live state.

    `sealed` holds the signing secrets and the values of the owner's headers (`Sealed`), encrypted; `sealed_version`
    is bound into it. A deleted webhook stays as a tombstone without url and sealed until its history has expired.
    `version` counts what its owner can see change (If-Match); `routes_version` counts changes of its subscriptions,
    so that whoever rewrites its route rows can tell that the subscriptions it read are still all of them.
    `filter_bytes` and `filter_searches` are what its subscriptions take of its scope's budget, as far as it is counted.
    """

    webhook_id: str
    user_id: str | int
    workspace_id: str | int | None
    name: str
    url: str
    description: str
    metadata: Mapping[str, object]
    header_names: tuple[str, ...]
    sealed: bytes
    sealed_version: int
    max_retries: int
    timeout_seconds: int
    rate_limit_rps: float | None
    status: WebhookStatus
    status_reason: str | None
    version: int
    created_at_ms: int
    updated_at_ms: int
    routes_version: int = 0
    filter_bytes: int = 0
    filter_searches: int = 0
    previous_secret_until_ms: int = 0  # when the last older secret ends; repeated from `Sealed` to be shown unopened
    ed25519: bool = False  # whether the deployment's key pair signs, too
    static_egress: bool = False  # it is sent to from the deployment's static addresses alone
    kind: WebhookKind = "push"

    @property
    def owner(self) -> str:
        """The owner by the string form of its id."""
        return str(self.user_id)

    @property
    def scope(self) -> str:
        """The scope whose events reach this webhook."""
        return scope_of(self.user_id, self.workspace_id)

    @property
    def sealed_context(self) -> str:
        """What the ciphertext is bound to: it opens for this owner, webhook and version only."""
        return f"{self.owner}|{self.webhook_id}|{self.sealed_version}"


@dataclass(frozen=True, slots=True)
class Sealed:
    """The secret part of a webhook. While rotations overlap, `previous`, the oldest, and `between` sign too, each until
    its own time."""

    secret: str
    previous: str | None = None
    previous_until_ms: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    between: str | None = None
    between_until_ms: int = 0

    def older(self, now_ms: int) -> list[tuple[str, int]]:
        """The secrets before the present one that sign now, oldest first, each with its end."""
        given = ((self.previous, self.previous_until_ms), (self.between, self.between_until_ms))
        return [(secret, until_ms) for secret, until_ms in given if secret is not None and now_ms < until_ms]

"""A replay job: dead letters of one webhook or of many, or all that one missed, sent again page by page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

JobStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
MANY = "*"  # in the place of a job's webhook id
MAKING_MS = 60_000  # the message of a job goes out, and its slot is taken, before it is kept
ENDED: frozenset[JobStatus] = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class ReplayTarget:
    """Dead letters of one of many webhooks: those with these ids, or with one of these reasons; all without either."""

    webhook_id: str
    delivery_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # failure reasons and causes


@dataclass(frozen=True, slots=True)
class Across:
    """Whose dead letters, where a job is of many webhooks. With `targets` theirs alone, one target a webhook.

    `owner` None: everybody's. `workspace_id`: of the webhooks of that workspace. `workspaces`: those that whoever
    began the job was a member of, whose webhooks it stays within; None for admins, who see all.
    """

    owner: str | None = None
    workspace_id: str | None = None
    workspaces: tuple[str, ...] | None = None
    targets: tuple[ReplayTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplaySelection:
    """Which dead letters: all of the webhook, or of those `across` many, or only those that every given part admits."""

    delivery_ids: tuple[str, ...] = ()
    reason: str | None = None  # a failure reason, a cause, or why it was missed
    event_type: str | None = None
    from_ms: int | None = None  # when the delivery was accepted, both ends inclusive
    to_ms: int | None = None
    across: Across | None = None
    more: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # what a newer version asks for: not to be read past


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A job and how far it has come.

    The owner is that of the webhook, or whoever began a job of many. `step` counts its checkpoints; `shard` (the part,
    see `replay_source`) and `after` say where it goes on.
    """

    job_id: str
    webhook_id: str
    owner: str
    selection: ReplaySelection
    rate_per_second: float
    created_at_ms: int
    updated_at_ms: int
    status: JobStatus = "pending"
    step: int = 0
    shard: int = 0
    after: str | None = None
    total: int | None = None  # known once the job has begun; of very many, as many as were counted or seen so far
    replayed: int = 0
    skipped: int = 0
    left_out: int = 0  # of many webhooks: those of webhooks that take nothing now, which stay as they are
    error: str | None = None
    with_missed: bool = False  # a recovery: what the webhook missed goes out too
    scope: str = ""  # the webhook's, of a recovery
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what a newer version has noted: kept as it is

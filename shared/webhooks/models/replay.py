"""A replay job: dead letters of one webhook, or all that it missed, sent again page by page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

JobStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
ENDED: frozenset[JobStatus] = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class ReplaySelection:
    """Which dead letters: all of the webhook, or only those that every given part admits."""

    delivery_ids: tuple[str, ...] = ()
    reason: str | None = None  # a failure reason, a cause, or why it was missed
    event_type: str | None = None
    from_ms: int | None = None  # when the delivery was accepted, both ends inclusive
    to_ms: int | None = None
    more: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # what a newer version asks for: not to be read past


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A job and how far it has come.

    `step` counts its checkpoints; `shard` (the part, see `replay_source`) and `after` say where it goes on.
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
    error: str | None = None
    with_missed: bool = False  # a recovery: what the webhook missed goes out too
    scope: str = ""  # the webhook's, of a recovery
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what a newer version has noted: kept as it is

"""The erasure of a tenant's data: an entry of the list of the erased, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ERASED = "erased"  # why a delivery is abandoned, and a webhook's tombstone is there
ErasureStatus = Literal["pending", "running", "completed"]
ErasureStage = Literal["webhooks", "table", "sums"]


@dataclass(frozen=True, slots=True)
class Erasure:
    """All that was there of a user or workspace before `requested_at_ms`. What came later is another matter.

    `scope` is the tenant as events and webhooks name it: `user:42` or `ws:7`. `step` counts checkpoints; `stage` and
    `after` say where it goes on. `webhooks` are those taken out of service, `ended` the deliveries that waited, `items`
    what was removed or stripped of the table, `looked_at` how many items were read for it, `unreadable` those that
    nobody could judge.
    """

    scope: str
    requested_at_ms: int
    requested_by: str
    updated_at_ms: int
    status: ErasureStatus = "pending"
    stage: ErasureStage = "webhooks"
    step: int = 0
    after: str | None = None
    begins_at_ms: int = 0  # when what was under way at the request has ended
    completed_at_ms: int | None = None
    webhooks: int = 0
    ended: int = 0
    items: int = 0
    looked_at: int = 0
    unreadable: int = 0
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what a newer version has noted: kept as it is

"""Replay jobs: one item each, written only from the step it was read at."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, cast

from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import DynamoTable, Item, Key


def _key(job_id: str) -> Key:
    return job_id, schema.JOB_SK


class ReplayJobStore:
    """Jobs by id."""

    def __init__(self, table: DynamoTable, retention_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._now_ms = now_ms

    def create(self, job: ReplayJob) -> None:
        """Raises Unavailable."""
        self._table.put(self._item(job))

    def get(self, job_id: str) -> ReplayJob | None:
        """Consistent read."""
        item = self._table.get_many([_key(job_id)]).get(_key(job_id))
        return None if item is None else _job_of(item)

    def checkpoint(self, before: ReplayJob, after: ReplayJob) -> ReplayJob | None:
        """Write the next step; None when another run has got there first.

        A refused write may be this very one, whose first answer was lost on the way: the stored job tells.
        """
        after = replace(after, step=before.step + 1, updated_at_ms=self._now_ms())
        saved = self._table.put(
            self._item(after), condition="#s = :s", names={"#s": "step"}, values={":s": number(before.step)}
        )
        return after if saved or self.get(after.job_id) == after else None

    def _item(self, job: ReplayJob) -> Item:
        return {
            schema.PK: text(job.job_id),
            schema.SK: text(schema.JOB_SK),
            schema.EXPIRES_AT: number((self._now_ms() + self._retention_ms) // 1000),
            "step": number(job.step),
            "job": text(json.dumps(asdict(job))),
        }


def _job_of(item: Item) -> ReplayJob:
    stored = cast("dict[str, Any]", json.loads(item["job"]["S"]))
    selection = stored.pop("selection")
    selection["delivery_ids"] = tuple(selection["delivery_ids"])
    return ReplayJob(selection=ReplaySelection(**selection), **stored)

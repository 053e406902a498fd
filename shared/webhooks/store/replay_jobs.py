"""Replay jobs: one item each, written only from the step it was read at."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import islice
from typing import Any, cast

from webhooks.management.paging import EXAMINED
from webhooks.models.replay import ReplayJob, ReplaySelection
from webhooks.store import schema
from webhooks.store.attributes import number, read_int, text
from webhooks.store.dynamo import DynamoTable, Item, Key

A_READ = 25  # jobs


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
        return self.some([job_id]).get(job_id)

    def some(self, job_ids: Collection[str]) -> Mapping[str, ReplayJob]:
        """Those of these jobs that there are, by id. Consistent."""
        found = self._table.get_many([_key(each) for each in job_ids])
        return {key[0]: _job_of(item) for key, item in found.items()}

    def newest(self, owner: str | None, behind: str | None) -> Iterator[ReplayJob]:
        """Jobs of an owner's webhooks, or of everybody's (None), newest first, behind a job id. Lags by a moment.

        A job that an older version made is not among them before its next checkpoint.
        """
        index, key, at, listing = (
            (schema.OVERVIEW_INDEX, schema.OVERVIEW_KEY, schema.OVERVIEW_AT, schema.REPLAYS_OVERVIEW)
            if owner is None
            else (schema.LISTING_INDEX, schema.LISTING_KEY, schema.LISTING_AT, schema.replays_listing(owner))
        )
        values = {":k": text(listing)}
        if behind is not None:
            values[":b"] = text(behind)
        keys = self._table.query(
            limit=EXAMINED + 1,
            forward=False,
            IndexName=index,
            KeyConditionExpression=f"{key} = :k" + ("" if behind is None else f" AND {at} < :b"),
            ExpressionAttributeValues=values,
        )
        while chunk := [_key(item[schema.PK]["S"]) for item in islice(keys, A_READ)]:
            found = self._table.get_many(chunk)
            kept = (found[each] for each in chunk if each in found)
            yield from (_job_of(item) for item in kept if read_int(item, schema.EXPIRES_AT) * 1000 > self._now_ms())

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
            schema.LISTING_KEY: text(schema.replays_listing(job.owner)),
            schema.LISTING_AT: text(job.job_id),
            schema.OVERVIEW_KEY: text(schema.REPLAYS_OVERVIEW),
            schema.OVERVIEW_AT: text(job.job_id),
            "step": number(job.step),
            "job": text(json.dumps(asdict(job))),
        }


def _job_of(item: Item) -> ReplayJob:
    stored = cast("dict[str, Any]", json.loads(item["job"]["S"]))
    selection = stored.pop("selection")
    selection["delivery_ids"] = tuple(selection["delivery_ids"])
    return ReplayJob(selection=ReplaySelection(**selection), **stored)

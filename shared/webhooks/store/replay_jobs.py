"""Replay jobs: one item each, written only from the step it was read at."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, cast

from webhooks.models.replay import Across, ReplayJob, ReplaySelection, ReplayTarget
from webhooks.store import schema
from webhooks.store.attributes import number, text
from webhooks.store.dynamo import DynamoTable, Item, Key, read_all
from webhooks.store.listings import newest


def _key(job_id: str) -> Key:
    return job_id, schema.JOB_SK


class ReplayJobStore:
    """Jobs by id."""

    def __init__(self, table: DynamoTable, retention_ms: int, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._retention_ms = retention_ms
        self._now_ms = now_ms

    def create(self, job: ReplayJob) -> None:
        """Unless it is there, and has maybe got further. Raises Unavailable."""
        self._table.put(self._item(job), condition=f"attribute_not_exists({schema.PK})")

    def get(self, job_id: str) -> ReplayJob | None:
        """Consistent read. Raises whatever its item brings out: a job that cannot be read is not one that is gone."""
        item = self._table.get_many([_key(job_id)]).get(_key(job_id))
        return None if item is None else _job_of(item)

    def some(self, job_ids: Collection[str]) -> Mapping[str, ReplayJob]:
        """Those of these jobs that there are and can be read, by id. Consistent."""
        found = self._table.get_many([_key(each) for each in job_ids])
        return {job.job_id: job for job in read_all(found.values(), _job_of)}

    def newest(self, owner: str | None, behind: str | None) -> Iterator[ReplayJob]:
        """Jobs of an owner's webhooks, or of everybody's (None), newest first, behind a job id. Lags by a moment.

        A job that an older version made is not among them before its next checkpoint.
        """
        listing = None if owner is None else schema.replays_listing(owner)
        yield from read_all(newest(self._table, listing, schema.REPLAYS_OVERVIEW, behind, self._now_ms), _job_of)

    def checkpoint(self, before: ReplayJob, after: ReplayJob) -> ReplayJob | None:
        """Write the next step; None when another run has got there first.

        A refused write may be this very one, whose first answer was lost on the way: the stored job tells.
        """
        after = replace(after, step=before.step + 1, updated_at_ms=self._now_ms())
        item = {name: value for name, value in self._item(after).items() if name not in (schema.PK, schema.SK)}
        saved = self._table.update(
            _key(after.job_id),
            "SET " + ", ".join(f"#{name} = :{name}" for name in item),
            names={f"#{name}": name for name in item},
            values={**{f":{name}": value for name, value in item.items()}, ":before": number(before.step)},
            condition="#step = :before",
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
            "job": text(json.dumps(_document(job))),
        }


def _document(job: ReplayJob) -> dict[str, Any]:
    document = asdict(job)
    selection = document.pop("selection")
    if selection["across"] is None:  # a part that an older version does not know keeps it from the job
        del selection["across"]
    return {**document.pop("more"), **document, "selection": {**selection.pop("more"), **selection}}


def _job_of(item: Item) -> ReplayJob:
    stored, more = _split(cast("dict[str, Any]", json.loads(item["job"]["S"])), ReplayJob)
    selection, others = _split(stored.pop("selection"), ReplaySelection)
    selection["delivery_ids"] = tuple(selection["delivery_ids"])
    if (across := selection.pop("across", None)) is not None:
        selection |= {"across": read} if (read := _across_of(across)) is not None else {}
        others |= {"across": across} if read is None else {}
    return ReplayJob(selection=ReplaySelection(**selection, more=others), **stored, more=more)


def _across_of(stored: dict[str, Any]) -> Across | None:
    """None when a newer version has added to it: what it leaves out must not be sent."""
    parts, more = _split(stored, Across)
    targets = [_split(each, ReplayTarget) for each in parts.pop("targets", ())]
    if more or any(others for _, others in targets):
        return None
    workspaces = parts.pop("workspaces", None)
    return Across(
        **parts,
        workspaces=None if workspaces is None else tuple(workspaces),
        targets=tuple(
            ReplayTarget(each["webhook_id"], tuple(each["delivery_ids"]), tuple(each["reasons"])) for each, _ in targets
        ),
    )


def _split(document: Mapping[str, Any], kind: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the dataclass has, and what a newer version has added."""
    known = {each.name for each in fields(kind)} - {"more"}
    return {n: v for n, v in document.items() if n in known}, {n: v for n, v in document.items() if n not in known}

"""What an owner has, or everybody, by one of the indexes: newest first, each item as the table has it now."""

from collections.abc import Callable, Iterator
from itertools import islice

from webhooks.management.paging import EXAMINED
from webhooks.store import schema
from webhooks.store.attributes import text
from webhooks.store.dynamo import DynamoTable, Item, unexpired

A_READ = 25  # items


def newest(
    table: DynamoTable, listing: str | None, overview: str, behind: str | None, now_ms: Callable[[], int]
) -> Iterator[Item]:
    """Items of one owner's `listing`, or of the `overview` (None), behind an id. Those that have expired are left out,
    and a new one may be missing for a moment."""
    index, key, at, value = (
        (schema.OVERVIEW_INDEX, schema.OVERVIEW_KEY, schema.OVERVIEW_AT, overview)
        if listing is None
        else (schema.LISTING_INDEX, schema.LISTING_KEY, schema.LISTING_AT, listing)
    )
    values = {":k": text(value)}
    if behind is not None:
        values[":b"] = text(behind)
    keys = table.query(
        limit=EXAMINED + 1,
        forward=False,
        IndexName=index,
        KeyConditionExpression=f"{key} = :k" + ("" if behind is None else f" AND {at} < :b"),
        ExpressionAttributeValues=values,
    )
    while chunk := [(item[schema.PK]["S"], item[schema.SK]["S"]) for item in islice(keys, A_READ)]:
        found = table.get_many(chunk)
        yield from unexpired((found[each] for each in chunk if each in found), now_ms())

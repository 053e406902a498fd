"""Lambda's event source mapping for a table's stream: shards in order, batches that come again, whole or split."""

import base64
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from tests.fakes.dynamo_table import FakeTable, StreamRecord
from tests.fakes.event_source import Crash
from tests.infrastructure.template_document import read_template

Record = dict[str, Any]
Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def lambda_records(table: FakeTable) -> list[Record]:
    """The whole stream as Lambda would hand it over, without what the template's mapping filters out."""
    return [record for change in table.stream if (record := lambda_record(change)) is not None]


def lambda_record(change: StreamRecord) -> Record | None:
    """One change, unless the mapping filters it out."""
    head = {"eventName": change.event_name, "dynamodb": {"Keys": _keys(change)}}  # no filter looks at the images
    return _record(change) if any(_matches(head, pattern) for pattern in _patterns()) else None


@cache
def _patterns() -> list[Any]:
    filters = read_template().properties("RollupMapping")["FilterCriteria"]["Filters"]
    return [json.loads(each["Pattern"]) for each in filters]


def shards(records: Iterable[Record], count: int) -> list[list[Record]]:
    """All records of a partition key are in one shard, in their order."""
    split: list[list[Record]] = [[] for _ in range(count)]
    for record in records:
        split[sum(record["dynamodb"]["Keys"]["pk"]["S"].encode()) % count].append(record)
    return split


def hand_over(shard: Sequence[Record], handler: Handler, chance: random.Random) -> None:
    """One shard to its end, in batches of any size. A batch may come again although it was done, from any record of it
    on; one that crashes comes again; one that fails from some record on comes again from there."""
    position = 0
    while position < len(shard):
        end = min(len(shard), position + chance.randint(1, 40))
        batch = shard[position:end]
        try:
            answer = handler({"Records": json.loads(json.dumps(batch))})
        except (Crash, Exception):  # noqa: S112 - Lambda tries again, with half of it or more than before
            continue
        failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        if failed:
            sequences = [record["dynamodb"]["SequenceNumber"] for record in batch]
            position += sequences.index(failed[0])
        elif chance.random() < 0.3:
            position += chance.randint(0, len(batch))  # the answer got lost, and boundaries moved
        else:
            position = end


def _record(change: StreamRecord) -> Record:
    images = {"NewImage": change.new, "OldImage": change.old}
    return {
        "eventID": f"{change.sequence_number:032x}",
        "eventName": change.event_name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": change.at_ms // 1000,
            "Keys": _keys(change),
            "SequenceNumber": f"{change.sequence_number:025d}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: _image(image) for name, image in images.items() if image is not None},
        },
    }


def _keys(change: StreamRecord) -> Record:
    return {"pk": {"S": change.key[0]}, "sk": {"S": change.key[1]}}


def _image(image: Mapping[str, Any]) -> Record:
    return {name: {"B": base64.b64encode(each["B"]).decode()} if "B" in each else each for name, each in image.items()}


def _matches(value: Any, pattern: Any) -> bool:
    """Lambda Developer Guide, "Filter rule syntax", as far as the template uses it."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_matches(value.get(name), each) for name, each in pattern.items())
    return any(
        isinstance(value, str) and value.startswith(rule["prefix"]) if isinstance(rule, dict) else value == rule
        for rule in pattern
    )

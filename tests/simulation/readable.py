"""What can be read of an item: packed or not, in plain or in base64; and whose canaries can be read anywhere."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.world import TABLE, World
from webhooks.compression import unpack

_CANARY = re.compile(r"canary:(\w+);")

Left = tuple[str, tuple[str, str]]  # event id, and where: an item's key, or a queue


def canary(event_id: str) -> str:
    """A text in an event's data that tells wherever it is left. Receivers send it back."""
    return f"canary:{event_id};"


def canaries(world: World) -> Iterator[Left]:
    """All that are left in the table and in queues."""
    for key, item in world.dynamodb.tables[TABLE].all_items():
        yield from ((found, key) for found in {found for text in texts(item) for found in _CANARY.findall(text)})
    for queue in world.sqs.queues.values():
        for message in queue.messages.values():
            if "reason" in message.attributes:  # refused, and an operator's: docs/operations.md
                continue
            text = message.body + json.dumps(message.attributes)
            yield from ((found, ("queue", queue.name)) for found in {*_CANARY.findall(text)})


def texts(item: Mapping[str, Any]) -> Iterator[str]:
    """All that is readable of an item."""
    for value in item.values():
        for content in value.values():
            if isinstance(content, bytes):
                yield content.decode("latin-1")
                yield base64.b64encode(content).decode()
                try:
                    yield unpack(content).decode("latin-1")
                except Exception:  # noqa: S112 - it was not packed
                    continue
            else:
                yield str(content)

"""What can be read of an item: packed or not, in plain or in base64."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from webhooks.compression import unpack


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

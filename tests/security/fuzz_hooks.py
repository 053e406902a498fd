"""Half of the generated bodies get a URL and event types that the service takes: what lies behind is reached too."""

from typing import Any

import schemathesis
from schemathesis import HookContext

GOOD = {"url": "https://example.com/webhooks", "event_type": "record.created", "type": "record.created"}


@schemathesis.hook
def map_body(_context: HookContext, body: Any) -> Any:
    return _mended(body) if len(str(body)) % 2 else body


def _has_fitting_length(value: object) -> bool:
    """What the document refuses for its length is meant to be refused."""
    return isinstance(value, str) and 0 < len(value) <= 128


def _mended(node: Any) -> Any:
    if isinstance(node, list):
        return [_mended(each) for each in node]
    if isinstance(node, dict):
        mended = {name: _mended(value) for name, value in node.items()}
        mended |= {name: good for name, good in GOOD.items() if _has_fitting_length(mended.get(name))}
        if isinstance(mended.get("url"), str):
            mended = {name: value for name, value in mended.items() if name not in {"secret", "headers"}}
        return mended
    return node

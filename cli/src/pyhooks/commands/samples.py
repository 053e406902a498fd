"""A sample of each event type: what `trigger` publishes, and `webhooks test` sends."""

import json
from importlib.resources import files
from typing import Any


def samples() -> dict[str, dict[str, Any]]:
    """By event type; each has `resource_id` and `data`."""
    return json.loads((files("pyhooks") / "samples.json").read_text(encoding="utf-8"))


def sample(event_type: str) -> dict[str, Any]:
    """One of this type; a plain one for a type that this deployment has of its own."""
    known = samples()
    return known.get(event_type) or {"resource_id": "res1", "data": {"id": "res1", "fields": {"name": "A sample"}}}

"""What a shell is offered: it asks the service, and offers nothing where that does not answer."""

import contextlib
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from pyhooks.api import Json
from pyhooks.options import Settings

_Items = list[CompletionItem]


def webhook_ids(context: click.Context, parameter: click.Parameter, begun: str) -> _Items:
    """With their names."""
    return _offered(begun, (("id", "name", each) for each in _asked(context, "webhooks")))


def event_types(context: click.Context, parameter: click.Parameter, begun: str) -> _Items:
    """With what they mean, and patterns."""
    found = _asked(context, "event-types")
    patterns = dict.fromkeys(pattern for each in found for pattern in each.get("covered_by", []))
    return _offered(begun, (("name", "description", each) for each in [*found, *({"name": each} for each in patterns)]))


def _asked(context: click.Context, path: str) -> list[Json]:
    given = context.find_root().ensure_object(Settings)
    with contextlib.suppress(click.ClickException), given.api(retries=0, timeout_seconds=2) as api:
        return api.get(path).get("items", [])
    return []


def _offered(begun: str, items: Iterable[tuple[str, str, Json]]) -> _Items:
    return [
        CompletionItem(each[name], help=each.get(told))
        for name, told, each in items
        if str(each[name]).startswith(begun)
    ]

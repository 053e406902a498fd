"""`pyhooks publish` and `pyhooks trigger`."""

import json
import re
import sys
import uuid
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import click

from pyhooks.api import Api, Json
from pyhooks.commands.completing import event_types
from pyhooks.commands.samples import sample
from pyhooks.errors import PyhooksError, Refused
from pyhooks.options import everywhere, settings
from pyhooks.output import as_json, said

MOST_EVENTS = 100  # of a request
MOST_BYTES = 4_000_000
_SPACE = re.compile(r"[ \t\r\n]*")
_WORKSPACE = click.option("--workspace", metavar="ID", help="Of this workspace; your own without it.")
_KEY = click.option("--idempotency-key", metavar="KEY", help="The same key publishes once, within a day.")


@click.command
@click.argument("file", type=click.File("rb"), default="-")
@_KEY
@everywhere
def publish(file: BinaryIO, idempotency_key: str | None) -> None:
    """Publish the events in FILE, or on standard input.

    JSON: one event, a list of them, or one on each line. Numbers stay as they are written.

        echo '{"type": "record.created", "data": {"fields": {"amount": 1500}}}' | pyhooks publish
    """
    if file is sys.stdin.buffer and sys.stdin.isatty():
        said("Reading events from this terminal; Ctrl-D ends them.")
    try:
        events = texts(file.read().decode())
    except ValueError as error:
        raise Refused(f"{file.name}: {error}. Nothing was published.") from error
    with settings().api() as api:
        _send(api, events, idempotency_key)


@click.command
@click.argument("event_type", shell_complete=event_types)
@_WORKSPACE
@click.option(
    "--field", "-F", "fields", multiple=True, metavar="NAME=VALUE", help="Set one of data.fields; repeatable."
)
@click.option("--resource", metavar="ID", help="What it is about.")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=1, show_default=True, help="So many, each with an id of its own."
)
@click.option("--show", is_flag=True, help="Print the sample, and publish nothing.")
@everywhere
def trigger(
    event_type: str, workspace: str | None, fields: Sequence[str], resource: str | None, count: int, show: bool
) -> None:
    """Publish a sample of EVENT_TYPE."""
    event: Json = {"type": event_type, **sample(event_type), "metadata": {"source": "pyhooks trigger"}}
    for each in fields:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each} is not NAME=VALUE", param_hint="--field")
        event["data"]["fields"][name] = _value(value)
    if resource:
        event["resource_id"] = resource
    if workspace:
        event["workspace_id"] = int(workspace) if workspace.isdecimal() else workspace
    if show:
        as_json(event)
        return
    with settings().api() as api:
        _send(api, [json.dumps(event)] * count, None)


def texts(document: str) -> list[str]:
    """Each event of a document, as it is written there. Raises ValueError."""
    decoder = json.JSONDecoder()
    found: list[str] = []
    place = _after_space(document, 0)
    in_list = document[place : place + 1] == "["
    place += in_list
    while (place := _after_space(document, place)) < len(document):
        if in_list and document[place] == "]":
            if document[place + 1 :].strip():
                raise ValueError("there is something behind the list")
            return found
        if found and in_list:
            if document[place] != ",":
                raise ValueError(f"there should be a comma or the list's end behind event {len(found)}")
            place = _after_space(document, place + 1)
        try:
            event, end = decoder.raw_decode(document, place)
        except ValueError as error:
            raise ValueError(f"event {len(found) + 1} is not JSON: {error}") from error
        if not isinstance(event, dict):
            raise ValueError(f"event {len(found) + 1} is not a JSON object")
        found.append(document[place:end])
        place = end
    if in_list:
        raise ValueError("the list has no end")
    if not found:
        raise ValueError("there is no event")
    return found


def _send(api: Api, events: Sequence[str], key: str | None) -> None:
    key = key or uuid.uuid4().hex
    ids: list[str] = []
    with click.progressbar(
        length=len(events), label="Publishing", file=sys.stderr, hidden=len(events) <= MOST_EVENTS
    ) as bar:
        for number, batch in enumerate(_batches(events)):
            try:
                answer = api.call(
                    "POST",
                    "events",
                    content=_body(batch),
                    headers={"Idempotency-Key": f"{key}-{number}" if number else key},
                )
            except PyhooksError as error:
                if not ids:
                    raise
                raise type(error)(
                    f"{error.message}\nThe first {len(ids)} of {len(events)} events are published. To go on, give the "
                    f"same input with --idempotency-key {key}: none is published twice."
                ) from error
            ids += [str(each["id"]) for each in answer.json.get("events", [])]
            bar.update(len(batch))
    if settings().json:
        as_json({"accepted": len(ids), "events": [{"id": each} for each in ids]})
    elif len(ids) == 1:
        said(f"Published {ids[0]}. What became of it: pyhooks events show {ids[0]}")
    else:
        said(f"Published {len(ids)} events, {ids[0]} to {ids[-1]}." if ids else "There was no event.")


def _body(batch: Sequence[str]) -> bytes:
    return (batch[0] if len(batch) == 1 else f"[{','.join(batch)}]").encode()


def _batches(events: Sequence[str]) -> Iterator[Sequence[str]]:
    batch: list[str] = []
    size = 0
    for each in events:
        weight = len(each.encode()) + 1
        if batch and (len(batch) == MOST_EVENTS or size + weight > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += weight
    if batch:
        yield batch


def _after_space(document: str, place: int) -> int:
    match = _SPACE.match(document, place)
    return match.end() if match else place


def _value(text: str) -> object:
    """JSON where it is some, and text where not."""
    try:
        return json.loads(text)
    except ValueError:
        return text

"""What commands print: tables for people, JSON for programs. What is told on the side goes to standard error."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import click

from pyhooks.options import settings

Column = str | tuple[str, str]  # a field, by its own name or under a heading; "a.b" is a field of a field


def listed(items: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, nothing: str) -> None:
    """A table, or a JSON object with `items`. `nothing` is said where there are none."""
    found = list(items)
    if settings().json:
        as_json({"items": found})
    elif not found:
        click.echo(nothing, err=True)
    else:
        table(columns, [[_value(each, column) for column in columns] for each in found])


def table(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> None:
    """For people; as wide as it must be where nobody looks, so that grep finds whole lines."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        heading = column if isinstance(column, str) else column[1]
        drawn.add_column(heading.upper().replace("_", " "), overflow="fold", no_wrap=heading in ("id", "webhook_id"))
    for row in rows:
        drawn.add_row(*(Text(plain(each)) for each in row))
    console.print(drawn, width=None if console.is_terminal else 400, crop=console.is_terminal)


def shown(document: Mapping[str, Any]) -> None:
    """One thing: its fields line by line, or JSON."""
    if settings().json:
        as_json(document)
        return
    width = max(map(len, document), default=0) + 2
    for name, value in document.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else plain(value)
        click.echo(f"{name:{width}}{plain(text)}")


def as_json(document: object, *, line: bool = False) -> None:
    """On standard output; on one line for what comes one after the other."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=None if line else 2))


def said(text: str) -> None:
    """On the side."""
    click.echo(plain(text), err=True)


def plain(value: object) -> str:
    """As text that does nothing to a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(each if each == "\n" or unicodedata.category(each) != "Cc" else "\ufffd" for each in str(value))


def _value(item: Mapping[str, Any], column: Column) -> object:
    found: Any = item
    for part in (column if isinstance(column, str) else column[0]).split("."):
        found = cast("Mapping[str, Any]", found).get(part) if isinstance(found, Mapping) else None
    return found

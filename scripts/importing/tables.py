"""The former service's tables `webhooks` and `webhook_subscriptions`, as an export has them, and what the API is asked.

Columns that the API has nothing for (statistics, times) are left out. Rows with a `deleted_at` are gone already.
"""

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from webhooks.access.callers import platform_id
from webhooks.errors import Invalid, Unauthenticated
from webhooks.payload import loads

Row = Mapping[str, object]
TRUE, FALSE = {"t", "true", "1", "yes"}, {"f", "false", "0", "no"}
NULL = {"", r"\N"}
_SUBSCRIPTION = re.compile(r"subscriptions(?:\[(\d+)\]|\.(\d+))\.?(.*)")


class UnreadableExport(Exception):
    """A file is not what it should be."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that does not go in. `former_id` is its webhook's, empty where there is none."""

    former_id: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class FormerWebhook:
    """A webhook with its subscriptions. `request` is what the API is asked; `notes` tell what is not as it was."""

    former_id: str
    owner: str
    request: dict[str, Any]
    subscription_ids: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"webhook {self.former_id} ({self.request['name']})"

    @property
    def workspace_ids(self) -> tuple[str, ...]:
        """Its workspace, if it has one."""
        workspace_id = self.request.get("workspace_id")
        return () if workspace_id is None else (str(workspace_id),)

    def refused(self, reason: str, at: str = "") -> Refusal:
        """Why it does not go in. `at` is the API's name of the field, which is turned back into the former row."""
        inside = _SUBSCRIPTION.fullmatch(at)
        if inside is None:
            return Refusal(self.former_id, f"{self.label}{f', {at}' if at else ''}", reason)
        position = int(inside[1] or inside[2])
        row = f"subscription {self.subscription_ids[position]}" if position < len(self.subscription_ids) else at
        return Refusal(self.former_id, f"{self.label}, {row}{f', {inside[3]}' if inside[3] else ''}", reason)


def read_export(paths: Sequence[Path]) -> tuple[list[FormerWebhook], list[Refusal]]:
    """All webhooks of the files, and rows that cannot be understood. Raises UnreadableExport."""
    tables = [_tables(path, position) for position, path in enumerate(paths)]
    webhook_rows = [row for table in tables for row in table.get("webhooks", [])]
    subscription_rows = [row for table in tables for row in table.get("webhook_subscriptions", [])]
    refusals: list[Refusal] = []
    by_webhook: dict[str, list[Row]] = {}
    for row in subscription_rows:
        if not _text(row, "deleted_at"):
            by_webhook.setdefault(_text(row, "webhook_id") or "", []).append(row)
    webhooks: list[FormerWebhook] = []
    gone: set[str] = set()
    for number, row in enumerate(webhook_rows, 1):
        former_id = _text(row, "id")
        subscriptions = by_webhook.pop(former_id, []) if former_id else []
        if _text(row, "deleted_at"):
            gone.add(former_id or "")
            continue
        try:
            webhooks.append(_webhook(row, subscriptions))
        except ValueError as error:
            refusals.append(Refusal(former_id or "", f"webhook {former_id or f'in row {number}'}", str(error)))
    for webhook_id, rows in by_webhook.items():
        if webhook_id not in gone:
            refusals += [
                Refusal("", f"subscription {_text(row, 'id')}", f"there is no webhook {webhook_id or '(empty)'}")
                for row in rows
            ]
    repeated = {each.former_id for each in webhooks if sum(w.former_id == each.former_id for w in webhooks) > 1}
    if repeated:
        raise UnreadableExport(f"These webhooks appear twice: {', '.join(sorted(repeated))}")
    return webhooks, refusals


def _webhook(row: Row, subscriptions: Sequence[Row]) -> FormerWebhook:
    former_id, owner = _text(row, "id"), _text(row, "user_id")
    if not former_id or not owner:
        raise ValueError("id and user_id are needed")
    notes: list[str] = []
    status = _text(row, "status") or "active"
    if status == "failed":
        status = "inactive"
        notes.append("was failed, is inactive: set its status to active when its receiver works")
    request: dict[str, Any] = {"name": _text(row, "name") or "", "url": _text(row, "url") or "", "status": status}
    optional = {
        "description": _text(row, "description"),
        "workspace_id": _foreign(row, "workspace_id"),
        "max_retries": _number(row, "max_retries"),
        "timeout_seconds": _number(row, "timeout_seconds"),
        "rate_limit_rps": _number(row, "rate_limit_rps") or None,  # 0 was no limit
        "headers": _object(row, "headers"),
        "metadata": _object(row, "metadata"),
        "secret": _text(row, "secret"),
    }
    request |= {name: value for name, value in optional.items() if value is not None}
    if "secret" not in request:
        notes.append("had no secret: the new one is in the results file")
    request["subscriptions"] = [_subscription(each) for each in subscriptions]
    ids = tuple(_text(each, "id") or "?" for each in subscriptions)
    return FormerWebhook(former_id, owner, request, ids, tuple(notes))


def _subscription(row: Row) -> dict[str, Any]:
    try:
        request: dict[str, Any] = {"event_type": _text(row, "event_type") or "", "is_active": _truth(row, "is_active")}
        resource_id, filters = _foreign(row, "resource_id"), _object(row, "filters")
    except ValueError as error:
        raise ValueError(f"subscription {_text(row, 'id')}: {error}") from error
    if resource_id is not None:
        request["resource_id"] = resource_id
    if filters:
        request["filters"] = filters
    return request


def _tables(path: Path, position: int) -> Mapping[str, Sequence[Row]]:
    name = ("webhooks", "webhook_subscriptions")[position]
    try:
        if path.suffix.lower() != ".json":
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows: list[Row] = list(csv.DictReader(file, strict=True))
                return {name: _checked(rows, path, name)}
        document: object = loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, Invalid, csv.Error) as error:
        raise UnreadableExport(f"{path} cannot be read: {error}") from error
    if isinstance(document, list):
        return {name: _checked(cast("list[object]", document), path, name)}
    if isinstance(document, dict) and document:
        tables = cast("dict[str, Any]", document)
        if set(tables) <= {"webhooks", "webhook_subscriptions"} and all(isinstance(t, list) for t in tables.values()):
            return {key: _checked(cast("list[object]", rows), path, key) for key, rows in tables.items()}
    raise UnreadableExport(f"{path} must be a list of objects, or an object with webhooks and webhook_subscriptions")


def _checked(rows: Iterable[object], path: Path, table: str) -> list[Row]:
    needed = {"webhooks": ("id", "user_id", "name", "url"), "webhook_subscriptions": ("webhook_id", "event_type")}
    checked: list[Row] = []
    for row in rows:
        if not isinstance(row, dict):
            raise UnreadableExport(f"{path}: a row of {table} must be an object")
        columns = cast("dict[str, Any]", row)
        if missing := [name for name in needed[table] if name not in columns]:
            raise UnreadableExport(
                f"{path}: {table} needs the column {missing[0]}; it has {', '.join(map(str, columns))}"
            )
        checked.append(columns)
    return checked


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    text = "" if value is None else str(value)
    return None if text in NULL else text


def _foreign(row: Row, name: str) -> str | int | None:
    """As the platform has it: a number in a CSV file is one."""
    text = _text(row, name)
    if text is None or isinstance(row[name], int):
        return cast("int | None", row.get(name)) if text is not None else None
    try:
        return platform_id(text) if name == "workspace_id" else text
    except Unauthenticated as error:
        raise ValueError(f"{name}: {text!r} is no id") from error


def _number(row: Row, name: str) -> int | float | None:
    text = _text(row, name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {text!r} is no number")
    return int(number) if number.is_integer() else number


def _truth(row: Row, name: str) -> bool:
    text = (_text(row, name) or "true").lower()
    if text not in TRUE | FALSE:
        raise ValueError(f"{name}: {text!r} is neither true nor false")
    return text in TRUE


def _object(row: Row, name: str) -> dict[str, Any] | None:
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = None if value in NULL else loads(value)
        except (ValueError, Invalid):
            raise ValueError(f"{name}: is no JSON") from None
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{name}: must be a JSON object")
    return cast("dict[str, Any] | None", value)

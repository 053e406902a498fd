"""DynamoDB's own JSON by hand: ten times cheaper than boto3's serialiser, and we store five kinds of value."""

from typing import Any

from webhooks.store.dynamo import Item


def text(value: str) -> Item:
    """A string attribute."""
    return {"S": value}


def number(value: float) -> Item:
    """A number attribute."""
    return {"N": str(value)}


def binary(value: bytes) -> Item:
    """A binary attribute."""
    return {"B": value}


def foreign_id(value: str | int) -> Item:
    """A platform's id, kept as given: integer or string."""
    return text(value) if isinstance(value, str) else number(value)


def read_text(item: Item, name: str) -> str | None:
    """The string, or None when it is absent."""
    value: Any = item.get(name)
    return None if value is None else value["S"]


def read_int(item: Item, name: str, default: int = 0) -> int:
    """The number, or the default when it is absent."""
    value: Any = item.get(name)
    return default if value is None else int(value["N"])


def read_flag(item: Item, name: str) -> bool:
    """Whether it is true; absent is false."""
    value: Any = item.get(name)
    return value is not None and bool(value["BOOL"])


def read_bytes(item: Item, name: str) -> bytes | None:
    """The bytes, or None when it is absent."""
    value: Any = item.get(name)
    return None if value is None else bytes(value["B"])


def read_foreign_id(item: Item, name: str) -> str | int | None:
    """A platform's id as it was given."""
    value: Any = item.get(name)
    if value is None:
        return None
    return value["S"] if "S" in value else int(value["N"])

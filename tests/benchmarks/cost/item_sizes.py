"""What DynamoDB bills for an item.

Sizes: DynamoDB Developer Guide, "DynamoDB item sizes and formats". Units: "DynamoDB read and write operations".
"""

from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Mapping[str, Any]]
INDEXES = ("waiting", "listing", "overview")
WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
_LIST_BYTES = 3  # of overhead, and one for each element


def item_bytes(item: Item) -> int:
    """Names and values; what storage adds (100 bytes an item) is not part of what reads and writes cost."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """One attribute's value in DynamoDB's JSON, binary values as bytes."""
    (kind, content), *_ = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "N":
        return _number_bytes(content)
    if kind in ("SS", "NS", "BS"):
        return sum(value_bytes({kind[0]: each}) for each in content)
    if kind == "L":
        return _LIST_BYTES + sum(1 + value_bytes(each) for each in content)
    if kind == "M":
        return _LIST_BYTES + sum(1 + len(name.encode()) + value_bytes(each) for name, each in content.items())
    return 1  # BOOL, NULL


def write_units(old: Item | None, new: Item | None, *, transactional: bool = False) -> int:
    """Of one write of the table: the larger of both images counts, and a write that is refused counts as well."""
    size = max(item_bytes(old or {}), item_bytes(new or {}))
    units = max(1, -(-size // WRITE_UNIT_BYTES))
    return 2 * units if transactional else units


def index_write_units(old: Item | None, new: Item | None) -> int:
    """Of the same write in the indexes, which hold keys alone: an entry comes, goes, or does both to change its key."""
    units = 0
    for name in INDEXES:
        before, after = _entry(old, name), _entry(new, name)
        if before != after:
            units += (before is not None) + (after is not None)
    return units


def read_units(item: Item | None, *, consistent: bool) -> float:
    """Of one item that is asked for, whether it exists or not."""
    return _read_units(item_bytes(item or {}), consistent=consistent)


def query_units(bytes_read: int, *, consistent: bool) -> float:
    """Of one page of a query: its items count together."""
    return _read_units(bytes_read, consistent=consistent)


def _read_units(size: int, *, consistent: bool) -> float:
    units = max(1, -(-size // READ_UNIT_BYTES))
    return units if consistent else units / 2


def _entry(item: Item | None, index: str) -> tuple[str, str] | None:
    if item is None or f"{index}_key" not in item or f"{index}_at" not in item:
        return None
    return item[f"{index}_key"]["S"], item[f"{index}_at"]["S"]


def _number_bytes(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0") or "0"
    return -(-len(digits) // 2) + 1 + text.startswith("-")

"""The table's stream as Lambda hands it over, turned into what rollup counts."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from webhooks.statistics import transitions
from webhooks.statistics.counts import (
    WRITE_UNITS,
    ByHour,
    dead_letter_counts,
    delivery_counts,
    event_counts,
    webhook_counts,
    write_units_at,
)
from webhooks.statistics.exactly_once import (
    TOKEN_BYTES,
    WINDOW_SECONDS,
    CircuitChange,
    HistoryRecord,
    StatusChange,
    StreamRecord,
    UnorderedRecord,
)
from webhooks.statistics.transitions import Transition
from webhooks.store import schema
from webhooks.store.attributes import read_foreign_id, read_int, read_text
from webhooks.store.delivery_items import delivery_of
from webhooks.store.dynamo import Item
from webhooks.store.events import event_of
from webhooks.store.states import state_of

if TYPE_CHECKING:
    from webhooks.models.webhook import WebhookStatus

logger = logging.getLogger(__name__)

Record = Mapping[str, Any]
# Large, of no interest here, and text in Lambda's JSON where the store's own items hold bytes.
_BINARIES = frozenset({"body", "response", "payload", "sealed", "detail"})
_DELETED_REVISION = 10**15  # beyond any: a deleted webhook's circuit is of no interest again


def stream_records(records: Iterable[Record]) -> tuple[list[StreamRecord], int]:
    """The records that may add to a count, in their order, and how many nobody can read.

    Those are logged and left out: no repetition would make them readable.
    """
    found: list[StreamRecord] = []
    unreadable = 0
    for record in records:
        try:
            each = _stream_record(record)
        except Exception:  # whatever one record brings out must not keep its shard waiting
            logger.exception("stream record is unreadable: %s", record.get("dynamodb", {}).get("Keys"))
            unreadable += 1
            continue
        if each is not None:
            found.append(each)
    return found, unreadable


def newest_beat(records: Iterable[Record]) -> int | None:
    """The last moment that release left among these records; None without any."""
    beats = (
        read_int(image, "beat_ms")
        for record in records
        if record["dynamodb"]["Keys"][schema.SK].get("S") == schema.beat_sk("release")
        and (image := record["dynamodb"].get("NewImage"))
    )
    return max(beats, default=None)


def _stream_record(record: Record) -> StreamRecord | None:
    change: Record = record["dynamodb"]
    after = _image(change.get("NewImage"))
    if after is None:
        return None
    before = _image(change.get("OldImage"))
    pk, sk = change["Keys"][schema.PK]["S"], change["Keys"][schema.SK]["S"]
    for prefix, read in ((schema.DELIVERY_PREFIX, _delivery), (schema.DEAD_PREFIX, _dead_letter)):
        if sk.startswith(prefix):
            return read(change, pk, before, after)
    if pk.startswith(schema.event_pk("")):
        if before:
            return None
        counts = event_counts(event_of(after))
        counts[f"{WRITE_UNITS}#event"] = write_units(change)
        return _loose(change, counts)
    reader: Callable[[Record, Item | None, Item], StreamRecord | None] | None
    reader = {schema.WEBHOOK_SK: _webhook, schema.STATE_SK: _state}.get(sk)
    return None if reader is None else reader(change, before, after)


def _delivery(change: Record, pk: str, before: Item | None, after: Item) -> HistoryRecord | None:
    record = delivery_of(after)
    if record.is_test:
        return None
    hours = delivery_counts(delivery_of(before) if before else None, record, _at_ms(change))
    return _history("delivery", change, pk, hours)


def _dead_letter(change: Record, pk: str, before: Item | None, after: Item) -> HistoryRecord:
    generation_before = read_int(before, "generation") if before else None
    hours = dead_letter_counts(
        generation_before,
        read_int(after, "generation"),
        read_int(after, "dead_at"),
        read_text(after, "failure_reason") or "",
    )
    return _history("dead_letter", change, pk, hours)


def _history(item: str, change: Record, pk: str, hours: ByHour) -> HistoryRecord:
    webhook_id, _, shard = pk.partition("|")
    hours = write_units_at(hours, item, write_units(change), _at_ms(change))
    return HistoryRecord(change["SequenceNumber"], webhook_id, int(shard), hours)


def write_units(change: Record) -> int:
    """What a write of the item costs, by the larger of the item before and after it (DynamoDB Developer Guide,
    "DynamoDB on-demand capacity mode", "DynamoDB item sizes and formats"); numbers roughly, indexes not counted."""
    size = max(_size(change.get(image) or {}) for image in ("OldImage", "NewImage"))
    return max(1, -(-size // 1024))


def _size(image: Item) -> int:
    size = 0
    for name, value in image.items():
        ((kind, content),) = value.items()
        size += len(name)
        if kind == "S":
            size += len(content) if content.isascii() else len(content.encode())
        elif kind == "B":  # as Lambda has it, in base64
            size += len(content) * 3 // 4 - content.count("=", -2)
        else:
            size += len(content) // 2 + 2 if kind == "N" else 1
    return size


def _webhook(change: Record, before: Item | None, after: Item) -> UnorderedRecord | None:
    was = cast("WebhookStatus", before["status"]["S"]) if before else None
    now = cast("WebhookStatus", after["status"]["S"])
    if was == now:
        return None
    webhook_id = after[schema.PK]["S"]
    gone = CircuitChange(webhook_id, "closed", _DELETED_REVISION) if now == "deleted" else None
    owner, version = str(read_foreign_id(after, "user_id")), read_int(after, "version")
    return _loose(
        change,
        webhook_counts(was, now),
        gone,
        StatusChange(webhook_id, owner, now, version),
        transitions.of_status(webhook_id, was, now, read_text(after, "status_reason") or "", version, _at_ms(change)),
    )


def _state(change: Record, before: Item | None, after: Item) -> UnorderedRecord | None:
    webhook_id, was, now = after[schema.PK]["S"], state_of(before), state_of(after)
    told = transitions.of_state(webhook_id, was, now, _at_ms(change))
    same = was.circuit.state == now.circuit.state
    if same and not told:
        return None
    circuit = None if same else CircuitChange(webhook_id, now.circuit.state, now.revision)
    return _loose(change, {}, circuit, told=told)


def _loose(
    change: Record,
    counts: Mapping[str, int],
    circuit: CircuitChange | None = None,
    status: StatusChange | None = None,
    told: Sequence[Transition] = (),
) -> UnorderedRecord:
    sequence: str = change["SequenceNumber"]
    keys = change["Keys"]
    name = "\0".join((sequence, keys[schema.PK]["S"], keys[schema.SK]["S"]))
    token = hashlib.sha256(name.encode()).digest()[:TOKEN_BYTES]
    window = int(change["ApproximateCreationDateTime"]) // WINDOW_SECONDS
    return UnorderedRecord(sequence, window, token, counts, circuit, status, tuple(told))


def _at_ms(change: Record) -> int:
    return int(change["ApproximateCreationDateTime"]) * 1000


def _image(image: Item | None) -> Item | None:
    return None if image is None else {name: value for name, value in image.items() if name not in _BINARIES}

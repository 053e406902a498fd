"""A delivery's record as a table item, and back."""

import json
from typing import Any, cast

from webhooks.compression import pack_body, unpack
from webhooks.ids import history_shard, time_of
from webhooks.models.delivery import FINISHED, Attempt, DeliveryRecord, DeliveryStatus, Waiting
from webhooks.store import schema
from webhooks.store.attributes import binary, number, read_bytes, read_int, read_text, text
from webhooks.store.dynamo import Item, Key


def delivery_key(webhook_id: str, delivery_id: str) -> Key:
    """Primary key of a delivery, known without a read."""
    return schema.history_pk(webhook_id, delivery_id), schema.delivery_sk(delivery_id)


def delivery_item(record: DeliveryRecord, expires_at: int) -> Item:
    """Without keys. Only what is finished expires; what is delivered stands in no index."""
    item: Item = {
        "event_id": text(record.event_id),
        "event_type": text(record.event_type),
        "scope": text(record.scope),
        "status": text(record.status),
        "generation": number(record.generation),
        "revision": number(record.revision),
        "attempts": text(_attempts_text(record.attempts)),
    }
    if record.attempts_before_cycle or record.generation > 1:
        item["cycle"] = text(f"{record.cycle_started_at_ms}|{record.attempts_before_cycle}")
    if record.next_attempt_at_ms is not None:
        item["next_attempt_at"] = number(record.next_attempt_at_ms)
    if record.reason is not None:
        item["reason"] = text(record.reason)
    if record.seen:
        item["seen"] = text(",".join(f"{name}:{count}" for name, count in record.seen))
    if record.writer:
        item["by"] = text(record.writer)
    if record.trace:
        item["trace"] = text(record.trace)
    if record.keeping:
        item["keeping"] = text(record.keeping)
    if record.is_test:
        item["kind"] = text("test")
    if record.erased:
        item["erased"] = {"BOOL": True}
    if record.body is not None:
        item["body"] = binary(pack_body(record.body))
    if record.response is not None:
        item["response"] = binary(record.response)
    shard = history_shard(record.delivery_id)
    if record.status in FINISHED and record.waiting is None:
        item[schema.EXPIRES_AT] = number(expires_at)
    if record.status != "delivered":
        item[schema.LISTING_KEY] = text(schema.status_listing(record.webhook_id, record.status, shard))
        item[schema.LISTING_AT] = text(record.delivery_id)
    if (waiting := record.waiting) is not None:
        item["waiting"] = text(f"{waiting.kind}|{waiting.at_ms}|{waiting.reason}")
        if waiting.kind == "due":
            item[schema.WAITING_KEY] = text(schema.due_key(sum(record.delivery_id[-4:].encode())))
            item[schema.WAITING_AT] = text(schema.due_at(waiting.at_ms, record.delivery_id))
        else:
            item[schema.WAITING_KEY] = text(schema.room_key(record.webhook_id, shard))
            item[schema.WAITING_AT] = text(record.delivery_id)
    return item


def delivery_of(item: Item) -> DeliveryRecord:
    """The record that an item holds."""
    delivery_id = item[schema.SK]["S"].removeprefix(schema.DELIVERY_PREFIX)
    cycle, before = ([*(read_text(item, "cycle") or "").split("|"), ""])[:2]
    body = read_bytes(item, "body")
    seen = read_text(item, "seen")
    return DeliveryRecord(
        delivery_id=delivery_id,
        webhook_id=item[schema.PK]["S"].partition("|")[0],
        event_id=item["event_id"]["S"],
        event_type=item["event_type"]["S"],
        scope=item["scope"]["S"],
        status=cast("DeliveryStatus", item["status"]["S"]),
        generation=read_int(item, "generation"),
        revision=read_int(item, "revision"),
        attempts=_attempts(item["attempts"]["S"]),
        attempts_before_cycle=int(before or 0),
        cycle_started_at_ms=int(cycle) if cycle else time_of(delivery_id),
        next_attempt_at_ms=read_int(item, "next_attempt_at") if "next_attempt_at" in item else None,
        reason=read_text(item, "reason"),
        seen=tuple((name, int(count)) for name, count, *_ in (each.split(":") for each in seen.split(",")))
        if seen
        else (),
        waiting=_waiting(read_text(item, "waiting")),
        body=None if body is None else unpack(body),
        response=read_bytes(item, "response"),
        writer=read_text(item, "by") or "",
        trace=read_text(item, "trace") or "",
        keeping=read_text(item, "keeping") or "",
        erased="erased" in item,
        is_test=is_test(item),
    )


def _attempts_text(attempts: tuple[Attempt, ...]) -> str:
    rows = [
        [a.number, a.started_at_ms, a.duration_ms, a.outcome[0], a.status_code, a.error_code, *a.more] for a in attempts
    ]
    return json.dumps(rows, separators=(",", ":"))


_OUTCOMES: dict[str, Any] = {"s": "success", "f": "failure", "u": "unknown"}


def _attempts(stored: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(number_, started, duration, _OUTCOMES[outcome], status, error, tuple(more))
        for number_, started, duration, outcome, status, error, *more in json.loads(stored)
    )


def _waiting(stored: str | None) -> Waiting | None:
    if stored is None:
        return None
    kind, at_ms, reason, *_ = stored.split("|")
    return Waiting(cast("Any", kind), int(at_ms), reason)


def is_test(item: Item) -> bool:
    """Whether a delivery's item is that of a test."""
    return read_text(item, "kind") == "test"

"""A webhook's live state in the table: circuit and slow-down by revision, rate by its own value, the wake-up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any

from webhooks.delivery.circuit_breaker import Circuit
from webhooks.delivery.endpoint_state import EndpointState
from webhooks.errors import Unavailable
from webhooks.store import schema
from webhooks.store.attributes import number, read_int, read_text, text
from webhooks.store.dynamo import DynamoTable, Item, Key, read_all

_RACES = 5
_PACE_KEPT_SECONDS = 3600
_NONE = EndpointState()


def state_key(webhook_id: str) -> Key:
    """Primary key of a webhook's state."""
    return webhook_id, schema.STATE_SK


def state_of(item: Item | None) -> EndpointState:
    """The state that an item holds; a webhook that never failed, waited or was limited has none."""
    if item is None:
        return _NONE
    circuit = read_text(item, "circuit")
    wake = read_text(item, schema.WAITING_AT)
    return EndpointState(
        circuit=_circuit(json.loads(circuit)) if circuit else Circuit(),
        slow_until_ms=read_int(item, "slow_until"),
        gentle_until_ms=read_int(item, "gentle_until"),
        revision=read_int(item, "revision"),
        rate_tat_ms=read_int(item, "rate_tat") if "rate_tat" in item else None,
        wake_at_ms=int(wake.partition("|")[0]) if wake else None,
        touched_at_ms=read_int(item, "touched_at"),
        latency_ms=read_int(item, "latency"),
        silent=item.get("silent", {}).get("BOOL", False),
    )


_COLUMNS = len(fields(Circuit)) - 1  # the last one holds what is beyond them


def _circuit(columns: list[Any]) -> Circuit:
    return Circuit(*columns[:_COLUMNS], more=tuple(columns[_COLUMNS:]))


def _circuit_text(circuit: Circuit) -> str:
    *columns, more = astuple(circuit)
    return json.dumps([*columns, *more], separators=(",", ":"))


class StateStore:
    """Conditional writes of webhook states; False where somebody else was faster: re-read and decide again."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    def get(self, webhook_id: str) -> EndpointState:
        """Consistent read. Raises Unavailable."""
        return state_of(self._table.get_many([state_key(webhook_id)]).get(state_key(webhook_id)))

    def get_many(self, webhook_ids: Sequence[str]) -> dict[str, EndpointState]:
        """The states of all of them, those that cannot be read as of no trouble. Consistent. Raises Unavailable."""
        found = self._table.get_many([state_key(each) for each in webhook_ids])
        states = dict(read_all(found.values(), lambda item: (item[schema.PK]["S"], state_of(item))))
        return {each: states.get(each, _NONE) for each in webhook_ids}

    def save_health(self, webhook_id: str, before: EndpointState, after: EndpointState) -> bool:
        """Write circuit and slow-down, if they are still as in `before`."""
        return self._table.update(
            state_key(webhook_id),
            "SET #c = :c, slow_until = :s, gentle_until = :g, latency = :l, silent = :q, #r = :n",
            names={"#c": "circuit", "#r": "revision"},
            values={
                ":c": text(_circuit_text(after.circuit)),
                ":s": number(after.slow_until_ms),
                ":g": number(after.gentle_until_ms),
                ":l": number(after.latency_ms),
                ":q": {"BOOL": after.silent},
                ":n": number(before.revision + 1),
                **({":r": number(before.revision)} if before.revision else {}),
            },
            condition="#r = :r" if before.revision else "attribute_not_exists(#r)",
        )

    def save_rate(self, webhook_id: str, before_tat_ms: int | None, tat_ms: int) -> bool:
        """Write the rate's reservation, if nobody reserved in between."""
        values: dict[str, Item] = {":t": number(tat_ms)}
        if before_tat_ms is not None:
            values[":b"] = number(before_tat_ms)
        condition = "attribute_not_exists(rate_tat)" if before_tat_ms is None else "rate_tat = :b"
        return self._table.update(state_key(webhook_id), "SET rate_tat = :t", values=values, condition=condition)

    def pace(self, owner: str) -> int | None:
        """Until when the places of an owner's slow receivers are given away. Consistent. Raises Unavailable."""
        item = self._table.get_many([_pace_key(owner)]).get(_pace_key(owner))
        return None if item is None else read_int(item, "tat")

    def save_pace(self, owner: str, before_tat_ms: int | None, tat_ms: int) -> bool:
        """Give away some more, if nobody did in between. Collected once it says nothing any more."""
        values = {":t": number(tat_ms), ":e": number(tat_ms // 1000 + _PACE_KEPT_SECONDS)}
        if before_tat_ms is not None:
            values[":b"] = number(before_tat_ms)
        condition = "attribute_not_exists(tat)" if before_tat_ms is None else "tat = :b"
        return self._table.update(
            _pace_key(owner), f"SET tat = :t, {schema.EXPIRES_AT} = :e", values=values, condition=condition
        )

    def wake(self, webhook_id: str, at_ms: int, now_ms: int) -> None:
        """Have release look at the webhook's waiting room at `at_ms`, and not forget it before the room is empty.

        An earlier look that is planned already stays. Called before something is put in the room: a crash in between
        leaves a wake-up too many, never one too few.
        """
        for _ in range(_RACES):
            sooner = self._table.update(
                state_key(webhook_id),
                f"SET {schema.WAITING_KEY} = :k, {schema.WAITING_AT} = :a, touched_at = :t",
                values={**_wake_values(webhook_id, at_ms), ":t": number(now_ms)},
                condition=f"attribute_not_exists({schema.WAITING_AT}) OR {schema.WAITING_AT} > :a",
            )
            if sooner or self._table.update(
                state_key(webhook_id),
                "SET touched_at = :t",
                values={":t": number(now_ms)},
                condition=f"attribute_exists({schema.WAITING_AT})",
            ):
                return
        raise Unavailable("the wake-up kept changing")

    def reschedule(self, webhook_id: str, before: EndpointState, at_ms: int) -> bool:
        """Release's own next look, unless somebody woke or touched the room since `before` was read."""
        if before.wake_at_ms is None:
            return False
        return self._table.update(
            state_key(webhook_id),
            f"SET {schema.WAITING_AT} = :a, {schema.WAITING_KEY} = :k",
            values={**_wake_values(webhook_id, at_ms), **_unchanged(webhook_id, before)},
            condition=f"{schema.WAITING_AT} = :w AND touched_at = :t",
        )

    def sleep(self, webhook_id: str, before: EndpointState) -> bool:
        """No more looks: the room has been empty for long, unless somebody touched it since `before` was read."""
        return self._table.update(
            state_key(webhook_id),
            f"REMOVE {schema.WAITING_KEY}, {schema.WAITING_AT}",
            values=_unchanged(webhook_id, before),
            condition=f"{schema.WAITING_AT} = :w AND touched_at = :t",
        )


def _pace_key(owner: str) -> Key:
    return schema.tenant_pk(owner), schema.PACE_SK


def _wake_values(webhook_id: str, at_ms: int) -> Mapping[str, Item]:
    shard = sum(webhook_id[-4:].encode())
    return {":k": text(schema.due_key(shard)), ":a": text(schema.due_at(at_ms, webhook_id))}


def _unchanged(webhook_id: str, before: EndpointState) -> Mapping[str, Item]:
    return {":w": text(schema.due_at(before.wake_at_ms or 0, webhook_id)), ":t": number(before.touched_at_ms)}

"""What is published is delivered: every number, string and key as it was written, by HTTP and by the bus.

`make round-trip` tries 10,000 generated events.
"""

import json
import os
import random
from collections.abc import Sequence
from typing import Any, cast

import pytest

from tests.conftest import Figure
from tests.fakes.owners import caller
from tests.fakes.world import World, event
from tests.support.history_fakes import MemoryEvents, MemoryRepeats
from webhooks.aws.sqs import Outgoing, SqsIngest
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.publishing import Publishing
from webhooks.payload import MAX_EVENT_BYTES, UnfitNumber, parse_json

EVENTS = int(os.environ.get("ROUND_TRIP_EVENTS", "300"))
NUMBERS = (  # noqa: SIM905
    "0 -0 1.10 -1.0 1e5 1E5 1.5e+3 0.00 -0.0e7 12345678901234567890.12345 9007199254740993 5e-324 1e308 0.1 "
    "123456789012345678901234567890 3.14159265358979323846264 1e-400 1e400 2.2250738585072014e-308"
).split()
LETTERS = 'aé"\\/\x00\x1f\x7f\u2028\ufffd\ufffe\uffff\ue000\U0001f600\U00010000 \t\nud8001.10'


def number(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return chance.choice(NUMBERS)
    digits = "".join(chance.choices("0123456789", k=chance.randint(1, 25))).lstrip("0") or "0"
    text = chance.choice(["", "-"]) + digits
    if chance.random() < 0.5:
        text += "." + "".join(chance.choices("0123456789", k=chance.randint(1, 25)))
    if chance.random() < 0.3:
        text += chance.choice("eE") + chance.choice(["", "+", "-"]) + str(chance.randint(0, 330))
    return text


def string(chance: random.Random) -> str:
    text = "".join(chance.choices(LETTERS, k=chance.randint(0, 8)))
    return json.dumps(text, ensure_ascii=chance.random() < 0.5)


def value(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    space = chance.choice(["", " ", "\n "])
    if depth and kind < 0.25:
        return f"[{space}{', '.join(value(chance, depth - 1) for _ in range(chance.randint(0, 4)))}{space}]"
    if depth and kind < 0.5:
        return mapping(chance, depth - 1)
    return string(chance) if kind < 0.65 else number(chance) if kind < 0.9 else chance.choice(["true", "false", "null"])


def mapping(chance: random.Random, depth: int) -> str:
    keys = dict.fromkeys(json.loads(string(chance)) for _ in range(chance.randint(0, 5)))
    space = chance.choice(["", " ", "\r\n\t"])
    inner = (f"{json.dumps(key)}{space}:{space}{value(chance, depth)}" for key in keys)
    return "{" + f",{space}".join(inner) + space + "}"


def exact(text: str | bytes) -> object:
    """Numbers by their text, and objects by their keys' order."""
    return json.loads(
        text,
        parse_float=lambda written: ("number", written),
        parse_int=lambda written: ("number", written),
        object_pairs_hook=lambda pairs: ("object", pairs),
    )


class QueueOf:
    """The world's ingest queue as the api's sender sees it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def send(self, messages: Sequence[Outgoing]) -> None:
        for each in messages:
            self.world.send_raw(self.world.ingest_queue, each.body)


def test_what_is_published_arrives_as_it_was_written(figure: Figure) -> None:
    world = World()
    world.owners.register("one")
    publishing = Publishing(
        queue=SqsIngest(QueueOf(world)),  # type: ignore[arg-type]
        events=MemoryEvents(),
        repeats=MemoryRepeats(),
        box=cast("Any", None),  # only idempotency keys need it
        event_types=DEFAULT_EVENT_TYPES,
        now_ms=lambda: world.clock.ms,
    )
    published: dict[str, tuple[str, str]] = {}
    refused = 0
    for count in range(EVENTS):
        chance = random.Random(count)
        data, metadata = mapping(chance, 4), mapping(chance, 2)
        name = f"e{count}"
        ids = f'"id":"{name}","type":"record.created","workspace_id":1,"user_id":7'
        text = f'{{"metadata":{metadata},"data":{data},{ids}}}'
        try:
            document = parse_json(text, max_bytes=MAX_EVENT_BYTES)
            if count % 2:
                publishing.publish(caller(7, 1), document, None)
            else:
                envelope = f'{{"id":"{name}","detail-type":"record.created","detail":{text}}}'
                # no message of SQS may hold these two; who sends one escapes them
                world.send_raw(world.ingest_queue, envelope.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff"))
            published[name] = (data, metadata)
        except UnfitNumber:
            refused += 1
        if count % 100 == 99:
            world.work("ingest", "sender")
            world.clock.advance_to(world.clock.ms + 1_000)  # one host has so many requests a second
    world.work("ingest", "sender")
    delivered = {seen.event_id: seen.body for seen in world.receivers.log}
    assert delivered.keys() == published.keys()
    for name, (data, metadata) in published.items():
        assert (fields := dict(exact(delivered[name])[1]))["data"] == exact(data), name  # type: ignore[index]
        assert fields["metadata"] == exact(metadata), name
    assert 0 < refused < EVENTS / 2
    figure(f"round trip: {len(published)} generated events delivered as written, {refused} with unfit numbers refused")


LITTLE_MORE = {
    "conditions": {"operator": "and", "rules": [{"field": "price", "operator": "greater_than", "value": 1.09}]}
}


def test_filters_compare_the_value_of_a_number_however_it_was_written() -> None:
    world = World()
    equal = world.owners.register("equal", filters={"fields": {"price": 1.1}})
    ordered = world.owners.register("more", filters=LITTLE_MORE)
    world.owners.register("other", filters={"fields": {"price": 1.11}})
    for number, text in enumerate(("1.1", "1.10", "110e-2", "1.100000000000000000000001")):
        world.send_raw(
            world.ingest_queue,
            f'{{"token":"t{number}","events":[{{"id":"e{number}","type":"record.created","workspace_id":1,'
            f'"data":{{"fields":{{"price":{text}}}}}}}]}}',
        )
    world.work("ingest")
    assert [set(record.queued) for record in world.event_records()] == [{equal.webhook_id, ordered.webhook_id}] * 4


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_envelope_of_an_odd_time_is_no_fault_of_the_event(time: str) -> None:
    world = World()
    world.owners.register("one")
    detail = json.dumps(event("e1"))
    world.send_raw(world.ingest_queue, f'{{"id":"i","time":"{time}","detail-type":"record.created","detail":{detail}}}')
    world.work("ingest")
    (record,) = world.event_records()
    assert record.accepted_at_ms == world.clock.ms


def test_a_renamed_event_keeps_its_numbers() -> None:
    world = World()
    world.owners.register("one")
    for publisher, price in (("user", "1.10"), ("platform", "2.50")):
        world.send_raw(
            world.ingest_queue,
            f'{{"token":"{publisher}","publisher":"{publisher}","events":[{{"id":"e1","type":"record.created",'
            f'"workspace_id":1,"user_id":7,"data":{{"price":{price}}}}}]}}',
        )
        world.work("ingest", "sender")
    assert [b'"price":1.10' in world.receivers.log[0].body, b'"price":2.50' in world.receivers.log[1].body] == [
        True,
        True,
    ]

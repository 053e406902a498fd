"""Items and messages of a version of this service as data, and a life that goes on with them.

`python -m tests.support.formats make` writes what the code beside it makes of a scenario; `... live` reads such data
and carries on with it. Both use only what older versions' fakes have too, so that either can be run beside older code.
"""

import base64
import json
import sys
from collections.abc import Mapping
from typing import Any

from tests.fakes.owners import url_of
from tests.fakes.world import TABLE, World, event, events

Data = dict[str, Any]
QUEUES = ("ingest_queue", "delivery_queue", "dead_letter_queue", "jobs_queue")
RETRIED, DEAD, PAUSED, INACTIVE = "retried", "dead", "paused", "inactive"


def make() -> Data:
    """Something in every state that items and messages have: sent, waiting, failed, missed, counted, half way."""
    world = World(1, keeps_stream=True)
    webhooks = {
        "healthy": world.owners.register("healthy", event_types=("*",)),
        RETRIED: world.owners.register(RETRIED, max_retries=9),
        DEAD: world.owners.register(DEAD, max_retries=0),
        PAUSED: world.owners.register(PAUSED, status="paused"),
        INACTIVE: world.owners.register(INACTIVE, status="inactive"),
        "limited": world.owners.register("limited", rate_limit_rps=1),
        "filtered": world.owners.register("filtered", filters={"fields": {"name": "Bob"}}),
    }
    for name in (RETRIED, DEAD):
        world.receivers.script(url_of(name), [503] * 1_000)
    world.publish(*events(4))
    world.run(for_ms=120_000)  # some wait for their next attempt, and circuits are about to open
    world.publish(*events(2, 10))
    world.run(for_ms=15_000)  # some wait in SQS
    world.roll_up()
    world.publish(event("e20"))
    world.work("ingest", "sender")  # letters on their way
    world.publish(event("e21"))
    world.work("ingest")  # messages not sent yet
    world.publish(event("e22"))
    world.put_event(event("e23"))
    world.start_replay("rpl_" + "1" * 26, webhooks[DEAD])
    return {
        "clock_ms": world.clock.ms,
        "items": [_packed(item) for _, item in world.dynamodb.tables[TABLE].all_items()],
        "queues": {
            name: [[each.body, each.attributes] for each in world.messages(getattr(world, name))] for name in QUEUES
        },
    }


def load(data: Data) -> World:
    """A world of that time, in which all of it is there."""
    world = World(2, keeps_stream=True)
    world.clock.advance_to(data["clock_ms"])
    for item in data["items"]:
        world.dynamodb.put_item(TableName=TABLE, Item=_unpacked(item))
    for name, messages in data["queues"].items():
        for body, attributes in messages:
            entry = {"Id": "0", "MessageBody": body, "MessageAttributes": attributes}
            world.sqs.send_message_batch(QueueUrl=getattr(world, name).url, Entries=[entry])
    return world


def live(world: World) -> Data:
    """Receivers answer again, and everything goes its way; what came of it."""
    world.roll_up()  # of what was there before
    world.run(for_ms=120 * 60_000)
    world.roll_up()
    world.run(for_ms=60_000)  # with what that told
    statuses = sorted({record.status for record in world.deliveries() if record.waiting is None})
    return {
        "statuses": statuses,
        "paused": sum(record.waiting is not None for record in world.deliveries()),
        "deliveries": len(world.deliveries()),
        "events": len(world.event_records()),
        "jobs": [job.status for job in world.replay_jobs()],
        "unreadable": len([item for item in world.items("0") if item["pk"]["S"] == "unreadable"]),
        "left": [len(world.messages(getattr(world, name))) for name in (*QUEUES, "ingest_dead_letter_queue")],
        "unknown": sum(a.outcome == "unknown" for record in world.deliveries() for a in record.attempts),
    }


def _packed(item: Mapping[str, Any]) -> Data:
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else dict(value)
        for name, value in item.items()
    }


def _unpacked(item: Mapping[str, Any]) -> Data:
    return {name: {"B": base64.b64decode(v["B"])} if "B" in v else v for name, v in item.items()}


if __name__ == "__main__":
    found = make() if sys.argv[1] == "make" else live(load(json.load(sys.stdin)))
    json.dump(found, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")

"""What decides is read consistently; what an index says, which may be a moment old, is read again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.owners import url_of
from tests.fakes.world import World, event, events
from webhooks.store.dead_letters import DeadLetterStore
from webhooks.store.delivery_context import DeliveryContextStore
from webhooks.store.dynamo import DynamoTable
from webhooks.store.events import EventStore
from webhooks.store.replay_jobs import ReplayJobStore
from webhooks.store.routes import RouteStore
from webhooks.store.states import StateStore

MINUTE_MS = 60_000


class Recorder:
    """A client that finds nothing and remembers how it was asked."""

    def __init__(self) -> None:
        self.consistent: list[bool] = []

    def query(self, **request: Any) -> dict[str, Any]:
        self.consistent.append(request.get("ConsistentRead", False))
        return {"Items": []}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        self.consistent += [asked.get("ConsistentRead", False) for asked in request["RequestItems"].values()]
        return {"Responses": {}}


READS: dict[str, Callable[[DynamoTable], object]] = {
    "routes": lambda table: list(RouteStore(table).load("ws:1", "*")),
    "versions of routes": lambda table: RouteStore(table).versions(["ws:1"]),
    "state": lambda table: StateStore(table).get("wh_1"),
    "deliveries": lambda table: DeliveryContextStore(table, 0, int).get([("wh_1", "dlv_1")]),
    "what is around them": lambda table: DeliveryContextStore(table, 0, int).around([("wh_1", "dlv_1")]),
    "events": lambda table: EventStore(table, 0).get([("e1", "ws:1", 0)], 0),
    "dead letters": lambda table: DeadLetterStore(table, 0, int).page("wh_1", 0, None, 10),
    "jobs": lambda table: ReplayJobStore(table, 0, int).get("rpl_1"),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_decides_is_read_consistently(read: Callable[[DynamoTable], object]) -> None:
    client = Recorder()
    read(DynamoTable(client, "table"))
    assert client.consistent
    assert all(client.consistent)


def test_what_the_index_still_calls_due_is_sent_once() -> None:
    world = World(index_lag_ms=lambda: lag_ms)
    lag_ms = 0
    world.owners.register("one")
    world.receivers.script(url_of("one"), [500, 500, 500, 200])
    world.publish(event("e1"))
    world.run(for_ms=MINUTE_MS)
    assert world.delivery().waiting is not None
    lag_ms = 5 * MINUTE_MS
    world.clock.advance_to((world.delivery().next_attempt_at_ms or 0) - MINUTE_MS // 2)
    assert [world.release()["due"] for _ in range(3)] == [1, 0, 0]
    assert world.release()["failures"] == 0
    assert len(world.messages(world.delivery_queue)) == 1


def test_a_room_that_the_index_does_not_show_yet_is_not_forgotten() -> None:
    late = {"dynamodb.batch_execute_statement": 90_000}

    def note(call: str) -> None:
        nonlocal lag_ms
        lag_ms = late.get(call, 0)

    lag_ms = 0
    world = World(plan=note, index_lag_ms=lambda: lag_ms)
    world.owners.register("one", rate_limit_rps=1)
    world.publish(*events(3))
    world.work()
    assert sum(record.waiting is not None for record in world.deliveries()) == 2
    late.clear()
    world.run(for_ms=10 * MINUTE_MS)
    assert {record.status for record in world.deliveries()} == {"delivered"}

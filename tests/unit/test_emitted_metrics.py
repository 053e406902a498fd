"""Each metric that CloudWatch is told of is emitted by what it stands for, and a delivery logs little."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from aws_lambda_powertools import Logger

from tests.conftest import Figure
from tests.fakes import functions
from tests.fakes.owners import url_of
from tests.fakes.stream_source import lambda_records
from tests.fakes.world import TABLE, World, event, events
from webhooks import batch_log
from webhooks.models.webhook import Webhook
from webhooks.store.webhook_items import webhook_key


class Emitting:
    """A world whose functions' lines are kept. `down`: the service that answers nobody; `crash`: at which call the
    function dies."""

    def __init__(self) -> None:
        self.down = self.crash = ""
        self.lines: list[str] = []
        self.world = World(plan=self._fault, keeps_stream=True)
        self.world.functions.services = replace(self.world.services, write=self.lines.append)

    def _fault(self, call: str) -> str | None:
        if self.crash and call.startswith(self.crash):
            self.crash = ""
            return "crash_before"
        return "throttled" if self.down and call.startswith(self.down) else None

    def metrics(self, message: str) -> set[str]:
        """Of the lines with this message, what CloudWatch makes metrics of."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for line in map(json.loads, self.lines):
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
                found[line["message"]].update(each["Name"] for each in directive["Metrics"])
        return found[message]

    def without(self, service: str, work: Callable[[], object]) -> None:
        """Do it while the service is down."""
        self.down = service
        work()
        self.down = ""

    def spoil(self, webhook: Webhook) -> None:
        """Make it a webhook that nobody can read."""
        del self.world.dynamodb.tables[TABLE].items[webhook_key(webhook.webhook_id)]["status"]


@pytest.fixture
def emitting() -> Emitting:
    return Emitting()


def of_ingest(emitting: Emitting) -> None:
    world = emitting.world
    world.owners.change(world.owners.register("inactive", event_types=("table.created",)), status="inactive")
    world.owners.register("filtered", event_types=("record.created",), filters={"user_id": [7]})
    world.publish(event("e1"), event("e2", "of.no_type"), event("e3", "table.created"), event("e4", user_id=8))
    world.publish(event("e1"), token="again")
    world.send_raw(world.ingest_queue, "garbage")
    world.clock.sleep(1)
    emitting.without("sqs", lambda: world.work("ingest"))
    world.run()


def of_sender(emitting: Emitting) -> None:
    world = emitting.world
    world.owners.register("paused", event_types=("table.created",), status="paused")
    spoilt = world.owners.register("spoilt", event_types=("table.updated",))
    world.owners.register("given-up", event_types=("table.deleted",), max_retries=0)
    world.receivers.script(url_of("given-up"), [500])
    world.owners.register("one", event_types=("record.created",))
    world.publish(event("e1"), event("e2", "table.created"), event("e3", "table.updated"), event("e4", "table.deleted"))
    world.work("ingest")
    emitting.spoil(spoilt)
    first = min(world.messages(world.delivery_queue), key=lambda each: each.message_id)
    emitting.crash = "dynamodb.batch_execute_statement"
    world.poll_through("sender")
    emitting.without("dynamodb", lambda: world.run(for_ms=380_000))
    world.run(for_ms=900_000)
    world.send_raw(world.delivery_queue, first.body, first.attributes["meta"]["StringValue"])
    world.work("sender")


def of_dead_letters(emitting: Emitting) -> None:
    world = emitting.world
    world.owners.register("one")
    world.publish(event("e1"))
    world.work("ingest")
    world.sqs.redrive(world.delivery_queue, world.messages(world.delivery_queue))
    emitting.without("dynamodb", lambda: world.poll("dead_letter_writer"))
    world.send_raw(world.dead_letter_queue, "garbage")
    world.run()


def of_jobs(emitting: Emitting) -> None:
    emitting.world.send_raw(emitting.world.jobs_queue, "garbage")
    emitting.world.work("jobs")


def of_release(emitting: Emitting) -> None:
    world = emitting.world
    one, spoilt = world.owners.register("one"), world.owners.register("spoilt", event_types=("table.created",))
    world.receivers.script(url_of("one"), [503] * 60 + [200])
    world.receivers.script(url_of("spoilt"), [503] * 60)
    world.publish(*events(30), event("e99", "table.created"))
    world.run(for_ms=120_000)
    emitting.spoil(spoilt)
    world.roll_up()
    world.run(for_ms=3_600_000)
    world.roll_up()
    emitting.without("dynamodb", world.release)
    world.owners.change(one, status="paused")
    world.publish(*events(1, start=50))
    world.work()
    world.owners.change(one, status="active")
    world.functions.services.contexts["release"].remaining_ms = 0
    world.clock.sleep(60)
    world.release()


def of_rollup(emitting: Emitting) -> None:
    emitting.world.owners.register("one")
    emitting.world.publish(event("e1"))
    emitting.world.run()
    stream = lambda_records(emitting.world.dynamodb.tables[TABLE])
    emitting.world.functions.invoke("rollup", {"Records": stream})
    assert emitting.metrics("batch added up") == set()
    del next(each for each in stream if "status" in each["dynamodb"]["NewImage"])["dynamodb"]["NewImage"]["status"]
    emitting.world.functions.invoke("rollup", {"Records": stream})


@pytest.mark.parametrize(
    ("happens", "message", "declared"),
    [
        (of_ingest, "batch ingested", batch_log.INGEST),
        (of_sender, "batch sent", batch_log.SENDER),
        (of_dead_letters, "dead letters kept", batch_log.REPLAY),
        (of_jobs, "jobs run", batch_log.REPLAY_JOBS),
        (of_release, "run", batch_log.RELEASE),
        (of_rollup, "batch added up", batch_log.ROLLUP),
    ],
)
def test_each_declared_metric_is_emitted_by_what_it_stands_for(
    emitting: Emitting, happens: Callable[[Emitting], None], message: str, declared: Mapping[str, str]
) -> None:
    happens(emitting)
    assert emitting.metrics(message) == declared.keys()


class Context(functions.Context):
    """With names as long as they are on AWS, in a stack that has samconfig.toml's name."""

    aws_request_id = "7b1f6f0e-3a52-4d6e-9c1b-2f0a9d3c5e71"

    def __init__(self, function: str) -> None:
        super().__init__(function)
        self.function_name = f"pyairtable-webhooks-{function}"


def test_what_a_delivery_logs_is_below_a_kilobyte(emitting: Emitting, figure: Figure) -> None:
    """At one a batch, at LogLevel=INFO. docs/operations.md and tests/benchmarks/cost have the figure."""
    world = emitting.world
    contexts = {name: Context(name) for name in functions.TIMEOUTS_MS}
    logger = Logger(service="webhooks", level="INFO")
    world.functions.services = replace(world.functions.services, contexts=contexts, logger=logger)
    world.owners.register("one")
    world.dynamodb.tables[TABLE].stream.clear()
    world.publish(event())
    for function in ("ingest", "sender"):
        world.clock.sleep(0.02)
        assert world.poll(function) == 1
    world.roll_up()
    sizes = [len(line.encode()) for line in emitting.lines]
    assert len(sizes) == 2, "nothing but a batch ingested and a batch sent"
    assert all(json.loads(line)["steps"] for line in emitting.lines)
    assert sum(sizes) < 1000
    figure(f"what one delivery logs at one a batch: {sum(sizes)} bytes")

"""The Lambda functions over given clients, put together by functions/*/composition.py as functions/*/app.py has it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger

from functions.ingest import composition as ingest_function
from functions.release import composition as release_function
from functions.replay import composition as replay_function
from functions.rollup import composition as rollup_function
from functions.sender import composition as sender_function
from tests.fakes.clock import Clock
from tests.fakes.kms import FakeKMS
from tests.fakes.leading_keys import ALLOWED, HeldClient
from tests.fakes.receivers import FakeReceivers
from tests.fakes.virtual_loop import VirtualLoop
from tests.fakes.wire import wire
from webhooks import batch_log, settings
from webhooks.aws.direct import DirectDynamoDB, DirectSqs
from webhooks.runtime import Runtime
from webhooks.store.dynamo import DynamoTable

if TYPE_CHECKING:
    from webhooks.aws.clients import Clients


class _Wired(DirectDynamoDB):
    """Over the wire all but queries and transactions, of which a simulated day makes ten thousand."""

    def query(self, **request: Any) -> Any:
        """The fake's own."""
        return self._client.query(**request)

    def transact_write_items(self, **request: Any) -> Any:
        """The fake's own."""
        return self._client.transact_write_items(**request)


Handler = Callable[[Mapping[str, Any]], dict[str, Any]]
TIMEOUTS_MS = {"ingest": 60_000, "sender": 60_000, "release": 55_000, "replay": 60_000, "rollup": 60_000}

# Not named like the package, whose loggers would take over its level.
SILENT = Logger(service="simulated", level="CRITICAL")


class Context:
    """What Lambda hands over beside the event: each invocation has the function's whole time, unless a test says so."""

    aws_request_id = "request"

    def __init__(self, function: str) -> None:
        self.function_name = f"webhooks-{function}"
        self.remaining_ms = TIMEOUTS_MS[function]

    def get_remaining_time_in_millis(self) -> int:
        """At the time of the call."""
        return self.remaining_ms


@dataclass(frozen=True, slots=True)
class Services:
    """Clients and settings that all functions share. `pass_ms` is how a waiting sender lets time pass; `write` takes
    the lines that functions log of their batches."""

    clock: Clock
    dynamodb: Any
    sqs: Any
    events: Any
    transport: FakeReceivers
    urls: Mapping[str, str]
    table_name: str
    bus_name: str
    random: Callable[[], float]
    sleep: Callable[[float], None] | None = None
    pass_ms: Callable[[int], None] | None = None
    retention_days: int = 30
    variables: Mapping[str, str] = field(default_factory=dict[str, str])  # more of every function's environment
    kms: Any = field(default_factory=FakeKMS)
    write: Callable[[str], object] = str  # into nothing
    logger: Logger = SILENT
    cpu_seconds: Callable[[], float] = float  # nothing takes any
    contexts: Mapping[str, Context] = field(default_factory=lambda: {name: Context(name) for name in TIMEOUTS_MS})
    sender: None = None  # nobody tries a webhook out
    static_transport: Any = None  # the way to receivers that the sender with static addresses has
    cloudwatch: None = None

    @property
    def hot_dynamodb(self) -> DirectDynamoDB:
        """The table's client as the hot path has it."""
        return _Wired(lambda: self.dynamodb, wire(self.dynamodb))

    @property
    def hot_sqs(self) -> DirectSqs:
        """The queues' client as the hot path has it."""
        return DirectSqs(lambda: self.sqs, wire(self.sqs))

    def of(self, function: str) -> "Services":
        """The same, with no more of the table than the function's role has."""
        if function not in ALLOWED:
            return self
        return replace(self, dynamodb=HeldClient(self.dynamodb, ALLOWED[function]))

    def clients(self) -> "Clients":
        """These instead of boto3's."""
        return cast("Clients", self)

    def environment(self) -> dict[str, str]:
        """Variables of every function."""
        return {
            "TABLE_NAME": self.table_name,
            "EVENT_BUS_NAME": self.bus_name,
            "DATA_KEY_ID": "key",
            "INGEST_QUEUE_URL": self.urls["ingest"],
            "INGEST_DEAD_LETTER_QUEUE_URL": self.urls["ingest_dead"],
            "DELIVERY_QUEUE_URL": self.urls["delivery"],
            "DEAD_LETTER_QUEUE_URL": self.urls["dead"],
            "JOBS_QUEUE_URL": self.urls["jobs"],
            "STATIC_DELIVERY_QUEUE_URL": self.urls.get("static", ""),
            "RETENTION_DAYS": str(self.retention_days),
            "SENDER_FUNCTION_NAME": "sender",
            "TENANT_RATE_LIMIT": "0",
            "MAX_WEBHOOKS_PER_TENANT": "100000",
            **self.variables,
        }

    def runtime(self) -> Runtime:
        """A function's clock, chance, patience and log."""
        return Runtime(self.clock.now_ms, self.random, self.sleep or self.clock.sleep, self.write, self.cpu_seconds)

    def table(self) -> DynamoTable:
        """The table."""
        return DynamoTable(self.dynamodb, self.table_name, sleep=self.sleep or self.clock.sleep)


def _invoked(context: Context, handler: batch_log.Handler) -> Handler:
    return lambda event: handler(dict(event), context)


def ingest(services: Services) -> Handler:
    """functions/ingest"""
    read = settings.IngestSettings.read(services.environment())
    return _invoked(
        services.contexts["ingest"],
        ingest_function.build(read, services.of("ingest").clients(), services.logger, runtime=services.runtime()),
    )


def static_sender(services: Services) -> Handler:
    """The same with static addresses, and with a queue of its own."""
    own = {"DELIVERY_QUEUE_URL": services.urls["static"], "STATIC_EGRESS": "true"}
    return sender(replace(services, transport=services.static_transport), own)


def sender(services: Services, more: Mapping[str, str] | None = None) -> Handler:
    """functions/sender, in a loop of virtual time; with `more` in its environment."""
    loop = VirtualLoop(services.clock, services.pass_ms)
    read = settings.SenderSettings.read(services.environment() | dict(more or {}))
    invoked = _invoked(
        services.contexts["sender"],
        sender_function.build(
            read, services.clients(), services.transport, loop, services.logger,
            runtime=services.runtime(),
        ),
    )  # fmt: skip

    def handler(event: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return invoked(event)
        except Exception:
            raise
        except BaseException:  # the process is gone
            loop.abandon()
            raise

    return handler


def release(services: Services) -> Handler:
    """functions/release, one shard after the other: the fakes belong to one thread."""
    read = settings.ReleaseSettings.read(services.environment())
    return _invoked(
        services.contexts["release"],
        release_function.build(read, services.of("release").clients(), services.logger, runtime=services.runtime()),
    )


def replay(services: Services) -> Handler:
    """functions/replay"""
    read = settings.ReplaySettings.read(services.environment())
    return _invoked(
        services.contexts["replay"],
        replay_function.build(read, services.clients(), services.logger, runtime=services.runtime()),
    )


def rollup(services: Services) -> Handler:
    """functions/rollup"""
    read = settings.RollupSettings.read(services.environment())
    return _invoked(
        services.contexts["rollup"],
        rollup_function.build(read, services.of("rollup").clients(), services.logger, runtime=services.runtime()),
    )


COMPOSITIONS: Mapping[str, Callable[[Services], Handler]] = {
    "ingest": ingest,
    "sender": sender,
    "release": release,
    "replay": replay,
    "rollup": rollup,
}


PROCESSES: Mapping[str, Callable[[Services], Handler]] = {**COMPOSITIONS, "static_sender": static_sender}


class Functions:
    """One process a function, made when it is first needed."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._processes: dict[str, Handler] = {}

    def invoke(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Run the function's handler."""
        if name not in self._processes:
            self._processes[name] = PROCESSES[name](self.services)
        return self._processes[name](event)

    def start(self, name: str, services: Services) -> None:
        """A new process, whose deployment has these."""
        self._processes[name] = PROCESSES[name](services)

    def restart(self, name: str) -> None:
        """The process is gone; the next invocation has a new one. Mappings of `replay` have two names."""
        self._processes.pop({"dead_letter_writer": "replay", "jobs": "replay"}.get(name, name), None)

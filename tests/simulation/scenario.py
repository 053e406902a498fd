"""What users, the platform and receivers do in one run, all of it drawn from the run's seed."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.receivers import Answer, Behaviour
from tests.fakes.world import event
from tests.simulation.keeping import way_of
from tests.simulation.readable import canary
from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.management.webhooks import FOR_SENDING

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
PATTERNS = (*DEFAULT_EVENT_TYPES, "record.*", "table.*", "user.*", "*")
NAMES = ("Ann", "Bob", "Cyd")


@dataclass(frozen=True, slots=True)
class Interest:
    """A subscription in the plain terms of the ledger's own matcher."""

    pattern: str
    resource_id: str | None = None
    name: str | None = None  # filter: data.fields.name equals
    min_age: int | None = None  # filter: condition age >= n
    is_active: bool = True

    def request(self) -> dict[str, Any]:
        """As a subscription request has it."""
        filters: dict[str, Any] = {}
        if self.name is not None:
            filters["fields"] = {"name": self.name}
        if self.min_age is not None:
            rule = {"field": "age", "operator": "greater_than_or_equal", "value": self.min_age}
            filters["conditions"] = {"operator": "and", "rules": [rule]}
        return {
            "event_type": self.pattern,
            "resource_id": self.resource_id,
            "filters": filters or None,
            "is_active": self.is_active,
        }

    def wants(self, document: Mapping[str, Any]) -> bool:
        """The plain matcher."""
        if not self.is_active:
            return False
        kind = document["type"]
        family = kind.split(".")[0] + ".*"
        if self.pattern not in ("*", kind, family):
            return False
        if self.resource_id is not None and document["resource_id"] != self.resource_id:
            return False
        fields = document["data"]["fields"]
        if self.name is not None and fields["name"] != self.name:
            return False
        return self.min_age is None or fields["age"] >= self.min_age


@dataclass(slots=True)
class Plan:
    """One run: how many of what, and for how long."""

    seed: int
    events: int
    faults: bool = True
    webhooks: int = 12
    publishing_ms: int = 4 * HOUR
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"scenario {self.seed}")

    def interest(self) -> Interest:
        """A random subscription."""
        rng = self.rng
        return Interest(
            pattern=rng.choice(PATTERNS),
            resource_id=rng.choice([None, None, None, "tbl_1", "tbl_2"]),
            name=rng.choice([None, None, None, *NAMES]),
            min_age=rng.choice([None, None, None, 30, 60]),
            is_active=rng.random() > 0.1,
        )

    def webhook_fields(self) -> dict[str, Any]:
        """Of a webhook to be registered."""
        rng = self.rng
        return {
            "user_id": rng.choice([7, 8, "u9"]),
            "workspace_id": rng.choice([1, 1, 2, None]),
            "max_retries": rng.choice([0, 2, 4, 9]),
            "timeout_seconds": rng.choice([1, 5, 15, 30]),
            "rate_limit_rps": rng.choice([None, None, None, 1, 20]),
            "status": rng.choice(["active"] * 8 + ["paused", "inactive"]),
            "static_egress": rng.random() < 0.3,
        }

    def is_pull(self, number: int) -> bool:
        """Whether the webhook of this number is read. A sixth of all are."""
        return number % 6 == 5

    def is_read(self, number: int) -> bool:
        """Whether it has a consumer: some that are sent to are read as well."""
        return self.is_pull(number) or number % 6 == 2

    def event(self, number: int) -> dict[str, Any]:
        """An event to be published."""
        rng = self.rng
        return event(
            f"e{number}",
            rng.choice(DEFAULT_EVENT_TYPES),
            resource_id=rng.choice(["tbl_1", "tbl_2", "tbl_3"]),
            workspace_id=rng.choice([1, 1, 2]),
            user_id=rng.choice([7, 8, "u9"]),
            data={
                "fields": {"name": rng.choice(NAMES), "age": rng.randrange(90)},
                "ü": "\ufffe😀",
                "canary": canary(f"e{number}"),
            },
            **({"traceparent": f"00-{number + 1:032x}-{number + 1:016x}-01"} if number % 2 else {}),
            **way_of(number),
        )

    def behaviour(self, start_ms: int, end_ms: int) -> Behaviour:
        """How one receiver answers, now and through the run."""
        kind = self.rng.choice(_KINDS if self.faults else _HEALTHY)
        return kind(random.Random(self.rng.random()), start_ms, end_ms)


def for_pull(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a webhook that is read: without all that is for sending."""
    return {**{name: value for name, value in fields.items() if name not in FOR_SENDING}, "kind": "pull"}


def _healthy(rng: random.Random, _start_ms: int, _end_ms: int) -> Behaviour:
    return lambda _now_ms, _count: Answer(rng.choice([200, 201, 204]), rng.randrange(5, 300))


def _flaky(rng: random.Random, _start_ms: int, _end_ms: int) -> Behaviour:
    share = rng.choice([0.05, 0.05, 0.3, 0.7])
    faults = [Answer(status, 50) for status in (301, 400, 404, 500, 503)]
    faults += [Answer(error_code=code) for code in ("connect_refused", "connect_reset", "timeout", "dns", "tls")]

    def answer(_now_ms: int, _count: int) -> Answer:
        return rng.choice(faults) if rng.random() < share else Answer(200, rng.randrange(5, 500))

    return answer


def _outage(rng: random.Random, start_ms: int, end_ms: int) -> Behaviour:
    begin = rng.randrange(start_ms, end_ms)
    until = begin + rng.choice([5 * MINUTE, HOUR, HOUR, 6 * HOUR, 6 * HOUR, 3 * DAY])
    down = rng.choice([Answer(503), Answer(502), Answer(error_code="connect_refused"), Answer(latency_ms=40_000)])
    return lambda now_ms, _count: down if begin <= now_ms < until else Answer(200, rng.randrange(5, 300))


def _flapping(rng: random.Random, _start_ms: int, _end_ms: int) -> Behaviour:
    period = rng.choice([30 * SECOND, 10 * MINUTE])
    return lambda now_ms, _count: Answer(500) if now_ms // period % 2 else Answer(200)


def _overloaded(rng: random.Random, _start_ms: int, _end_ms: int) -> Behaviour:
    wish = {"Retry-After": str(rng.choice([1, 20, 90, 900]))}
    return lambda _now_ms, count: Answer(429, headers=wish) if count % 20 == 19 else Answer(200, 30)


def _gone(rng: random.Random, start_ms: int, end_ms: int) -> Behaviour:
    moment = rng.randrange(start_ms, end_ms)
    until = moment + rng.choice([10 * MINUTE, HOUR, DAY])  # its owner has it back
    return lambda now_ms, _count: Answer(410) if moment < now_ms < until else Answer(200)


def _refused(rng: random.Random, start_ms: int, end_ms: int) -> Behaviour:
    moment = rng.randrange(start_ms, end_ms)
    return lambda now_ms, _count: Answer(error_code="refused_address") if now_ms > moment else Answer(200)


def _slow(rng: random.Random, _start_ms: int, _end_ms: int) -> Behaviour:
    return lambda _now_ms, _count: Answer(200, rng.choice([20, 2_000, 12_000, 29_000]))


_Kind = Callable[[random.Random, int, int], Behaviour]
_HEALTHY: tuple[_Kind, ...] = (_healthy,)
_KINDS: tuple[_Kind, ...] = (
    *[_healthy] * 12, _flaky, _flaky, _outage, _outage, _flapping, _overloaded, _gone, _gone, _gone, _refused, _slow,
)  # fmt: skip

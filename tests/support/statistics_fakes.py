"""In-memory stand-ins for what metrics and health are read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Never

from webhooks.delivery.endpoint_state import EndpointState
from webhooks.errors import Unavailable
from webhooks.statistics.counts import Counts, Statistics
from webhooks.statistics.exactly_once import CircuitState


@dataclass
class MemoryStatistics:
    """Hourly statistics by webhook and hour, counters, circuits and backlogs, as a test sets them."""

    by_hour: dict[str, dict[int, Statistics]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    not_closed: list[tuple[str, CircuitState]] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    by_owner: dict[str, dict[int, Statistics]] = field(default_factory=dict)
    parked: dict[str, Counts] = field(default_factory=dict)
    in_trouble: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    failed_lately: dict[str, list[str]] = field(default_factory=dict)

    def hours(self, webhook_id: str, from_ms: int, to_ms: int) -> Mapping[int, Statistics]:
        return {hour: each for hour, each in self.by_hour.get(webhook_id, {}).items() if from_ms <= hour < to_ms}

    def latest(self, webhook_id: str, limit: int) -> Mapping[int, Statistics]:
        return dict(sorted(self.by_hour.get(webhook_id, {}).items(), reverse=True)[:limit])

    def recent(self, webhook_ids: Sequence[str], hours: Sequence[int]) -> Mapping[str, Statistics]:
        found = {
            each: [by[hour] for hour in hours if hour in by] for each in webhook_ids if (by := self.by_hour.get(each))
        }
        return {each: Statistics.total(parts) for each, parts in found.items() if parts}

    def owner_hours(self, owner: str, from_ms: int, to_ms: int) -> Mapping[int, Statistics]:
        return {hour: each for hour, each in self.by_owner.get(owner, {}).items() if from_ms <= hour < to_ms}

    def owner_parked(self, owner: str) -> Counts:
        return self.parked.get(owner, {})

    def troubles(self, owner: str, limit: int) -> Sequence[tuple[str, str]]:
        return self.in_trouble.get(owner, [])[:limit]

    def troubled(self, owner: str, since_ms: int, limit: int) -> Sequence[str]:
        return self.failed_lately.get(owner, [])[:limit]

    def backlog(self, webhook_id: str, limit: int) -> int:
        return min(limit, self.waiting.get(webhook_id, 0))

    def service(self) -> Counts:
        return self.counters

    def circuits(self, limit: int) -> Sequence[tuple[str, CircuitState]]:
        return self.not_closed[:limit]


@dataclass
class MemoryStates:
    """Webhooks' live states, and who was woken."""

    states: dict[str, EndpointState] = field(default_factory=dict)
    woken: list[str] = field(default_factory=list)

    def get(self, webhook_id: str) -> EndpointState:
        return self.states.get(webhook_id, EndpointState())

    def get_many(self, webhook_ids: Sequence[str]) -> Mapping[str, EndpointState]:
        return {each: self.get(each) for each in webhook_ids}

    def wake(self, webhook_id: str, at_ms: int, now_ms: int) -> None:
        assert at_ms <= now_ms
        self.woken.append(webhook_id)


def silent_queue() -> Never:
    """A queue that does not answer."""
    raise Unavailable("SQS: ServiceUnavailable")

"""In-memory stand-ins for what metrics and health are read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhooks.counting import CircuitState
from webhooks.errors import Unavailable
from webhooks.metrics import QueueDepth
from webhooks.statistics import Counts, Statistics
from webhooks.webhook_state import WebhookState


@dataclass
class MemoryStatistics:
    """Hourly statistics by webhook and hour, counters, circuits and backlogs, as a test sets them."""

    by_hour: dict[str, dict[int, Statistics]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    not_closed: list[tuple[str, CircuitState]] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)

    def hours(self, webhook_id: str, from_ms: int, to_ms: int) -> Mapping[int, Statistics]:
        return {hour: each for hour, each in self.by_hour.get(webhook_id, {}).items() if from_ms <= hour < to_ms}

    def latest(self, webhook_id: str, limit: int) -> Mapping[int, Statistics]:
        return dict(sorted(self.by_hour.get(webhook_id, {}).items(), reverse=True)[:limit])

    def backlog(self, webhook_id: str, limit: int) -> int:
        return min(limit, self.waiting.get(webhook_id, 0))

    def service(self) -> Counts:
        return self.counters

    def circuits(self, limit: int) -> Sequence[tuple[str, CircuitState]]:
        return self.not_closed[:limit]


@dataclass
class MemoryStates:
    """Webhooks' live states."""

    states: dict[str, WebhookState] = field(default_factory=dict)

    def get(self, webhook_id: str) -> WebhookState:
        return self.states.get(webhook_id, WebhookState())


def silent_queue() -> QueueDepth:
    """A queue that does not answer."""
    raise Unavailable("SQS: ServiceUnavailable")

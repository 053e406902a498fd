"""What the service's metrics are made of, apart from Prometheus' library, which is imported with the first scrape."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.statistics.counts import Counts
from webhooks.statistics.exactly_once import CircuitState


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """SQS's approximate numbers of messages, by what they do."""

    visible: int
    in_flight: int
    delayed: int


class CountersStore(Protocol):
    """Where the counters are. Everything may raise Unavailable."""

    def service(self) -> Counts:
        """The whole service's counters since it began."""
        ...

    def circuits(self, limit: int) -> Sequence[tuple[str, CircuitState]]:
        """Webhooks whose circuit is not closed; at most `limit`."""
        ...


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is asked for at each scrape; what is not answered is left out. `queues` asks each queue for its depth,
    `queue_ages` for the seconds that the oldest message of each has been there, `stage_lags` for the milliseconds that
    the stages without a queue are behind, `api` for the gateway's figures of a minute, by the names of API_FIGURES."""

    queues: Mapping[str, Callable[[], QueueDepth]]
    queue_ages: Callable[[], Mapping[str, float]]
    stage_lags: Callable[[], Mapping[str, float]]
    api: Callable[[], Mapping[str, float]]

"""What the use cases of management need from outside: the table, the queues, and the sender."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from webhooks.delivery.endpoint_state import EndpointState
from webhooks.management.paging import TimeRange
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.models.event import EventRecord, Repeat
from webhooks.models.replay import ReplayJob
from webhooks.models.test_result import TestResult
from webhooks.models.webhook import Webhook


class History(Protocol):
    """What is read of the past. Lists come newest first, and leave out what has expired. Raises Unavailable."""

    def records(self, ids: Sequence[tuple[str, str]]) -> Mapping[str, DeliveryRecord]:
        """Delivery records by their id, from (webhook id, delivery id). Consistent."""
        ...

    def details(self, webhook_id: str, delivery_id: str) -> Mapping[int, bytes]:
        """Packed details of a delivery's attempts, by the attempts' start."""
        ...

    def last_details(self, attempts: Sequence[tuple[str, str, int]]) -> Mapping[str, bytes]:
        """Packed details by delivery id, from (webhook id, delivery id, the attempt's start)."""
        ...

    def deliveries(self, webhook_id: str, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        """A webhook's deliveries."""
        ...

    def deliveries_of_status(self, webhook_id: str, status: str, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        """Those of one status other than delivered, from an index that may lag."""
        ...

    def dead_letters(self, webhook_id: str, time_range: TimeRange, *, with_body: bool = True) -> Iterator[DeadLetter]:
        """A webhook's dead letters."""
        ...

    def dead_letters_of(
        self, owner: str | None, time_range: TimeRange, *, with_body: bool = True
    ) -> Iterator[DeadLetter]:
        """Dead letters of an owner's webhooks, or of all webhooks (None), from an index that may lag."""
        ...

    def webhooks(self, ids: Sequence[str]) -> Mapping[str, Webhook]:
        """Webhooks by id, tombstones included."""
        ...


class Letters(Protocol):
    """Dead letters, one by one."""

    def get(self, ids: Sequence[tuple[str, str]], *, with_body: bool = True) -> Mapping[str, DeadLetter]:
        """Dead letters by delivery id, from (webhook id, delivery id). Consistent. Raises Unavailable."""
        ...

    def mark_processed(self, letter: DeadLetter, by: str) -> bool:
        """Note that it was replayed. False when it was already, or is gone. Raises Unavailable."""
        ...


class EventRecords(Protocol):
    """Events as ingest recorded them. Raises Unavailable."""

    def get(self, keys: Sequence[tuple[str, str, int]], now_ms: int) -> Mapping[tuple[str, str, int], EventRecord]:
        """Records by (scope, event id, page of the fan-out). Consistent."""
        ...

    def named(self, event_id: str, now_ms: int) -> Sequence[EventRecord]:
        """All records of an event id, of every scope and page, from an index that may lag."""
        ...


class Repeats(Protocol):
    """What was noted when an event's id was given again. Raises Unavailable."""

    def of(self, event_id: str, scope: str, now_ms: int) -> Sequence[Repeat]:
        """The first of each kind, the first first."""
        ...


class JobStore(Protocol):
    """Replay jobs. Raises Unavailable."""

    def create(self, job: ReplayJob) -> None:
        """Keep a new job."""
        ...

    def get(self, job_id: str) -> ReplayJob | None:
        """The job. Consistent."""
        ...

    def some(self, job_ids: Collection[str]) -> Mapping[str, ReplayJob]:
        """Those of these jobs that there are, by id. Consistent."""
        ...

    def newest(self, owner: str | None, behind: str | None) -> Iterator[ReplayJob]:
        """Jobs of an owner's webhooks, or of everybody's (None), newest first, from an index that may lag."""
        ...

    def checkpoint(self, before: ReplayJob, after: ReplayJob) -> ReplayJob | None:
        """Store the next step of a job; None when a run of it got there first."""
        ...


class JobQueue(Protocol):
    """Starts jobs."""

    def go_on(self, job: ReplayJob, delay_seconds: int = 0) -> None:
        """Have replay work on the job. Raises Unavailable."""
        ...


class EndpointStates(Protocol):
    """Circuits, rates and wake-ups of webhooks. Raises Unavailable."""

    def get_many(self, webhook_ids: Sequence[str]) -> Mapping[str, EndpointState]:
        """The states of all of these, by id; of no trouble where one cannot be read. Consistent."""
        ...


class Waker(Protocol):
    """Has release look at a webhook's waiting room."""

    def wake(self, webhook_id: str, at_ms: int, now_ms: int) -> None:
        """Have release look at that time. Raises Unavailable."""
        ...


class TestDeliveries(Protocol):
    """The sender, asked for one delivery at once."""

    def send_test(self, webhook_id: str, payload: Mapping[str, object], *, static_egress: bool = False) -> TestResult:
        """Send one event to the webhook, from where it is sent to. Raises Unavailable."""
        ...

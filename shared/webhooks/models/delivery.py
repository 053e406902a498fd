"""A delivery: one event for one webhook, and its attempts."""

from dataclasses import dataclass
from typing import Any, Literal, Self

DeliveryStatus = Literal["pending", "delivered", "retrying", "failed", "abandoned"]
NEVER_RECORDED = "received_too_often"  # redriven by SQS itself: the sender crashed on it, again and again
FINISHED: frozenset[DeliveryStatus] = frozenset({"delivered", "failed", "abandoned"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request of a delivery. An `unknown` one may or may not have been read: its sender, or the kept
    connection that it went out on, was cut off."""

    number: int  # 1, 2, ... ; 0 for unknown ones, which use up no attempt
    started_at_ms: int
    duration_ms: int
    outcome: Literal["success", "failure", "unknown"]
    status_code: int | None = None
    error_code: str | None = None
    more: tuple[Any, ...] = ()  # what a newer version has stored behind these: kept as it is


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a delivery waits outside SQS: by `due` time for its next attempt, or in its webhook's `room`."""

    kind: Literal["due", "room"]
    at_ms: int
    reason: str


@dataclass(frozen=True)
class DeliveryRecord:
    """The stored state of a delivery.

    `revision` counts writes (0: not stored yet); every write is conditional on it. `generation` is that of the one
    message that may act: messages of older generations are dropped. `seen` remembers the receive count up to which
    each live message is accounted for. A cycle is the first delivering, or a replay with attempts of its own.
    """

    delivery_id: str
    webhook_id: str
    event_id: str
    event_type: str
    scope: str
    status: DeliveryStatus = "pending"
    generation: int = 1
    revision: int = 0
    attempts: tuple[Attempt, ...] = ()
    attempts_before_cycle: int = 0
    cycle_started_at_ms: int = 0
    next_attempt_at_ms: int | None = None
    reason: str | None = None
    seen: tuple[tuple[str, int], ...] = ()
    waiting: Waiting | None = None
    body: bytes | None = None  # only while it waits outside SQS, and of a test, which has no event
    response: bytes | None = None  # packed detail of the successful attempt, and of a test's only one
    writer: str = ""  # the sender's batch that wrote it: another's outcome may equal one's own to the millisecond
    trace: str = ""  # the event's
    keeping: str = ""  # the mark of how the event's payload is kept: `keeping.Keeping`
    erased: bool = False  # its payload was, and nothing that is still on its way may bring it back
    is_test: bool = False  # made by the owner to try the webhook out: one attempt, counted nowhere and never sent again

    def changed(self, **changes: Any) -> Self:  # noqa: ANN401
        """`dataclasses.replace` at a tenth of its price, which every attempt pays five times."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, **changes)
        if len(other.__dict__) != len(self.__dict__):
            raise TypeError(f"a record has no {changes.keys() - self.__dict__.keys()}")
        return other

    @property
    def attempt_count(self) -> int:
        """Attempts that count, unknown ones left out."""
        return sum(1 for attempt in self.attempts if attempt.outcome != "unknown")

    @property
    def attempts_in_cycle(self) -> int:
        """Attempts used up since the delivery, or its last replay, began."""
        return self.attempt_count - self.attempts_before_cycle


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery given up, with all that is needed to send it again."""

    delivery_id: str
    webhook_id: str
    owner: str
    event_id: str
    event_type: str
    scope: str
    generation: int
    status: DeliveryStatus
    failure_reason: str
    attempt_count: int
    last_status_code: int | None
    last_error_code: str | None
    dead_at_ms: int
    body: bytes
    is_processed: bool = False
    processed_at_ms: int | None = None
    processed_by: str | None = None  # the replay job, or "manual"
    cause: str = ""  # finer than the reason: `causes.cause_of`
    trace: str = ""  # of a missed event, which has no delivery's record
    keeping: str = ""  # the mark of how the event's payload is kept; `body` is empty once it is not any more

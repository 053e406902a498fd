"""Dead letters and replays: requests and answers."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from answers.common import Answer, NextCursor, Payload, Time
from answers.deliveries import Explanation, Reason
from webhooks.ids import is_id, time_of
from webhooks.management.requests import ForeignId, Request
from webhooks.models.delivery import DeadLetter
from webhooks.models.replay import MANY, Across, JobStatus, ReplayJob, ReplaySelection, ReplayTarget
from webhooks.payload import loads
from webhooks.reason_texts import delivery_sentence
from webhooks.times import epoch_ms, rfc3339

MAX_IDS = 1_000
MAX_TARGETS = 200
DEFAULT_RATE = 50.0


def _dead_letter_id(value: str) -> str:
    if not is_id("dlv", value):
        raise PydanticCustomError("dead_letter_id", "must be the id of a dead letter")
    return value


def rfc3339_text(value: str) -> str:
    """The text, when it is an RFC 3339 time."""
    try:
        epoch_ms(value)
    except ValueError as exc:
        raise PydanticCustomError("time", "must be an RFC 3339 time with a zone, such as 2024-01-01T12:00:00Z") from exc
    return value


Rate = Annotated[float, Field(ge=0.1, le=1_000, allow_inf_nan=False, description="how many go out a second")]
LetterIds = Annotated[list[Annotated[str, AfterValidator(_dead_letter_id)]], Field(min_length=1, max_length=MAX_IDS)]
LetterReason = Annotated[str | None, Field(max_length=128, description="their `failure_reason` or `cause`")]
LetterEventType = Annotated[str | None, Field(max_length=128)]
AcceptedFrom = Annotated[
    Annotated[str, AfterValidator(rfc3339_text)] | None,
    Field(alias="from", description="RFC 3339: whose event was accepted then or later"),
]
AcceptedTo = Annotated[
    Annotated[str, AfterValidator(rfc3339_text)] | None,
    Field(description="RFC 3339: whose event was accepted by then"),
]


class BulkReplay(Request):
    """Which of a webhook's unprocessed dead letters to send again: those that every given part admits."""

    ids: LetterIds | None = None
    reason: LetterReason = None
    event_type: LetterEventType = None
    from_: AcceptedFrom = None
    to: AcceptedTo = None
    rate_per_second: Rate = DEFAULT_RATE

    def selection(self) -> ReplaySelection:
        """What the job selects."""
        return ReplaySelection(
            delivery_ids=tuple(self.ids or ()),
            reason=self.reason,
            event_type=self.event_type,
            from_ms=None if self.from_ is None else epoch_ms(self.from_),
            to_ms=None if self.to is None else epoch_ms(self.to),
        )


class Target(Request):
    """Dead letters of one webhook: those with these ids, or with one of these reasons; all without either."""

    webhook_id: Annotated[str, Field(max_length=64)]
    ids: LetterIds | None = None
    reasons: Annotated[
        list[Annotated[str, Field(max_length=128)]] | None,
        Field(min_length=1, max_length=100, description="a `failure_reason` or `cause` each"),
    ] = None


class BulkReplayAcross(Request):
    """Which unprocessed dead letters of many webhooks to send again: those that every given part admits.

    `targets`, a `reason` or `from` must be given.
    """

    targets: Annotated[
        list[Target] | None,
        Field(
            min_length=1,
            max_length=MAX_TARGETS,
            description="of these webhooks alone, each named once; 1,000 ids in all",
        ),
    ] = None
    reason: LetterReason = None
    event_type: LetterEventType = None
    from_: AcceptedFrom = None
    to: AcceptedTo = None
    workspace_id: Annotated[ForeignId | None, Field(description="only webhooks of this workspace")] = None
    user_id: Annotated[
        ForeignId | None, Field(description="one owner's webhooks; for admins, who else mean everybody's")
    ] = None
    rate_per_second: Rate = DEFAULT_RATE
    dry_run: Annotated[bool, Field(description="send nothing, and answer how much it would be")] = False

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        targets = self.targets or []
        if len({each.webhook_id for each in targets}) < len(targets):
            raise PydanticCustomError("targets", "must name each webhook once: its ids, or its reasons, in one list")
        if sum(len(each.ids or ()) for each in targets) > MAX_IDS:
            raise PydanticCustomError("targets", "must have at most 1,000 ids in all")
        if any(each.ids and each.reasons for each in targets):
            raise PydanticCustomError("targets", "must have ids or reasons, not both")
        return self

    def selection(self) -> ReplaySelection:
        """What the job selects."""
        across = Across(
            owner=None if self.user_id is None else str(self.user_id),
            workspace_id=None if self.workspace_id is None else str(self.workspace_id),
            targets=tuple(
                ReplayTarget(each.webhook_id, tuple(each.ids or ()), tuple(each.reasons or ()))
                for each in self.targets or ()
            ),
        )
        return ReplaySelection(
            reason=self.reason,
            event_type=self.event_type,
            from_ms=None if self.from_ is None else epoch_ms(self.from_),
            to_ms=None if self.to is None else epoch_ms(self.to),
            across=across,
        )


class ReplayEstimate(Answer):
    """What a replay or a recovery would send. `kind` tells it from one that is under way."""

    kind: Literal["estimate"]
    count: Annotated[int, Field(description="deliveries")]
    webhooks: Annotated[int, Field(description="whose they are")]
    left_out: Annotated[int, Field(description="besides: of webhooks that are inactive, disabled or deleted")]
    is_exact: Annotated[bool, Field(description="false: there are more, and counting stopped")]
    duration_seconds: Annotated[int, Field(description="at the rate asked for; webhooks may take less")]


class DeadLetterAnswer(Answer):
    """A delivery given up, with what is needed to send it again. It has its delivery's id."""

    id: str
    webhook_id: str
    event_id: str
    event_type: str
    payload: Payload
    failure_reason: Reason
    cause: Annotated[str, Field(description="finer: what failed alike has the same", examples=["http_503:1f0c9a2b"])]
    explanation: Explanation
    attempt_count: int
    last_status_code: int | None
    last_error_code: str | None
    is_processed: Annotated[bool, Field(description="whether it was sent again, or delivered in another way, since")]
    processed_at: Time | None
    processed_by: Annotated[str | None, Field(description="the replay's id, or `manual`")]
    created_at: Annotated[Time, Field(description="when it was given up")]
    event_accepted_at: Time

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """The answer for this dead letter."""
        return cls(
            id=letter.delivery_id,
            webhook_id=letter.webhook_id,
            event_id=letter.event_id,
            event_type=letter.event_type,
            payload=loads(letter.body),  # type: ignore[arg-type] - with a Number where it needs one
            failure_reason=letter.failure_reason,
            cause=letter.cause,
            explanation=delivery_sentence(letter.failure_reason),
            attempt_count=letter.attempt_count,
            last_status_code=letter.last_status_code,
            last_error_code=letter.last_error_code,
            is_processed=letter.is_processed,
            processed_at=None if letter.processed_at_ms is None else rfc3339(letter.processed_at_ms),
            processed_by=letter.processed_by,
            created_at=rfc3339(letter.dead_at_ms),
            event_accepted_at=rfc3339(time_of(letter.delivery_id)),
        )


class DeadLetterPage(Answer):
    """Dead letters, newest event first. A page may hold fewer than `limit` even if there are more."""

    items: list[DeadLetterAnswer]
    next_cursor: NextCursor


class ReplayAnswer(Answer):
    """How far a replay of many dead letters, or a recovery, has come."""

    id: str
    webhook_id: Annotated[str | None, Field(description="null: of many webhooks")]
    webhooks: Annotated[
        int | None, Field(description="how many it names; null: all that have such dead letters, or it is of one")
    ]
    user_id: Annotated[str, Field(description="owner of the webhook; of many, who began it")]
    kind: Annotated[
        Literal["replay", "recovery"], Field(description="recovery: also of what the webhook missed while inactive")
    ]
    reason: Annotated[str | None, Field(description="the cause that it is limited to")]
    status: JobStatus
    total: Annotated[
        int | None,
        Field(description="to send; null until counted, and of over 20,000 those found so far"),
    ]
    replayed: int
    skipped: Annotated[int, Field(description="delivered, or sent again, in another way meanwhile")]
    left_out: Annotated[
        int, Field(description="of many: those of webhooks that take nothing, which can be replayed yet")
    ]
    error: str | None
    rate_per_second: float
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, job: ReplayJob) -> Self:
        """The answer for this job."""
        across = job.selection.across
        return cls(
            id=job.job_id,
            webhook_id=None if job.webhook_id == MANY else job.webhook_id,
            webhooks=len(across.targets) or None if across is not None else None,
            user_id=job.owner,
            kind="recovery" if job.with_missed else "replay",
            reason=job.selection.reason,
            status=job.status,
            total=job.total,
            replayed=job.replayed,
            skipped=job.skipped,
            left_out=job.left_out,
            error=job.error,
            rate_per_second=job.rate_per_second,
            created_at=rfc3339(job.created_at_ms),
            updated_at=rfc3339(job.updated_at_ms),
        )


class ListedReplay(ReplayAnswer):
    """A replay in a list."""

    webhook_name: Annotated[str | None, Field(description="null when the webhook is gone for good, and of many")]

    @classmethod
    def listed(cls, job: ReplayJob, webhook_name: str | None) -> Self:
        """The answer for this job of a webhook with that name."""
        return cls(**dict(ReplayAnswer.of(job)), webhook_name=webhook_name)


class ReplayPage(Answer):
    """Replays, newest first. A page may hold fewer than `limit` even if there are more."""

    items: list[ListedReplay]
    next_cursor: NextCursor

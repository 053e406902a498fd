"""Failures with a common cause, as one group: how many, since when, and one of them as an example."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from webhooks.management.changes import ManagementStore, find, of_seen
from webhooks.management.dead_letters import owner_asked
from webhooks.management.paging import Page, TimeRange, page_of
from webhooks.management.ports import History
from webhooks.models.caller import Caller
from webhooks.models.delivery import DeadLetter, DeliveryRecord
from webhooks.recovery.failure_causes import cause_of, failed_attempt, last_details

GROUPED = 500  # dead letters that one page groups
RETRYING = 100  # deliveries under retry that are looked at: each takes a read of its last attempt


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that failed, with the cause; given up, or still being tried."""

    webhook_id: str
    delivery_id: str
    event_id: str
    event_type: str
    cause: str
    at_ms: int
    is_given_up: bool
    status_code: int | None
    error_code: str | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one webhook with one cause. `newest` is one of them."""

    newest: Failure
    first_seen_ms: int
    given_up: int
    retrying: int

    @property
    def count(self) -> int:
        """How many deliveries."""
        return self.given_up + self.retrying


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Groups of the next failures, the largest first. Groups of several pages with the same cause add up."""

    groups: Sequence[FailureGroup]
    position: str | None
    is_complete: bool  # whether all deliveries under retry were looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroups:
    """The use cases. Each raises NotFound for what the caller does not see, and Unavailable."""

    store: ManagementStore
    history: History

    def dead_letters(self, caller: Caller, owner: str | None, time_range: TimeRange) -> GroupPage:
        """Unprocessed dead letters of all webhooks that the caller sees, or of one owner's. Raises NotAllowed."""
        owned = self.history.dead_letters_of(owner_asked(caller, owner), time_range, with_body=False)
        page = self._given_up(of_seen(caller, owned, self.history.webhooks))
        return GroupPage(grouped(page.items), page.position, is_complete=True)

    def of_webhook(self, caller: Caller, webhook_id: str, time_range: TimeRange) -> GroupPage:
        """A webhook's unprocessed dead letters and, on the first page, its deliveries under retry."""
        webhook = find(self.store, caller, webhook_id)
        page = self._given_up(self.history.dead_letters(webhook.webhook_id, time_range, with_body=False))
        if time_range.behind is not None:
            return GroupPage(grouped(page.items), page.position, is_complete=True)
        found = self.history.deliveries_of_status(webhook.webhook_id, "retrying", time_range)
        retrying = list(islice(found, RETRYING + 1))
        failures = [*page.items, *self._retrying(retrying[:RETRYING])]
        return GroupPage(grouped(failures), page.position, is_complete=len(retrying) <= RETRYING)

    def _given_up(self, letters: Iterator[DeadLetter]) -> Page[Failure]:
        page = page_of(letters, lambda each: not each.is_processed, lambda each: each.delivery_id, limit=GROUPED)
        return Page([_of_letter(letter) for letter in page.items], page.position)

    def _retrying(self, records: Sequence[DeliveryRecord]) -> list[Failure]:
        details = last_details(records, self.history.last_details)
        return [
            Failure(
                webhook_id=record.webhook_id,
                delivery_id=record.delivery_id,
                event_id=record.event_id,
                event_type=record.event_type,
                cause=cause_of(record.reason, attempt, details.get(record.delivery_id, {})),
                at_ms=attempt.started_at_ms + attempt.duration_ms,
                is_given_up=False,
                status_code=attempt.status_code,
                error_code=attempt.error_code,
            )
            for record in records
            if (attempt := failed_attempt(record)) is not None
        ]


def grouped(failures: Iterable[Failure]) -> list[FailureGroup]:
    """One group a webhook and cause, the largest first."""
    groups: dict[tuple[str, str], FailureGroup] = {}
    for each in failures:
        key = (each.webhook_id, each.cause)
        group = groups.get(key) or FailureGroup(each, each.at_ms, 0, 0)
        groups[key] = replace(
            group,
            newest=max(group.newest, each, key=lambda failure: failure.at_ms),
            first_seen_ms=min(group.first_seen_ms, each.at_ms),
            given_up=group.given_up + each.is_given_up,
            retrying=group.retrying + (not each.is_given_up),
        )
    return sorted(groups.values(), key=lambda group: (-group.count, -group.newest.at_ms))


def _of_letter(letter: DeadLetter) -> Failure:
    return Failure(
        webhook_id=letter.webhook_id,
        delivery_id=letter.delivery_id,
        event_id=letter.event_id,
        event_type=letter.event_type,
        cause=letter.cause,
        at_ms=letter.dead_at_ms,
        is_given_up=True,
        status_code=letter.last_status_code,
        error_code=letter.last_error_code,
    )

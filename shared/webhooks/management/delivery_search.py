"""Deliveries across webhooks, newest first, from the lists that there are: nothing is written for them.

What was given up stands in its owner's list of dead letters. Whatever waits or is being retried is looked for at the
webhooks that a note names; all else at each of the owner's webhooks, of which there must not be too many.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from webhooks.errors import Invalid, NotAllowed
from webhooks.ids import is_id
from webhooks.management.changes import ManagementStore, find, sees
from webhooks.management.deliveries import Selection
from webhooks.management.overview import TROUBLED_HOURS, TROUBLED_MS, TROUBLES, OverviewStatistics
from webhooks.management.paging import EXAMINED, Page, TimeRange, page_of
from webhooks.management.ports import History
from webhooks.models.caller import Caller
from webhooks.models.delivery import DeliveryRecord
from webhooks.models.webhook import Webhook

MERGED = 50  # webhooks whose deliveries are merged: each is four queries
A_READ = 100  # records or webhooks
_newest = attrgetter("delivery_id")


@dataclass(frozen=True, slots=True)
class Whose:
    """Which webhooks' deliveries: of one owner, or of one webhook; all that the caller sees without either."""

    owner: str | None = None
    webhook_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A delivery and its webhook."""

    record: DeliveryRecord
    webhook: Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySearch:
    """The use case of GET /deliveries. Raises NotFound, NotAllowed, Invalid, Unavailable."""

    store: ManagementStore
    history: History
    statistics: OverviewStatistics
    now_ms: Callable[[], int]

    def page(
        self, caller: Caller, whose: Whose, selection: Selection, time_range: TimeRange, limit: int
    ) -> Page[Found]:
        """Deliveries with a record of the webhooks that the caller sees, deleted ones left out."""
        owner = self._owner(caller, whose)
        if whose.webhook_id is not None:
            found = self._of([find(self.store, caller, whose.webhook_id).webhook_id], selection, time_range)
        elif selection.status in ("failed", "abandoned"):
            found = self._given_up(owner, time_range)
        else:
            found = self._of(self._webhooks(owner, selection), selection, time_range)
        page = page_of(found, selection.admits, _newest, limit=limit)
        return Page(self._seen(caller, owner, page.items), page.position)

    def named(self, caller: Caller, whose: Whose, delivery_id: str) -> list[Found]:
        """The delivery of this id, at whichever webhook it is: looked for among the EXAMINED newest ones."""
        if not is_id("dlv", delivery_id):
            return []
        owner, behind = self._owner(caller, whose), None
        for _ in range(0, EXAMINED, A_READ):
            webhooks, behind = self.store.webhooks(owner, after=behind, limit=A_READ)
            ids = [each.webhook_id for each in webhooks if whose.webhook_id in (None, each.webhook_id)]
            if records := self.history.records([(webhook_id, delivery_id) for webhook_id in ids]):
                return self._seen(caller, owner, list(records.values()))
            if behind is None:
                break
        return []

    def _owner(self, caller: Caller, whose: Whose) -> str | None:
        if caller.is_admin:
            return whose.owner
        if whose.owner not in (None, caller.owner):
            raise NotAllowed("only admins see the deliveries of others")
        return caller.owner

    def _of(self, webhook_ids: Sequence[str], selection: Selection, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        status = selection.status
        lists = [
            self.history.deliveries(each, time_range)
            if status in (None, "delivered")
            else self.history.deliveries_of_status(each, status, time_range)
            for each in webhook_ids
        ]
        return heapq.merge(*lists, key=_newest, reverse=True)

    def _given_up(self, owner: str | None, time_range: TimeRange) -> Iterator[DeliveryRecord]:
        """By the dead letters; one that was sent again has another status by now."""
        letters = self.history.dead_letters_of(owner, time_range, with_body=False)
        while some := list(islice(letters, A_READ)):
            found = self.history.records([(each.webhook_id, each.delivery_id) for each in some])
            yield from (found[each.delivery_id] for each in some if each.delivery_id in found)

    def _webhooks(self, owner: str | None, selection: Selection) -> Sequence[str]:
        if owner is None:
            raise Invalid.at("user_id", "name an owner or a webhook; of everybody only status=failed or abandoned")
        if selection.status in ("pending", "retrying"):
            noted = (webhook_id for _, webhook_id in self.statistics.troubles(owner, TROUBLES))
            lately = self.statistics.troubled(owner, self.now_ms() - TROUBLED_MS, TROUBLED_HOURS)
            named: Iterable[str] = dict.fromkeys([*noted, *lately])
        else:
            webhooks, _ = self.store.webhooks(owner, after=None, limit=MERGED + 1)
            named = (each.webhook_id for each in webhooks)
        chosen = list(islice(named, MERGED + 1))
        if len(chosen) > MERGED:
            raise Invalid.at(
                "webhook_id", f"more than {MERGED} webhooks would be searched: name one, or status=failed or abandoned"
            )
        return chosen

    def _seen(self, caller: Caller, owner: str | None, records: Sequence[DeliveryRecord]) -> list[Found]:
        """By their webhooks once more: an index's or a note's word is not enough to show them to somebody."""
        webhooks = self.history.webhooks(list({each.webhook_id for each in records}))
        return [
            Found(each, webhook)
            for each in records
            if (webhook := webhooks.get(each.webhook_id)) is not None
            and webhook.status != "deleted"
            and owner in (None, webhook.owner)
            and sees(caller, webhook)
        ]

"""How all of an owner's webhooks are doing, with few reads however many there are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.errors import NotAllowed
from webhooks.management.changes import sees
from webhooks.management.webhook_metrics import Figures, Health, Interval, MetricsQuery, WebhookMetrics
from webhooks.models.caller import Caller
from webhooks.models.webhook import Webhook
from webhooks.statistics.counts import HOUR_MS, PARKED, Counts, Statistics, by_reason

LOOKED_AT = 100  # webhooks whose health is worked out, at most
SHOWN = 20  # of them
TROUBLES, TROUBLED_HOURS = 500, 500  # notes that are read, at most
TROUBLED_MS = 25 * HOUR_MS  # retries lie up to a day apart: whoever failed then may do so still
WORST = ("disabled", "failing", "degraded", "paused", "inactive", "healthy")


class OverviewStatistics(Protocol):
    """Where an owner's sums are read. Everything may raise Unavailable."""

    def owner_hours(self, owner: str, from_ms: int, to_ms: int) -> Mapping[int, Statistics]:
        """Sums of the hours from `from_ms` up to, not including, `to_ms`, by start; empty hours are absent."""
        ...

    def owner_parked(self, owner: str) -> Counts:
        """Deliveries that wait outside the queues, as parked#<reason>."""
        ...

    def troubles(self, owner: str, limit: int) -> Sequence[tuple[str, str]]:
        """Webhooks that are not active or whose circuit is not closed, as (kind, webhook id); at most `limit`."""
        ...

    def troubled(self, owner: str, since_ms: int, limit: int) -> Sequence[str]:
        """Webhooks of which something failed or had to wait since, the last ones first."""
        ...


class OverviewWebhooks(Protocol):
    """Where the owner's webhooks are. Everything may raise Unavailable."""

    def amount(self, owner: str) -> int:
        """How many there are. Consistent."""
        ...

    def some(self, webhook_ids: Sequence[str]) -> Mapping[str, Webhook]:
        """Those of them that there are, tombstones included, by id. Consistent."""
        ...


@dataclass(frozen=True, slots=True)
class Overview:
    """`waiting`: deliveries by what they wait for. `attention`: webhooks in trouble, the worst first; `more`:
    there are others. `open_circuits` stops at TROUBLES."""

    webhooks: int
    figures: Figures
    open_circuits: int
    waiting: Mapping[str, int]
    attention: Sequence[Health]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overviews:
    """The use case of GET /overview."""

    webhooks: OverviewWebhooks
    statistics: OverviewStatistics
    metrics: WebhookMetrics
    now_ms: Callable[[], int]

    def look(
        self, caller: Caller, owner: str | None, from_ms: int | None, to_ms: int | None, interval: Interval
    ) -> Overview:
        """The overview of the caller's own webhooks; admins may name another owner. Raises NotAllowed, Invalid."""
        if owner is not None and not (caller.is_admin or owner == caller.owner):
            raise NotAllowed("only admins see the webhooks of others")
        whose = caller.owner if owner is None else owner
        asked = MetricsQuery.of(from_ms, to_ms, interval, self.now_ms())
        figures = Figures.of(asked, self.statistics.owner_hours(whose, asked.from_ms, asked.to_ms))
        waiting = {reason: n for reason, n in by_reason(self.statistics.owner_parked(whose), PARKED).items() if n > 0}
        troubles = self.statistics.troubles(whose, TROUBLES)
        attention, more = self._attention(caller, whose, troubles)
        open_circuits = sum(kind == "circuit" for kind, _ in troubles)
        return Overview(self.webhooks.amount(whose), figures, open_circuits, waiting, attention, more)

    def _attention(
        self, caller: Caller, owner: str, troubles: Sequence[tuple[str, str]]
    ) -> tuple[Sequence[Health], bool]:
        """What the notes name is a guess, some seconds behind: the webhooks and their states as of now decide."""
        failed_lately = self.statistics.troubled(owner, self.now_ms() - TROUBLED_MS, TROUBLED_HOURS)
        named = list(dict.fromkeys([*(webhook_id for _, webhook_id in troubles), *failed_lately]))
        found = self.webhooks.some(named[:LOOKED_AT])
        # by their owner once more: a note's word is not enough to show a webhook to somebody
        own = [w for w in found.values() if w.owner == owner and w.status != "deleted" and sees(caller, w)]
        bad = [each for each in self.metrics.healths(own) if each.status != "healthy"]
        bad.sort(key=lambda each: (WORST.index(each.status), each.recent.success_rate or 0, each.webhook.webhook_id))
        return bad[:SHOWN], len(bad) > SHOWN or len(named) > LOOKED_AT

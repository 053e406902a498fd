"""Who is in trouble, and who causes it: each owner's figures, and the webhooks of everybody that do not do well."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhooks.errors import NotAllowed
from webhooks.management.changes import ManagementStore
from webhooks.management.overview import (
    LOOKED_AT,
    SHOWN,
    TROUBLED_HOURS,
    TROUBLED_MS,
    TROUBLES,
    WORST,
    OverviewStatistics,
    OverviewWebhooks,
)
from webhooks.management.paging import EXAMINED
from webhooks.management.webhook_metrics import Health, MetricsQuery, WebhookMetrics
from webhooks.models.caller import Caller
from webhooks.statistics.counts import PARKED, Statistics, by_reason
from webhooks.statistics.exactly_once import CircuitState

A_READ = 100  # webhooks
MOST_OWNERS = 200  # whose figures are read, two queries each
ASKED = 20  # owners whose notes of troubled webhooks are read, the worst ones


class TenantWebhooks(ManagementStore, OverviewWebhooks, Protocol):
    """Where webhooks are listed and read."""


class TenantStatistics(OverviewStatistics, Protocol):
    """Where figures are read. Everything may raise Unavailable."""

    def circuits(self, limit: int) -> Sequence[tuple[str, CircuitState]]:
        """Webhooks whose circuit is not closed; at most `limit`."""
        ...


@dataclass(frozen=True, slots=True)
class Tenant:
    """An owner's webhooks together. `waiting`: deliveries outside the queues by what they wait for, as of now."""

    owner: str
    webhooks: int
    figures: Statistics
    waiting: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TenantsView:
    """Owners with most failures first, and webhooks in trouble, the worst first. Not complete: there are more."""

    asked: MetricsQuery
    tenants: Sequence[Tenant]
    is_complete: bool
    attention: Sequence[Health]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOverviews:
    """The use case of GET /tenants."""

    webhooks: TenantWebhooks
    statistics: TenantStatistics
    metrics: WebhookMetrics
    now_ms: Callable[[], int]

    def look(self, caller: Caller, from_ms: int | None, to_ms: int | None) -> TenantsView:
        """Everybody, from one hour to another. Raises NotAllowed for anyone but admins, and Invalid."""
        if not caller.is_admin:
            raise NotAllowed("this takes the scope admin")
        asked = MetricsQuery.of(from_ms, to_ms, "hour", self.now_ms())
        amounts, is_complete = self._owners()
        tenants = [self._tenant(owner, amount, asked) for owner, amount in amounts.most_common(MOST_OWNERS)]
        tenants.sort(key=lambda each: (-each.figures.failures, -sum(each.waiting.values()), -each.figures.attempts))
        attention, more = self._attention(tenants)
        return TenantsView(asked, tenants, is_complete and len(amounts) <= MOST_OWNERS, attention, more)

    def _owners(self) -> tuple[Counter[str], bool]:
        """How many webhooks each has, among the newest ones; and whether that is all of them."""
        amounts: Counter[str] = Counter()
        behind: str | None = None
        for _ in range(0, EXAMINED, A_READ):
            found, behind = self.webhooks.webhooks(None, after=behind, limit=A_READ)
            amounts.update(each.owner for each in found)
            if behind is None:
                return amounts, True
        return amounts, False

    def _tenant(self, owner: str, webhooks: int, asked: MetricsQuery) -> Tenant:
        hours = self.statistics.owner_hours(owner, asked.from_ms, asked.to_ms)
        parked = by_reason(self.statistics.owner_parked(owner), PARKED)
        waiting = {reason: amount for reason, amount in parked.items() if amount > 0}
        return Tenant(owner, webhooks, Statistics.total(hours.values()), waiting)

    def _attention(self, tenants: Sequence[Tenant]) -> tuple[Sequence[Health], bool]:
        """What notes name is a guess, some seconds behind: the webhooks and their states as of now decide."""
        since_ms = self.now_ms() - TROUBLED_MS
        bad = [each.owner for each in tenants if each.figures.failures or each.waiting]
        noted = (self.statistics.troubled(owner, since_ms, TROUBLED_HOURS) for owner in bad[:ASKED])
        circuits = [webhook_id for webhook_id, _ in self.statistics.circuits(TROUBLES)]
        named = list(dict.fromkeys([*circuits, *(webhook_id for some in noted for webhook_id in some)]))
        found = [each for each in self.webhooks.some(named[:LOOKED_AT]).values() if each.status != "deleted"]
        troubled = [each for each in self.metrics.healths(found) if each.status != "healthy"]
        troubled.sort(key=lambda each: (WORST.index(each.status), -each.recent.failures, each.webhook.webhook_id))
        return troubled[:SHOWN], len(troubled) > SHOWN or len(named) > LOOKED_AT or len(bad) > ASKED

"""What an owner may have, and how much of it is used: to be known before a limit is met."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from webhooks.access.slots import Slots
from webhooks.errors import NotAllowed
from webhooks.management.requests import MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS
from webhooks.matching.filter_budget import FilterUse
from webhooks.models.caller import Caller
from webhooks.models.webhook import scope_of

LimitName = Literal[
    "requests_per_second",
    "webhooks",
    "subscriptions_per_webhook",
    "filter_bytes_per_webhook",
    "filter_bytes",
    "filter_searches",
    "test_deliveries",
    "long_polls",
    "replays",
]
WORKSPACES = 20  # whose filters are looked up


class Amounts(Protocol):
    """What is counted where webhooks are kept. Everything may raise Unavailable."""

    def amount(self, owner: str) -> int:
        """How many webhooks the owner has. Consistent."""
        ...

    def filter_use(self, scope: str) -> FilterUse:
        """What the filters of a scope's webhooks take together. Consistent."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit` None: there is none. `used` None: it is not counted. `workspace_id`: of its webhooks together."""

    name: LimitName
    limit: float | None
    used: int | None = None
    workspace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The use case of GET /limits. Slots that all owners share are not an owner's to see."""

    amounts: Amounts
    tests: Slots
    polls: Slots
    replays: Slots
    requests_per_second: float
    max_webhooks: int
    budget: FilterUse

    def look(self, caller: Caller, owner: str | None = None) -> Sequence[Limit]:
        """The caller's limits, with the filters of its workspaces; admins may name another owner. Raises NotAllowed."""
        if owner is not None and not (caller.is_admin or owner == caller.owner):
            raise NotAllowed("only admins see the limits of others")
        whose = caller.owner if owner is None else owner
        workspaces = sorted(caller.workspace_ids)[:WORKSPACES] if whose == caller.owner else []
        return [
            Limit("requests_per_second", self.requests_per_second or None),
            Limit("webhooks", self.max_webhooks, self.amounts.amount(whose)),
            Limit("subscriptions_per_webhook", MAX_SUBSCRIPTIONS),
            Limit("filter_bytes_per_webhook", MAX_FILTER_BYTES),
            *(each for workspace in [None, *workspaces] for each in self._filters(whose, workspace)),
            Limit("test_deliveries", self.tests.most, self.tests.used(whose)),
            Limit("long_polls", self.polls.most, self.polls.used(whose)),
            Limit("replays", self.replays.most, self.replays.used(whose)),
        ]

    def _filters(self, owner: str, workspace_id: str | None) -> Iterator[Limit]:
        used = self.amounts.filter_use(scope_of(owner, workspace_id))
        yield Limit("filter_bytes", self.budget.bytes, used.bytes, workspace_id)
        yield Limit("filter_searches", self.budget.searches, used.searches, workspace_id)

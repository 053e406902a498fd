"""What filters take of the budget that a scope's webhooks share.

Every event of a scope meets the filters of all its webhooks: their size is memory, and their searches are time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from webhooks.errors import Invalid
from webhooks.matching.filter_document import filter_bytes, filter_searches
from webhooks.models.subscription import Subscription

SUBSCRIPTION_BYTES = 50  # what a subscription counts beside its filters, which takes memory as well


@dataclass(frozen=True, slots=True)
class FilterUse:
    """Bytes of filters, and searches: rules that may read a whole event."""

    bytes: int = 0
    searches: int = 0

    def __sub__(self, other: "FilterUse") -> "FilterUse":
        return FilterUse(self.bytes - other.bytes, self.searches - other.searches)


def filter_use(subscriptions: Iterable[Subscription]) -> FilterUse:
    """What these take. Inactive ones take nothing."""
    active = [each for each in subscriptions if each.is_active]
    return FilterUse(
        sum(SUBSCRIPTION_BYTES + filter_bytes(each.filters) for each in active),
        sum(filter_searches(each.filters) for each in active),
    )


def check_room(used: FilterUse, more: FilterUse, budget: FilterUse) -> None:
    """Raises Invalid where `more` is too much for what is left."""
    for name, taken, added, limit in (
        ("bytes of filters", used.bytes, more.bytes, budget.bytes),
        ("searches (rules that may read a whole event)", used.searches, more.searches, budget.searches),
    ):
        if added > 0 and taken + added > limit:
            raise Invalid.at(
                "filters",
                f"the webhooks of a workspace, or of a user outside workspaces, share {limit:,} {name}: {taken:,} are "
                f"used, and this takes {added:,} more. Shorten or remove filters of theirs first",
                "too_large",
            )

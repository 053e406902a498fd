"""What filters take of the budget that the webhooks of a scope share."""

import pytest

from webhooks.errors import Invalid
from webhooks.ids import new_id
from webhooks.matching.filter_budget import SUBSCRIPTION_BYTES, FilterUse, check_room, filter_use
from webhooks.models.subscription import Subscription

NOW = 1_800_000_000_000
BUDGET = FilterUse(1_000, 500)


def subscription(*, is_active: bool = True) -> Subscription:
    return Subscription(new_id("sub", NOW), new_id("wh", NOW), "*", None, is_active, None, 1, NOW, NOW)


def test_a_subscription_without_filters_takes_memory_too_and_an_inactive_one_none() -> None:
    assert filter_use([subscription(), subscription()]) == FilterUse(2 * SUBSCRIPTION_BYTES, 0)
    assert SUBSCRIPTION_BYTES > 0
    assert filter_use([subscription(is_active=False)]) == FilterUse()


def test_who_is_over_one_part_of_the_budget_may_still_use_the_other() -> None:
    """A deployment may lower a budget, and what is there stays."""
    check_room(FilterUse(10, 600), FilterUse(20, 0), BUDGET)
    check_room(FilterUse(2_000, 10), FilterUse(-5, 3), BUDGET)
    with pytest.raises(Invalid, match=r"share 500 searches.*600 are used.*takes 1 more"):
        check_room(FilterUse(10, 600), FilterUse(-20, 1), BUDGET)

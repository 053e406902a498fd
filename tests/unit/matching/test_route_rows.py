"""Route rows follow from a webhook and its subscriptions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from webhooks.matching.route_rows import route_changes, route_rows
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook

WEBHOOK = Webhook(
    webhook_id="wh_1",
    user_id=7,
    workspace_id=None,
    name="n",
    url="https://example.com/",
    description="",
    metadata={},
    header_names=(),
    sealed=b"",
    sealed_version=1,
    max_retries=9,
    timeout_seconds=15,
    rate_limit_rps=None,
    status="active",
    status_reason=None,
    version=1,
    created_at_ms=0,
    updated_at_ms=0,
)


def subscription(name: str, event_type: str, **changes: Any) -> Subscription:
    return replace(Subscription(name, "wh_1", event_type, None, True, None, 1, 0, 0), **changes)


def test_a_pattern_has_one_row_for_all_its_active_subscriptions() -> None:
    present = [
        subscription("sub_2", "*", resource_id="r"),
        subscription("sub_1", "*", filters={"user_id": [1]}),
        subscription("sub_3", "record.created"),
        subscription("sub_4", "*", is_active=False),
        subscription("sub_5", "user.*", is_active=False),
    ]
    rows = route_rows(WEBHOOK, present)
    assert [(row.scope, row.pattern, row.webhook_id, row.owner, row.status) for row in rows] == [
        ("user:7", "*", "wh_1", "7", "active"),
        ("user:7", "record.created", "wh_1", "7", "active"),
    ]
    assert json.loads(rows[0].subscriptions) == [["sub_1", None, {"user_id": [1]}], ["sub_2", "r", None]]


def test_a_webhook_of_a_workspace_listens_there() -> None:
    (row,) = route_rows(replace(WEBHOOK, workspace_id="w"), [subscription("sub_1", "*")])
    assert row.scope == "ws:w"


@pytest.mark.parametrize("status", ["active", "paused", "inactive", "failed"])
def test_rows_carry_the_webhooks_status(status: str) -> None:
    (row,) = route_rows(replace(WEBHOOK, status=status), [subscription("sub_1", "*")])
    assert row.status == status


def test_a_deleted_webhook_has_no_rows() -> None:
    assert route_rows(replace(WEBHOOK, status="deleted"), [subscription("sub_1", "*")]) == []


def test_only_what_differs_is_written() -> None:
    one, two, three = subscription("sub_1", "a.b"), subscription("sub_2", "c.d"), subscription("sub_3", "e.f")
    before = route_rows(WEBHOOK, [one, two])
    after = route_rows(WEBHOOK, [replace(one, resource_id="r"), three])
    changes = route_changes(before, after)
    assert [row.pattern for row in changes.put] == ["a.b", "e.f"]
    assert [row.pattern for row in changes.delete] == ["c.d"]
    assert changes.patterns == ("a.b", "c.d", "e.f")
    assert route_changes(after, after).patterns == ()

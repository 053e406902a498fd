"""Members of workspaces who leave: what they registered there stops.

The platform tells us. A token alone does not: it names the workspace until it expires.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from webhooks.management.api_keys import ApiKeyManagement
from webhooks.management.changes import Change, ManagementStore, change
from webhooks.management.ports import Waker
from webhooks.matching.route_rows import route_changes, route_rows
from webhooks.models.audit import Deed
from webhooks.models.caller import Caller
from webhooks.models.subscription import Subscription
from webhooks.models.webhook import Webhook

MEMBER_REMOVED = "member_removed"  # the reason of such a webhook's status
AT_ONCE = 100  # webhooks that one request disables: each is a transaction
A_READ = 100


@dataclass(frozen=True, slots=True)
class Removal:
    """What was disabled and revoked by this request, and whether that is all there is."""

    disabled: Sequence[str]
    revoked: Sequence[str]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Members:
    """The use case."""

    store: ManagementStore
    waker: Waker
    api_keys: ApiKeyManagement
    now_ms: Callable[[], int]

    def removed(self, caller: Caller, workspace_id: str, user_id: str) -> Removal:
        """Revoke the user's API keys that name the workspace, then disable the user's webhooks there and give up what
        waits for them. Raises Unavailable, Conflict.

        Each webhook is announced by `webhook.disabled`. Only an admin makes one active again. Repeating it goes on
        where it ended, and finds what was registered since.
        """
        revoked = self.api_keys.revoke_of_workspace(caller, user_id, workspace_id)
        disabled: list[str] = []
        for webhook in self._of(workspace_id, user_id):
            if len(disabled) == AT_ONCE:
                return Removal(disabled, revoked, is_complete=False)
            now_ms = self.now_ms()
            change(self.store, caller, webhook.webhook_id, partial(_disabled, now_ms), now_ms, Deed("webhook.disabled"))
            self.waker.wake(webhook.webhook_id, now_ms, now_ms)
            disabled.append(webhook.webhook_id)
        return Removal(disabled, revoked, is_complete=True)

    def _of(self, workspace_id: str, user_id: str) -> Iterator[Webhook]:
        after, more = None, True
        while more:
            found, after = self.store.webhooks(user_id, after=after, limit=A_READ)
            theirs = (each for each in found if str(each.workspace_id) == workspace_id)
            yield from (each for each in theirs if each.status_reason != MEMBER_REMOVED)
            more = after is not None


def _disabled(now_ms: int, webhook: Webhook, subscriptions: Sequence[Subscription]) -> Change:
    after = replace(
        webhook, status="failed", status_reason=MEMBER_REMOVED, version=webhook.version + 1, updated_at_ms=now_ms
    )
    return Change(after, webhook, route_changes(*(route_rows(each, subscriptions) for each in (webhook, after))))

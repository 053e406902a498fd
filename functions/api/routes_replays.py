"""/replays: the jobs that send many deliveries again."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from answers.dead_letters import ListedReplay, ReplayAnswer, ReplayPage
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import caller_of
from webhooks.management.cursors import Cursors
from webhooks.management.replays import Replays, Selection
from webhooks.models.replay import JobStatus

TAGS = ["dead-letters"]


def routes(replays: Replays, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.get(
        "/replays",
        summary="List replays and recoveries, newest first; everybody's for admins",
        tags=TAGS,
        description="With how far each has come.",
        operation_id="listReplays",
    )
    def list_replays(
        status: Annotated[JobStatus | None, Query()] = None,
        webhook_id: Annotated[str | None, Query(max_length=64)] = None,
        user_id: Annotated[str | None, Query(max_length=128, description="one owner's; for admins")] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> ReplayPage:
        caller = caller_of(router, "webhooks:read")
        pages = Pages(cursors, caller, f"replays|{caller.is_admin}|{user_id}|{webhook_id}|{status}")
        selection = Selection(webhook_id, status)
        found = replays.page(caller, user_id, selection, pages.position(cursor), limit)
        names = replays.names(found.items)
        items = [ListedReplay.listed(each, names.get(each.webhook_id)) for each in found.items]
        return ReplayPage(items=items, next_cursor=pages.cursor(found.position))

    @router.get(
        "/replays/<replay_id>",
        summary="How far a bulk replay has come",
        tags=TAGS,
        description="Its counts, and the error that stopped it.",
        operation_id="getReplay",
    )
    def get_replay(replay_id: str) -> ReplayAnswer:
        return ReplayAnswer.of(replays.get(caller_of(router, "webhooks:read"), replay_id))

    @router.post(
        "/replays/<replay_id>/cancel",
        summary="Stop a replay",
        description="Nothing more is sent than the page under way; what was sent stays sent. 409 when it has ended.",
        tags=TAGS,
        operation_id="cancelReplay",
    )
    def cancel_replay(replay_id: str) -> ReplayAnswer:
        return ReplayAnswer.of(replays.cancel(caller_of(router, "webhooks"), replay_id))

    return router

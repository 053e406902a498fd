"""Dead letters, and replaying them."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from answers.dead_letters import BulkReplay, DeadLetterAnswer, DeadLetterPage, ReplayAnswer
from paging import DEFAULT_LIMIT, Cursor, Limit, Pages
from reading import IdempotencyKey, caller_of, once_by
from time_range import From, To, time_range
from webhooks.management.cursors import Cursors
from webhooks.management.dead_letters import DeadLetterManagement, Selection
from webhooks.models.caller import Caller

TAGS = ["dead-letters"]
JSON = "application/json"
Processed = Annotated[bool | None, Query(description="whether it was sent again")]
Reason = Annotated[str | None, Query(max_length=128, description="the `failure_reason` or the `cause`")]
EventType = Annotated[str | None, Query(max_length=128)]
LetterOwner = Annotated[str | None, Query(max_length=128, description="one owner's; for admins")]


def routes(management: DeadLetterManagement, cursors: Cursors) -> Router:
    """The router of these use cases."""
    router = Router()

    def page(
        caller: Caller,
        webhook_id: str | None,
        selection: Selection,
        times: tuple[str | None, str | None],
        limit: int,
        cursor: str | None,
    ) -> DeadLetterPage:
        pages = Pages(cursors, caller, f"dead|{webhook_id}|{caller.is_admin}|{selection}|{times}")
        found = management.page(caller, webhook_id, selection, time_range(*times, pages.position(cursor)), limit)
        items = [DeadLetterAnswer.of(each) for each in found.items]
        return DeadLetterPage(items=items, next_cursor=pages.cursor(found.position))

    @router.get(
        "/dead-letters",
        summary="List the dead letters of all your webhooks; of everybody's for admins",
        tags=TAGS,
        description="Newest first, with the webhook of each.",
        operation_id="listAllDeadLetters",
    )
    def list_all_dead_letters(
        is_processed: Processed = None,
        reason: Reason = None,
        event_type: EventType = None,
        user_id: LetterOwner = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> DeadLetterPage:
        selection = Selection(is_processed, reason, event_type, user_id)
        return page(caller_of(router, "webhooks:read"), None, selection, (from_, to), limit, cursor)

    @router.get(
        "/webhooks/<webhook_id>/dead-letters",
        summary="List a webhook's dead letters",
        tags=TAGS,
        description="Deliveries that were given up, newest first.",
        operation_id="listDeadLetters",
    )
    def list_dead_letters(
        webhook_id: str,
        is_processed: Processed = None,
        reason: Reason = None,
        event_type: EventType = None,
        from_: From = None,
        to: To = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> DeadLetterPage:
        selection = Selection(is_processed, reason, event_type)
        return page(caller_of(router, "webhooks:read"), webhook_id, selection, (from_, to), limit, cursor)

    @router.post(
        "/webhooks/<webhook_id>/dead-letters/<dead_letter_id>/replay",
        summary="Send a dead letter again",
        description=(
            "With attempts of its own. 409 when there is nothing to send: it was delivered since, it is being sent "
            "again already, or the webhook is inactive or failed. One that dies again can be replayed again."
        ),
        status_code=202,
        tags=TAGS,
        operation_id="replayDeadLetter",
    )
    def replay_dead_letter(webhook_id: str, dead_letter_id: str) -> Response[DeadLetterAnswer]:
        letter = management.replay(caller_of(router, "webhooks"), webhook_id, dead_letter_id)
        location = {"Location": f"/api/v1/webhooks/{webhook_id}/deliveries/{dead_letter_id}"}
        return Response(202, JSON, DeadLetterAnswer.of(letter), headers=location)

    @router.post(
        "/webhooks/<webhook_id>/dead-letters/bulk-replay",
        summary="Send a webhook's unprocessed dead letters again, in the background",
        description="The answer's Location says where to follow it. 409 while the webhook is inactive or failed.",
        status_code=202,
        tags=TAGS,
        operation_id="bulkReplayDeadLetters",
    )
    def bulk_replay(
        webhook_id: str,
        request: Annotated[BulkReplay | None, Body()] = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ReplayAnswer]:
        wanted = request or BulkReplay()
        caller = caller_of(router, "webhooks")
        once = once_by(idempotency_key, request, "replay", webhook_id)
        job = management.replay_many(caller, webhook_id, wanted.selection(), wanted.rate_per_second, once)
        return Response(202, JSON, ReplayAnswer.of(job), headers={"Location": f"/api/v1/replays/{job.job_id}"})

    return router

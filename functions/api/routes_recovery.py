"""Failures by cause, and recovering what a webhook did not get."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

from answers.dead_letters import BulkReplayAcross, ReplayAnswer, ReplayEstimate
from answers.failures import FailureGroupAnswer, FailureGroupPage, FailureSample
from answers.recovery import Recover
from paging import Cursor, Pages
from reading import IdempotencyKey, caller_of, once_by
from request_limits import RequestLimiter
from routes_dead_letters import LetterOwner
from time_range import From, To, time_range
from webhooks.management.bulk_replays import BulkReplays
from webhooks.management.cursors import Cursors
from webhooks.management.failure_groups import FailureGroup, FailureGroups, GroupPage
from webhooks.management.recovery import Recovery
from webhooks.reason_texts import cause_sentence
from webhooks.times import rfc3339

TAGS = ["dead-letters"]
JSON = "application/json"


def routes(
    groups: FailureGroups, recovery: Recovery, bulk: BulkReplays, cursors: Cursors, limiter: RequestLimiter
) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.get(
        "/dead-letters/groups",
        summary="The unprocessed dead letters of all your webhooks, grouped by webhook and cause",
        description="Each page groups up to 500 dead letters, newest first; groups with the same cause add up.",
        tags=TAGS,
        operation_id="groupDeadLetters",
    )
    def group_dead_letters(
        user_id: LetterOwner = None, from_: From = None, to: To = None, cursor: Cursor = None
    ) -> FailureGroupPage:
        caller = caller_of(router, "webhooks:read")
        pages = Pages(cursors, caller, f"groups|{caller.is_admin}|{user_id}|{from_}|{to}")
        return _page(groups.dead_letters(caller, user_id, time_range(from_, to, pages.position(cursor))), pages)

    @router.get(
        "/webhooks/<webhook_id>/failures",
        summary="A webhook's failed deliveries, grouped by cause",
        description="Its unprocessed dead letters, 500 a page, and on the first page also what is being retried.",
        tags=TAGS,
        operation_id="groupFailures",
    )
    def group_failures(webhook_id: str, from_: From = None, to: To = None, cursor: Cursor = None) -> FailureGroupPage:
        caller = caller_of(router, "webhooks:read")
        pages = Pages(cursors, caller, f"failures|{webhook_id}|{from_}|{to}")
        return _page(groups.of_webhook(caller, webhook_id, time_range(from_, to, pages.position(cursor))), pages)

    @router.post(
        "/dead-letters/bulk-replay",
        summary="Send unprocessed dead letters of many webhooks again, as one replay",
        description=(
            "Those of `targets`, or all of yours that the other parts admit; everybody's for admins. The answer's "
            "Location says where to follow it (202). With `dry_run` (200) only counted. What belongs to a webhook that "
            "is inactive, disabled or deleted is left out and counted as such."
        ),
        status_code=202,
        tags=TAGS,
        operation_id="bulkReplayAcrossWebhooks",
    )
    def bulk_replay(
        request: Annotated[BulkReplayAcross, Body()], idempotency_key: IdempotencyKey = None
    ) -> Response[ReplayAnswer | ReplayEstimate]:
        caller = caller_of(router, "webhooks")
        selection, rate = request.selection(), request.rate_per_second
        if request.dry_run:
            limiter.count_dry_run(caller)
            found, seconds = bulk.estimate(caller, selection, rate)
            estimate = ReplayEstimate(
                kind="estimate",
                count=found.total,
                webhooks=found.webhooks,
                left_out=found.left_out,
                is_exact=found.is_exact,
                duration_seconds=seconds,
            )
            return Response(200, JSON, estimate)
        job = bulk.start(caller, selection, rate, once_by(idempotency_key, request, "replay"))
        return Response(202, JSON, ReplayAnswer.of(job), headers={"Location": f"/api/v1/replays/{job.job_id}"})

    @router.post(
        "/webhooks/<webhook_id>/recover",
        summary="Send what a webhook did not get, in the background",
        description=(
            "What was given up, and what was not queued while the webhook was inactive or disabled, of a time, for a "
            "reason, or both. What was delivered since, or recovered before, is not sent again. With `dry_run` (200) "
            "only counted. The answer's Location says where to follow it (202). 409 while the webhook is inactive or "
            "failed."
        ),
        status_code=202,
        tags=TAGS,
        operation_id="recoverWebhook",
    )
    def recover(
        webhook_id: str, request: Annotated[Recover, Body()], idempotency_key: IdempotencyKey = None
    ) -> Response[ReplayAnswer | ReplayEstimate]:
        caller = caller_of(router, "webhooks")
        selection, rate = request.selection(), request.rate_per_second
        if request.dry_run:
            limiter.count_dry_run(caller)
            found = recovery.estimate(caller, webhook_id, selection, rate)
            estimate = ReplayEstimate(
                kind="estimate",
                count=found.count,
                webhooks=1,
                left_out=0,
                is_exact=found.is_exact,
                duration_seconds=found.duration_seconds,
            )
            return Response(200, JSON, estimate)
        once = once_by(idempotency_key, request, "recover", webhook_id)
        job = recovery.start(caller, webhook_id, selection, rate, once)
        return Response(202, JSON, ReplayAnswer.of(job), headers={"Location": f"/api/v1/replays/{job.job_id}"})

    return router


def _page(found: GroupPage, pages: Pages) -> FailureGroupPage:
    return FailureGroupPage(
        items=[_group(each) for each in found.groups],
        is_complete=found.is_complete,
        next_cursor=pages.cursor(found.position),
    )


def _group(group: FailureGroup) -> FailureGroupAnswer:
    newest = group.newest
    return FailureGroupAnswer(
        webhook_id=newest.webhook_id,
        cause=newest.cause,
        explanation=cause_sentence(newest.cause),
        count=group.count,
        dead_letters=group.given_up,
        retrying=group.retrying,
        first_seen=rfc3339(group.first_seen_ms),
        last_seen=rfc3339(newest.at_ms),
        sample=FailureSample(
            delivery_id=newest.delivery_id,
            event_id=newest.event_id,
            event_type=newest.event_type,
            status_code=newest.status_code,
            error_code=newest.error_code,
        ),
    )

"""/webhooks/:webhook_id/events and /consumers: reading events instead of being sent them."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from answers.pull import ConsumerAnswer, Consumers, PulledEvents
from paging import DEFAULT_LIMIT, Limit
from reading import caller_of
from time_range import From, time_range
from webhooks.management.pulling import MAX_WAIT_SECONDS, Pulling, Start
from webhooks.management.requests import CommitRequest

TAGS = ["pull"]
_NAME = r"^[A-Za-z0-9_-]{1,64}$"
ConsumerName = Annotated[str, Path(pattern=_NAME)]


def routes(pulling: Pulling) -> Router:
    """The router of these use cases."""
    router = Router()

    @router.get(
        "/webhooks/<webhook_id>/events",
        summary="Read a webhook's events, oldest first",
        tags=TAGS,
        description=(
            "A pull webhook's are in one order, as recorded up to 5 s ago, and nothing is ever added behind a cursor. "
            "A push webhook's are its deliveries by acceptance, up to 15 min ago; one that is first tried later than "
            "that may be passed over. At least once: tell repeats by `event_id`. "
            "`wait` answers when there is something, within its seconds; where no place to wait is free, at once and "
            "with Retry-After."
        ),
        operation_id="pullEvents",
    )
    def pull_events(
        webhook_id: str,
        after: Annotated[str | None, Query(max_length=2_048, description="a `cursor` or `next_cursor`")] = None,
        consumer: Annotated[
            str | None, Query(pattern=_NAME, description="go on where this consumer has committed to")
        ] = None,
        from_: From = None,
        limit: Limit = DEFAULT_LIMIT,
        wait: Annotated[int, Query(ge=0, le=MAX_WAIT_SECONDS, description="seconds to wait for an event")] = 0,
    ) -> Response[PulledEvents]:
        caller = caller_of(router, "webhooks:read")
        start = Start(after, consumer, time_range(from_, None, None).from_ms)
        page = pulling.read(caller, webhook_id, start, limit, wait)
        later = {} if page.retry_after_seconds is None else {"Retry-After": str(page.retry_after_seconds)}
        return Response(200, "application/json", PulledEvents.of(page), headers=later)

    @router.get(
        "/webhooks/<webhook_id>/consumers",
        summary="List a webhook's consumers",
        tags=TAGS,
        description="By name, each with how far it has come. One that commits nothing for the retention is forgotten.",
        operation_id="listConsumers",
    )
    def list_consumers(webhook_id: str) -> Consumers:
        found = pulling.consumers(caller_of(router, "webhooks:read"), webhook_id)
        return Consumers(items=[ConsumerAnswer.of(each) for each in found])

    @router.post(
        "/webhooks/<webhook_id>/consumers/<consumer>/commit",
        summary="Note how far a consumer has come",
        tags=TAGS,
        description=(
            "The first commit makes the consumer. It never goes back: a cursor before the present one changes nothing, "
            "and the answer has the present one. To read again, delete the consumer."
        ),
        operation_id="commitConsumer",
    )
    def commit_consumer(
        webhook_id: str, consumer: ConsumerName, request: Annotated[CommitRequest, Body()]
    ) -> ConsumerAnswer:
        caller = caller_of(router, "webhooks")
        return ConsumerAnswer.of(pulling.commit(caller, webhook_id, consumer, request.cursor))

    @router.delete(
        "/webhooks/<webhook_id>/consumers/<consumer>",
        summary="Delete a consumer",
        status_code=204,
        tags=TAGS,
        description="The next time this name reads, it starts with the oldest event that is still kept.",
        operation_id="deleteConsumer",
    )
    def delete_consumer(webhook_id: str, consumer: ConsumerName) -> Response[None]:
        pulling.forget(caller_of(router, "webhooks"), webhook_id, consumer)
        return Response(204)

    return router

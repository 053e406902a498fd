"""/filters: testing them."""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

from answers.filters import FilterResult, FilterResults, FilterTest
from reading import caller_of
from webhooks.management.filter_tests import FilterTestResult, FilterTests
from webhooks.times import rfc3339


def routes(filter_tests: FilterTests) -> Router:
    """The router of this use case."""
    router = Router()

    @router.post(
        "/filters/test",
        summary="Try filters out on an event, or on the last ones",
        description=(
            "Says for each event whether the filters want it and, if not, which rule decided. The last events are "
            "those that went to your webhooks."
        ),
        tags=["subscriptions"],
        operation_id="testFilters",
    )
    def test_filters(request: Annotated[FilterTest, Body()]) -> FilterResults:
        caller = caller_of(router, "webhooks:read")
        filters = request.filters or {}
        if request.event is not None:
            return FilterResults.of([_result(filter_tests.on_event(caller, filters, request.event))])
        found = filter_tests.on_last(caller, filters, request.last, request.webhook_id, request.event_type)
        return FilterResults.of([_result(each) for each in found])

    return router


def _result(tried: FilterTestResult) -> FilterResult:
    return FilterResult(
        event_id=tried.event_id,
        event_type=tried.event_type,
        accepted_at=None if tried.accepted_at_ms is None else rfc3339(tried.accepted_at_ms),
        matched=tried.rule is None,
        rule=tried.rule,
    )

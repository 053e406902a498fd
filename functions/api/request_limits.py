"""What is checked of a request before anything is done for it."""

import time
from dataclasses import dataclass, replace
from typing import Any, cast

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from problems import LOOP, Refused
from webhooks.access import callers
from webhooks.access.api_keys import KeyChecks
from webhooks.access.request_limits import WINDOW_MS, RequestLimits
from webhooks.models.caller import Caller, Origin
from webhooks.request.headers import hop_header

# What a request counts as. A page looks at up to 2,000 items for those that a filter asks for, a dry run at 20,000.
SEARCH, DRY_RUN, EVENTS = 10, 100, 10  # as many events count as one request
_PAGING = frozenset({"limit", "cursor", "from", "to", "interval", "after", "consumer", "wait"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimiter:
    """Refuses our own deliveries, API keys that have ended, and tenants over their limit."""

    limits: RequestLimits
    api_keys: KeyChecks
    header_prefix: str

    def admit(self, event: APIGatewayProxyEvent) -> Caller | None:
        """The caller. Raises Refused for a delivery that came back to us, Unauthenticated, TooManyRequests, and
        Unavailable.

        A request without a caller is left to its route: most of those need one and say so.
        """
        if hop_header(self.header_prefix) in event.headers:
            raise Refused(LOOP, "This is a delivery of this very service: a webhook must not lead back to it.")
        caller = caller_in(event)
        if caller is not None:
            self.api_keys.admit(caller)
            self.limits.admit(caller, SEARCH if _is_search(event) else 1)
        return caller

    def headers(self, caller: Caller | None) -> dict[str, str]:
        """What a caller with a limit has left of it: RateLimit fields of draft-ietf-httpapi-ratelimit-headers-10."""
        standing = None if caller is None else self.limits.standing(caller)
        if standing is None:
            return {}
        return {
            "RateLimit-Policy": f'"requests";q={standing.limit};w={WINDOW_MS // 1000}',
            "RateLimit": f'"requests";r={standing.left};t={standing.ends_in_seconds}',
        }

    def count_events(self, caller: Caller, amount: int) -> None:
        """For one request that publishes so many. Raises TooManyRequests."""
        if amount > EVENTS:
            self.limits.admit(caller, (amount - 1) // EVENTS)

    def count_dry_run(self, caller: Caller) -> None:
        """For one request that only counts what a recovery would send. Raises TooManyRequests."""
        self.limits.admit(caller, DRY_RUN - 1)


def _is_search(event: APIGatewayProxyEvent) -> bool:
    return event.http_method == "GET" and not _PAGING.issuperset(event.query_string_parameters)


def caller_in(event: APIGatewayProxyEvent) -> Caller | None:
    """The caller that the authorizer found, or None. Raises Unauthenticated for a token that has expired since."""
    request = cast("dict[str, Any]", event.raw_event.get("requestContext", {}))
    if not (context := request.get("authorizer")):
        return None
    return replace(callers.from_context(context, time.time()), origin=origin_of(event))


def origin_of(event: APIGatewayProxyEvent) -> Origin:
    """Where the request came from."""
    request = cast("dict[str, Any]", event.raw_event.get("requestContext", {}))
    return Origin(request.get("identity", {}).get("sourceIp"), request.get("requestId"))

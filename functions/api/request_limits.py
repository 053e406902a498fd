"""What is checked of a request before anything is done for it."""

import time
from dataclasses import dataclass
from typing import Any, cast

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from problems import LOOP, Refused
from webhooks.access import callers
from webhooks.access.api_keys import KeyChecks
from webhooks.access.request_limits import RequestLimits
from webhooks.models.caller import Caller
from webhooks.request.headers import hop_header


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimiter:
    """Refuses our own deliveries, API keys that have ended, and tenants over their limit."""

    limits: RequestLimits
    api_keys: KeyChecks
    header_prefix: str

    def admit(self, event: APIGatewayProxyEvent) -> None:
        """Raises Refused for a delivery that came back to us, Unauthenticated, TooManyRequests, and Unavailable.

        A request without a caller is left to its route: most of those need one and say so.
        """
        if hop_header(self.header_prefix) in event.headers:
            raise Refused(LOOP, "This is a delivery of this very service: a webhook must not lead back to it.")
        caller = caller_in(event)
        if caller is not None:
            self.api_keys.admit(caller)
            self.limits.admit(caller)


def caller_in(event: APIGatewayProxyEvent) -> Caller | None:
    """The caller that the authorizer found, or None. Raises Unauthenticated for a token that has expired since."""
    context = cast("dict[str, Any]", event.raw_event.get("requestContext", {})).get("authorizer")
    return callers.from_context(context, time.time()) if context else None
